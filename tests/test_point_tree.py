"""The compiled tree against SciPy's, on clouds of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from prn_bench.icp.point_tree import PART, PointTree

Array = NDArray[np.float64]
KINDS = ("space", "surface", "line", "copies", "clusters", "tiny", "far")


def cloud(kind: str, n: int, rng: np.random.Generator) -> Array:
    """(n, 3) points."""
    points = rng.normal(0, 50, (n, 3))
    if kind == "surface":
        points[:, 2] = 0.01 * points[:, 0] ** 2
    elif kind == "line":
        points[:, 1:] = 3.0
    elif kind == "copies":
        points = points[rng.integers(0, max(1, n // 5), n)]
    elif kind == "clusters":  # from 1e-12 to 1e12 apart: midpoints cut off one at a time
        points *= 10.0 ** rng.integers(-12, 12, (n, 1))
    elif kind == "tiny":
        points *= 1e-300
    elif kind == "far":
        points += 1e6
    return points


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_the_same_distances_as_scipy(kind: str, seed: int, n: int, k: int) -> None:
    """From beside the cloud and from its own points, with wild guesses and without."""
    rng = np.random.default_rng(seed)
    points = cloud(kind, n, rng)
    asked = np.concatenate([points[:20], cloud(kind, 20, rng), rng.normal(0, 500, (9, 3))])
    k = min(k, n)
    expected = cKDTree(points).query(asked, k=[*range(1, k + 1)])[0]
    tree = PointTree(points)
    guesses = np.stack([rng.permutation(n)[:k] for _ in asked])
    for near in (None, guesses, np.where(rng.random((len(asked), 1)) < 0.5, -1, guesses)):
        distance, index = tree.query(asked, k, near=near)
        np.testing.assert_allclose(distance, expected, rtol=1e-12)
        apart = np.linalg.norm(tree.data[index] - asked[:, None], axis=2)
        np.testing.assert_allclose(apart, expected, rtol=1e-12)
        assert all(len(set(row)) == k for row in index)  # no point twice


def test_threads_find_the_same() -> None:
    """Each thread begins its part without a guess."""
    rng = np.random.default_rng(4)
    points, asked = rng.normal(0, 9, (500, 3)), rng.normal(0, 9, (3 * PART + 7, 3))
    tree = PointTree(points)
    for one, three in zip(tree.query(asked, 4), tree.query(asked, 4, workers=3), strict=True):
        np.testing.assert_array_equal(one, three)


def test_nothing_asked() -> None:
    """No points, no neighbours."""
    distance, index = PointTree(np.eye(3)).query(np.zeros((0, 3)), 2)
    assert distance.shape == index.shape == (0, 2)


def test_the_order_is_a_permutation() -> None:
    """Every point is in the tree once."""
    points = np.random.default_rng(1).normal(size=(200, 3))
    assert sorted(map(tuple, PointTree(points).data)) == sorted(map(tuple, points))
