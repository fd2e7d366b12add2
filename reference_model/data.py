"""Training data: images decoded once and kept as bytes, position maps made on the device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prn_bench.dataset import Dataset
from prn_bench.dataset.decoding import decoded
from prn_bench.dataset.linear_maps import linear_maps
from prn_bench.training.coefficient_maps import CoefficientMaps
from prn_bench.training.devices import room
from reference_model.predict import network_input, resized

BLOCK = 256  # samples read at once


@dataclass(frozen=True)
class Faces:
    """Some samples of a dataset, ready for training on a device."""

    ids: NDArray[np.object_]  # (n,) str
    images: Tensor  # (n, 3, side, side) uint8: on the device, or mapped from a file
    maps: CoefficientMaps | Tensor  # (n, 3, side, side) float32, crop pixels, where like the images
    device: torch.device

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Images in 0..1 and position maps in crop pixels of some rows, (b, 3, side, side) float32."""
        images, maps = self.images[rows].to(self.device), self.maps[rows].to(self.device)
        return images.float() / 255, maps


def load_faces(
    dataset: Dataset, rows: NDArray[np.intp], *, side_px: int, device: torch.device, scratch: Path
) -> Faces:
    """Decode the images of some rows, and bring what their position maps are made of to the device.

    Images and maps are brought to ``side_px``: images averaged, maps interpolated corner to corner.
    ``scratch`` is a folder for what is not kept on a GPU. Raises BenchError ``dataset-lacks``, and
    ``not-finite`` for a sample whose map is not all numbers.
    """
    shape = (len(rows), 3, side_px, side_px)
    images = room(shape, torch.uint8, device, scratch)
    for start, pixels in decoded(dataset, rows, BLOCK):
        small = network_input(torch.from_numpy(pixels), side_px) * 255
        images[start : start + BLOCK] = small.round().to(torch.uint8)
    maps: CoefficientMaps | Tensor
    if "uv_basis/mean" in dataset.stored_names:
        basis, weights, affine = map(torch.from_numpy, linear_maps(dataset, rows))
        flat = resized(basis, side_px).flatten(1)
        maps = CoefficientMaps(flat.to(device), weights.to(device), affine.to(device))
    else:
        maps = room(shape, torch.float32, device, scratch)
        for start in range(0, len(rows), BLOCK):
            block = torch.from_numpy(dataset.position_maps(rows[start : start + BLOCK]))
            maps[start : start + BLOCK] = resized(block, side_px)
    return Faces(dataset.sample_ids[rows], images, maps, device)
