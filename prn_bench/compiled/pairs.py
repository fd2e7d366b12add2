"""The pairs of a moving cloud after a motion: all of a step of an ICP but the fit.

The moving cloud is cut into groups of 32 neighbours. A group keeps a list of all points of the fixed
cloud that can be the nearest of any of its own, as long as none has gone farther than the list reaches.
Within a list, a point that keeps its partner for sure is not looked at again.

Arrays come in tuples, and each is taken out of its tuple once: every time costs an atomic count. For
the same reason the parts of the loop are inlined.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from prn_bench.compiled.candidates import (
    GUARD,
    UNIT,
    compare,
    distance_to_nearest,
    gather,
    into_frame,
    keep,
)
from prn_bench.compiled.lanes import LANES, margin_of_one, nearest_in_lanes, nearest_of_one

Array: TypeAlias = NDArray[np.float64]
Values: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = NDArray[np.intp]
Columns: TypeAlias = NDArray[np.int32]

WORTH = 2.0  # a list is kept if it outlasts so many steps like the last
FEW = 12  # so many points of a group are sooner done one by one, which tells better how far they may go
SHORTER, LONGER = 0.7, 1.2  # of a list's reach, where it does not fit, or fills less than FULL
FULL = 0.6


class Fixed(NamedTuple):
    """The cloud that is searched: points in the order of a tree, and the tree."""

    data: Array  # (m, 3)
    single: Array  # (3, m) the same, but copies of a point are infinite
    boxes: Array  # see prn_bench.compiled.tree.make_tree
    runs: Rows
    child: Rows


class Groups(NamedTuple):
    """The cloud that searches, before any motion: see prn_bench.compiled.tree.make_groups."""

    points: Array  # (n, 3) one group after the other
    centre: Array  # (g, 3)
    radius: Array  # (g,)


class Lists(NamedTuple):
    """What each group knows of the fixed cloud."""

    near: Values  # (g, 3, longest) candidates: see prn_bench.compiled.candidates.gather
    rows: Columns  # (g, longest)
    length: Rows  # (g,)
    frame: Array  # (g, 8)
    reach: Array  # (g,) how far points may have gone from where the list was made; -1 for no list
    wanted: Array  # (g,) reach of the next list
    linear: Array  # (g, 3, 3) and (g, 3): the motion when the list was made
    move: Array
    way: Array  # (g,) gone since the beginning
    same: Array  # (n,) way up to which a point keeps its partner
    soonest: Array  # (g,) the least of them


class Pairs(NamedTuple):
    """Who is paired with whom, and sums for a fit."""

    partner: Rows  # (n,) row of the fixed cloud; -1 before the first motion
    paired: Array  # (n, 3) that point
    cross: Array  # (3, 3) sum of partner times point
    total: Array  # (4,) sums of partners and of their squares


class Scratch(NamedTuple):
    """Memory to work in."""

    stack: Rows  # these four as in prn_bench.compiled.candidates.gather
    near: Values
    rows: Columns
    frame: Array
    squares: Values  # (m + 66,), and the same memory as integers
    square_bits: Columns
    ratios: Values
    ratio_bits: Columns
    places: Array  # (32, 3) a group's points after the motion
    lanes: Values  # (3, 32) the same in the frame of the list
    best: Values  # (32,) these three as in prn_bench.compiled.lanes.nearest_in_lanes
    margin: Values
    which: Columns


@njit(cache=True, nogil=True)
def move_pairs(
    fixed: tuple[Any, ...], groups: tuple[Any, ...], lists: tuple[Any, ...],
    pairs: tuple[Any, ...], scratch: tuple[Any, ...], linear: Array, move: Array,
    last_linear: Array, last_move: Array,
) -> int:  # fmt: skip
    """Pair each point with its nearest after ``linear @ x + move``; gives how many pairs changed.

    ``last_*`` is the motion of the call before, infinite for none. The tuples are those above, made
    plain tuples, which are quicker to hand over.
    """
    data, single, boxes, runs, child = fixed
    points, centre, radius = groups
    near, rows, length, frame, reach, wanted, then_linear, then_move, way, same, soonest = lists
    partner, paired, cross, total = pairs
    stack, all_near, all_rows, all_frame, squares, square_bits, ratios, ratio_bits = scratch[:8]
    places, lanes, best, margin, which = scratch[8:]
    changed = 0
    for group in range(len(centre)):
        start, end = group * LANES, min(group * LANES + LANES, len(points))
        step, _ = _way(group, linear, move, last_linear, last_move, centre, radius)
        way[group] += step if step < np.inf else 0.0
        if soonest[group] > way[group]:
            continue
        then = then_linear[group], then_move[group]
        far, size = _way(group, linear, move, then[0], then[1], centre, radius)
        listed = far + GUARD * size < reach[group]
        gone = way[group] if listed else np.inf
        n_due = _place(start, end, points, linear, move, same, gone, places)
        n = 0
        if not listed:
            wish = wanted[group] if step * WORTH < wanted[group] else 0.0
            n = _renew(
                group, start, end, wish, linear, move, places, partner, paired, data, single, boxes,
                runs, child, stack, all_near, all_rows, all_frame, near, rows, length, frame, reach,
                wanted, then_linear, then_move,
            )  # fmt: skip
        kept = reach[group] > 0
        here_near, here_rows = (near[group], rows[group]) if kept else (all_near, all_rows)
        here, at = (frame, group) if kept else (all_frame, 0)
        n = length[group] if kept else n
        changed += _settle(
            start, end, n_due, way[group], n, here_near, here_rows, here, at, data, points, same,
            partner, paired, cross, total, squares, square_bits, ratios, ratio_bits, places, lanes,
            best, margin, which,
        )  # fmt: skip
        left = reach[group] - (far if listed else 0.0) - GUARD * size  # of the way within the list
        soonest[group] = min(_least(start, end, same), way[group] + left) if kept else -1.0
    return changed


@njit(cache=True, nogil=True, inline="always")
def _way(
    group: int, linear: Array, move: Array, then_linear: Array, then_move: Array, centre: Array,
    radius: Array,
) -> tuple[float, float]:  # fmt: skip
    """How far a point of a group is at most from where another motion puts it.

    The second value is the largest coordinate that this was computed from.
    """
    square, turn, size = 0.0, 0.0, 0.0
    for axis in range(3):
        away, part = move[axis] - then_move[axis], abs(move[axis])
        for other in range(3):
            change = linear[axis, other] - then_linear[axis, other]
            away += change * centre[group, other]
            part += abs(linear[axis, other]) * (abs(centre[group, other]) + radius[group])
            turn += change * change
        square += away * away
        size = max(size, part)
    return np.sqrt(square) + radius[group] * np.sqrt(turn), size


@njit(cache=True, nogil=True, inline="always")
def _place(
    start: int, end: int, points: Array, linear: Array, move: Array, same: Array, gone: float,
    places: Array,
) -> int:  # fmt: skip
    """Move the points that are due: those that keep their partner no farther than ``gone``."""
    n_due = 0
    for row in range(start, end):
        if same[row] <= gone:
            x, y, z = points[row, 0], points[row, 1], points[row, 2]
            for axis in range(3):
                turned = linear[axis, 0] * x + linear[axis, 1] * y + linear[axis, 2] * z
                places[row - start, axis] = move[axis] + turned
            same[row] = -1.0
            n_due += 1
    return n_due


@njit(cache=True, nogil=True, inline="always")
def _renew(
    group: int, start: int, end: int, wish: float, linear: Array, move: Array, places: Array,
    partner: Rows, paired: Array, data: Array, single: Array, boxes: Array, runs: Rows, child: Rows,
    stack: Rows, all_near: Values, all_rows: Columns, all_frame: Array, near: Values, rows: Columns,
    length: Rows, frame: Array, reach: Array, wanted: Array, then_linear: Array, then_move: Array,
) -> int:  # fmt: skip
    """Gather a group's candidates, and keep them as its list if one is wished for and has room.

    ``wish`` is the reach of such a list, or 0. Gives how many were gathered.
    """
    nearest = distance_to_nearest(start, end, places, partner, paired, data, boxes, runs, child)
    n = gather(
        end - start, nearest + 2 * wish, places, single, boxes, runs, child, stack, all_near,
        all_rows, all_frame,
    )  # fmt: skip
    n_kept = 0
    if wish > 0:
        n_kept = keep(n, all_near, all_rows, all_frame, near[group], rows[group])
    reach[group] = wish if n_kept > 0 else -1.0
    if n_kept > 0:
        length[group] = n_kept
        frame[group] = all_frame[0]
        then_linear[group], then_move[group] = linear, move
        wanted[group] *= LONGER if n_kept < FULL * rows.shape[1] else 1.0
    elif wish > 0:
        wanted[group] *= SHORTER
    return n


@njit(cache=True, nogil=True, inline="always")
def _settle(
    start: int, end: int, n_due: int, gone: float, n: int, near: Values, rows: Columns,
    frame: Array, at: int, data: Array, points: Array, same: Array, partner: Rows, paired: Array,
    cross: Array, total: Array, squares: Values, square_bits: Columns, ratios: Values,
    ratio_bits: Columns, places: Array, lanes: Values, best: Values, margin: Values,
    which: Columns,
) -> int:  # fmt: skip
    """Pair the points that are due with the nearest of a list; how many pairs changed."""
    for row in range(start, end):
        if same[row] < 0:
            into_frame(row - start, places, frame, at, lanes)
    if n_due > FEW:
        nearest_in_lanes(lanes, near, n, best, margin, which)
    changed = 0
    for row in range(start, end):
        if same[row] >= 0:
            continue
        lane = row - start
        if n_due <= FEW:
            which[lane] = nearest_of_one(lane, lanes, near, n, squares, square_bits)
            margin[lane] = 0.0
            if which[lane] >= 0:
                margin[lane] = margin_of_one(which[lane], near, n, squares, ratios, ratio_bits)
        same[row] = gone + margin[lane] / frame[at, UNIT]
        if which[lane] >= 0:
            found = int(rows[which[lane]])
        else:
            found = compare(lane, places, rows, n, int(partner[row]), data)
        if found != partner[row]:
            changed += 1
            _exchange(row, found, data, points, partner, paired, cross, total)
    return changed


@njit(cache=True, nogil=True, inline="always")
def _least(start: int, end: int, same: Array) -> float:
    least = np.inf
    for row in range(start, end):
        least = min(least, same[row])
    return least


@njit(cache=True, nogil=True, inline="always")
def _exchange(
    row: int, found: int, data: Array, points: Array, partner: Rows, paired: Array, cross: Array,
    total: Array,
) -> None:  # fmt: skip
    """Give a point another partner, and keep the sums of the pairs up to date."""
    partner[row] = found
    for axis in range(3):
        new, old = data[found, axis], paired[row, axis]
        for other in range(3):
            cross[axis, other] += (new - old) * points[row, other]
        total[axis] += new - old
        total[3] += (new + old) * (new - old)
        paired[row, axis] = new
