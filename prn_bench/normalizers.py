"""The lengths that an error is divided by, one per sample, measured on the reference.

Conventions: points are (n, 68, 2 or 3) in pixels; a box is the smallest upright rectangle around
them, with sides w and h (no pixel added); lengths are (n,) pixels. Relative to sqrt(w h), the mean
over the 2,000 images of AFLW2000-3D is 1.001 for (w + h) / 2, 1.038 for the larger side, 1.417 for
the diagonal, 1.466 for the crop box of 3DDFA.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench.landmarks import GROUPS, OUTER_EYE_CORNERS

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Normalizer:
    """A named length.

    Attributes
    ----------
    name : str
    source : "landmarks", "roi_box", "annotated_box", "predicted" or "nothing"
        What it is measured on.
    dims : int
        Coordinates that it needs (2 or 3; 4 for a box).
    words : str
        The definition, for tables.
    """

    name: str
    source: Literal["landmarks", "roi_box", "annotated_box", "predicted", "nothing"]
    dims: int
    words: str
    length: Callable[[Array], Array]

    def measure(self, shape: ArrayLike) -> Array:
        """Lengths of (n, 68, 2 or 3) landmarks, or of (n, 4) boxes, as (n,) float64 pixels.

        Raises
        ------
        ValueError
            For a shape that lacks what the length needs.
        """
        shape = np.asarray(shape, np.float64)
        n_axes = 2 if self.source.endswith("_box") else 3
        if shape.ndim != n_axes or shape.shape[-1] < self.dims:
            raise ValueError(
                f"{self.name} needs {n_axes} axes and {self.dims} coordinates, got {shape.shape}"
            )
        return self.length(shape)


def normalizer(name: str) -> Normalizer:
    """The normaliser of that name.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    for entry in NORMALIZERS:
        if entry.name == name:
            return entry
    raise ValueError(f"unknown normaliser {name!r}, known: {', '.join(normalizer_names())}")


def normalizer_names() -> tuple[str, ...]:
    """All names, in the order of the table."""
    return tuple(entry.name for entry in NORMALIZERS)


def _sides(points: Array) -> Array:
    """(n, d) side lengths of the upright box."""
    return np.asarray(points.max(1) - points.min(1))


def _bbox_sqrt_wh(points: Array) -> Array:
    return np.sqrt(_sides(points[..., :2]).prod(-1))


def _bbox_diagonal(points: Array) -> Array:
    return np.asarray(np.linalg.norm(_sides(points[..., :2]), axis=-1))


def _bbox_diagonal_3d(points: Array) -> Array:
    return np.asarray(np.linalg.norm(_sides(points[..., :3]), axis=-1))


def _bbox_max(points: Array) -> Array:
    return np.asarray(_sides(points[..., :2]).max(-1))


def _bbox_mean(points: Array) -> Array:
    return np.asarray(_sides(points[..., :2]).mean(-1))


def _interocular_2d(points: Array) -> Array:
    right, left = (points[:, corner, :2] for corner in OUTER_EYE_CORNERS)
    return np.asarray(np.linalg.norm(left - right, axis=-1))


def _interocular_3d(points: Array) -> Array:
    right, left = (points[:, corner, :3] for corner in OUTER_EYE_CORNERS)
    return np.asarray(np.linalg.norm(left - right, axis=-1))


def _interpupil(points: Array) -> Array:
    right, left = (points[:, list(GROUPS[eye]), :2].mean(1) for eye in ("right_eye", "left_eye"))
    return np.asarray(np.linalg.norm(left - right, axis=-1))


def _roi_side(boxes: Array) -> Array:
    # Not every stored crop box is square (sides differ by up to 55 px where it meets the border).
    return np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def _one(points: Array) -> Array:
    return np.ones(len(points))


NORMALIZERS: tuple[Normalizer, ...] = (
    Normalizer("bbox-sqrt-wh", "landmarks", 2, "sqrt(w h) of the landmark box", _bbox_sqrt_wh),
    Normalizer("bbox-diagonal", "landmarks", 2, "diagonal of the landmark box", _bbox_diagonal),
    Normalizer("bbox-diagonal-3d", "landmarks", 3, "3D diagonal of the box", _bbox_diagonal_3d),
    Normalizer("bbox-max", "landmarks", 2, "larger side of the landmark box", _bbox_max),
    Normalizer("bbox-mean", "landmarks", 2, "(w + h) / 2 of the landmark box", _bbox_mean),
    Normalizer("interocular-2d", "landmarks", 2, "2D outer eye corners 36, 45", _interocular_2d),
    Normalizer("interocular-3d", "landmarks", 3, "3D outer eye corners 36, 45", _interocular_3d),
    Normalizer("interpupil", "landmarks", 2, "2D means of the two eyes", _interpupil),
    Normalizer("roi-side", "roi_box", 4, "sqrt(w h) of 3DDFA's stored crop box", _roi_side),
    Normalizer("box-sqrt-wh", "annotated_box", 4, "sqrt(w h) of the annotated face box", _roi_side),
    Normalizer(
        "interocular-3d-predicted", "predicted", 3, "3D eye corners as predicted", _interocular_3d
    ),
    Normalizer("none", "nothing", 2, "1 pixel", _one),
)
