"""The pairs of a moving cloud against a full search at every step, on clouds of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from prn_bench.compiled import lanes
from prn_bench.compiled.tree import copies_of, make_groups, make_tree
from prn_bench.geometry import rotation_matrix
from prn_bench.icp import pairs as icp_pairs
from prn_bench.icp.pairs import MovingPairs
from prn_bench.icp.point_tree import PointTree

Array = NDArray[np.float64]
KINDS = ("space", "surface", "line", "copies", "clusters", "tiny", "far", "lattice")


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
        points *= 1e-150
    elif kind == "far":
        points += 1e6
    elif kind == "lattice":  # where two are often equally near
        points = rng.integers(-4, 5, (n, 3)).astype(float)
    return points


def check(pairs: MovingPairs, tree: PointTree, linear: Array, move: Array) -> None:
    """Every point has a nearest point, and the sums are those of the pairs."""
    placed = pairs.points @ linear.T + move
    expected, _ = cKDTree(tree.data).query(placed)
    found = np.linalg.norm(placed - tree.data[pairs.index], axis=1)
    size = np.abs(placed).max() + np.abs(tree.data).max()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13 * size)
    np.testing.assert_array_equal(pairs.paired, tree.data[pairs.index])
    scale = np.abs(pairs.points).max() * np.abs(tree.data).max() * len(placed)
    np.testing.assert_allclose(pairs.cross, pairs.paired.T @ pairs.points, atol=1e-10 * scale)
    total = np.abs(tree.data).max() * len(placed)
    np.testing.assert_allclose(pairs.sum_paired, pairs.paired.sum(0), atol=1e-10 * total)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("longest", [64, icp_pairs.LIST])
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=15, deadline=None)
def test_pairs_are_those_of_a_full_search(
    kind: str, longest: int, seed: int, n: int, m: int
) -> None:
    """After every motion, long or short, to and fro, with lists that are soon full and without."""
    rng = np.random.default_rng(seed)
    points, fixed = cloud(kind, n, rng), cloud(kind, m, rng)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(icp_pairs, "LIST", longest)
        tree = PointTree(fixed)
        pairs = MovingPairs(points, tree)
    linear, move = np.eye(3), np.zeros(3)
    for size in (1.0, 1e-2, 1e-3, 1e-3, 0.1, 1e-4, 0.0, 1e-6, 2.0, 1e-3):
        turn = rotation_matrix(*(size * rng.normal(0, 0.1, 3))) * (1 + 0.01 * size)
        linear, move = (
            turn @ linear,
            turn @ move + size * np.ptp(fixed, axis=0).max() * (rng.normal(0, 0.02, 3)),
        )
        before = pairs.index.copy()
        changed = pairs.move(linear, move)
        assert changed == (pairs.index != before).sum()
        check(pairs, tree, linear, move)


def test_faces_that_come_to_rest(face_model: Any) -> None:
    """20,000 points in steps that grow short, as in an ICP: lists and margins are used, and right."""
    face = np.asarray(face_model.mean, np.float64) / 700
    face = face if face.shape[1] == 3 else face.T
    tree = PointTree(face * [1.04, 0.98, 1.1])
    pairs = MovingPairs(face, tree)
    for step in range(24):
        angle = 0.1 * 0.7**step
        pairs.move(rotation_matrix(angle, -angle, angle / 2), np.array([9.0, 4, 2]) * 0.7**step)
        check(
            pairs,
            tree,
            rotation_matrix(angle, -angle, angle / 2),
            np.array([9.0, 4, 2]) * 0.7**step,
        )
    way, same = pairs._state[2][8], pairs._state[2][9]
    gone = np.repeat(way, lanes.LANES)[: len(same)]
    assert (same > gone).mean() > 0.9  # else nothing would be saved


def test_a_cloud_far_from_the_other() -> None:
    """All candidates are nearly equally far; none is lost."""
    rng = np.random.default_rng(3)
    points, tree = rng.normal(0, 1, (500, 3)), PointTree(rng.normal(0, 1, (700, 3)))
    pairs = MovingPairs(points, tree)
    for away in (1e6, 1e6 + 1e-3, 1e3, 1.0):
        pairs.move(np.eye(3), np.array([away, 0.0, 0.0]))
        check(pairs, tree, np.eye(3), np.array([away, 0.0, 0.0]))


@given(st.integers(0, 2**32 - 1), st.sampled_from([64, 128, 256]), st.floats(-9, 0))
@settings(max_examples=60, deadline=None)
def test_lanes_against_float64(seed: int, n: int, closeness: float) -> None:
    """Whoever is called nearest is; who goes less than the margin, in any direction, keeps it."""
    rng = np.random.default_rng(seed)
    near = rng.uniform(-1, 1, (3, n))
    twin = 10.0**closeness * rng.normal(size=3)  # hard to tell from the other
    near[:, 1] = near[:, 0] + twin
    places = rng.uniform(-1, 1, (3, lanes.LANES))
    near32, places32 = near.astype(np.float32), places.astype(np.float32)
    best, margin = np.zeros((2, lanes.LANES), np.float32)
    which = np.zeros(lanes.LANES, np.int32)
    lanes.nearest_in_lanes(places32, near32, n, best, margin, which)
    squares, ratios = np.zeros((2, n + 2), np.float32)
    for lane in range(lanes.LANES):
        alone = lanes.nearest_of_one(lane, places32, near32, n, squares, squares.view(np.int32))
        margins = [float(margin[lane])]
        if alone >= 0:
            margins.append(
                lanes.margin_of_one(alone, near32, n, squares, ratios, ratios.view(np.int32))
            )
        for column in (which[lane], alone):
            if column >= 0:
                away = np.linalg.norm(near - places[:, [lane]], axis=0)
                assert column == away.argmin()
                apart = np.linalg.norm(near - near[:, [column]], axis=0)
                planes = (away**2 - away[column] ** 2)[apart > 0] / (2 * apart[apart > 0])
                assert max(margins) <= planes.min()
                if closeness > -1 and alone >= 0:  # nor is the margin much smaller than need be
                    assert margins[-1] >= 0.99 * planes.min() - 1e-4


def test_groups_are_of_one_size_and_of_neighbours() -> None:
    """Every point once, full groups but the last, each within its ball."""
    points = np.random.default_rng(1).normal(size=(1000, 3))
    order, centre, radius = make_groups(points, 32)
    assert sorted(order) == [*range(1000)]
    assert len(centre) == 32
    for group, (middle, reach) in enumerate(zip(centre, radius, strict=True)):
        away = np.linalg.norm(points[order[32 * group : 32 * group + 32]] - middle, axis=1)
        assert away.max() == pytest.approx(reach)
    assert np.median(radius) < 0.4 * np.linalg.norm(points, axis=1).max()


@pytest.mark.parametrize("n", [1, 31, 32, 33, 64, 65, 96])
def test_groups_of_equal_points(n: int) -> None:
    """Nothing to sort by, and no end to it either."""
    order, centre, radius = make_groups(np.ones((n, 3)), 32)
    assert sorted(order) == [*range(n)]
    assert len(centre) == -(-n // 32)
    assert not radius.any()


def test_the_order_is_a_permutation() -> None:
    """Every point is in the tree once."""
    points = np.random.default_rng(1).normal(size=(200, 3))
    assert sorted(map(tuple, PointTree(points).data)) == sorted(map(tuple, points))


def test_copies_are_found() -> None:
    """All but the first of each, leaves of one point included."""
    rng = np.random.default_rng(2)
    points = rng.integers(0, 3, (200, 3)).astype(float)
    order, _, runs, child, _ = make_tree(points, 12)
    copies = copies_of(points[order], runs, child)
    assert (~copies).sum() == len(np.unique(points, axis=0))
    assert len(np.unique(points[order][~copies], axis=0)) == (~copies).sum()
