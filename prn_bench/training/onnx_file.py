"""A PyTorch network as one ONNX file, which ONNX Runtime must compute alike."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.outfile import atomic_path

if TYPE_CHECKING:
    import torch


def export_onnx(network: torch.nn.Module, side_px: int, out: str | Path, *, most: float) -> float:
    """Export a network: ``images`` (b, 3, side, side) in 0..1 to ``position_maps`` of that shape.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, on the CPU.
    side_px : int
    out : path
        Gets its name only when ONNX Runtime agrees.
    most : float
        By how much it may differ from PyTorch, in the unit of the maps.

    Returns
    -------
    float
        The largest difference from PyTorch on random pictures.

    Raises
    ------
    ModuleNotFoundError
        Without the packages of the extra ``export``.
    BenchError
        ``onnx-differs``, and those of :func:`prn_bench.outfile.atomic_path`.
    """
    with atomic_path(out) as part:
        write_onnx(network, side_px, part)
        images = random_pictures(side_px)
        found = onnx_session(part).run(None, {"images": images.numpy()})[0]
        difference = largest_difference(found, network, images)
        if not difference <= most:
            raise BenchError(
                "ONNX Runtime does not compute what PyTorch does",
                code="onnx-differs",
                where=Path(out),
                expected=f"at most {most:.3f} px",
                found=f"{difference:.3f} px",
                remedy="Report it with the versions of torch, onnxscript and onnxruntime.",
            )
    return difference


def write_onnx(network: torch.nn.Module, side_px: int, path: Path) -> None:
    """One file, weights included; any batch size."""
    import onnx  # noqa: F401  # or the exporter would say in its own way that they are missing
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401
    import torch

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


def random_pictures(side_px: int) -> torch.Tensor:
    """(3, 3, side, side) float32 in 0..1, the same every time."""
    import torch

    return torch.rand(3, 3, side_px, side_px, generator=torch.Generator().manual_seed(0))


def largest_difference(
    found: NDArray[np.float32], network: torch.nn.Module, images: torch.Tensor
) -> float:
    """Between maps of these images and those of a network on the CPU, both (b, 3, n, n)."""
    import torch

    with torch.inference_mode():
        return float(np.abs(found - network(images).numpy()).max())
