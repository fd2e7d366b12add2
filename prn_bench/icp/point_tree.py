"""Nearest points of a cloud, searched by compiled loops that begin from what is believed near."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAF_POINTS = 24  # measured best of 6 to 24, for 43,000 points
PART = 1000  # fewer points are not worth a thread


class PointTree:
    """A k-d tree of (m, 3) finite float64 points.

    Attributes
    ----------
    data : (m, 3) float64
        The points in the tree's own order, which all rows refer to.
    n : int
    nodes : tuple
        Boxes, runs, children and depth: see :func:`prn_bench.compiled.tree.make_tree`.
    """

    def __init__(self, points: Array) -> None:
        from prn_bench.compiled.tree import make_tree

        order, boxes, runs, child, depth = make_tree(points, LEAF_POINTS)
        self.nodes = boxes, runs, child, int(depth)
        self.data, self.n = points[order], len(points)

    def query(
        self, asked: Array, k: int, workers: int = 1, near: Rows | None = None
    ) -> tuple[Array, Rows]:
        """Distances and rows of the ``k`` nearest points, in rising order.

        Parameters
        ----------
        asked : (n, 3) float64
            Quicker when neighbours in space are neighbours in the array.
        k : int
            At most ``self.n``.
        workers : int
            Threads.
        near : (n, k) intp, optional
            Rows believed near, different ones; a first column of -1 for none. They only save time.

        Returns
        -------
        distance : (n, k) float64
        index : (n, k) intp
        """
        from prn_bench.compiled.tree import search

        squares, index = np.empty((len(asked), k)), np.empty((len(asked), k), np.intp)
        near = np.full((len(asked), k), -1) if near is None else near
        parts = max(1, min(workers, len(asked) // PART))
        ends = np.linspace(0, len(asked), parts + 1).astype(int)
        cuts = [slice(*ends[i : i + 2]) for i in range(parts)]

        def work(cut: slice) -> None:
            search(asked[cut], near[cut], self.data, *self.nodes, squares[cut], index[cut])

        if parts == 1:
            work(cuts[0])
        else:
            with ThreadPoolExecutor(parts) as threads:
                list(threads.map(work, cuts))
        return np.sqrt(squares), index
