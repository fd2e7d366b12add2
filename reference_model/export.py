"""The network as ONNX or in half precision, compared with PyTorch in single precision."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.outfile import atomic_path, refuse_overwriting_input
from prn_bench.training.checkpoint import WEIGHTS_FILE
from reference_model.network import MAX_POSITION_PX, PRN
from reference_model.weights import load_checkpoint, save_checkpoint

TOLERANCE_PX = 1e-4 * MAX_POSITION_PX


def export_onnx(checkpoint: str | Path, out: str | Path) -> float:
    """Export a checkpoint: ``images`` (b, 3, side, side) RGB in 0..1 to ``position_maps`` in pixels.

    Returns the largest difference from PyTorch on random pictures, in pixels of the 256 crop. Raises
    ModuleNotFoundError, BenchError ``onnx-differs``, and those of checkpoint and place.
    """
    network, config = load_checkpoint(checkpoint)
    with atomic_path(out) as part:
        write_onnx(network, config.side_px, part)
        images = _pictures(config.side_px)
        found = onnx_session(part).run(None, {"images": images.numpy()})[0]
        difference = _difference(found, network, images)
        if not difference <= TOLERANCE_PX:
            raise BenchError(
                "ONNX Runtime does not compute what PyTorch does",
                code="onnx-differs",
                where=Path(out),
                expected=f"at most {TOLERANCE_PX:.3f} px",
                found=f"{difference:.3f} px",
                remedy="Report it with the versions of torch, onnxscript and onnxruntime.",
            )
    return difference


def export_half(checkpoint: str | Path, out: str | Path) -> float:
    """Write a checkpoint whose kernels are float16: half the size, and float32 again when loaded.

    Returns the largest difference from the checkpoint on random pictures, in pixels of the 256 crop.
    Raises BenchError ``overwrites-input``, ``not-half``, and those of checkpoint and place.
    """
    network, config = load_checkpoint(checkpoint)
    refuse_overwriting_input(Path(out) / WEIGHTS_FILE, Path(checkpoint) / WEIGHTS_FILE)
    save_checkpoint(out, network, config, half=True)
    images = _pictures(config.side_px)
    with torch.inference_mode():
        return _difference(load_checkpoint(out)[0](images).numpy(), network, images)


def write_onnx(network: PRN, side_px: int, path: Path) -> None:
    """One file, weights included; any batch size."""
    import onnx  # noqa: F401  # or the exporter would say in its own way that they are missing
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401

    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it has much to say about itself
    try:
        with warnings.catch_warnings(action="ignore"):
            torch.onnx.export(
                network,
                (torch.zeros(2, 3, side_px, side_px),),
                path,
                input_names=["images"],
                output_names=["position_maps"],
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        logger.setLevel(level)


def onnx_session(path: Path, *, threads: int = 1) -> Any:
    """An ONNX Runtime session on the CPU."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    return InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _pictures(side_px: int) -> torch.Tensor:
    return torch.rand(3, 3, side_px, side_px, generator=torch.Generator().manual_seed(0))


def _difference(found: NDArray[np.float32], network: PRN, images: torch.Tensor) -> float:
    with torch.inference_mode():
        return float(np.abs(found - network(images).numpy()).max())
