"""Nearest-point pairs of a moving cloud, searched again only where they may have changed.

Between two steps of an ICP a cloud moves little, and late in it hardly at all, so nearly every point
keeps its nearest point. A search finds the nearest few. While a point has moved less than half the gap
between the nearest and the farthest of them, its nearest point is among them; and it is the same one
until the point crosses the plane halfway to another. The cloud is cut into blocks, whose boxes bound the
way of their points under any affine map. A point whose way has used up the distance to the planes is
compared with its few candidates; one whose way has used up the gap is searched again. The pairs are
exactly those of a full search at every step.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.icp.point_tree import PointTree

if TYPE_CHECKING:
    from prn_bench.nearest_gpu import TorchPoints

    Searchable = PointTree | TorchPoints

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

CANDIDATES = 8
LONG_STEP = 1.0  # usual gaps; from 0.15 to 1.5 all the same
BLOCK_POINTS = 700  # smaller blocks bound the way better, and cost more to bound


def in_blocks(points: Array) -> NDArray[np.intp]:
    """(n,) order in which neighbours in space are neighbours in the array."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(points, 8, compact_nodes=False, balanced_tree=False).indices)


class MovingPairs:
    """The nearest points of a moving cloud in a fixed one, and the sums that a closed-form fit needs.

    Parameters
    ----------
    points : (n, 3) float64
        Before any motion, in the order of :func:`in_blocks`.
    tree : PointTree or TorchPoints
        Of the fixed cloud.
    workers : int
        Threads of a search.

    Attributes
    ----------
    index : (n,) intp
        Row of ``tree.data`` that each point is paired with.
    paired : (n, 3) float64
        Those points.
    mean, spread : (3,) float64, float
        Of the points before any motion: their mean, and mean square distance from it.
    searched : int
        Points searched so far.
    """

    def __init__(self, points: Array, tree: Searchable, *, workers: int = 1) -> None:
        self.points, self.tree, self._workers = points, tree, workers
        n_blocks = max(1, len(points) // BLOCK_POINTS)
        self._starts = np.linspace(0, len(points), n_blocks + 1).astype(np.intp)
        self._block_of = np.repeat(np.arange(n_blocks), np.diff(self._starts))
        blocks = [points[a:b] for a, b in pairwise(self._starts)]
        self._corners = np.concatenate([corners_of(block) for block in blocks])
        self._way = np.zeros(n_blocks)  # of each block, since the beginning
        self._placed: Array | None = None
        k = min(CANDIDATES, tree.n)
        self._candidates = np.full((len(points), k), -1)
        self._usual_gap, self._step = np.inf, 0.0
        # Ways of its block up to which a point's nearest is among its candidates, and is the same:
        self._known_until, self._same_until = np.full((2, len(points)), -1.0)
        self._origin, self._gap = np.zeros_like(points), np.full(len(points), -1.0)
        self._due, self._lost = np.empty((2, len(points)), np.intp)
        self.index = np.full(len(points), -1, np.intp)
        self.paired = np.zeros_like(points)
        self.cross, self._total = np.zeros((3, 3)), np.zeros(4)
        self.mean = points.mean(0)
        self.spread = float(((points - self.mean) ** 2).sum(1).mean())
        self.searched = 0

    @property
    def sum_paired(self) -> Array:
        """(3,) sum of the paired points."""
        return self._total[:3]

    @property
    def squares(self) -> float:
        """Sum of the squared coordinates of the paired points."""
        return float(self._total[3])

    def move(self, linear: Array, translation: Array) -> int:
        """Place the cloud at ``linear @ x + translation``; gives how many pairs have changed."""
        from prn_bench.compiled.pairs import choose, due_points

        placed = self._corners @ linear.T + translation
        if self._placed is not None:
            steps = np.sqrt(((placed - self._placed) ** 2).sum(1)).reshape(-1, 8).max(1)
            self._way, self._step = self._way + steps, float(steps.max())
        self._placed = placed
        # While the steps are long no gap outlasts one: all points then, each from its partner.
        if self._step > LONG_STEP * self._usual_gap and isinstance(self.tree, PointTree):
            return self._pair_all(self.tree, linear, translation)
        n_due, n_lost = due_points(
            self.points, linear, translation, self._way, self._starts, self._origin, self._gap,
            self._same_until, self._known_until, self._due, self._lost,
        )  # fmt: skip
        if n_lost:
            self._search(self._lost[:n_lost], linear, translation)
        return choose(
            self._due[:n_due], self._block_of, self._way, self.points, linear, translation,
            self.tree.data, self._candidates, self._known_until, self._same_until,
            self.index, self.paired, self.cross, self._total,
        )  # fmt: skip

    def _pair_all(self, tree: PointTree, linear: Array, translation: Array) -> int:
        from prn_bench.compiled.pairs import pair_all

        boxes, runs, child, depth = tree.nodes
        self._same_until[:] = self._known_until[:] = self._gap[:] = -1.0
        return pair_all(
            self.points, linear, translation, tree.data, boxes, runs, child, depth,
            self.index, self.paired, self.cross, self._total,
        )  # fmt: skip

    def _search(self, rows: Rows, linear: Array, translation: Array) -> None:
        """Find the candidates of some points anew."""
        self.searched += len(rows)
        k, moved = self._candidates.shape[1], self.points[rows] @ linear.T + translation
        near = self._candidates[rows]
        found = self.tree.query(moved, k, workers=self._workers, near=near)
        distance, index = (part.reshape(-1, k) for part in found)
        gap = (distance[:, -1] - distance[:, 0]) / 2
        if k == self.tree.n:  # nothing else could come near
            gap[:] = np.inf
        if np.isinf(self._usual_gap):
            self._usual_gap = float(np.median(gap))
        self._candidates[rows], self._origin[rows], self._gap[rows] = index, moved, gap
        self._known_until[rows] = self._way[self._block_of[rows]] + gap


def corners_of(points: Array) -> Array:
    """(8, 3) corners of the box around points."""
    low, high = points.min(0), points.max(0)
    upper = np.indices((2, 2, 2)).reshape(3, 8).T.astype(bool)
    return np.where(upper, high, low)
