"""The reference network in the run-time table: PyTorch, compiled, bfloat16 on a GPU, ONNX Runtime."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from prn_bench.bench.model import Stage, Work, decoding, geometry, random_crops, time_stages
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
    """Time every stage, one picture at a time and ``batch`` at once.

    ``crop to geometry`` is what the paper times: from the decoded crop to vertices and landmarks, with
    transfers. Detecting the face is not part of it. Without a checkpoint it is the paper's network with
    random weights, which takes as long. ``say`` is told what is being timed.
    """
    network, side_px, rows = PRN().eval().to(choose_device(device)), UV_SIZE_PX, []
    if checkpoint is not None:
        network, config = load_checkpoint(checkpoint, device=choose_device(device))
        side_px = config.side_px
    with tempfile.TemporaryDirectory() as folder:
        for size in dict.fromkeys((1, batch)):
            stages = _stages(network, side_px, size, Path(folder) / "network.onnx")
            rows += time_stages(stages, size, repeats=repeats, say=say)
    return rows


def _stages(network: PRN, side_px: int, size: int, onnx: Path) -> Iterator[Stage]:
    crops, device = random_crops(size), next(network.parameters()).device
    images = network_input(torch.from_numpy(crops).to(device), side_px)
    yield "decode and crop", "Pillow", partial(decoding, size)
    for half in (False, True) if device.type == "cuda" else (False,):
        for compiled in (False, True):
            words = ["PyTorch"] + ["compiled"] * compiled + ["bfloat16"] * half
            make = partial(_forward, network, images, compiled=compiled, half=half)
            yield "network", ", ".join(words), make
    yield "network", "ONNX Runtime, CPU", partial(_onnx, network, images, onnx)
    maps = predict_maps(network, crops, side_px)
    yield "map to geometry", "NumPy", lambda: partial(geometry, maps)
    whole = lambda: geometry(predict_maps(network, crops, side_px))  # noqa: E731
    yield "crop to geometry", "PyTorch", lambda: whole


def _forward(network: PRN, images: Tensor, *, compiled: bool, half: bool) -> Work:
    on_gpu = images.is_cuda
    # CUDA graphs, since 30 small kernels take their time to start.
    mode = "reduce-overhead" if on_gpu else "default"
    call: Callable[[Tensor], Tensor] = torch.compile(network, mode=mode) if compiled else network

    def work() -> None:
        with torch.inference_mode(), torch.autocast(images.device.type, torch.bfloat16, half):
            call(images)
        if on_gpu:
            torch.cuda.synchronize(images.device)

    return work


def _onnx(network: PRN, images: Tensor, path: Path) -> Work:
    if not path.exists():
        write_onnx(copy.deepcopy(network).cpu(), images.shape[-1], path)
    session = onnx_session(path, threads=torch.get_num_threads())
    feed = {"images": images.cpu().contiguous().numpy()}
    return lambda: session.run(None, feed)
