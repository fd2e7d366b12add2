"""A dataset through a checkpoint to a prediction file, like any contestant's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prn_bench import __version__
from prn_bench.dataset import Dataset, open_dataset
from prn_bench.errors import BenchError
from prn_bench.outfile import refuse_overwriting_input
from prn_bench.predictions_writer import writing_predictions
from prn_bench.stopwatch import measure
from prn_bench.uvmap import encode_maps
from reference_model.inference import choose_device, predict_maps
from reference_model.network import PRN
from reference_model.weights import WEIGHTS_FILE, ModelConfig, load_checkpoint


def predict(
    checkpoint: str | Path,
    dataset: str | Path,
    out: str | Path,
    *,
    batch: int = 16,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write position maps and landmarks, in the crop frame, for every image of a dataset.

    ``progress`` is called with the number of images done and in all. Raises BenchError
    ``wrong-uv-layout``, ``not-finite``, ``no-such-device``, and those of the three files.
    """
    refuse_overwriting_input(out, dataset, Path(checkpoint) / WEIGHTS_FILE)
    data, place = open_dataset(dataset), choose_device(device)
    network, config = load_checkpoint(checkpoint, device=place)
    rows, columns = _landmark_pixels(data, config)
    with writing_predictions(out, frame="crop", method=_card(network, config, data)) as writer:
        for first, images in _batches(data, batch):
            maps = predict_maps(network, images, config.side_px)
            if not np.isfinite(maps).all():  # such as from a negative variance
                what = "the network gives values that are not numbers"
                raise BenchError(what, code="not-finite", where=checkpoint)
            points = maps[:, :, rows, columns].swapaxes(1, 2)
            codes = encode_maps(maps)  # 0 to 281.6 px always fit
            for i in range(len(maps)):
                name = str(data.sample_ids[first + i])
                writer.add(name, position_map=codes[i], landmarks=points[i])
            if progress is not None:
                progress(first + len(maps), len(data))


def _landmark_pixels(data: Dataset, config: ModelConfig) -> tuple[NDArray, NDArray]:
    layout = data.attributes.get("uv_layout")
    if layout != config.uv_layout:
        raise BenchError(
            "the model was trained for another UV layout than this dataset has",
            code="wrong-uv-layout",
            where=data.path,
            expected=config.uv_layout,
            found=str(layout or "none: it was built without a face model"),
            remedy="Build the dataset with the face model of the training.",
        )
    rows, columns = data.read("uv/landmark_pixels").T
    return rows, columns


def _card(network: PRN, config: ModelConfig, data: Dataset) -> dict[str, Any]:
    """The method card; its run time is that of one picture, decoded crop to position map."""
    device = next(network.parameters()).device
    image = data.image(0)[None] if len(data) else np.zeros((1, 256, 256, 3), np.uint8)
    work = lambda: predict_maps(network, image, config.side_px)  # noqa: E731
    timing = measure("crop to position map", "PyTorch", 1, work, repeats=10)
    return {
        "name": "PRN (reference)",
        "version": __version__,
        "licence": config.licence,
        "base_channels": config.base_channels,
        "side_px": config.side_px,
        "training": dict(config.training),
        "runtime_ms": round(timing.median_ms, 3),
        "runtime_of": f"decoded crop to position map, batch 1, {device_words(device)}",
    }


def device_words(device: torch.device) -> str:
    """The name of a GPU, or the number of CPU threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


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
