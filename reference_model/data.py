"""Training data in memory: images decoded once and kept as bytes, position maps made on the device."""

from __future__ import annotations

import hashlib
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

from prn_bench import derive
from prn_bench.dataset import Dataset
from prn_bench.errors import BenchError, first_few
from prn_bench.uvmap import MAP_OFFSET_PX, MAP_SCALE_PX, decode_maps, encode_maps
from reference_model.config import TrainConfig
from reference_model.inference import network_input
from reference_model.loss import region_weights

TEST_SETS = ("aflw2000-3d", "aflw-lfpa", "florence")
BLOCK = 256  # samples read at once
SHARE_OF_GPU, SHARE_OF_MEMORY = (
    0.5,
    0.5,
)  # what the data may take; beyond it they are mapped from disk
CODE_MIDDLE = 1 << 15  # codes are kept as int16, since torch hardly knows uint16


def photograph(sample_id: str, recipe: str) -> str:
    """What the views and the flip of one photograph share.

    300W-LP names a view ``HELEN_Flip/HELEN_1629243_1_3``: folder, photograph, face in it, view. In
    other datasets every sample is a photograph of its own.
    """
    return sample_id.rpartition("/")[2].rpartition("_")[0] if recipe == "300w-lp" else sample_id


def split(
    dataset: Dataset, validation_share: float, *, allow_test_set: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to train on and rows to validate on, by photograph.

    A photograph is held out where the hash of its name is small, so neither the order nor the size of
    a dataset moves one to the other side.

    Raises
    ------
    BenchError
        ``test-set`` for the test set of a benchmark, ``too-few-samples``.
    """
    recipe = str(dataset.attributes.get("recipe"))
    if recipe in TEST_SETS and not allow_test_set:
        raise BenchError(
            f"{recipe} is the test set of a benchmark: who trains on it has no score",
            code="test-set",
            where=dataset.path,
            expected="a training set, such as 300w-lp",
            remedy="Only to try something out, give --set allow_test_set=true.",
        )
    names = [photograph(str(name), recipe) for name in dataset.sample_ids]
    place = {name: hashlib.sha256(name.encode()).digest() for name in set(names)}
    held = {
        n for n, digest in place.items() if int.from_bytes(digest[:8]) < validation_share * 2**64
    }
    if validation_share and not held and len(place) > 1:  # a small dataset
        held = {min(place, key=place.__getitem__)}
    validation = np.array([name in held for name in names])
    if validation.all():
        what = "no photograph is left to train on"
        found = f"{len(place)} photographs"
        raise BenchError(what, code="too-few-samples", where=dataset.path, found=found)
    return np.flatnonzero(~validation), np.flatnonzero(validation)


@dataclass(frozen=True)
class CoefficientMaps:
    """Position maps as the coefficient layout has them: linear in the coefficients, then affine.

    Attributes
    ----------
    mean : (3 p,) float32
    basis : (k, 3 p) float32
    weights : (n, k) float32
    affine : (n, 3, 4) float32
    """

    mean: Tensor
    basis: Tensor
    weights: Tensor
    affine: Tensor

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
    """Some samples of a dataset, ready for training.

    Attributes
    ----------
    ids : (n,) str
    images : (n, 3, side, side) uint8
        On the device where they fit, else in memory, else mapped from the disk.
    maps : CoefficientMaps or StoredMaps
    device : torch.device
    """

    ids: NDArray[np.object_]
    images: Tensor
    maps: CoefficientMaps | StoredMaps
    device: torch.device

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Images in 0..1 and position maps in crop pixels, both (b, 3, side, side) float32.

        Parameters
        ----------
        rows : (b,) int64
        """
        images = self.images[rows.to(self.images.device)].to(self.device, non_blocking=True)
        return images.float() / 255, self.maps[rows]


def load_faces(
    dataset: Dataset, rows: NDArray[np.intp], *, side_px: int, device: torch.device, scratch: Path
) -> Faces:
    """Decode the images of some rows, and bring what their position maps are made of to the device.

    Parameters
    ----------
    side_px : int
        Images and maps are brought to this side: images averaged, maps interpolated corner to corner.
    scratch : path
        Folder for what does not fit into memory.

    Raises
    ------
    BenchError
        ``dataset-lacks``, and ``not-finite`` for a sample whose map is not all numbers.
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


def loss_weights(dataset: Dataset, config: TrainConfig) -> Tensor:
    """(side, side) float32 weights of the UV pixels; a smaller map keeps its 68 landmark pixels.

    Raises
    ------
    BenchError
        ``bad-region-weights``, ``dataset-lacks``.
    """
    stored, landmarks = dataset.read("uv/region_weights"), dataset.read("uv/landmark_pixels")
    last, side_px = len(stored) - 1, config.side_px
    nearest = np.rint(np.linspace(0, last, side_px)).astype(int)
    small = stored[np.ix_(nearest, nearest)]
    rows, columns = np.rint(landmarks * ((side_px - 1) / last)).astype(int).T
    small[rows, columns] = stored[tuple(landmarks.T)]
    return torch.from_numpy(region_weights(small, config.loss_weights, where=str(dataset.path)))


def _coefficient_maps(
    dataset: Dataset, rows: NDArray[np.intp], side_px: int, device: torch.device, scratch: Path
) -> CoefficientMaps:
    mean, identity, expression = (
        dataset.read(f"uv_basis/{name}") for name in ("mean", "identity", "expression")
    )
    together = torch.from_numpy(np.concatenate([mean[None], identity, expression]))
    flat = _resized(together, side_px).flatten(1).to(device)
    given = [dataset.read(f"coefficients/{name}", rows) for name in ("identity", "expression")]
    weights = derive.coefficient_rows(given[0], given[1], len(flat) - 1, len(identity))
    affine = derive.map_affine(lambda name: dataset.read(name, rows))
    bad = ~(np.isfinite(weights).all(1) & np.isfinite(affine).all((1, 2)))
    if bad.any():
        what = f"the fit is not all numbers: {first_few(dataset.sample_ids[rows[bad]])}"
        remedy = "Build the dataset again; `prn-bench check` lists such samples."
        raise BenchError(what, code="not-finite", where=dataset.path, remedy=remedy)
    terms = (torch.from_numpy(values).to(device) for values in (weights, affine))
    return CoefficientMaps(flat[0], flat[1:], *terms)


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
