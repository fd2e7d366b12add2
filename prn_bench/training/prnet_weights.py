"""PRNet's released TensorFlow checkpoint, variable by variable, by the names of our reference network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats import tfbundle
from prn_bench.training.checkpoint import MOST_CHANNELS

#: What only training needs: Adam's slots and counters.
OPTIMISER = ("/Adam", "/Adam_1", "beta1_power", "beta2_power", "global_step")
STAGES = {"first": "Conv", "blocks": "resBlock"}
PARTS = {"shortcut": "shortcut", "reduce": "Conv", "spatial": "Conv_1", "expand": "Conv_2"}
NORM = {"weight": "gamma", "bias": "beta"}
NORM |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
N_DECODER = 14  # transposed convolutions before the three of the output
LICENCE = "PRNet's weights; trained on 300W-LP and the Basel Face Model, for research only"


@dataclass(frozen=True)
class Row:
    """A variable of TensorFlow's and the tensor of ours that takes its values."""

    tf_name: str
    tf_shape: tuple[int, ...]
    name: str
    shape: tuple[int, ...]


def tf_name(name: str) -> str:
    """What TensorFlow calls a tensor of ours, such as ``resfcn256/resBlock_1/Conv/weights``."""
    stage, *path = name.split(".")
    number = 0 if stage == "first" else int(path[0])
    number += N_DECODER if stage == "output" else 0
    words = [STAGES.get(stage, "Conv2d_transpose") + (f"_{number}" if number else "")]
    words += [PARTS[part] for part in path if part in PARTS]
    words += ["BatchNorm", NORM[path[-1]]] if "norm" in path else ["weights"]
    return "/".join(["resfcn256", *words])


def base_channels(index: str | Path) -> int:
    """Channels of the first convolution, from which all other sizes follow; raises as :func:`table`."""
    entries = tfbundle.read_index(index)
    first = entries.get(tf_name("first.conv.weight"))
    channels = first.shape[-1] if first is not None and first.shape else 0
    if not 1 <= channels <= MOST_CHANNELS:
        found = f"{len(entries)} other variables"
        raise _wrong(tfbundle.index_path(index), "PRNet's resfcn256/Conv/weights", found)
    return channels


def table(index: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> list[Row]:
    """The variables in the ``.index`` of a checkpoint and the tensors of our network, one to one.

    Parameters
    ----------
    index : path
    shapes : dict
        Name and shape of our tensors.

    Raises
    ------
    BenchError
        ``wrong-tf-checkpoint`` where names or shapes do not match, and those of
        :func:`prn_bench.formats.tfbundle.read_index`.
    """
    entries, path = tfbundle.read_index(index), tfbundle.index_path(index)
    theirs = {n: one.shape for n, one in entries.items() if not n.endswith(OPTIMISER)}
    rows = []
    for name, ours in shapes.items():
        shape = theirs.pop(tf_name(name), None)
        if shape is None or ours != _turned(shape):
            raise _wrong(path, f"{tf_name(name)} for {ours}", str(shape or "no such variable"))
        rows.append(Row(tf_name(name), shape, name, ours))
    if theirs:
        raise _wrong(path, f"{len(rows)} variables", f"also {min(theirs)}")
    return rows


def read(index: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray]:
    """The values of our tensors; raises as :func:`table` and ``read_tensor`` of the bundle."""
    rows, path = table(index, shapes), tfbundle.index_path(index)
    entries = tfbundle.read_index(index)
    found = {row.name: tfbundle.read_tensor(path, entries[row.tf_name]) for row in rows}
    return {n: v.transpose(3, 2, 0, 1) if v.ndim == 4 else v for n, v in found.items()}


def _turned(shape: tuple[int, ...]) -> tuple[int, ...]:
    """From (kernel, kernel, in, out), for a transposed convolution (kernel, kernel, out, in)."""
    return (*shape[:1:-1], *shape[:2]) if len(shape) == 4 else shape


def _wrong(path: Path, expected: str, found: str) -> BenchError:
    what, code = "this is no checkpoint of PRNet's network", "wrong-tf-checkpoint"
    remedy = "Give the .index of PRNet's Data/net-data/256_256_resfcn256_weight."
    return BenchError(what, code=code, where=path, expected=expected, found=found, remedy=remedy)
