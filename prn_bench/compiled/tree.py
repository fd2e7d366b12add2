"""A k-d tree with tight boxes: its making, and searches that begin from what is already near."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.intp]
Nodes: TypeAlias = tuple[Rows, Array, Rows, Rows, int]

AXES = 3


@njit(cache=True, nogil=True)
def make_tree(points: Array, leaf_points: int) -> Nodes:
    """Split a cloud at the middles of its boxes until the parts are small.

    Parameters
    ----------
    points : (m, 3) float64
    leaf_points : int
        Most points of a leaf, but for copies of one point.

    Returns
    -------
    order : (m,) intp
        Rows of ``points`` such that every node is a run of them.
    boxes : (nodes, 2, 3) float64
        Lowest and highest corner of each node's points.
    runs : (nodes, 2) intp
        First of a node's points in ``order``, and past the last.
    child : (nodes,) intp
        First of two children, the other follows; 0 for a leaf.
    depth : int
        Levels below the root.
    """
    n = len(points)
    order = np.arange(n)
    boxes = np.empty((2 * n, 2, AXES))
    runs = np.empty((2 * n, 2), np.intp)
    child = np.zeros(2 * n, np.intp)
    level = np.zeros(2 * n, np.intp)
    runs[0, 0], runs[0, 1] = 0, n
    nodes, node = 1, 0
    while node < nodes:
        begin, end = runs[node]
        _bound(points, order, begin, end, boxes[node])
        extent = boxes[node, 1] - boxes[node, 0]
        axis = int(np.argmax(extent))
        if end - begin > leaf_points and extent[axis] > 0.0:
            middle = _split(points, order, begin, end, axis, boxes[node])
            child[node] = nodes
            for side in range(2):
                runs[nodes, 0] = begin if side == 0 else middle
                runs[nodes, 1] = middle if side == 0 else end
                level[nodes] = level[node] + 1
                nodes += 1
        node += 1
    return order, boxes[:nodes].copy(), runs[:nodes].copy(), child[:nodes].copy(), level.max()


@njit(cache=True, nogil=True)
def _bound(points: Array, order: Rows, begin: int, end: int, box: Array) -> None:
    for axis in range(AXES):
        box[0, axis] = box[1, axis] = points[order[begin], axis]
    for place in range(begin + 1, end):
        for axis in range(AXES):
            value = points[order[place], axis]
            box[0, axis] = min(box[0, axis], value)
            box[1, axis] = max(box[1, axis], value)


@njit(cache=True, nogil=True)
def _split(points: Array, order: Rows, begin: int, end: int, axis: int, box: Array) -> int:
    """Put those below the middle of the box first; gives where the others begin, on both sides some."""
    limit = box[0, axis] + (box[1, axis] - box[0, axis]) / 2
    if limit >= box[1, axis]:  # neighbours in float64
        limit = box[0, axis]
    low, high = begin, end - 1
    while low <= high:
        if points[order[low], axis] <= limit:
            low += 1
        else:
            order[low], order[high] = order[high], order[low]
            high -= 1
    return low


@njit(cache=True, nogil=True)
def search(
    asked: Array, near: Rows, data: Array, boxes: Array, runs: Rows, child: Rows, depth: int,
    squares: Array, index: Rows,
) -> None:  # fmt: skip
    """The nearest few points of each asked one, in rising order of distance.

    Parameters
    ----------
    asked : (n, 3) float64
    near : (n, k) intp
        Different rows of ``data`` that are believed near, or a first column of -1 for none known: the
        points found for the one asked before are taken then. They only save time.
    data : (m, 3) float64
        The cloud in the order of the tree.
    boxes, runs, child, depth
        See :func:`make_tree`.
    squares, index : (n, k) float64 and intp
        Filled: squared distances, and rows of ``data``.
    """
    k = index.shape[1]
    stack, away = np.empty(depth + 2, np.intp), np.empty(depth + 2)
    for row in range(len(asked)):
        x, y, z = asked[row]
        guess = near[row] if near[row, 0] >= 0 else index[row - 1]
        limit = np.inf
        if near[row, 0] >= 0 or row > 0:
            limit = 0.0
            for j in range(k):
                limit = max(limit, _square(data, guess[j], x, y, z))
        best, found = squares[row], index[row]
        best[:] = np.inf
        top, stack[0], away[0] = 1, 0, 0.0
        while top > 0:
            top -= 1
            node = stack[top]
            if away[top] > limit:
                continue
            while child[node] > 0:
                left = child[node]
                one, other = _to_box(boxes, left, x, y, z), _to_box(boxes, left + 1, x, y, z)
                first = 0 if one <= other else 1
                stack[top], away[top] = left + 1 - first, max(one, other)
                if away[top] <= limit:
                    top += 1
                node = left + first
                if min(one, other) > limit:
                    break
            else:
                for candidate in range(runs[node, 0], runs[node, 1]):
                    square = _square(data, candidate, x, y, z)
                    if square <= limit and square < best[k - 1]:
                        _insert(best, found, square, candidate)
                        limit = min(limit, best[k - 1])


@njit(cache=True, nogil=True, inline="always")
def _insert(best: Array, found: Rows, square: float, candidate: int) -> None:
    """Put a point in its place among the nearest, and drop the farthest."""
    place = len(best) - 1
    while place > 0 and best[place - 1] > square:
        best[place], found[place] = best[place - 1], found[place - 1]
        place -= 1
    best[place], found[place] = square, candidate


@njit(cache=True, nogil=True, inline="always")
def _square(data: Array, row: int, x: float, y: float, z: float) -> float:
    x, y, z = data[row, 0] - x, data[row, 1] - y, data[row, 2] - z
    return x * x + y * y + z * z


@njit(cache=True, nogil=True, inline="always")
def _to_box(boxes: Array, node: int, x: float, y: float, z: float) -> float:
    x = max(boxes[node, 0, 0] - x, x - boxes[node, 1, 0], 0.0)
    y = max(boxes[node, 0, 1] - y, y - boxes[node, 1, 1], 0.0)
    z = max(boxes[node, 0, 2] - z, z - boxes[node, 1, 2], 0.0)
    return x * x + y * y + z * z


@njit(cache=True, nogil=True)
def rows_near(
    box: Array, reach: float, data: Array, boxes: Array, runs: Rows, child: Rows, stack: Rows,
    near: Array, rows: Rows,
) -> int:  # fmt: skip
    """Copy all points within reach of a box; gives how many.

    Parameters
    ----------
    box : (2, 3) float64
        Lowest and highest corner.
    reach : float
        Square of the distance.
    data, boxes, runs, child
        See :func:`search`.
    stack : (depth + 2,) intp
        To work in.
    near, rows : (3, m) float64, (m,) intp
        Filled from the front with coordinates and rows.
    """
    n_found, top, stack[0] = 0, 1, 0
    while top > 0:
        top -= 1
        node = stack[top]
        if _apart(boxes[node, 0], boxes[node, 1], box) > reach:
            continue
        if child[node] > 0:
            stack[top], stack[top + 1] = child[node], child[node] + 1
            top += 2
            continue
        for row in range(runs[node, 0], runs[node, 1]):
            if _apart(data[row], data[row], box) <= reach:
                for axis in range(AXES):
                    near[axis, n_found] = data[row, axis]
                rows[n_found] = row
                n_found += 1
    return n_found


@njit(cache=True, nogil=True, inline="always")
def _apart(low: Array, high: Array, box: Array) -> float:
    total = 0.0
    for axis in range(AXES):
        away = max(low[axis] - box[1, axis], box[0, axis] - high[axis], 0.0)
        total += away * away
    return total
