"""All points of a fixed cloud that can be the nearest of one of a group's points."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from prn_bench.compiled.lanes import BLOCK, FAR, up_to

Array: TypeAlias = NDArray[np.float64]
Values: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = NDArray[np.intp]
Columns: TypeAlias = NDArray[np.int32]

GUARD = 1e-14  # of coordinates: what rounding does to a sum of a few
#: Candidates are given about the middle of the group's box, in a unit in which all that can be a nearest
#: point is within 1. A frame holds that middle, half the sides of the box and the distance within which
#: all points were taken, both in that unit, and one over the unit.
MIDDLE, HALF, DISTANCE, UNIT, FRAME = 0, 3, 6, 7, 8


@njit(cache=True, nogil=True)
def distance_to_nearest(
    start: int, end: int, places: Array, partner: Rows, paired: Array, data: Array, boxes: Array,
    runs: Rows, child: Rows,
) -> float:  # fmt: skip
    """No point of a group has its nearest farther away than this.

    Parameters
    ----------
    start, end : int
        Rows of the group.
    places : (32, 3) float64
        Where they are now.
    partner, paired : (n,) intp, (n, 3) float64
        What they were paired with before, -1 for nothing.
    data, boxes, runs, child
        The fixed cloud: see :func:`prn_bench.compiled.tree.make_tree`.
    """
    known = partner[start] >= 0
    seed = 0 if known else _seed(places, boxes, runs, child)
    most = 0.0
    for row in range(start, end):
        square = 0.0
        for axis in range(3):
            other = paired[row, axis] if known else data[seed, axis]
            square += (other - places[row - start, axis]) ** 2
        most = max(most, square)
    return np.sqrt(most)


@njit(cache=True, nogil=True)
def _seed(places: Array, boxes: Array, runs: Rows, child: Rows) -> int:
    """A point that is likely near the first place: always on into the nearer box."""
    node = 0
    while child[node] > 0:
        first, away = child[node], np.inf
        for box in range(first, first + 2):
            square = 0.0
            for axis in range(3):
                value = places[0, axis]
                square += max(boxes[box, 0, axis] - value, value - boxes[box, 1, axis], 0.0) ** 2
            if square < away:
                node, away = box, square
    return runs[node, 0]


@njit(cache=True, nogil=True)
def gather(
    n_places: int, distance: float, places: Array, single: Array, boxes: Array, runs: Rows,
    child: Rows, stack: Rows, near: Values, rows: Columns, frame: Array,
) -> int:  # fmt: skip
    """Copy the leaves of the tree within a distance of the box of some places.

    Parameters
    ----------
    n_places : int
    distance : float
    places, boxes, runs, child
        See :func:`distance_to_nearest`.
    single : (3, m) float64
        The fixed cloud; copies of a point are infinite.
    stack : (depth + 2,) intp
        To work in.
    near, rows : (3, m + 64) float32, (m + 64,) int32
        Filled with candidates in their frame, and their rows; -1 for filling.
    frame : (1, 8) float64
        Filled.

    Returns
    -------
    int
        How many; filling follows up to a multiple of 64.
    """
    a_low = b_low = c_low = np.inf
    a_high = b_high = c_high = -np.inf
    for lane in range(n_places):
        a, b, c = places[lane, 0], places[lane, 1], places[lane, 2]
        a_low, b_low, c_low = min(a_low, a), min(b_low, b), min(c_low, c)
        a_high, b_high, c_high = max(a_high, a), max(b_high, b), max(c_high, c)
    a_mid, b_mid, c_mid = (
        a_low + (a_high - a_low) / 2,
        b_low + (b_high - b_low) / 2,
        c_low + (c_high - c_low) / 2,
    )
    # The partner that a distance was taken from must not be lost by rounding.
    reach = distance * (1 + 1e-9) + GUARD * max(abs(a_mid), abs(b_mid), abs(c_mid))
    unit = 1 / max(max(a_high - a_low, b_high - b_low, c_high - c_low) / 2 + reach, 1e-290)
    _describe(frame, (a_mid, b_mid, c_mid), (a_high, b_high, c_high), reach, unit)
    n, top, stack[0] = 0, 1, 0
    while top > 0:
        top -= 1
        node = stack[top]
        a = max(boxes[node, 0, 0] - a_high, a_low - boxes[node, 1, 0], 0.0)
        b = max(boxes[node, 0, 1] - b_high, b_low - boxes[node, 1, 1], 0.0)
        c = max(boxes[node, 0, 2] - c_high, c_low - boxes[node, 1, 2], 0.0)
        if a * a + b * b + c * c > reach * reach:
            continue
        if child[node] > 0:
            stack[top], stack[top + 1] = child[node] + 1, child[node]
            top += 2
            continue
        first, size = runs[node, 0], runs[node, 1] - runs[node, 0]
        for j in range(size):
            near[0, n + j] = min(max((single[0, first + j] - a_mid) * unit, -FAR), FAR)
            near[1, n + j] = min(max((single[1, first + j] - b_mid) * unit, -FAR), FAR)
            near[2, n + j] = min(max((single[2, first + j] - c_mid) * unit, -FAR), FAR)
            rows[n + j] = first + j
        n += size
    fill_up(n, near, rows)
    return n


@njit(cache=True, nogil=True)
def _describe(
    frame: Array, middle: tuple[float, float, float], high: tuple[float, float, float],
    reach: float, unit: float,
) -> None:  # fmt: skip
    for axis in range(3):
        frame[0, MIDDLE + axis] = middle[axis]
        frame[0, HALF + axis] = (high[axis] - middle[axis]) * unit
    frame[0, DISTANCE], frame[0, UNIT] = reach * unit, unit


@njit(cache=True, nogil=True)
def keep(
    n: int, gathered: Values, gathered_rows: Columns, frame: Array, near: Values, rows: Columns
) -> int:
    """Copy those of the candidates gathered that are within the distance themselves.

    Returns
    -------
    int
        How many; filling follows as above. 0 where ``near``, (3, longest) float32, has no room.
    """
    a, b, c = frame[0, HALF], frame[0, HALF + 1], frame[0, HALF + 2]
    reach = (frame[0, DISTANCE] * (1 + 1e-6) + 1e-6) ** 2  # with room for float32
    kept = 0
    for j in range(n):
        x, y, z = gathered[0, j], gathered[1, j], gathered[2, j]
        u, v, w = max(abs(x) - a, 0.0), max(abs(y) - b, 0.0), max(abs(z) - c, 0.0)
        near[0, kept], near[1, kept], near[2, kept] = x, y, z
        rows[kept] = gathered_rows[j]
        kept += (
            1 if u * u + v * v + w * w <= reach else 0
        )  # no branch: half of them would be guessed wrong
        if kept == len(rows):
            return 0
    fill_up(kept, near, rows)
    return kept


@njit(cache=True, nogil=True)
def fill_up(n: int, near: Values, rows: Columns) -> None:
    """Add points far away, up to a multiple of 64."""
    for j in range(n, up_to(n, BLOCK)):
        near[0, j] = near[1, j] = near[2, j] = FAR
        rows[j] = -1


@njit(cache=True, nogil=True)
def into_frame(lane: int, places: Array, frame: Array, at: int, lanes: Values) -> None:
    """A place in row ``at`` of the frames."""
    for axis in range(3):
        value = (places[lane, axis] - frame[at, MIDDLE + axis]) * frame[at, UNIT]
        lanes[axis, lane] = min(max(value, -FAR), FAR)


@njit(cache=True, nogil=True)
def compare(lane: int, places: Array, rows: Columns, n: int, partner: int, data: Array) -> int:
    """The nearest of some rows in float64; the partner where none is nearer."""
    least, nearest = np.inf, partner
    if partner >= 0:
        least = _square(partner, lane, places, data)
    for j in range(n):
        if rows[j] >= 0:
            square = _square(rows[j], lane, places, data)
            if square < least:
                least, nearest = square, int(rows[j])
    return nearest


@njit(cache=True, nogil=True)
def _square(row: int, lane: int, places: Array, data: Array) -> float:
    square = 0.0
    for axis in range(3):
        square += (data[row, axis] - places[lane, axis]) ** 2
    return square
