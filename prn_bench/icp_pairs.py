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

if TYPE_CHECKING:
    from prn_bench.nearest import Searchable

Array = NDArray[np.float64]

CANDIDATES = 8
BLOCK_POINTS = 700  # smaller blocks bound the way better, and cost more to bound
THREADED = 2000  # fewer points are not worth a second thread


def in_blocks(points: Array) -> NDArray[np.intp]:
    """(n,) order in which neighbours in space are neighbours in the array."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(points, 64, compact_nodes=False, balanced_tree=False).indices)


class MovingPairs:
    """The nearest points of a moving cloud in a fixed one, and the sums that a closed-form fit needs.

    Parameters
    ----------
    points : (n, 3) float64
        Before any motion, in the order of :func:`in_blocks`.
    tree : cKDTree or TorchPoints
        Of the fixed cloud.
    workers : int
        Threads of a search.
    candidates : int
        Nearest points that a search finds; 1 knows no margin, so every point is searched at every step,
        which is cheaper while the steps are large.

    Attributes
    ----------
    index : (n,) intp
        Row of the fixed cloud that each point is paired with.
    paired : (n, 3) float64
        Those points.
    mean, spread : (3,) float64, float
        Of the points before any motion: their mean, and mean square distance from it.
    searched : int
        Points searched so far.
    """

    def __init__(
        self, points: Array, tree: Searchable, *, workers: int = 1, candidates: int = CANDIDATES
    ) -> None:
        self.points, self.tree, self._workers = points, tree, workers
        n_blocks = max(1, len(points) // BLOCK_POINTS)
        starts = np.linspace(0, len(points), n_blocks + 1).astype(int)
        self._sizes = np.diff(starts)
        blocks = [points[a:b] for a, b in pairwise(starts)]
        self._corners = np.concatenate([corners_of(block) for block in blocks])
        self._way = np.zeros(n_blocks)  # of each block, since the beginning
        self._placed: Array | None = None
        k = min(candidates, tree.n)
        self._candidates = np.zeros((len(points), k), np.intp)
        # Ways of its block up to which a point's nearest is among its candidates, and is the same:
        self._known_until, self._same_until = np.full((2, len(points)), -1.0)
        self.index = np.full(len(points), -1, np.intp)
        self.paired = np.zeros_like(points)
        self.cross, self.sum_paired, self.squares = np.zeros((3, 3)), np.zeros(3), 0.0
        self.mean = points.mean(0)
        self.spread = float(((points - self.mean) ** 2).sum(1).mean())
        self.searched = 0

    def move(self, linear: Array, translation: Array) -> int:
        """Place the cloud at ``linear @ x + translation``; gives how many pairs have changed."""
        placed = self._corners @ linear.T + translation
        if self._placed is not None:
            steps = np.sqrt(((placed - self._placed) ** 2).sum(1)).reshape(-1, 8)
            self._way += steps.max(1)
        self._placed = placed
        way = np.repeat(self._way, self._sizes)
        due = np.flatnonzero(self._same_until <= way)
        if not len(due):
            return 0
        moved = self.points[due] @ linear.T + translation
        lost = self._known_until[due] <= way[due]
        if lost.any():
            self._search(due[lost], moved[lost], way)
        return self._choose(due, moved, way)

    def _search(self, rows: NDArray[np.intp], moved: Array, way: Array) -> None:
        """Find the candidates of some points anew."""
        self.searched += len(rows)
        k = self._candidates.shape[1]
        workers = self._workers if len(rows) > THREADED else 1
        found = self.tree.query(moved, k=k, workers=workers)
        distance, index = (np.asarray(part).reshape(-1, k) for part in found)
        everything = k == self.tree.n  # nothing else could come near
        gap = np.inf if everything else (distance[:, -1] - distance[:, 0]) / 2
        self._candidates[rows], self._known_until[rows] = index, way[rows] + gap

    def _choose(self, rows: NDArray[np.intp], moved: Array, way: Array) -> int:
        """Pair points with the nearest of their candidates; until when that holds."""
        candidates = self._candidates[rows]
        places = self.tree.data[candidates]
        squares = ((places - moved[:, None]) ** 2).sum(-1)
        best = squares.argmin(1)[:, None]
        nearest = np.take_along_axis(places, best[:, :, None], 1)
        apart = np.sqrt(((places - nearest) ** 2).sum(-1))
        with np.errstate(invalid="ignore", divide="ignore"):  # the nearest itself, or its double
            to_plane = (squares - np.take_along_axis(squares, best, 1)) / (2 * apart)
        margin = np.fmin.reduce(to_plane, axis=1, initial=np.inf)
        self._same_until[rows] = np.minimum(way[rows] + margin, self._known_until[rows])
        return self._pair(rows, np.take_along_axis(candidates, best, 1)[:, 0])

    def _pair(self, due: NDArray[np.intp], found: NDArray[np.intp]) -> int:
        changed = np.flatnonzero(self.index[due] != found)
        rows = due[changed]
        new, old = self.tree.data[found[changed]], self.paired[rows]
        difference = new - old
        self.cross += difference.T @ self.points[rows]
        self.sum_paired += difference.sum(0)
        self.squares += float(((new + old) * difference).sum())
        self.paired[rows], self.index[rows] = new, found[changed]
        return len(changed)


def corners_of(points: Array) -> Array:
    """(8, 3) corners of the box around points."""
    low, high = points.min(0), points.max(0)
    upper = np.indices((2, 2, 2)).reshape(3, 8).T.astype(bool)
    return np.where(upper, high, low)
