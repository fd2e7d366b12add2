"""A k-d tree with tight boxes, and groups of neighbours."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]
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
def copies_of(points: Array, runs: Rows, child: Rows) -> Flags:
    """(m,) bool: points, in the order of a tree, that lie where another before them does."""
    copies = np.zeros(len(points), np.bool_)
    for node in range(len(child)):
        if child[node] > 0:
            continue
        begin, end = runs[node]
        for row in range(begin + 1, end):
            # A leaf of many points is one of copies only, so the first one tells.
            x, y, z = points[row]
            for other in range(begin, row):
                if points[other, 0] == x and points[other, 1] == y and points[other, 2] == z:
                    copies[row] = True
                    break
    return copies


@njit(cache=True, nogil=True)
def make_groups(points: Array, size: int) -> tuple[Rows, Array, Array]:
    """Cut a cloud into groups of neighbours of equal size; the last group may be smaller.

    Parameters
    ----------
    points : (n, 3) float64
    size : int

    Returns
    -------
    order : (n,) intp
        Rows of ``points``, one group after the other.
    centre : (g, 3) float64
        Of the box of each group.
    radius : (g,) float64
        Of the ball about it that holds the group.
    """
    n = len(points)
    order = np.arange(n)
    stack = [(0, n)]
    box = np.empty((2, AXES))
    while len(stack) > 0:
        begin, end = stack.pop()
        if end - begin > size:
            _bound(points, order, begin, end, box)
            half = (end - begin + size) // (2 * size) * size
            middle = begin + max(half, size)
            _select(points, order, begin, end, middle, int(np.argmax(box[1] - box[0])))
            stack.append((begin, middle))
            stack.append((middle, end))
    centre, radius = np.empty((-(-n // size), AXES)), np.zeros(-(-n // size))
    for group in range(len(centre)):
        begin, end = group * size, min(n, group * size + size)
        _bound(points, order, begin, end, box)
        centre[group] = box[0] + (box[1] - box[0]) / 2
        for place in range(begin, end):
            square = 0.0
            for axis in range(AXES):
                square += (points[order[place], axis] - centre[group, axis]) ** 2
            radius[group] = max(radius[group], np.sqrt(square))
    return order, centre, radius


@njit(cache=True, nogil=True)
def _select(points: Array, order: Rows, begin: int, end: int, middle: int, axis: int) -> None:
    """Put the smaller values along an axis before ``middle`` (Hoare's quickselect)."""
    low, high = begin, end - 1
    while low < high:
        first, last = points[order[low], axis], points[order[high], axis]
        between = points[order[(low + high) // 2], axis]
        pivot = max(min(first, last), min(max(first, last), between))
        left, right = low, high
        while left <= right:
            while points[order[left], axis] < pivot:
                left += 1
            while points[order[right], axis] > pivot:
                right -= 1
            if left <= right:
                order[left], order[right] = order[right], order[left]
                left += 1
                right -= 1
        if middle <= right:
            high = right
        elif middle >= left:
            low = left
        else:
            break
