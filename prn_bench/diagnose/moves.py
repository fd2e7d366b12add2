"""How points move when a mistake is undone: pure functions of (n, 68, 2 or 3) points.

``size`` is (n, 1, 2), width and height of the space that the points belong to; every function takes it,
needed or not, and gives new points of the same shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.landmarks import mirror_permutation

Array = NDArray[np.float64]


def unmoved(points: Array, size: Array) -> Array:
    """The points as they are."""
    return points


def flipped(points: Array, size: Array, *, axis: int, gap: float) -> Array:
    """``size - gap - value`` on one axis (0: x, 1: y)."""
    moved = points.copy()
    moved[..., axis] = size[..., axis] - gap - points[..., axis]
    return moved


def mirrored(points: Array, size: Array, *, gap: float) -> Array:
    """Mirror x, and exchange left and right landmarks."""
    return flipped(points, size, axis=0, gap=gap)[:, mirror_permutation()]


def exchanged(points: Array, size: Array, *, axes: tuple[int, ...]) -> Array:
    """Coordinates in another order."""
    return points[..., list(axes[: points.shape[-1]])]


def scaled(points: Array, size: Array, *, factor: float) -> Array:
    """All coordinates times a number."""
    return points * factor


def resized(points: Array, size: Array, *, side_px: int) -> Array:
    """Pixels of a picture of ``side_px`` x ``side_px``, as pixels of the whole size."""
    return _times(points, size / side_px)


def reordered(points: Array, size: Array, *, order: NDArray[np.intp]) -> Array:
    """Landmarks in another order."""
    return points[:, order]


def rows_moved(points: Array, size: Array, *, order: NDArray[np.intp]) -> Array:
    """Samples in another order."""
    return points[order]


def shifted(points: Array, size: Array, *, shift: Array) -> Array:
    """A constant (2,) ``shift`` taken off x and y."""
    return np.concatenate([points[..., :2] - shift, points[..., 2:]], -1)


def of_side(points: Array, size: Array, *, whole: float) -> Array:
    """Shares of the sides, of which ``whole`` is all, as pixels."""
    return _times(points, size / whole)


def of_half_side(points: Array, size: Array) -> Array:
    """Coordinates from -1 to 1, as pixels."""
    middle = np.array([1.0, 1.0, 0.0])[: points.shape[-1]]
    return _times(points + middle, size / 2)


def _times(points: Array, factors: Array) -> Array:
    """Scale x and y by their own factors, z by that of x, as MediaPipe has it."""
    if points.shape[-1] == 3:
        factors = np.concatenate([factors, factors[..., :1]], -1)
    return np.asarray(points * factors)
