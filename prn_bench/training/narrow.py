"""Convolutions of few channels on a CPU, for training: the same sums, several times faster.

oneDNN, which PyTorch calls, packs channels by 8 or 16 and is slow where there are three or six.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import Tensor

FEW = 8  # channels


def is_slow(features: Tensor, kernel: Tensor) -> bool:
    """Whether the functions here are the faster way."""
    return features.device.type == "cpu" and min(kernel.shape[:2]) < FEW


def pointwise(features: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """(b, n_in, h, w) to (b, n_out, h / stride, w / stride) by a kernel (n_out, n_in, 1, 1)."""
    import torch

    return torch.einsum("oi,bihw->bohw", kernel[..., 0, 0], features[..., ::stride, ::stride])


def transposed(features: Tensor, kernel: Tensor) -> Tensor:
    """(b, n_in, h, w) to (b, n_out, h, w) by a kernel (n_in, n_out, 4, 4), transposed, stride 1.

    Cut as TensorFlow's SAME: the last two rows and columns and the first one are left out.
    """
    return cast("Tensor", _transposed().apply(features, kernel))


@cache
def _transposed() -> Any:
    """Forward a plain convolution, backward a transposed one: the faster of both each time."""
    import torch
    from torch.nn import functional

    class Transposed(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, features: Tensor, kernel: Tensor) -> Tensor:
            context.save_for_backward(features, kernel)
            mirrored = kernel.flip(2, 3).transpose(0, 1)
            return functional.conv2d(functional.pad(features, (2, 1, 2, 1)), mirrored)

        @staticmethod
        def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
            whole = functional.pad(gradients[0], (0, 1, 0, 1))  # as before the cut
            one, wanted = [1, 1], [True, True, False]
            found = torch.ops.aten.convolution_backward(
                whole, *context.saved_tensors, None, one, one, one, True, [0, 0], 1, wanted
            )
            return found[0], found[1]

    return Transposed
