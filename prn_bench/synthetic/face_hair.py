"""Hair of the synthetic face: where it grows, and its relief on the scalp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

THICKNESS_MM = 5.0
EDGE_MM = 9.0
#: Height of the hairline (mm) at columns of the half grid: forehead, temple, sideburn, ear, nape.
_COLUMNS = [0, 14, 26, 34, 40, 45, 48, 50, 53, 60, 65, 68, 71, 74]
_HEIGHTS = [93, 92, 90, 82, 66, 44, 20, 8, 42, 44, 12, -22, -38, -42]


def hair_cover(half: Array) -> Array:
    """(rows, columns) share of hair at each place of the half grid, 0 to 1."""
    from scipy.interpolate import PchipInterpolator

    line = PchipInterpolator(_COLUMNS, _HEIGHTS)(np.arange(half.shape[1]))
    t = np.clip((half[..., 1] - line) / EDGE_MM + 0.5, 0, 1)
    rows = np.arange(half.shape[0])[:, None]
    return np.asarray(t * t * (3 - 2 * t) * (rows > 10))


def strands(half: Array) -> Array:
    """(rows, columns) a pattern of combed strands, about -1 to 1."""
    x, y, z = half[..., 0], half[..., 1], half[..., 2]
    azimuth = np.arctan2(x, z - 5.0)
    flow = 7.0 * azimuth + 0.02 * y
    return np.asarray(
        0.5 * np.sin(5.0 * flow + 0.6 * np.sin(y / 9.0))
        + 0.3 * np.sin(9.0 * flow + 1.3 + 0.9 * np.sin(y / 6.0 + 2.0))
        + 0.2 * np.sin(y / 5.0 + 3.0 * azimuth)
    )


def grow_hair(half: Array) -> Array:
    """Lift the scalp by the thickness of short hair."""
    cover = hair_cover(half)
    centre = np.array([0.0, 40.0, 5.0])
    outward = half - centre
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    lift = cover * (THICKNESS_MM + 0.5 * strands(half))
    return half + lift[..., None] * outward
