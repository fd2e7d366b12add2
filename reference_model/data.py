"""Training data in memory: images decoded once and kept as bytes, position maps made on the device."""

from __future__ import annotations

import math
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from prn_bench.dataset import Dataset, derive
from prn_bench.dataset.linear_maps import linear_maps
from prn_bench.uvmap import MAP_OFFSET_PX, MAP_SCALE_PX, decode_maps, encode_maps
from reference_model.predict import network_input

BLOCK = 256  # samples read at once
SHARE_OF_GPU = SHARE_OF_MEMORY = 0.5  # that the data may take; beyond it they are mapped from disk
CODE_MIDDLE = 1 << 15  # codes are kept as int16, since torch hardly knows uint16


@dataclass(frozen=True)
class CoefficientMaps:
    """Position maps as the coefficient layout has them: linear in the coefficients, then affine."""

    mean: Tensor  # (3 p,) float32
    basis: Tensor  # (k, 3 p) float32
    weights: Tensor  # (n, k) float32
    affine: Tensor  # (n, 3, 4) float32

    def __getitem__(self, rows: Tensor) -> Tensor:
        """(b, 3, side, side) float32, crop pixels."""
        rows = rows.to(self.mean.device)
        shapes = torch.addmm(self.mean, self.weights[rows], self.basis).view(len(rows), 3, -1)
        affine = self.affine[rows]
        maps = torch.baddbmm(affine[..., 3:], affine[..., :3], shapes)
        side = int(maps.shape[-1] ** 0.5)
        return maps.view(-1, 3, side, side)


@dataclass(frozen=True)
class StoredMaps:
    """Position maps in fixed point, as the maps layout has them: (n, 3, side, side) int16."""

    codes: Tensor
    device: torch.device

    def __getitem__(self, rows: Tensor) -> Tensor:
        """(b, 3, side, side) float32, crop pixels."""
        codes = self.codes[rows.to(self.codes.device)].to(self.device, non_blocking=True)
        return codes.float() * MAP_SCALE_PX + (CODE_MIDDLE * MAP_SCALE_PX + MAP_OFFSET_PX)


@dataclass(frozen=True)
class Faces:
    """Some samples of a dataset, ready for training on a device."""

    ids: NDArray[np.object_]  # (n,) str
    images: Tensor  # (n, 3, side, side) uint8: on the device, in memory, or mapped from the disk
    maps: CoefficientMaps | StoredMaps
    device: torch.device

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Images in 0..1 and position maps in crop pixels of some rows, (b, 3, side, side) float32."""
        images = self.images[rows.to(self.images.device)].to(self.device, non_blocking=True)
        return images.float() / 255, self.maps[rows]


def load_faces(
    dataset: Dataset, rows: NDArray[np.intp], *, side_px: int, device: torch.device, scratch: Path
) -> Faces:
    """Decode the images of some rows, and bring what their position maps are made of to the device.

    Images and maps are brought to ``side_px``: images averaged, maps interpolated corner to corner.
    ``scratch`` is a folder for what does not fit into memory. Raises BenchError ``dataset-lacks``, and
    ``not-finite`` for a sample whose map is not all numbers.
    """
    images = _room((len(rows), 3, side_px, side_px), torch.uint8, device, scratch)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(rows), BLOCK):
            pixels = np.stack([*pool.map(dataset.image, rows[start : start + BLOCK].tolist())])
            small = network_input(torch.from_numpy(pixels), side_px) * 255
            images[start : start + BLOCK] = small.round().to(torch.uint8)
    make = _coefficient_maps if "uv_basis/mean" in dataset.stored_names else _stored_maps
    maps = make(dataset, rows, side_px, device, scratch)
    return Faces(dataset.sample_ids[rows], images, maps, device)


def _coefficient_maps(
    dataset: Dataset, rows: NDArray[np.intp], side_px: int, device: torch.device, scratch: Path
) -> CoefficientMaps:
    basis, weights, affine = map(torch.from_numpy, linear_maps(dataset, rows))
    flat = _resized(basis, side_px).flatten(1).to(device)
    return CoefficientMaps(flat[0], flat[1:], weights.to(device), affine.to(device))


def _stored_maps(
    dataset: Dataset, rows: NDArray[np.intp], side_px: int, device: torch.device, scratch: Path
) -> StoredMaps:
    codes = _room((len(rows), 3, side_px, side_px), torch.int16, device, scratch)
    for start in range(0, len(rows), BLOCK):
        block = dataset.read(derive.MAP, rows[start : start + BLOCK])
        if block.shape[-1] != side_px:
            block = encode_maps(_resized(torch.from_numpy(decode_maps(block)), side_px).numpy())
        signed = (block.astype(np.int32) - CODE_MIDDLE).astype(np.int16)
        codes[start : start + BLOCK] = torch.from_numpy(signed)
    return StoredMaps(codes, device)


def _resized(maps: Tensor, side_px: int) -> Tensor:
    """Corner to corner: UV pixel i of n lies at i / (n - 1)."""
    if maps.shape[-1] == side_px:
        return maps
    size = (side_px, side_px)
    return functional.interpolate(maps, size, mode="bilinear", align_corners=True)


def _room(
    shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, scratch: Path
) -> Tensor:
    """An empty tensor where there is room: on the GPU, in memory, else in a file without a name."""
    n_bytes = math.prod(shape) * dtype.itemsize
    if device.type == "cuda" and n_bytes < SHARE_OF_GPU * torch.cuda.mem_get_info(device)[0]:
        return torch.empty(shape, dtype=dtype, device=device)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if n_bytes < SHARE_OF_MEMORY * memory / int(os.environ.get("LOCAL_WORLD_SIZE", 1)):
        return torch.empty(shape, dtype=dtype)
    with tempfile.NamedTemporaryFile(dir=scratch) as file:
        size = math.prod(shape)
        return torch.from_file(file.name, shared=True, size=size, dtype=dtype).view(shape)
