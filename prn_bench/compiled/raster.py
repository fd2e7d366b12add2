"""Triangles to pixels, one triangle after the other: the inner loop of :mod:`prn_bench.raster`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def cover(
    corners: NDArray[np.float64],
    depth: NDArray[np.float64],
    boxes: NDArray[np.int64],
    tolerance: float,
    nearest: NDArray[np.float64],
    triangle: NDArray[np.int32],
    weights: NDArray[np.float64],
) -> None:
    """Fill the pictures; on equal depth the triangle that comes first keeps the pixel.

    Parameters
    ----------
    corners : (t, 3, 2) float64, pixels
    depth : (t, 3) float64
    boxes : (t, 4) int64
        First column, first row, columns, rows of the pixels each triangle may cover.
    tolerance : float
        How far outside a triangle, in barycentric units, a pixel still belongs to it.
    nearest : (h, w) float64, minus infinity at first
    triangle : (h, w) int32, -1 at first
    weights : (h, w, 3) float64, zero at first
    """
    for t in range(len(corners)):
        (a_x, a_y), (b_x, b_y), (c_x, c_y) = corners[t]
        u_x, u_y, v_x, v_y = b_x - a_x, b_y - a_y, c_x - a_x, c_y - a_y
        area = u_x * v_y - u_y * v_x
        if area == 0:
            continue
        left, top, n_columns, n_rows = boxes[t]
        for y in range(top, top + n_rows):
            for x in range(left, left + n_columns):
                p_x, p_y = x - a_x, y - a_y
                second = (p_x * v_y - p_y * v_x) / area
                third = (u_x * p_y - u_y * p_x) / area
                first = 1 - second - third
                if first < -tolerance or second < -tolerance or third < -tolerance:
                    continue
                near = first * depth[t, 0] + second * depth[t, 1] + third * depth[t, 2]
                if near > nearest[y, x]:
                    nearest[y, x] = near
                    triangle[y, x] = t
                    weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = first, second, third
