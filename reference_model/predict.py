"""A dataset through a checkpoint to a prediction file, like any contestant's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from prn_bench import __version__
from prn_bench.bench.model import random_crops
from prn_bench.bench.stopwatch import measure
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.outfile import refuse_overwriting_input
from prn_bench.predictions.maps import write_map_predictions
from prn_bench.training.checkpoint import WEIGHTS_FILE
from prn_bench.uvmap import UV_SIZE_PX
from reference_model.network import PRN
from reference_model.weights import load_checkpoint


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
    ``no-such-device``, and those of the checkpoint and of
    :func:`prn_bench.predictions.maps.write_map_predictions`.
    """
    refuse_overwriting_input(out, dataset, Path(checkpoint) / WEIGHTS_FILE)
    data, place = open_dataset(dataset), choose_device(device)
    network, config = load_checkpoint(checkpoint, device=place)
    call = partial(predict_maps, network, side_px=config.side_px)
    work = partial(call, random_crops(1))
    timing = measure("crop to position map", "PyTorch", 1, work, repeats=10)
    cpu = f"CPU, {torch.get_num_threads()} threads"
    words = torch.cuda.get_device_name(place) if place.type == "cuda" else cpu
    method = {
        "name": "PRN (reference)",
        "version": __version__,
        "licence": config.licence,
        "base_channels": config.base_channels,
        "side_px": config.side_px,
        "training": dict(config.training),
        "runtime_ms": round(timing.median_ms, 3),
        "runtime_of": f"decoded crop to position map, batch 1, {words}",
    }
    layout = config.uv_layout
    write_map_predictions(
        out, data, call, uv_layout=layout, method=method, batch=batch, progress=progress
    )


def predict_maps(network: PRN, images: NDArray[np.uint8], side_px: int) -> NDArray[np.float32]:
    """(b, n, n, 3) uint8 RGB crops to (b, 3, 256, 256) float32 position maps in crop pixels.

    The network is in evaluation mode, on any device, and was trained on images of ``side_px``. A
    smaller map is interpolated from corner to corner, since UV coordinates 0 and 1 are the centres of
    the outermost pixels.
    """
    device = next(network.parameters()).device
    pixels = torch.from_numpy(np.require(images, requirements="W")).to(device)
    with torch.inference_mode():
        maps = network(network_input(pixels, side_px))
        if side_px != UV_SIZE_PX:
            shape = (UV_SIZE_PX, UV_SIZE_PX)
            maps = functional.interpolate(maps, shape, mode="bilinear", align_corners=True)
        return maps.cpu().numpy()


def network_input(images: Tensor, side_px: int) -> Tensor:
    """(b, n, n, 3) uint8 RGB to (b, 3, side, side) float32 in 0..1, averaged where it shrinks.

    In memory the channels stay last, which convolutions like best.
    """
    values = images.permute(0, 3, 1, 2).float() / 255
    if values.shape[-1] == side_px:
        return values
    return functional.interpolate(values, (side_px, side_px), mode="bilinear", antialias=True)


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` is the first CUDA device or else the CPU; BenchError ``no-such-device``."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # PyTorch built without it asserts
        found = f"{name} ({str(error).splitlines()[0]})"
        expected = "auto, cpu, or cuda where PyTorch finds it"
        what = "PyTorch cannot use this device"
        raise BenchError(what, code="no-such-device", expected=expected, found=found) from None
    return device
