"""The network on several processes, each with its share of every batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn

from prn_bench.training.devices import Group


def parallel(network: nn.Module, group: Group) -> nn.Module:
    """The network with gradients, and batch statistics, of the whole batch on every process.

    torch's SyncBatchNorm works on accelerators only; on the CPU, layers are changed to
    :class:`GlobalBatchNorm`. Changes the network in place.
    """
    if group.size == 1:
        return network
    if group.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return nn.parallel.DistributedDataParallel(network, [group.device.index])
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = GlobalBatchNorm
    return nn.parallel.DistributedDataParallel(network)


class GlobalBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with the statistics of all processes, each of which has an equal share.

    In float64, so that how a batch is shared does not show: float32 would round each process's part
    of a sum by itself.
    """

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) to the same."""
        if not self.training:
            return super().forward(features)
        wide, momentum = features.double(), self.momentum or 0.0
        sums = torch.stack([wide.sum((0, 2, 3)), wide.square().sum((0, 2, 3))])
        count = features.numel() // features.shape[1] * distributed.get_world_size()
        mean, square = _Sum.apply(sums) / count
        variance = square - mean.square()
        spread = variance.detach() * count / (count - 1)
        self.get_buffer("running_mean").lerp_(mean.detach().to(features.dtype), momentum)
        self.get_buffer("running_var").lerp_(spread.to(features.dtype), momentum)
        self.get_buffer("num_batches_tracked").add_(1)
        factor = self.weight * torch.rsqrt(variance + self.eps)
        wide = (wide - mean[:, None, None]) * factor[:, None, None] + self.bias[:, None, None]
        return wide.to(features.dtype)


class _Sum(torch.autograd.Function):
    """The sum over processes, whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        result = values.clone()
        distributed.all_reduce(result)
        return result

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        return _Sum.apply(*gradients)
