"""The steps of an ICP, and the way to its fixed point from coarse clouds to the whole one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.alignment import Similarity, closed_form
from prn_bench.icp_pairs import CANDIDATES, MovingPairs, corners_of

if TYPE_CHECKING:
    from prn_bench.icp_pairs import Searchable

Array = NDArray[np.float64]

#: Of each coarse cloud: every how many points it has, how far from its own end the next one begins (in
#: standard errors of its mean distance: a sparse cloud ends beside the fixed point of the whole one, and
#: the whole one must come from where the plain algorithm comes from), and the candidates of a search.
LEVELS = ((64, 15.0, CANDIDATES), (8, 10.0, CANDIDATES))
FIRST_STOP = 1e-4  # of the size of the cloud
COARSE_STOP = 0.01  # of how far the next one begins
MOST_COARSE_STEPS = 500
# Steps that go the same way, each a little shorter, are leapt over: coarse clouds only.
SAME_WAY, LEAST_RATIO, LONGEST_LEAP, NEAR = 0.9, 0.3, 8.0, 0.01
REST = 2  # steps after a leap


@dataclass(frozen=True)
class Walk:
    """How one ICP steps.

    Attributes
    ----------
    tree : PointTree or TorchPoints
        Of the cloud that is searched.
    forward : bool
        The predicted cloud searches; else the reference does, moved back.
    with_scale : bool
    workers : int
    """

    tree: Searchable
    forward: bool
    with_scale: bool
    workers: int

    def pairs(self, moving: Array, candidates: int = CANDIDATES) -> MovingPairs:
        """The pairs of a searching cloud."""
        return MovingPairs(moving, self.tree, workers=self.workers, candidates=candidates)

    def place(self, pairs: MovingPairs, motion: Similarity) -> int:
        """Search again where it is due, after a motion of the prediction; pairs that changed."""
        placed = motion if self.forward else motion.inverse()
        return pairs.move(placed.linear, placed.translation)

    def distances(self, pairs: MovingPairs, motion: Similarity) -> Array:
        """(n,) of the pairs after a motion, in the unit of the reference."""
        predicted, reference = self.sides(pairs)
        return np.asarray(np.linalg.norm(motion.apply(predicted) - reference, axis=1))

    def sides(self, pairs: MovingPairs) -> tuple[Array, Array]:
        """(n, 3) predicted points of the pairs, before any motion, and their references."""
        sides = pairs.points, pairs.paired
        return sides if self.forward else sides[::-1]

    def fit(self, pairs: MovingPairs, seen: NDArray[np.bool_] | None = None) -> Similarity:
        """The motion of the prediction that fits the pairs best, or those that are seen."""
        if seen is None or seen.all():
            n, mean, spread = len(pairs.points), pairs.mean, pairs.spread
            product, paired, squares = pairs.cross / n, pairs.sum_paired / n, pairs.squares / n
        else:
            mine, other = pairs.points[seen], pairs.paired[seen]
            product, paired = other.T @ mine / len(mine), other.mean(0)
            squares, mean = float((other**2).sum(1).mean()), mine.mean(0)
            spread = float(((mine - mean) ** 2).sum(1).mean())
        cross = product - np.outer(paired, mean)
        if self.forward:
            return _motion(cross, mean, paired, spread, with_scale=self.with_scale)
        spread = squares - float(paired @ paired)
        return _motion(cross.T, paired, mean, spread, with_scale=self.with_scale)

    def apart(self, one: Similarity, other: Similarity, corners: Array) -> float:
        """How far apart two motions place the corners of the searching cloud."""
        return float(np.linalg.norm(self.way(one, other, corners), axis=1).max())

    def way(self, one: Similarity, other: Similarity, corners: Array) -> Array:
        """(8, 3) from the corners after one motion to those after the other."""
        if not self.forward:
            one, other = one.inverse(), other.inverse()
        return other.apply(corners) - one.apply(corners)


def coarse_to_fine(walk: Walk, moving: Array, first: Similarity) -> tuple[Similarity, int]:
    """Where the whole cloud may begin, and how many steps of parts of it that took."""
    corners = corners_of(moving)
    stop = FIRST_STOP * float(np.linalg.norm(corners[-1] - corners[0]))
    motion, steps = first, 0
    for every, errors, candidates in LEVELS:
        part = np.ascontiguousarray(moving[every // 2 :: every])
        pairs = walk.pairs(part, candidates)
        path = _descend(walk, pairs, motion, corners, stop)
        steps += len(path) - 1
        rms = float(np.sqrt((walk.distances(pairs, path[-1]) ** 2).mean()))
        away = errors * rms / np.sqrt(len(part))
        before = [i for i, one in enumerate(path) if walk.apart(one, path[-1], corners) >= away]
        motion = path[max(before, default=0)]
        every_next, errors_next, _ = LEVELS[-1]
        stop = COARSE_STOP * errors_next * rms / np.sqrt(len(moving) / every_next)
    return motion, steps


def _descend(
    walk: Walk, pairs: MovingPairs, motion: Similarity, corners: Array, stop: float
) -> list[Similarity]:
    """The motions of a coarse cloud until a step is short, leaps included."""
    size = float(np.linalg.norm(corners[-1] - corners[0]))
    path, last, rest = [motion], None, 0
    while len(path) < MOST_COARSE_STEPS:
        walk.place(pairs, path[-1])
        path.append(walk.fit(pairs))
        step = walk.way(path[-2], path[-1], corners).ravel()
        length = float(np.linalg.norm(step.reshape(-1, 3), axis=1).max())
        if length < stop:
            break
        leap = 0.0 if last is None or rest > 0 or length > NEAR * size else _leap(step, last)
        if leap:
            path.append(_beyond(path[-2], path[-1], leap))
            last, rest = None, REST
            continue
        last, rest = step, rest - 1
    return path


def _leap(step: Array, last: Array) -> float:
    """How many steps to leap: half of what a geometric series would still bring; 0 for none."""
    ratio = float(step @ last / (last @ last))
    along = float(step @ last / np.sqrt((last @ last) * (step @ step)))
    if along < SAME_WAY or ratio < LEAST_RATIO:
        return 0.0
    return min(0.5 * ratio / (1 - ratio), LONGEST_LEAP) if ratio < 1 else LONGEST_LEAP


def _beyond(before: Similarity, after: Similarity, leap: float) -> Similarity:
    """The motion that goes on from ``before`` past ``after``."""
    linear = after.linear + leap * (after.linear - before.linear)
    u, singular, vt = np.linalg.svd(linear)
    scale = float(singular.mean()) if after.scale != 1.0 else 1.0
    move = after.translation + leap * (after.translation - before.translation)
    return Similarity(scale, u @ vt, move)


def _motion(
    cross: Array, mean_p: Array, mean_g: Array, spread: float, *, with_scale: bool
) -> Similarity:
    tiny = max(spread, np.finfo(float).tiny)
    scale, rotation, move = closed_form(
        cross, np.array(tiny), mean_p, mean_g, with_scale=with_scale
    )
    return Similarity(float(scale), rotation, move)
