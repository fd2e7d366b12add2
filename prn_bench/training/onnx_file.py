"""A PyTorch network as one ONNX file, which ONNX Runtime must compute alike."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    import torch

    with atomic_path(out) as part:
        write_onnx(network, side_px, part)
        session = onnx_session(part)

        def run(images: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])

        difference = largest_difference(run, network, side_px)
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


def largest_difference(
    one: Callable[[torch.Tensor], torch.Tensor],
    other: Callable[[torch.Tensor], torch.Tensor],
    side_px: int,
) -> float:
    """Between the maps that two networks on the CPU make of three random pictures, always the same."""
    import torch

    images = torch.rand(3, 3, side_px, side_px, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return float((one(images) - other(images)).abs().max())
