"""Hair of the synthetic face: where it grows, and its relief on the scalp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.synthetic.face_grid import CHEEK, EAR, FRONT, hairline, smoothstep

Array = NDArray[np.float64]

THICKNESS_MM = 5.0
EDGE_MM = 8.0


def hair_cover(half: Array, *, edge_mm: float = EDGE_MM) -> Array:
    """(rows, columns) share of hair at each place of the half grid, 0 to 1."""
    columns = np.arange(half.shape[1])
    # Coarser columns at the temples need a softer edge.
    edge = edge_mm * (
        1 + 0.8 * smoothstep((columns - FRONT) / 6) * ((columns < CHEEK) | (columns > EAR))
    )
    return smoothstep((half[..., 1] - hairline()) / edge + 0.5)


def strands(half: Array) -> Array:
    """(rows, columns) a pattern of combed strands, about -1 to 1."""
    x, y, z = half[..., 0], half[..., 1], half[..., 2]
    azimuth = np.arctan2(x, z - 5.0)
    flow = 7.0 * azimuth + 0.02 * y
    # Behind the ears the grid is too coarse for strands.
    fine = 1 - smoothstep((np.arange(half.shape[1]) - EAR + 5) / 6)
    return fine * (
        0.5 * np.sin(5.0 * flow + 0.6 * np.sin(y / 9.0))
        + 0.3 * np.sin(9.0 * flow + 1.3 + 0.9 * np.sin(y / 6.0 + 2.0))
        + 0.2 * np.sin(y / 5.0 + 3.0 * azimuth)
    )


def grow_hair(half: Array) -> Array:
    """Lift the scalp by the thickness of short hair."""
    cover = hair_cover(half, edge_mm=2.2 * EDGE_MM)
    centre = np.array([0.0, 40.0, 5.0])
    outward = half - centre
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    lift = cover * (THICKNESS_MM + 0.5 * strands(half))
    return half + lift[..., None] * outward
