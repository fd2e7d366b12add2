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

from prn_bench.bench.torch_network import card_run_time
from prn_bench.dataset import open_dataset
from prn_bench.outfile import refuse_overwriting_input
from prn_bench.predictions.maps import write_map_predictions
from prn_bench.training.checkpoint import WEIGHTS_FILE, method_card
from prn_bench.training.devices import choose_device
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
    card = method_card("PRN (reference)", config) | card_run_time(call, place)
    layout = config.uv_layout
    write_map_predictions(
        out, data, call, uv_layout=layout, method=card, batch=batch, progress=progress
    )


def predict_maps(network: PRN, images: NDArray[np.uint8], side_px: int) -> NDArray[np.float32]:
    """(b, n, n, 3) uint8 RGB crops to (b, 3, 256, 256) float32 position maps in crop pixels.

    The network is in evaluation mode, on any device, and was trained on images of ``side_px``.
    """
    device = next(network.parameters()).device
    pixels = torch.from_numpy(np.require(images, requirements="W")).to(device)
    with torch.inference_mode():
        return resized(network(network_input(pixels, side_px)), UV_SIZE_PX).cpu().numpy()


def resized(maps: Tensor, side_px: int) -> Tensor:
    """(b, 3, n, n) to (b, 3, side, side), corner to corner: UV pixel i of n lies at i / (n - 1)."""
    if maps.shape[-1] == side_px:
        return maps
    return functional.interpolate(maps, (side_px, side_px), mode="bilinear", align_corners=True)


def network_input(images: Tensor, side_px: int) -> Tensor:
    """(b, n, n, 3) uint8 RGB to (b, 3, side, side) float32 in 0..1, averaged where it shrinks.

    In memory the channels stay last, which convolutions like best.
    """
    values = images.permute(0, 3, 1, 2).float() / 255
    if values.shape[-1] == side_px:
        return values
    return functional.interpolate(values, (side_px, side_px), mode="bilinear", antialias=True)
