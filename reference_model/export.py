"""The network as ONNX, compared with PyTorch before it gets its name."""

from __future__ import annotations

import importlib
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prn_bench.errors import BenchError
from prn_bench.outfile import atomic_path
from reference_model.network import MAX_POSITION_PX, PRN
from reference_model.weights import load_checkpoint

TOLERANCE_PX = 1e-4 * MAX_POSITION_PX
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def export_onnx(checkpoint: str | Path, out: str | Path) -> float:
    """Export a checkpoint: ``images`` (b, 3, side, side) RGB in 0..1 to ``position_maps`` in pixels.

    Returns the largest difference from PyTorch on random pictures, in pixels of the 256 crop. Raises
    ModuleNotFoundError, BenchError ``onnx-differs``, and those of checkpoint and place.
    """
    network, config = load_checkpoint(checkpoint)
    with atomic_path(out) as part:
        write_onnx(network, config.side_px, part)
        difference = _difference(network, config.side_px, part)
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


def write_onnx(network: PRN, side_px: int, path: Path) -> None:
    """One file, weights included; any batch size."""
    for package in PACKAGES:
        importlib.import_module(package)  # or the exporter would say it in its own way
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


def _difference(network: PRN, side_px: int, path: Path) -> float:
    images = torch.rand(3, 3, side_px, side_px, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(images).numpy()
    found = onnx_session(path).run(None, {"images": images.numpy()})[0]
    return float(np.abs(found - expected).max())
