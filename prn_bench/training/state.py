"""The state of a training: tensors of PyTorch by name, written and taken up where they are in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prn_bench.formats.tensorfile import Kind, read_tensors, write_tensors
from prn_bench.training import folder as training_folder
from prn_bench.training.devices import Group
from prn_bench.training.folder import STATE

if TYPE_CHECKING:
    import torch

TYPES = {"torch.float32": "F32", "torch.int64": "I64"}


def kinds(tensors: Mapping[str, torch.Tensor]) -> dict[str, Kind]:
    """Types and shapes, as a safetensors file that holds these tensors has them."""
    return {name: (TYPES[str(one.dtype)], tuple(one.shape)) for name, one in tensors.items()}


def prepare_state(
    optimiser: torch.optim.Optimizer, *names: str, counter: str | None = None
) -> None:
    """Make the zeros that an optimiser begins with now, and not in its first step.

    A resume fills what is there. ``names`` are those of values shaped like a weight, ``counter`` is
    that of a single number.
    """
    import torch

    for group in optimiser.param_groups:
        for weight in group["params"]:
            zeros = {name: torch.zeros_like(weight) for name in names}
            single = {} if counter is None else {counter: weight.new_zeros(())}
            optimiser.state[weight] = zeros | single


def optimiser_tensors(name: str, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """What an optimiser knows of its weights: ``name/number of the weight/name of the value``."""
    return {
        f"{name}/{number}/{key}": values
        for number, state in enumerate(optimiser.state.values())
        for key, values in state.items()
    }


def write_state(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors of float32 and int64, from any device; raises as :func:`write_tensors`."""
    write_tensors(path, {name: values.cpu().numpy() for name, values in tensors.items()})


def resume(
    folder: Path, identity: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], group: Group
) -> int:
    """Fill the tensors with the state in a folder where there is one, and give its step, ``done``.

    All processes call it. Raises BenchError ``another-run`` for the folder of a training with another
    identity, and those of :func:`read_state`.
    """
    import torch

    training_folder.refuse_another(folder, identity)
    if (folder / STATE).is_file():
        read_state(folder / STATE, tensors)
    group.mean(torch.zeros(1, device=group.device))  # all have read before one writes
    if group.rank == 0:
        training_folder.take_up(folder, identity, int(tensors["done"]))
    return int(tensors["done"])


def read_state(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Fill the tensors, which must be those of the file; raises as :func:`read_tensors`."""
    import torch

    for name, values in read_tensors(path, kinds(tensors)).items():
        tensors[name].copy_(torch.from_numpy(values))
