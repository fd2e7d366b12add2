"""The network as ONNX, compared with PyTorch before it gets its name."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prn_bench.errors import BenchError
from prn_bench.outfile import atomic_path
from reference_model.network import MAX_POSITION_PX, PRN
from reference_model.weights import load_checkpoint

TOLERANCE = 1e-4  # of the sigmoid: 0.028 px


def export_onnx(checkpoint: str | Path, out: str | Path) -> float:
    """Export a checkpoint: ``images`` (b, 3, side, side) RGB in 0..1 to ``position_maps`` in pixels.

    Returns the largest difference from PyTorch on random pictures, in pixels of the 256 crop. Raises
    BenchError ``onnx-not-installed``, ``onnx-differs``, and those of checkpoint and place.
    """
    network, config = load_checkpoint(checkpoint)
    with atomic_path(out) as part:
        write_onnx(network, config.side_px, part)
        difference = _difference(network, config.side_px, part)
        if not difference <= TOLERANCE * MAX_POSITION_PX:
            raise BenchError(
                "ONNX Runtime does not compute what PyTorch does",
                code="onnx-differs",
                where=Path(out),
                expected=f"at most {TOLERANCE * MAX_POSITION_PX:.3f} px",
                found=f"{difference:.3f} px",
                remedy="Report it with the versions of torch, onnxscript and onnxruntime.",
            )
    return difference


def write_onnx(network: PRN, side_px: int, path: Path) -> None:
    """One file, weights included; any batch size."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        what, remedy = (
            f"{missing[0]} is not installed",
            "Install it: pip install 'prn-bench[export]'.",
        )
        raise BenchError(what, code="onnx-not-installed", remedy=remedy)
    batch = {"images": {0: torch.export.Dim("batch")}}
    with _quiet():
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, side_px, side_px),),
            path,
            input_names=["images"],
            output_names=["position_maps"],
            dynamic_shapes=batch,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings about itself and about packages that are not there."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
