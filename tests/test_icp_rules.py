"""The ICPs that published scripts run, each against its own few lines; and how a fit ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from prn_bench.alignment import Similarity
from prn_bench.geometry import rotation_matrix
from prn_bench.icp import IcpRule, icp
from prn_bench.icp.point_tree import PointTree
from prn_bench.icp.walk import Walk

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def clouds() -> tuple[Array, Array]:
    """Two unlike bowls of 700 and 900 points, far from the origin, the first one turned."""
    rng = np.random.default_rng(6)
    first, second = (rng.uniform(-80, 80, (n, 2)) for n in (700, 900))
    bowl = np.column_stack([first, (first**2).sum(1) / 200])
    other = np.column_stack([second, (second**2).sum(1) / 260 + second[:, 0] / 9])
    turn = rotation_matrix(*np.radians([9.0, -6.0, 4.0]))
    return bowl @ turn.T + [500.0, 300, -200], other * [1, 1.05, 1] + [230.0, 240, 0]


def rotation_of(cross: Array) -> Array:
    """The best proper rotation."""
    u, _, vt = np.linalg.svd(cross)
    return np.asarray((u * [1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt)


def test_the_rule_of_2dasl(clouds: tuple[Array, Array]) -> None:
    """Both clouds about their centroids at every step; each reference point searches; turns only."""
    predicted, reference = clouds
    moved, target, last, steps = (
        predicted - predicted.mean(0),
        reference - reference.mean(0),
        0.0,
        0,
    )
    while True:
        steps += 1
        distance, index = cKDTree(moved).query(target)
        moved = moved @ rotation_of(target.T @ moved[index]).T
        moved -= moved.mean(0)
        error = (distance**2).mean()
        if abs(error - last) <= 0.01:
            break
        last = error
    rule = IcpRule(
        search="reference-to-predicted", criterion="mse", tolerance=0.01, step="about-centroids"
    )
    fit = icp(predicted, reference, rule)
    assert (fit.iterations, fit.status, fit.converged) == (steps, "ok", True)
    np.testing.assert_allclose(
        fit.motion.apply(predicted), moved + reference.mean(0), rtol=0, atol=1e-8
    )
    free = icp(predicted, reference, IcpRule(search="reference-to-predicted"))
    shift = free.motion.apply(predicted).mean(0) - reference.mean(0)
    assert np.linalg.norm(shift) > 0.1  # a least-squares step lets the centroids part


def test_the_rule_of_sdrn(clouds: tuple[Array, Array]) -> None:
    """Scale by distances to the first searching point, until the mean distance changes by < 0.1."""
    predicted, reference = clouds
    moved, tree, last = predicted + reference.mean(0) - predicted.mean(0), cKDTree(reference), 0.0
    for _ in range(40):
        distance, index = tree.query(moved)
        pairs = reference[index]
        sums = [np.linalg.norm(side - side[0], axis=1).sum() for side in (pairs, moved)]
        scaled = moved * sums[0] / sums[1]
        u, _, vt = np.linalg.svd((pairs - pairs.mean(0)).T @ (scaled - scaled.mean(0)))
        moved = (scaled - scaled.mean(0)) @ (u @ vt).T + pairs.mean(0)
        if abs(last - distance.mean()) < 0.1:
            break
        last = distance.mean()
    rule = IcpRule(
        with_scale=True, criterion="mean-distance", tolerance=0.1, max_iterations=40,
        step="first-point",
    )  # fmt: skip
    fit = icp(predicted, reference, rule)
    assert fit.status == "ok"
    np.testing.assert_allclose(fit.motion.apply(predicted), moved, rtol=0, atol=1e-7)


@pytest.mark.parametrize("tolerance", [0.0, 1e-9])
def test_the_most_steps(clouds: tuple[Array, Array], tolerance: float) -> None:
    """Two steps may be what a rule wants; with a tolerance they are too few, and that is said."""
    fit = icp(*clouds, IcpRule(max_iterations=2, tolerance=tolerance))
    assert (fit.iterations, fit.converged) == (2, False)
    assert fit.status == ("not-converged" if tolerance else "ok")


def test_a_cloud_that_finds_a_single_partner() -> None:
    """All pairs hold one point: no rotation follows, and the small error of one is none."""
    rng = np.random.default_rng(7)
    predicted = rng.normal(0, 1, (300, 3))
    reference = np.concatenate([[[1000.0, 0, 0]], rng.normal(0, 1, (50, 3)) + [5000.0, 0, 0]])
    fit = icp(predicted, reference, IcpRule(start="none"))
    assert (fit.status, fit.converged) == ("degenerate", False)


@pytest.mark.parametrize("rule", [IcpRule(), IcpRule(with_scale=True, trim=0.1)])
def test_where_the_clouds_lie_does_not_matter(clouds: tuple[Array, Array], rule: IcpRule) -> None:
    """A hundred thousand pixels away from the origin, on either side, the answer is the same."""
    predicted, reference = clouds
    one = icp(predicted, reference, rule).motion.apply(predicted)
    far = icp(predicted + 1e5, reference, rule).motion.apply(predicted + 1e5)
    np.testing.assert_allclose(far, one, rtol=0, atol=1e-6)
    both = icp(predicted - 1e5, reference + 1e5, rule).motion.apply(predicted - 1e5)
    np.testing.assert_allclose(both - 1e5, one, rtol=0, atol=1e-6)


def test_the_answer_is_a_fixed_point(face_model: Any) -> None:
    """One more plain step, from a full search, does not move a face of 20,000 points."""
    face = np.asarray(face_model.mean, np.float64) / 700
    face = face if face.shape[1] == 3 else face.T
    other = face * [1.04, 0.98, 1.1]
    predicted = face @ rotation_matrix(0.1, -0.1, 0.05).T + [9.0, 4.0, 2.0]
    fit = icp(predicted, other)
    assert fit.converged
    moved = fit.motion.apply(predicted)
    pairs = other[cKDTree(other).query(moved)[1]]
    centred = [side - side.mean(0) for side in (pairs, moved)]
    again = centred[1] @ rotation_of(centred[0].T @ centred[1]).T + pairs.mean(0)
    np.testing.assert_allclose(again, moved, rtol=0, atol=1e-9)


@pytest.mark.parametrize("forward", [True, False])
def test_mean_square_from_sums_is_that_of_the_distances(forward: bool) -> None:
    """What a tolerance is compared with needs no distances; in either direction, with scale."""
    rng = np.random.default_rng(5)
    points, target = rng.normal(size=(60, 3)), rng.normal(size=(50, 3))
    motion = Similarity(1.3, rotation_matrix(0.2, -0.4, 0.1), np.array([0.3, -0.2, 0.5]))
    mine, fixed = (points, target) if forward else (target, points)
    walk = Walk(PointTree(fixed), forward=forward, with_scale=True)
    pairs = walk.pairs(mine)
    walk.place(pairs, motion)
    expected = (walk.distances(pairs, motion) ** 2).mean()
    assert walk.mean_square(pairs, motion) == pytest.approx(expected, rel=1e-12)
