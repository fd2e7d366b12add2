"""One training on several processes: what ``torchrun`` starts, each with its share of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from reference_model.predict import choose_device


@dataclass(frozen=True)
class Group:
    """The processes of a training, and which of them this is."""

    rank: int
    size: int
    device: torch.device

    def mean(self, value: Tensor) -> Tensor:
        """The mean of every process's value; all of them wait for it."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value / self.size


@contextmanager
def process_group(device: str = "auto") -> Iterator[Group]:
    """The group that ``torchrun`` made, or a group of one."""
    size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    place = choose_device(device)
    if size == 1:
        yield Group(0, 1, place)
        return
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Group(rank, size, place)
    finally:
        distributed.destroy_process_group()


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
    """Batch normalisation with the statistics of all processes, each of which has an equal share."""

    def forward(self, features: Tensor) -> Tensor:
        """(b, c, h, w) to the same."""
        if not self.training:
            return super().forward(features)
        n_processes, momentum = distributed.get_world_size(), self.momentum or 0.0
        mean = _Sum.apply(features.mean((0, 2, 3))) / n_processes
        centred = features - mean[:, None, None]
        variance = _Sum.apply(centred.square().mean((0, 2, 3))) / n_processes
        count = features.numel() // features.shape[1] * n_processes
        self.get_buffer("running_mean").lerp_(mean.detach(), momentum)
        self.get_buffer("running_var").lerp_(variance.detach() * count / (count - 1), momentum)
        self.get_buffer("num_batches_tracked").add_(1)
        factor = self.weight * torch.rsqrt(variance + self.eps)
        return centred * factor[:, None, None] + self.bias[:, None, None]


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
