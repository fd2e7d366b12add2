"""Which pairs of a moving cloud may have changed, and what they are now.

A NumPy version of the same arithmetic spends most of its time on temporary arrays.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from prn_bench.compiled.tree import rows_near

Array: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.intp]

# Points that go down the tree together: how many, and how far apart for their reach (both squared).
GROUP, SPREAD = 16, 8.0


@njit(cache=True, nogil=True)
def due_points(
    points: Array, linear: Array, translation: Array, way: Array, starts: Rows, origin: Array,
    gap: Array, same_until: Array, known_until: Array, due: Rows, lost: Rows,
) -> tuple[int, int]:  # fmt: skip
    """Rows to look at again, and of these the ones to search again.

    Parameters
    ----------
    points : (n, 3) float64
        Before the motion ``linear @ x + translation``.
    way : (b,) float64
        Of each block, since the beginning.
    starts : (b + 1,) intp
        First row of each block.
    origin, gap : (n, 3) and (n,) float64
        Where each point was last searched, and how far from there its candidates hold.
    same_until, known_until : (n,) float64
        Ways of its block up to which a point keeps its partner, and its candidates. The latter is put
        off where the point has gone round about and is not as far as its way.
    due, lost : (n,) intp
        Filled from the front.

    Returns
    -------
    int, int
        How many are due, and lost.
    """
    n_due, n_lost = 0, 0
    for block in range(len(way)):
        gone = way[block]
        for row in range(starts[block], starts[block + 1]):
            if same_until[row] > gone:
                continue
            due[n_due] = row
            n_due += 1
            if known_until[row] <= gone:
                square = 0.0
                for axis in range(3):
                    away = translation[axis] - origin[row, axis]
                    for other in range(3):
                        away += linear[axis, other] * points[row, other]
                    square += away * away
                known_until[row] = gone + gap[row] - np.sqrt(square)
                if known_until[row] <= gone:
                    lost[n_lost] = row
                    n_lost += 1
    return n_due, n_lost


@njit(cache=True, nogil=True)
def choose(
    due: Rows, block_of: Rows, way: Array, points: Array, linear: Array, translation: Array,
    data: Array, candidates: Rows, known_until: Array, same_until: Array, index: Rows,
    paired: Array, cross: Array, total: Array,
) -> int:  # fmt: skip
    """Pair points with the nearest of their candidates, and keep the sums of the pairs up to date.

    Parameters
    ----------
    due : (d,) intp
        Rows to pair.
    block_of : (n,) intp
    way : (b,) float64
    points : (n, 3) float64
        Before the motion ``linear @ x + translation``.
    data : (m, 3) float64
        The fixed cloud.
    candidates : (n, k) intp
        Rows of the fixed cloud.
    known_until, same_until, index, paired
        See :class:`prn_bench.icp.pairs.MovingPairs`; all but the first are brought up to date.
    cross : (3, 3) float64
        Sum of partner times point, brought up to date.
    total : (4,) float64
        Sums of the partners and of their squares, brought up to date.

    Returns
    -------
    int
        Pairs that changed.
    """
    changed = 0
    k = candidates.shape[1]
    squares = np.empty(k)
    place = np.empty(3)
    for row in due:
        for axis in range(3):
            place[axis] = translation[axis]
            for other in range(3):
                place[axis] += linear[axis, other] * points[row, other]
        best = 0
        for j in range(k):
            candidate = candidates[row, j]
            square = 0.0
            for axis in range(3):
                square += (data[candidate, axis] - place[axis]) ** 2
            squares[j] = square
            if square < squares[best]:
                best = j
        chosen = candidates[row, best]
        margin = known_until[row] - way[block_of[row]]
        for j in range(k):
            apart = 0.0
            for axis in range(3):
                apart += (data[candidates[row, j], axis] - data[chosen, axis]) ** 2
            if apart > 0.0:  # else it is the nearest itself, or its double
                margin = min(margin, (squares[j] - squares[best]) / (2.0 * np.sqrt(apart)))
        same_until[row] = way[block_of[row]] + margin
        if chosen != index[row]:
            changed += 1
            exchange(row, chosen, data, points[row], index, paired, cross, total)
    return changed


@njit(cache=True, nogil=True)
def pair_all(
    points: Array, linear: Array, translation: Array, data: Array, boxes: Array, runs: Rows,
    child: Rows, depth: int, index: Rows, paired: Array, cross: Array, total: Array,
) -> int:  # fmt: skip
    """Pair every point with its nearest, beginning from its partner; gives how many pairs changed.

    A few points that follow each other go down the tree as one: what lies within reach of any of them
    is gathered once, and each takes its nearest from that.

    Parameters
    ----------
    points, linear, translation
        See :func:`due_points`.
    data, boxes, runs, child, depth
        See :func:`prn_bench.compiled.tree.search`.
    index, paired, cross, total
        See :func:`choose`; brought up to date.
    """
    changed, start = 0, 0
    moved, away = np.empty((GROUP, 3)), np.empty(GROUP)
    box, stack = np.empty((2, 3)), np.empty(depth + 2, np.intp)
    near, rows = np.empty((3, len(data))), np.empty(len(data), np.intp)
    while start < len(points):
        end, reach = start, 0.0
        while end < len(points) and end - start < GROUP:
            place = moved[end - start]
            square, size = 0.0, 0.0
            for axis in range(3):
                place[axis] = translation[axis]
                for other in range(3):
                    place[axis] += linear[axis, other] * points[end, other]
                square += (data[index[end], axis] - place[axis]) ** 2
                if end > start:
                    low, high = box[0, axis], box[1, axis]
                    size += (max(high, place[axis]) - min(low, place[axis])) ** 2
            if end > start and size > SPREAD * min(square, reach):
                break
            for axis in range(3):
                box[0, axis] = place[axis] if end == start else min(box[0, axis], place[axis])
                box[1, axis] = place[axis] if end == start else max(box[1, axis], place[axis])
            away[end - start], reach = square, max(reach, square)
            end += 1
        n_near = rows_near(box, reach, data, boxes, runs, child, stack, near, rows)
        for row in range(start, end):
            x, y, z = moved[row - start]
            best, nearest = away[row - start], index[row]
            for one in range(n_near):
                a, b, c = near[0, one] - x, near[1, one] - y, near[2, one] - z
                square = a * a + b * b + c * c
                if square < best:
                    best, nearest = square, rows[one]
            if nearest != index[row]:
                changed += 1
                exchange(row, nearest, data, points[row], index, paired, cross, total)
        start = end
    return changed


@njit(cache=True, nogil=True)
def exchange(
    row: int, partner: int, data: Array, point: Array, index: Rows, paired: Array, cross: Array,
    total: Array,
) -> None:  # fmt: skip
    """Give a point another partner, and keep the sums of the pairs up to date."""
    index[row] = partner
    for axis in range(3):
        new, old = data[partner, axis], paired[row, axis]
        for other in range(3):
            cross[axis, other] += (new - old) * point[other]
        total[axis] += new - old
        total[3] += (new + old) * (new - old)
        paired[row, axis] = new
