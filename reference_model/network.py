"""The Position map Regression Network: PRNet's ``resfcn256`` in PyTorch, layer for layer.

A 4 x 4 convolution, 10 residual blocks down to 1/32 of the side, 17 transposed 4 x 4 convolutions
back up (arXiv 1803.07835, section 3.2; PRNet's predictor.py where the paper is silent). All pad as
TensorFlow's SAME does and have no bias. Batch normalisation and ReLU follow every one of them but the
last of a block, where they follow the sum, and the very last, which ends in a sigmoid.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from prn_bench.training import narrow

#: Where the sigmoid is 1: 1.1 times the side of the crop, since a face may leave it.
MAX_POSITION_PX = 256 * 1.1
SIDE_STEP = 32  # five halvings
BATCH_NORM_EPSILON = 1e-3  # TF-slim's default, not PyTorch's
BATCH_NORM_DECAY = 0.999  # TF-slim's default; PyTorch's momentum is 1 - decay
NOISE_SHARE, LIFT = 0.3, 1.5  # of kernels and of normalised values, in a smooth start

# Channels, in units of base_channels, and stride.
BLOCKS = [(width, stride) for width in (2, 4, 8, 16, 32) for stride in (2, 1)]
DECODER = [(32, 1)] + [(width, stride) for width in (16, 8, 4) for stride in (2, 1, 1)]
DECODER += [(width, stride) for width in (2, 1) for stride in (2, 1)]


class PRN(nn.Module):
    """Images to position maps.

    With 16 ``base_channels`` it is the paper's network of 13.35 million parameters; they grow with the
    square. ``batch_norm_decay`` is the share that running statistics keep at each training step: 0.999
    needs several thousand steps before evaluation makes sense, so a short training takes less.
    """

    def __init__(
        self, base_channels: int = 16, *, batch_norm_decay: float = BATCH_NORM_DECAY
    ) -> None:
        super().__init__()
        if base_channels < 1:
            raise ValueError(f"base_channels must be at least 1, got {base_channels}")
        self.base_channels = base_channels
        self.first = _layer(SameConv2d(3, base_channels, 4))
        n_in, self.blocks, self.decoder = base_channels, nn.Sequential(), nn.Sequential()
        for width, stride in BLOCKS:
            self.blocks.append(ResidualBlock(n_in, width * base_channels, stride))
            n_in = width * base_channels
        for width, stride in DECODER:
            self.decoder.append(_layer(SameConvTranspose2d(n_in, width * base_channels, stride)))
            n_in = width * base_channels
        self.output = nn.Sequential(
            _layer(SameConvTranspose2d(n_in, 3)),
            _layer(SameConvTranspose2d(3, 3)),
            _layer(SameConvTranspose2d(3, 3), nn.Sigmoid()),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)  # as TF-slim
            elif isinstance(module, nn.BatchNorm2d):
                module.momentum = 1 - batch_norm_decay

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, n, n) RGB crops in 0..1 to (b, 3, n, n) float32 position maps.

        The side n is a multiple of 32, the paper's is 256; positions are x, y, z in pixels of the 256
        crop, 0 to 281.6, whatever n is. The output layers run in float32, autocast or not: their three
        channels carry the whole position, and bfloat16 would round it to about a pixel.
        """
        if images.shape[-2] % SIDE_STEP or images.shape[-1] % SIDE_STEP:
            raise ValueError(f"image sides must be multiples of {SIDE_STEP}: {images.shape}")
        features = self.decoder(self.blocks(self.first(images)))
        with torch.autocast(images.device.type, enabled=False):
            return self.output(features.float()) * MAX_POSITION_PX

    def start_smoothly(self) -> None:
        """Let the transposed convolutions begin as a linear enlargement, with a share of noise.

        Maps are then smooth from the first step on, as faces are, and ReLU passes nearly everything.
        Not in the paper; a training of a thousand steps ends with half the error.
        """
        doubling = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
        copying = torch.tensor([0.0, 1.0, 0.0, 0.0])
        for layer in [*self.decoder, *self.output]:
            convolution, norm = layer.get_submodule("conv"), layer.get_submodule("norm")
            if isinstance(convolution, SameConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                kernel = convolution.weight.detach().mul_(NOISE_SHARE)
                line = doubling if convolution.stride[0] == 2 else copying
                same = range(min(kernel.shape[:2]))
                kernel[same, same] += torch.outer(line, line)
                nn.init.constant_(norm.bias, LIFT)
        nn.init.zeros_(norm.bias)  # of the very last: the middle of the sigmoid


class ResidualBlock(nn.Module):
    """1 x 1 to half the channels, 4 x 4, 1 x 1, plus a shortcut (1 x 1 where the shape changes)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = SameConv2d(n_in, n_out, 1, stride)
        self.reduce = _layer(SameConv2d(n_in, n_out // 2, 1))
        self.spatial = _layer(SameConv2d(n_out // 2, n_out // 2, 4, stride))
        self.expand = SameConv2d(n_out // 2, n_out, 1)
        self.norm = nn.BatchNorm2d(n_out, BATCH_NORM_EPSILON)

    def forward(self, features: Tensor) -> Tensor:
        """(b, n_in, h, w) to (b, n_out, h / stride, w / stride)."""
        inner = self.expand(self.spatial(self.reduce(features)))
        return torch.relu(self.norm(inner + self.shortcut(features)))


class SameConv2d(nn.Conv2d):
    """Convolution of kernel 1 or 4 with TensorFlow's SAME padding; even sides at stride 2."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(n_in, n_out, kernel, stride, padding=kernel // 4, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(b, n_in, h, w) to (b, n_out, h / stride, w / stride)."""
        if self.kernel_size[0] == 1 and self.training and narrow.is_slow(features, self.weight):
            return narrow.pointwise(features, self.weight, self.stride[0])
        if self.kernel_size[0] > 1 and self.stride[0] == 1:  # 1 row before, 2 after
            features = functional.pad(features, (0, 1, 0, 1))
        return super().forward(features)


class SameConvTranspose2d(nn.ConvTranspose2d):
    """Transposed convolution of kernel 4, cut as TensorFlow's SAME: the gradient of the above."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__(n_in, n_out, 4, stride, padding=1, bias=False)

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(b, n_in, h, w) to (b, n_out, h * stride, w * stride)."""
        if self.stride[0] == 1 and self.training and narrow.is_slow(features, self.weight):
            return narrow.transposed(features, self.weight)
        result = super().forward(features, output_size)
        return result[..., :-1, :-1] if self.stride[0] == 1 else result  # 1 row before, 2 after


def _layer(
    convolution: SameConv2d | SameConvTranspose2d, end: nn.Module | None = None
) -> nn.Module:
    norm = nn.BatchNorm2d(convolution.out_channels, BATCH_NORM_EPSILON)
    return nn.Sequential(OrderedDict(conv=convolution, norm=norm, end=end or nn.ReLU(inplace=True)))
