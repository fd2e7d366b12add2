"""A cloud to be searched by the compiled loops of an ICP."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAF_POINTS = 12  # measured best of 8 to 32, for 43,000 points


class PointTree:
    """A k-d tree of (m, 3) finite float64 points.

    Attributes
    ----------
    data : (m, 3) float64
        The points in the tree's own order, which all rows refer to.
    n : int
    fixed : tuple
        What :class:`prn_bench.compiled.pairs.Fixed` holds.
    depth : int
        Levels below the root.
    spacing : float
        Usual distance of neighbours.
    """

    def __init__(self, points: Array) -> None:
        from prn_bench.compiled.tree import copies_of, make_tree

        order, boxes, runs, child, depth = make_tree(points, LEAF_POINTS)
        self.data, self.n, self.depth = points[order], len(points), int(depth)
        single = np.ascontiguousarray(self.data.T)
        single[:, copies_of(self.data, runs, child)] = np.inf
        self.fixed = self.data, single, boxes, runs, child
        leaves = child == 0
        sides = np.sort(boxes[leaves, 1] - boxes[leaves, 0], axis=1)
        # Clouds are surfaces mostly: a leaf's points share the area of its two longer sides.
        areas = sides[:, 1] * sides[:, 2] / np.diff(runs[leaves], axis=1)[:, 0]
        self.spacing = float(np.sqrt(np.median(areas)))
