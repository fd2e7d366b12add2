"""Where a training runs: a device of PyTorch, alone or as one of the processes of ``torchrun``."""

from __future__ import annotations

import gc
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.errors import BenchError

if TYPE_CHECKING:
    import torch

SHARE_OF_GPU = 0.5  # of the memory that is free, for one tensor of a dataset


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` is the first CUDA device or else the CPU; BenchError ``no-such-device``."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # PyTorch built without it asserts
        found = f"{name} ({str(error).splitlines()[0]})"
        expected = "auto, cpu, or cuda where PyTorch finds it"
        what = "PyTorch cannot use this device"
        raise BenchError(what, code="no-such-device", expected=expected, found=found) from None
    return device


def room(
    shape: tuple[int, ...], kind: torch.dtype, device: torch.device, scratch: Path
) -> torch.Tensor:
    """An empty tensor: on the GPU where it fits, else in a file without a name in a folder.

    The system keeps such a file in memory as far as there is some, and on the disk beyond that.
    """
    import torch

    size = math.prod(shape)
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
        if size * kind.itemsize < SHARE_OF_GPU * free:
            return torch.empty(shape, dtype=kind, device=device)
    with tempfile.NamedTemporaryFile(dir=scratch) as file:
        return torch.from_file(file.name, shared=True, size=size, dtype=kind).view(shape)


@dataclass(frozen=True)
class Group:
    """The processes of a training, and which of them this is."""

    rank: int
    size: int
    device: torch.device

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of every process's value; all of them wait for it."""
        from torch import distributed

        if self.size > 1:
            distributed.all_reduce(value)
        return value / self.size


@contextmanager
def process_group(device: str = "auto") -> Iterator[Group]:
    """The group that ``torchrun`` made, or a group of one; raises as :func:`choose_device`.

    No model that was distributed over the group may outlive it.
    """
    import torch
    from torch import distributed

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
        gc.collect()  # one process in ten aborts at its end where a model outlives the group
        distributed.destroy_process_group()
