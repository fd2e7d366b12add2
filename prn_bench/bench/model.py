"""The run-time table of the paper for this machine: stages around a network, and how each is timed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from prn_bench.bench.stopwatch import Timing, measure
from prn_bench.images import cut_crop, decode_image, encode_pixels
from prn_bench.uvmap import UV_SIZE_PX

PICTURE_PX = 450  # as in 300W-LP and AFLW2000-3D
FACE_PIXELS = 43_867  # of the face mask of bfm-256

Work = Callable[[], object]
#: Stage, what carries it out, and what prepares the call to be timed.
Stage = tuple[str, str, Callable[[], Work]]


def time_stages(
    stages: Iterable[Stage], batch: int, *, repeats: int, say: Callable[[str], None]
) -> list[Timing]:
    """Time each stage; what cannot run here stands in the table with its reason.

    Parameters
    ----------
    stages : iterable of Stage
    batch : int
        Images that each call handles.
    repeats : int
    say : callable
        Told what is being timed.
    """
    rows = []
    for stage, backend, make in stages:
        say(f"{stage}, {backend}, batch {batch}")
        rows.append(_timed(stage, backend, make, batch, repeats))
    return rows


def network_stages(
    crops: NDArray[np.uint8],
    backends: Iterable[tuple[str, Callable[[], Work]]],
    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> Iterator[Stage]:
    """The stages around a network, from a picture to vertices and landmarks.

    ``crop to geometry`` is what the paper times: from decoded crops in memory to vertices and landmarks
    in memory, with transfers. Detecting the face is not part of it.

    Parameters
    ----------
    crops : (b, 256, 256, 3) uint8
    backends : iterable of (name, what prepares the call to be timed)
        Ways to run the network alone.
    predict : callable
        From crops to (b, 3, 256, 256) position maps.
    """
    yield "decode and crop", "Pillow", partial(decoding, len(crops))
    for backend, make in backends:
        yield "network", backend, make
    maps = predict(crops)
    yield "map to geometry", "NumPy", lambda: partial(geometry, maps)
    yield "crop to geometry", "PyTorch", lambda: lambda: geometry(predict(crops))


def random_crops(batch: int) -> NDArray[np.uint8]:
    """(batch, 256, 256, 3) noise: what is in a picture does not change the time."""
    shape = (batch, UV_SIZE_PX, UV_SIZE_PX, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def decoding(batch: int) -> Work:
    """Decode pictures of 450 x 450 px and cut crops out of them."""
    noise = np.random.default_rng(0).integers(0, 256, (PICTURE_PX // 15, PICTURE_PX // 15, 3))
    picture = np.kron(noise, np.ones((15, 15, 1))).astype(np.uint8)  # packs like a photograph
    data, crop = encode_pixels(picture), np.diag([1.2, 1.2, 1.0])

    def work() -> None:
        for _ in range(batch):
            np.asarray(cut_crop(decode_image(data, "timing"), crop, UV_SIZE_PX))

    return work


def geometry(maps: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
    """Vertices and landmarks of (b, 3, n, n) maps; which pixels they are does not change the time."""
    pixels = maps.reshape(len(maps), 3, -1)
    chosen = np.linspace(0, pixels.shape[-1] - 1, FACE_PIXELS, dtype=np.intp)
    vertices = np.ascontiguousarray(pixels[:, :, chosen].swapaxes(1, 2))
    return vertices, vertices[:, :68].copy()


def _timed(stage: str, backend: str, make: Callable[[], Work], batch: int, repeats: int) -> Timing:
    try:
        work = make()
        work()
    except Exception as error:  # a missing package or compiler, which each reports in its own way
        why = str(error).strip().splitlines()[:1] or [type(error).__name__]
        return Timing(stage, backend, batch, note=f"skipped: {why[0]}")
    return measure(stage, backend, batch, work, repeats=repeats)
