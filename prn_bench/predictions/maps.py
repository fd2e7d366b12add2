"""From any network that turns crops into position maps to a prediction file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.dataset import Dataset
from prn_bench.errors import BenchError
from prn_bench.predictions.writer import writing_predictions
from prn_bench.uvmap import encode_maps

#: (b, 256, 256, 3) uint8 crops to (b, 3, 256, 256) float32 position maps, crop pixels, 0 to 281.6.
Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def write_map_predictions(
    out: str | Path,
    dataset: Dataset,
    network: Network,
    *,
    uv_layout: str,
    method: Mapping[str, Any],
    batch: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write position maps and their 68 landmarks, crop frame, for every image of a dataset.

    Parameters
    ----------
    out : path
    dataset : Dataset
        With images.
    network : callable
    uv_layout : str
        Of the maps that the network gives.
    method : dict
        The method card.
    batch : int
        Images in one call.
    progress : callable, optional
        Called with the number of images done and in all.

    Raises
    ------
    BenchError
        ``wrong-uv-layout``, ``not-finite``, and those of the files.
    """
    _refuse_other_layout(dataset, uv_layout)
    rows, columns = dataset.read("uv/landmark_pixels").T
    with writing_predictions(out, frame="crop", method=dict(method)) as writer:
        for first, images in _batches(dataset, batch):
            maps = network(images)
            if not np.isfinite(maps).all():  # such as from a negative variance
                names = dataset.sample_ids[first : first + len(maps)]
                what = "the network gives values that are not numbers"
                raise BenchError(what, code="not-finite", where=out, found=f"near {names[0]}")
            points, codes = maps[:, :, rows, columns].swapaxes(1, 2), encode_maps(maps)
            for i in range(len(maps)):
                name = str(dataset.sample_ids[first + i])
                writer.add(name, position_map=codes[i], landmarks=points[i])
            if progress is not None:
                progress(first + len(maps), len(dataset))


def _refuse_other_layout(dataset: Dataset, uv_layout: str) -> None:
    layout = dataset.attributes.get("uv_layout")
    if layout != uv_layout:
        raise BenchError(
            "the model was trained for another UV layout than this dataset has",
            code="wrong-uv-layout",
            where=dataset.path,
            expected=uv_layout,
            found=str(layout or "none: it was built without a face model"),
            remedy="Build the dataset with the face model of the training.",
        )


def _batches(data: Dataset, batch: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """First row and decoded images of each batch; the next is decoded while one is predicted."""

    def decode(first: int) -> tuple[int, NDArray[np.uint8]]:
        rows = range(first, min(first + batch, len(data)))
        return first, np.stack([data.image(row) for row in rows])

    with ThreadPoolExecutor(1) as ahead:
        waiting = None
        for first in range(0, len(data), batch):
            coming, waiting = waiting, ahead.submit(decode, first)
            if coming is not None:
                yield coming.result()
        if waiting is not None:
            yield waiting.result()
