"""A PyTorch network in the run-time table: as it is, compiled, bfloat16 on a GPU, ONNX Runtime."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.bench.model import Work, network_stages, random_crops, time_stages
from prn_bench.bench.stopwatch import Timing, measure
from prn_bench.training.onnx_file import onnx_session, write_onnx

if TYPE_CHECKING:
    import torch

#: (b, 256, 256, 3) uint8 crops to (b, 3, 256, 256) float32 position maps in crop pixels.
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def time_network(
    network: torch.nn.Module,
    predict: Predict,
    network_input: Callable[[torch.Tensor], torch.Tensor],
    *,
    batch: int = 16,
    repeats: int = 20,
    say: Callable[[str], None] = lambda _: None,
) -> list[Timing]:
    """Time the stages of :func:`prn_bench.bench.model.network_stages`, one crop and ``batch`` at once.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, on the device that counts.
    predict : callable
        All of the way from crops to position maps.
    network_input : callable
        From crops on the device to (b, 3, side, side) float32 images.
    batch, repeats : int
    say : callable
        Told what is being timed.
    """
    import torch

    rows, device = [], next(network.parameters()).device
    with tempfile.TemporaryDirectory() as folder:
        for size in dict.fromkeys((1, batch)):
            crops, onnx = random_crops(size), Path(folder) / "network.onnx"
            images = network_input(torch.from_numpy(crops).to(device))
            stages = network_stages(crops, _backends(network, images, onnx), predict)
            rows += time_stages(stages, size, repeats=repeats, say=say)
    return rows


def card_run_time(predict: Predict, device: torch.device) -> dict[str, float | str]:
    """``runtime_ms`` and ``runtime_of`` of a method card: the median of ten runs at batch 1."""
    import torch

    work = partial(predict, random_crops(1))
    timing = measure("crop to position map", "PyTorch", 1, work, repeats=10)
    cpu = f"CPU, {torch.get_num_threads()} threads"
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return {
        "runtime_ms": round(timing.median_ms, 3),
        "runtime_of": f"decoded crop to position map, batch 1, {where}",
    }


def _backends(
    network: torch.nn.Module, images: torch.Tensor, onnx: Path
) -> Iterator[tuple[str, Callable[[], Work]]]:
    for half in (False, True) if images.is_cuda else (False,):
        for compiled in (False, True):
            words = ["PyTorch"] + ["compiled"] * compiled + ["bfloat16"] * half
            make = partial(_forward, network, images, compiled=compiled, half=half)
            yield ", ".join(words), make
    yield "ONNX Runtime, CPU", partial(_onnx, network, images, onnx)


def _forward(network: torch.nn.Module, images: torch.Tensor, *, compiled: bool, half: bool) -> Work:
    import torch

    # CUDA graphs, since 30 small kernels take their time to start.
    mode = "reduce-overhead" if images.is_cuda else "default"
    call = torch.compile(network, mode=mode) if compiled else network

    def work() -> None:
        with torch.inference_mode(), torch.autocast(images.device.type, torch.bfloat16, half):
            call(images)
        if images.is_cuda:
            torch.cuda.synchronize(images.device)

    return work


def _onnx(network: torch.nn.Module, images: torch.Tensor, path: Path) -> Work:
    import torch

    if not path.exists():
        write_onnx(copy.deepcopy(network).cpu(), images.shape[-1], path)
    session = onnx_session(path, threads=torch.get_num_threads())
    feed = {"images": images.cpu().contiguous().numpy()}
    return lambda: session.run(None, feed)
