"""Nearest-point pairs of a moving cloud, searched again only where they may have changed.

Between two steps of an ICP a cloud moves little, and late in it hardly at all, so nearly every point
keeps its nearest point. Neighbours share a list of all points that can be the nearest of one of them
while they go less than the list reaches; within it, a point keeps its partner until it crosses the
plane halfway to another one. The pairs are exactly those of a full search at every step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.icp.point_tree import PointTree

if TYPE_CHECKING:
    from prn_bench.nearest_gpu import TorchPoints

    Searchable = PointTree | TorchPoints

Array = NDArray[np.float64]

LIST = 256  # candidates that a group of 32 points keeps at most


class MovingPairs:
    """The nearest points of a moving cloud in a fixed one, and the sums that a closed-form fit needs.

    Parameters
    ----------
    points : (n, 3) float64
        Before any motion.
    tree : PointTree or TorchPoints
        Of the fixed cloud. The latter is searched in full at every step.

    Attributes
    ----------
    order : (n,) intp
        Rows of the points given, in the order that all else here has.
    points : (n, 3) float64
    index : (n,) intp
        Row of ``tree.data`` that each point is paired with.
    paired : (n, 3) float64
        Those points.
    cross : (3, 3) float64
        Sum of paired point times point.
    mean, spread : (3,) float64, float
        Of the points before any motion: their mean, and mean square distance from it.
    """

    def __init__(self, points: Array, tree: Searchable) -> None:
        from prn_bench.compiled.lanes import LANES
        from prn_bench.compiled.tree import make_groups

        self.order, centre, radius = make_groups(points, LANES)
        self.points, self._tree = points[self.order], tree
        self.index, self.paired = np.full(len(points), -1), np.zeros_like(points)
        self.cross, self._total = np.zeros((3, 3)), np.zeros(4)
        self.mean = points.mean(0)
        self.spread = float(((points - self.mean) ** 2).sum(1).mean())
        self._last = np.full((3, 3), np.inf), np.zeros(3)
        if isinstance(tree, PointTree):
            groups = self.points, centre, radius
            pairs = self.index, self.paired, self.cross, self._total
            lists = _new_lists(len(points), len(centre), tree.spacing)
            self._state = tree.fixed, groups, lists, pairs, _new_scratch(tree)

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
        from prn_bench.compiled.pairs import move_pairs

        if not isinstance(self._tree, PointTree):
            return self._search(self._tree, linear, translation)
        now = np.ascontiguousarray(linear), np.ascontiguousarray(translation)
        changed = move_pairs(*self._state, *now, *self._last)
        self._last = now
        return int(changed)

    def _search(self, cloud: TorchPoints, linear: Array, translation: Array) -> int:
        _, index = cloud.query(self.points @ linear.T + translation)
        changed = int((index != self.index).sum())
        self.index, self.paired = index, cloud.data[index]
        self.cross = self.paired.T @ self.points
        self._total = np.append(self.paired.sum(0), (self.paired**2).sum())
        return changed


def _new_lists(n: int, n_groups: int, spacing: float) -> tuple[Any, ...]:
    """:class:`prn_bench.compiled.pairs.Lists` before the first motion."""
    from prn_bench.compiled.candidates import FRAME
    from prn_bench.compiled.pairs import Lists

    zeros, none = np.zeros(n_groups), np.full(n_groups, -1.0)
    return tuple(
        Lists(
            near=np.zeros((n_groups, 3, LIST), np.float32),
            rows=np.zeros((n_groups, LIST), np.int32),
            length=np.zeros(n_groups, np.intp),
            frame=np.zeros((n_groups, FRAME)),
            reach=none,
            wanted=np.full(n_groups, spacing),
            linear=np.zeros((n_groups, 3, 3)),
            move=np.zeros((n_groups, 3)),
            way=zeros,
            same=np.full(n, -1.0),
            soonest=none.copy(),
        )
    )


def _new_scratch(tree: PointTree) -> tuple[Any, ...]:
    """:class:`prn_bench.compiled.pairs.Scratch` for any group."""
    from prn_bench.compiled.candidates import FRAME
    from prn_bench.compiled.lanes import BLOCK, LANES
    from prn_bench.compiled.pairs import Scratch

    room = tree.n + BLOCK + 2
    squares, ratios, best, margin = (
        np.zeros(size, np.float32) for size in (room, room, LANES, LANES)
    )
    return tuple(
        Scratch(
            stack=np.zeros(tree.depth + 2, np.intp),
            near=np.zeros((3, room), np.float32),
            rows=np.zeros(room, np.int32),
            frame=np.zeros((1, FRAME)),
            squares=squares,
            square_bits=squares.view(np.int32),
            ratios=ratios,
            ratio_bits=ratios.view(np.int32),
            places=np.zeros((LANES, 3)),
            lanes=np.zeros((3, LANES), np.float32),
            best=best,
            margin=margin,
            which=np.zeros(LANES, np.int32),
        )
    )
