"""The reference network in the run-time table: PyTorch, compiled, bfloat16 on a GPU, ONNX Runtime."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from prn_bench.bench.model import Work, network_stages, random_crops, time_stages
from prn_bench.bench.stopwatch import Timing
from prn_bench.uvmap import UV_SIZE_PX
from reference_model.export import onnx_session, write_onnx
from reference_model.network import PRN
from reference_model.predict import choose_device, network_input, predict_maps
from reference_model.weights import load_checkpoint


def time_model(
    checkpoint: str | Path | None = None,
    *,
    batch: int = 16,
    device: str = "auto",
    repeats: int = 20,
    say: Callable[[str], None] = lambda _: None,
) -> list[Timing]:
    """Time the stages of :func:`prn_bench.bench.model.network_stages`, one crop and ``batch`` at once.

    Without a checkpoint it is the paper's network with random weights, which takes as long. ``say`` is
    told what is being timed.
    """
    network, side_px, rows = PRN().eval().to(choose_device(device)), UV_SIZE_PX, []
    if checkpoint is not None:
        network, config = load_checkpoint(checkpoint, device=choose_device(device))
        side_px = config.side_px
    with tempfile.TemporaryDirectory() as folder:
        for size in dict.fromkeys((1, batch)):
            crops, onnx = random_crops(size), Path(folder) / "network.onnx"
            images = network_input(torch.from_numpy(crops).to(choose_device(device)), side_px)
            predict = partial(predict_maps, network, side_px=side_px)
            stages = network_stages(crops, _backends(network, images, onnx), predict)
            rows += time_stages(stages, size, repeats=repeats, say=say)
    return rows


def _backends(network: PRN, images: Tensor, onnx: Path) -> Iterator[tuple[str, Callable[[], Work]]]:
    for half in (False, True) if images.is_cuda else (False,):
        for compiled in (False, True):
            words = ["PyTorch"] + ["compiled"] * compiled + ["bfloat16"] * half
            make = partial(_forward, network, images, compiled=compiled, half=half)
            yield ", ".join(words), make
    yield "ONNX Runtime, CPU", partial(_onnx, network, images, onnx)


def _forward(network: PRN, images: Tensor, *, compiled: bool, half: bool) -> Work:
    # CUDA graphs, since 30 small kernels take their time to start.
    mode = "reduce-overhead" if images.is_cuda else "default"
    call: Callable[[Tensor], Tensor] = torch.compile(network, mode=mode) if compiled else network

    def work() -> None:
        with torch.inference_mode(), torch.autocast(images.device.type, torch.bfloat16, half):
            call(images)
        if images.is_cuda:
            torch.cuda.synchronize(images.device)

    return work


def _onnx(network: PRN, images: Tensor, path: Path) -> Work:
    if not path.exists():
        write_onnx(copy.deepcopy(network).cpu(), images.shape[-1], path)
    session = onnx_session(path, threads=torch.get_num_threads())
    feed = {"images": images.cpu().contiguous().numpy()}
    return lambda: session.run(None, feed)
