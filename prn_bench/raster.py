"""Triangles to pixels.

Used twice: to build a UV operator (which triangle covers a UV pixel, at which barycentric weights)
and to render the synthetic face. Conventions: pixel centres at integers, x is the column, y the row;
larger depth is nearer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EDGE_TOLERANCE = (
    1e-9  # in barycentric units: a pixel on a shared edge belongs to a triangle, not to none
)


@dataclass(frozen=True)
class Coverage:
    """Which triangle each pixel shows.

    Attributes
    ----------
    triangle : (height, width) int32
        Row in the triangle list, -1 where no triangle covers the pixel centre.
    weights : (height, width, 3) float64
        Barycentric weights of the three corners, zero where uncovered.
    """

    triangle: NDArray[np.int32]
    weights: NDArray[np.float64]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(height, width) bool: pixels with a triangle."""
        return self.triangle >= 0


def rasterize(
    points: NDArray[np.floating],
    triangles: NDArray[np.integer],
    size_px: tuple[int, int],
    *,
    depth: NDArray[np.floating] | None = None,
) -> Coverage:
    """Find for each pixel centre the triangle that covers it.

    Parameters
    ----------
    points : (v, 2) float, pixels
        x (column), y (row) of each vertex.
    triangles : (t, 3) int
        Vertex rows, 0-based. Triangles without area are passed over.
    size_px : (height, width)
    depth : (v,) float, optional
        Where triangles overlap, the one with the largest interpolated depth wins; without it, or on
        equal depth, the one that comes first in the list.

    Returns
    -------
    Coverage
    """
    from prn_bench.compiled.raster import cover

    corners = np.asarray(points, np.float64)[triangles]  # (t, 3, 2)
    corner_depth = np.zeros(corners.shape[:2])
    if depth is not None:
        corner_depth = np.asarray(depth, np.float64)[triangles]
    triangle = np.full(size_px, -1, np.int32)
    weights = np.zeros((*size_px, 3))
    nearest = np.full(size_px, -np.inf)
    boxes = _pixel_boxes(corners, size_px)
    cover(corners, corner_depth, boxes, EDGE_TOLERANCE, nearest, triangle, weights)
    return Coverage(triangle, weights)


def _pixel_boxes(corners: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.int64]:
    """(t, 4): first column, first row, columns, rows of the pixels a triangle may cover."""
    height, width = size_px
    limit = np.array([width - 1, height - 1])
    low = np.ceil(np.clip(corners.min(1), -1, limit + 1) - EDGE_TOLERANCE)
    high = np.floor(np.clip(corners.max(1), -1, limit + 1) + EDGE_TOLERANCE)
    low, high = np.maximum(low, 0), np.minimum(high, limit)
    extent = np.maximum(high - low + 1, 0)
    extent[~np.isfinite(corners).all((1, 2))] = 0
    return np.nan_to_num(np.hstack([low, extent])).astype(np.int64)
