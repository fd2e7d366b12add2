"""Checkpoints of the network, and PRNet's released weights as one of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from prn_bench.formats.tensorfile import Kind
from prn_bench.training import checkpoint, prnet_weights
from prn_bench.training.checkpoint import ModelConfig
from reference_model.network import PRN


def save_checkpoint(
    folder: str | Path, network: PRN, config: ModelConfig, *, half: bool = False
) -> None:
    """Write a checkpoint; raises as :func:`prn_bench.training.checkpoint.write_checkpoint`."""
    if config.base_channels != network.base_channels:
        raise ValueError(f"config: {config.base_channels} channels, not {network.base_channels}")
    tensors = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    checkpoint.write_checkpoint(folder, tensors, config, half=half)


def load_checkpoint(
    folder: str | Path, *, device: str | torch.device = "cpu"
) -> tuple[PRN, ModelConfig]:
    """A float32 network ready to evaluate, and what its checkpoint says of it.

    Raises BenchError as :func:`prn_bench.training.checkpoint.read_config` and
    :func:`prn_bench.formats.tensorfile.read_tensors`.
    """
    config = checkpoint.read_config(folder)
    with torch.device("meta"):  # shapes only
        network = PRN(config.base_channels)
    arrays = checkpoint.read_weights(folder, kinds(network.state_dict()))
    tensors = {name: torch.from_numpy(values) for name, values in arrays.items()}
    network.load_state_dict(tensors, assign=True)
    return network.eval().to(device), config


def import_tf(index: str | Path, out: str | Path) -> None:
    """Convert PRNet's TensorFlow checkpoint to a checkpoint folder, without TensorFlow.

    Raises BenchError as :func:`prn_bench.training.prnet_weights.read` and :func:`save_checkpoint`.
    """
    network = PRN(prnet_weights.base_channels(index))
    state = network.state_dict()
    shapes = {n: tuple(v.shape) for n, v in state.items() if not n.endswith("_tracked")}
    for name, values in prnet_weights.read(index, shapes).items():
        state[name].copy_(torch.from_numpy(values))
    licence, training = prnet_weights.LICENCE, {"converted_from": Path(index).name}
    config = ModelConfig(network.base_channels, "bfm-256", licence, training=training)
    save_checkpoint(out, network, config)


def kinds(tensors: Mapping[str, Tensor]) -> dict[str, Kind]:
    """Types and shapes, as a safetensors file that holds these tensors has them."""
    types = {torch.float32: "F32", torch.int64: "I64"}
    return {name: (types[one.dtype], tuple(one.shape)) for name, one in tensors.items()}
