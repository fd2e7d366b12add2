"""Mistakes to inject into good predictions, each with the family under which `doctor` names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.dataset import Dataset
from prn_bench.diagnose import Diagnosis
from prn_bench.geometry import apply_affine, crop_affine
from prn_bench.landmarks import mirror_permutation
from prn_bench.predictions import Predictions

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Good:
    """Points that are right: image frame, 0-based, y down; with what a fault may need."""

    points: Array  # (n, 68, 3)
    size: Array  # (n, 1, 2), width and height
    crop: Array  # (n, 3, 3)

    @property
    def in_crop(self) -> Array:
        """The same points in the crop frame, z only scaled."""
        return apply_affine(crop_affine(self.crop), self.points)


def good_points(dataset: Dataset, points: Array) -> Good:
    """Points of every sample of a dataset."""
    size = dataset.read("image_size").astype(float)[:, None, ::-1]
    return Good(np.asarray(points, float), size, dataset.read("crop"))


def upside_down(good: Good) -> Array:
    """y runs up, h - 1 - y."""
    points = good.points.copy()
    points[..., 1] = good.size[..., 1] - 1 - points[..., 1]
    return points


def mirrored(good: Good) -> Array:
    """x runs to the left, the order of the landmarks kept."""
    points = good.points.copy()
    points[..., 0] = good.size[..., 0] - 1 - points[..., 0]
    return points


def as_fractions(good: Good) -> Array:
    """Fractions of the image's sides; z as a fraction of the width."""
    return good.points / np.concatenate([good.size, good.size[..., :1]], -1)


#: Family of the finding, and the fault.
FAULTS: dict[str, tuple[str, Callable[[Good], Array]]] = {
    "y up": ("y-flip", upside_down),
    "x mirrored": ("x-mirror", mirrored),
    "mirrored image": ("x-mirror", lambda good: mirrored(good)[:, mirror_permutation()]),
    "x and y exchanged": ("axis-swap", lambda good: good.points[..., [1, 0, 2]]),
    "1-based": ("offset", lambda good: good.points + [1, 1, 0]),
    "a pixel in y": ("offset", lambda good: good.points - [0, 1, 0]),
    "half a pixel": ("offset", lambda good: good.points + [0.5, 0.5, 0]),
    "crop as image": ("space", lambda good: good.in_crop),
    "192 px picture": ("scale", lambda good: good.points * 192 / good.size[..., :1]),
    "fractions": ("fractions", as_fractions),
    "per cent": ("fractions", lambda good: 100 * as_fractions(good)),
    "z away": ("z-sign", lambda good: good.points * [1, 1, -1]),
    "z halved": ("z-scale", lambda good: good.points * [1, 1, 0.5]),
    "sides exchanged": ("order", lambda good: good.points[:, mirror_permutation()]),
    "another order": ("order", lambda good: good.points[:, np.roll(np.arange(68), 5)]),
    "constant": ("constant", lambda good: np.repeat(good.points[:1], len(good.points), 0)),
    "rows by one": ("rows", lambda good: np.roll(good.points, 1, 0)),
}


def predictions(ids: NDArray, points: Array, **arrays: NDArray) -> Predictions:
    """A prediction file in memory, image frame."""
    return Predictions(
        np.asarray(ids, object), "image", {"landmarks": points, **arrays}, {"name": "M"}
    )


def families(diagnosis: Diagnosis) -> list[str]:
    """Of the mistakes, as they are ranked."""
    return [mistake.family for mistake in diagnosis.mistakes]
