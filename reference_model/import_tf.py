"""PRNet's released TensorFlow checkpoint, variable by variable, as one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from numpy.typing import NDArray

from prn_bench import tfbundle
from prn_bench.errors import BenchError
from reference_model.network import DECODER, PRN
from reference_model.weights import MOST_CHANNELS, ModelConfig, save_checkpoint

# What only training needs: Adam's slots and counters.
OPTIMISER = ("/Adam", "/Adam_1", "beta1_power", "beta2_power", "global_step")
STAGES = {"first": "Conv", "blocks": "resBlock"}
PARTS = {"shortcut": "shortcut", "reduce": "Conv", "spatial": "Conv_1", "expand": "Conv_2"}
NORM = {"weight": "gamma", "bias": "beta"}
NORM |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
LICENCE = "PRNet's weights; trained on 300W-LP and the Basel Face Model, for research only"


@dataclass(frozen=True)
class Row:
    """A variable of TensorFlow's and the tensor of ours that takes its values."""

    tf_name: str
    tf_shape: tuple[int, ...]
    name: str
    shape: tuple[int, ...]


def table(index: str | Path) -> list[Row]:
    """The variables in the ``.index`` of a checkpoint and the tensors of our network, one to one.

    Raises BenchError ``wrong-tf-checkpoint`` where names or shapes do not match, and those of
    :func:`prn_bench.tfbundle.read_index`.
    """
    return _table(tfbundle.read_index(index), tfbundle.index_path(index))


def import_tf(index: str | Path, out: str | Path) -> None:
    """Convert a TensorFlow checkpoint to a checkpoint folder, without TensorFlow.

    Raises BenchError as :func:`table`, :func:`prn_bench.tfbundle.read_tensor` and
    :func:`reference_model.weights.save_checkpoint`.
    """
    entries, path = tfbundle.read_index(index), tfbundle.index_path(index)
    rows = _table(entries, path)
    network = PRN(rows[0].shape[0])
    state = network.state_dict()
    for row in rows:
        state[row.name].copy_(_ours(tfbundle.read_tensor(path, entries[row.tf_name])))
    training = {"converted_from": path.name}
    config = ModelConfig(network.base_channels, "bfm-256", LICENCE, training=training)
    save_checkpoint(out, network, config)


def tf_name(name: str) -> str:
    """What TensorFlow calls a tensor of ours, such as ``resfcn256/resBlock_1/Conv/weights``."""
    stage, *path = name.split(".")
    number = 0 if stage == "first" else int(path[0])
    number += len(DECODER) if stage == "output" else 0
    words = [STAGES.get(stage, "Conv2d_transpose") + (f"_{number}" if number else "")]
    words += [PARTS[part] for part in path if part in PARTS]
    words += ["BatchNorm", NORM[path[-1]]] if "norm" in path else ["weights"]
    return "/".join(["resfcn256", *words])


def _table(entries: Mapping[str, tfbundle.Entry], path: Path) -> list[Row]:
    shapes = {n: one.shape for n, one in entries.items() if not n.endswith(OPTIMISER)}
    first = shapes.get(tf_name("first.conv.weight"), (0,))
    if not 1 <= first[-1] <= MOST_CHANNELS:
        raise _wrong(path, "PRNet's resfcn256/Conv/weights", f"{len(shapes)} other variables")
    with torch.device("meta"):  # shapes only
        state = PRN(first[-1]).state_dict()
    rows = []
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        ours, theirs = tuple(tensor.shape), shapes.pop(tf_name(name), None)
        # kernel, kernel, in, out; for a transposed convolution: kernel, kernel, out, in
        if theirs is None or ours != (theirs if len(theirs) == 1 else theirs[:1:-1] + theirs[:2]):
            raise _wrong(path, f"{tf_name(name)} for {ours}", str(theirs or "no such variable"))
        rows.append(Row(tf_name(name), theirs, name, ours))
    if shapes:
        raise _wrong(path, f"{len(rows)} variables", f"also {min(shapes)}")
    return rows


def _ours(values: NDArray) -> torch.Tensor:
    return torch.from_numpy(values.transpose(3, 2, 0, 1) if values.ndim == 4 else values)


def _wrong(path: Path, expected: str, found: str) -> BenchError:
    what, code = "this is no checkpoint of PRNet's network", "wrong-tf-checkpoint"
    remedy = "Give the .index of PRNet's Data/net-data/256_256_resfcn256_weight."
    return BenchError(what, code=code, where=path, expected=expected, found=found, remedy=remedy)
