"""Nearest points of a cloud: exact, by a k-d tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

    from prn_bench.nearest_gpu import TorchPoints

    Searchable = cKDTree | TorchPoints

LEAF_POINTS = 24  # measured best of 8 to 64, for 43,000 points


def tree_of(points: NDArray[np.floating]) -> cKDTree:
    """A k-d tree of (m, 3) points.

    Splitting at the middle of a box and not at the median builds it several times faster, and queries
    near a surface do not suffer.

    Raises
    ------
    ValueError
        For points that are not (m, 3) with m > 0, or not finite.
    """
    from scipy.spatial import cKDTree

    cloud = np.asarray(points, np.float64)
    if cloud.ndim != 2 or cloud.shape[1] != 3 or not len(cloud) or not np.isfinite(cloud).all():
        raise ValueError(f"a cloud is (m, 3) finite points, at least one, got {cloud.shape}")
    return cKDTree(cloud, leafsize=LEAF_POINTS, balanced_tree=False)


def nearest(
    query: NDArray[np.floating], points: NDArray[np.floating] | Searchable, *, workers: int = 1
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The nearest of ``points`` to each of ``query``.

    Parameters
    ----------
    query : (n, 3) float
    points : (m, 3) float, or what searches them, a tree or ``TorchPoints``
    workers : int
        Threads; -1 for all cores.

    Returns
    -------
    index : (n,) intp
    distance : (n,) float64

    Raises
    ------
    ValueError
        For points that are not finite, or of another shape.
    """
    asked = np.asarray(query, np.float64)
    if asked.ndim != 2 or asked.shape[1] != 3 or not np.isfinite(asked).all():
        raise ValueError(f"query must be (n, 3) finite points, got {asked.shape}")
    tree = tree_of(points) if isinstance(points, np.ndarray) else points
    distance, index = tree.query(asked, workers=workers)
    return np.asarray(index, np.intp), np.asarray(distance, np.float64)
