"""The steps of an ICP: searches, pairs, fits, in either direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.alignment import Similarity, closed_form
from prn_bench.icp.pairs import MovingPairs

if TYPE_CHECKING:
    from prn_bench.icp.pairs import Searchable

Array = NDArray[np.float64]


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
    """

    tree: Searchable
    forward: bool
    with_scale: bool

    def pairs(self, moving: Array) -> MovingPairs:
        """The pairs of a searching cloud."""
        return MovingPairs(moving, self.tree)

    def place(self, pairs: MovingPairs, motion: Similarity) -> int:
        """Search again where it is due, after a motion of the prediction; pairs that changed."""
        placed = motion if self.forward else motion.inverse()
        return pairs.move(placed.linear, placed.translation)

    def distances(self, pairs: MovingPairs, motion: Similarity) -> Array:
        """(n,) of the pairs after a motion, in the unit of the reference."""
        predicted, reference = self.sides(pairs)
        return np.asarray(np.linalg.norm(motion.apply(predicted) - reference, axis=1))

    def mean_square(self, pairs: MovingPairs, motion: Similarity) -> float:
        """Mean of the squared distances after a motion, from the sums that the pairs keep."""
        n, mine, other = len(pairs.points), pairs.mean, pairs.sum_paired / len(pairs.points)
        squares = pairs.spread + float(mine @ mine), pairs.squares / n
        cross = pairs.cross / n  # partner times point
        if not self.forward:
            mine, other, squares, cross = other, mine, squares[::-1], cross.T
        linear, move = motion.linear, motion.translation
        placed = motion.scale**2 * squares[0] + move @ (move + 2 * linear @ mine)
        return max(0.0, float(placed + squares[1] - 2 * ((linear * cross).sum() + move @ other)))

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


def _motion(
    cross: Array, mean_p: Array, mean_g: Array, spread: float, *, with_scale: bool
) -> Similarity:
    tiny = max(spread, np.finfo(float).tiny)
    scale, rotation, move = closed_form(
        cross, np.array(tiny), mean_p, mean_g, with_scale=with_scale
    )
    return Similarity(float(scale), rotation, move)
