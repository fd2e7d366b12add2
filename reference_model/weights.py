"""Checkpoints of the network: from PRNet's released weights, to ONNX and to half precision."""

from __future__ import annotations

from pathlib import Path

import torch

from prn_bench.outfile import refuse_overwriting_input
from prn_bench.training import checkpoint, onnx_file, prnet_weights
from prn_bench.training.checkpoint import WEIGHTS_FILE, ModelConfig
from prn_bench.training.state import kinds
from reference_model.network import MAX_POSITION_PX, PRN

TOLERANCE_PX = 1e-4 * MAX_POSITION_PX


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


def export_onnx(source: str | Path, out: str | Path) -> float:
    """Export a checkpoint: ``images`` (b, 3, side, side) RGB in 0..1 to ``position_maps`` in pixels.

    Returns the largest difference from PyTorch on random pictures, in pixels of the 256 crop. Raises
    as :func:`prn_bench.training.onnx_file.export_onnx` and the checkpoint.
    """
    network, config = load_checkpoint(source)
    return onnx_file.export_onnx(network, config.side_px, out, most=TOLERANCE_PX)


def export_half(source: str | Path, out: str | Path) -> float:
    """Write a checkpoint whose kernels are float16: half the size, and float32 again when loaded.

    Returns the largest difference from the checkpoint on random pictures, in pixels of the 256 crop.
    Raises BenchError ``overwrites-input``, ``not-half``, and those of checkpoint and place.
    """
    network, config = load_checkpoint(source)
    refuse_overwriting_input(Path(out) / WEIGHTS_FILE, Path(source) / WEIGHTS_FILE)
    save_checkpoint(out, network, config, half=True)
    return onnx_file.largest_difference(load_checkpoint(out)[0], network, config.side_px)
