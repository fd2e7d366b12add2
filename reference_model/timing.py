"""The run-time table of the paper for this machine: by stage, backend and batch size."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prn_bench.images import cut_crop, decode_image, encode_pixels
from prn_bench.stopwatch import Timing, measure
from prn_bench.uvmap import UV_SIZE_PX
from reference_model.export import onnx_session, write_onnx
from reference_model.inference import choose_device, network_input, predict_maps
from reference_model.network import PRN
from reference_model.weights import load_checkpoint

PICTURE_PX = 450  # as in 300W-LP and AFLW2000-3D
FACE_PIXELS = 43_867  # of the face mask of bfm-256

Work = Callable[[], object]


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
    place, side_px = choose_device(device), UV_SIZE_PX
    if checkpoint is None:
        network = PRN().eval().to(place)
    else:
        network, config = load_checkpoint(checkpoint, device=place)
        side_px = config.side_px
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in dict.fromkeys((1, batch)):
            for stage, backend, make in _stages(network, side_px, size, Path(folder)):
                say(f"{stage}, {backend}, batch {size}")
                rows.append(_timed(stage, backend, size, make, repeats))
    return rows


def _timed(stage: str, backend: str, size: int, make: Callable[[], Work], repeats: int) -> Timing:
    try:
        work = make()
        work()
    except Exception as error:  # a missing package or compiler, which each reports in its own way
        why = str(error).strip().splitlines()[:1] or [type(error).__name__]
        return Timing(stage, backend, size, note=f"skipped: {why[0]}")
    return measure(stage, backend, size, work, repeats=repeats)


def _stages(
    network: PRN, side_px: int, size: int, folder: Path
) -> Iterator[tuple[str, str, Callable[[], Work]]]:
    """Stage, backend, and what prepares the call to be timed."""
    device = next(network.parameters()).device
    shape = (size, UV_SIZE_PX, UV_SIZE_PX, 3)
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images = network_input(torch.from_numpy(crops).to(device), side_px)
    yield "decode and crop", "Pillow", partial(_decoding, size)
    for half in (False, True) if device.type == "cuda" else (False,):
        for compiled in (False, True):
            words = ["PyTorch"] + ["compiled"] * compiled + ["bfloat16"] * half
            make = partial(_forward, network, images, compiled=compiled, half=half)
            yield "network", ", ".join(words), make
    yield "network", "ONNX Runtime, CPU", partial(_onnx, network, images, folder)
    maps = predict_maps(network, crops, side_px)
    yield "map to geometry", "NumPy", lambda: partial(_geometry, maps)
    yield "crop to geometry", "PyTorch", lambda: partial(_whole, network, crops, side_px)


def _decoding(size: int) -> Work:
    noise = np.random.default_rng(0).integers(0, 256, (PICTURE_PX // 15, PICTURE_PX // 15, 3))
    picture = np.kron(noise, np.ones((15, 15, 1))).astype(np.uint8)  # packs like a photograph
    data, crop = encode_pixels(picture), np.diag([1.2, 1.2, 1.0])

    def work() -> None:
        for _ in range(size):
            np.asarray(cut_crop(decode_image(data, "timing"), crop, UV_SIZE_PX))

    return work


def _forward(network: PRN, images: Tensor, *, compiled: bool, half: bool) -> Work:
    device = images.device
    on_gpu = device.type == "cuda"
    mode = (
        "reduce-overhead" if on_gpu else "default"
    )  # CUDA graphs: 30 small kernels take their time
    call: Callable[[Tensor], Tensor] = torch.compile(network, mode=mode) if compiled else network

    def work() -> None:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            call(images)
        if on_gpu:
            torch.cuda.synchronize(device)

    return work


def _onnx(network: PRN, images: Tensor, folder: Path) -> Work:
    path = folder / "network.onnx"
    if not path.exists():
        write_onnx(copy.deepcopy(network).cpu(), images.shape[-1], path)
    session = onnx_session(path, threads=torch.get_num_threads())
    feed = {"images": images.cpu().contiguous().numpy()}
    return lambda: session.run(None, feed)


def _whole(network: PRN, crops: NDArray[np.uint8], side_px: int) -> None:
    _geometry(predict_maps(network, crops, side_px))


def _geometry(maps: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
    """Vertices and landmarks of (b, 3, n, n) maps; which pixels they are does not change the time."""
    pixels = maps.reshape(len(maps), 3, -1)
    chosen = np.linspace(0, pixels.shape[-1] - 1, FACE_PIXELS, dtype=np.intp)
    vertices = np.ascontiguousarray(pixels[:, :, chosen].swapaxes(1, 2))
    return vertices, vertices[:, :68].copy()
