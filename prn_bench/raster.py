"""Triangles to pixels, without a loop over either.

Used twice: to build a UV operator (which triangle covers a UV pixel, at which barycentric weights)
and to render the synthetic face. Conventions: pixel centres at integers, x is the column, y the row;
larger depth is nearer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CANDIDATES_PER_PASS = 4_000_000  # bounds the memory of one pass to a few hundred MB
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
    height, width = size_px
    corners = np.asarray(points, np.float64)[triangles]  # (t, 3, 2)
    corner_depth = None if depth is None else np.asarray(depth, np.float64)[triangles]
    best_depth = np.full(height * width, -np.inf)
    best_triangle = np.full(height * width, -1, np.int32)
    best_weights = np.zeros((height * width, 3))
    boxes = _pixel_boxes(corners, size_px)
    for rows in _passes(boxes[:, 2] * boxes[:, 3]):
        triangle, pixel, weights = _candidates(corners, boxes, rows, width)
        near = (
            np.zeros(len(pixel))
            if corner_depth is None
            else np.einsum("nk,nk->n", weights, corner_depth[triangle])
        )
        # First by pixel, then nearest first, then list order: the first row of each pixel wins.
        order = np.lexsort((triangle, -near, pixel))
        first = np.ones(len(order), bool)
        first[1:] = pixel[order][1:] != pixel[order][:-1]
        winner = order[first]
        winner = winner[near[winner] > best_depth[pixel[winner]]]
        best_depth[pixel[winner]] = near[winner]
        best_triangle[pixel[winner]] = triangle[winner]
        best_weights[pixel[winner]] = weights[winner]
    shape = (height, width)
    return Coverage(best_triangle.reshape(shape), best_weights.reshape(*shape, 3))


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


def _passes(sizes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Split the triangles so that one pass looks at a bounded number of candidate pixels."""
    rows = np.flatnonzero(sizes > 0)
    if not len(rows):
        return []
    which = np.cumsum(sizes[rows]) // CANDIDATES_PER_PASS
    return np.split(rows, np.flatnonzero(np.diff(which)) + 1)


def _candidates(
    corners: NDArray[np.float64],
    boxes: NDArray[np.int64],
    rows: NDArray[np.int64],
    width: int,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """All (triangle, pixel) pairs with the pixel centre inside, and their barycentric weights."""
    columns, counts = boxes[rows, 2], boxes[rows, 2] * boxes[rows, 3]
    triangle = np.repeat(rows, counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(within, np.repeat(columns, counts))
    x, y = column + boxes[triangle, 0], row + boxes[triangle, 1]
    a, b, c = corners[triangle, 0], corners[triangle, 1], corners[triangle, 2]
    area = _cross(b - a, c - a)
    point = np.stack([x, y], 1)
    safe_area = np.where(area == 0, np.nan, area)
    w_b = _cross(point - a, c - a) / safe_area
    w_c = _cross(b - a, point - a) / safe_area
    weights = np.stack([1 - w_b - w_c, w_b, w_c], 1)
    inside = (weights >= -EDGE_TOLERANCE).all(1)
    return triangle[inside].astype(np.int32), (y * width + x)[inside], weights[inside]


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
