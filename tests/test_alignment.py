"""Closed-form motions between corresponding points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.alignment import Similarity, fit_by_first_point, fit_similarities
from prn_bench.geometry import rotation_matrix

ANGLES = st.tuples(*[st.floats(-3, 3)] * 3)


def clouds(b: int = 3, n: int = 20) -> np.ndarray:
    """(b, n, 3) random points."""
    return np.random.default_rng(1).normal(0, 40, (b, n, 3))


@given(ANGLES, st.floats(0.3, 3.0))
def test_a_planted_motion_is_found(angles: tuple[float, ...], scale: float) -> None:
    """Rotation, scale and translation come back to 1e-9."""
    points, rotation, move = clouds(), rotation_matrix(*angles), np.array([5.0, -7.0, 100.0])
    moved = scale * points @ rotation.T + move
    found = fit_similarities(points, moved, with_scale=True)
    np.testing.assert_allclose(found[0], scale, rtol=1e-9)
    np.testing.assert_allclose(found[1], np.broadcast_to(rotation, (3, 3, 3)), atol=1e-9)
    np.testing.assert_allclose(found[2], np.broadcast_to(move, (3, 3)), atol=1e-6)
    rigid = fit_similarities(points, points @ rotation.T + move, with_scale=False)
    np.testing.assert_allclose(rigid[1], np.broadcast_to(rotation, (3, 3, 3)), atol=1e-9)
    assert (rigid[0] == 1).all()


def test_a_mirror_is_never_accepted() -> None:
    """The determinant stays +1, and a mirrored cloud keeps a large error."""
    points = clouds()
    mirrored = points * [-1.0, 1.0, 1.0]
    scale, rotation, move = fit_similarities(points, mirrored, with_scale=True)
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)
    moved = scale[:, None, None] * points @ rotation.swapaxes(1, 2) + move[:, None]
    assert np.linalg.norm(moved - mirrored, axis=-1).mean() > 10
    assert (np.linalg.det(fit_by_first_point(points, mirrored)[1]) < 0).all()  # SADRNet's does


def test_the_fit_is_the_best() -> None:
    """No small turn or shift of the fitted motion has a smaller square error."""
    rng = np.random.default_rng(2)
    points = clouds(1)
    noisy = points + rng.normal(0, 5, points.shape)
    parts = fit_similarities(points, noisy, with_scale=True)
    best = Similarity(float(parts[0][0]), parts[1][0], parts[2][0])
    error = ((best.apply(points[0]) - noisy[0]) ** 2).sum()
    for _ in range(50):
        turn = rotation_matrix(*rng.normal(0, 0.02, 3))
        other = best.then(Similarity(1 + rng.normal(0, 0.01), turn, rng.normal(0, 0.2, 3)))
        assert ((other.apply(points[0]) - noisy[0]) ** 2).sum() >= error


def test_weights() -> None:
    """A point of weight 0 is not seen, however wrong it is."""
    points = clouds(1)
    target = points + [1.0, 2.0, 3.0]
    target[0, 4] += 1000
    weights = np.ones((1, points.shape[1]))
    weights[0, 4] = 0
    move = fit_similarities(points, target, with_scale=True, weights=weights)[2]
    np.testing.assert_allclose(move, [[1, 2, 3]], atol=1e-9)


def test_the_first_points_rule_by_hand() -> None:
    """The scale is the ratio of summed distances to the first point."""
    points = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]]])
    target = points.copy()
    target[0, 3] *= 2  # 1 + 2 + 6 over 1 + 2 + 3
    assert fit_by_first_point(points, target)[0][0] == pytest.approx(9 / 6)


def test_motions_compose() -> None:
    """There and back again; one after the other."""
    one = Similarity(2.0, rotation_matrix(0.1, 0.2, 0.3), np.array([1.0, 2.0, 3.0]))
    other = Similarity(0.5, rotation_matrix(-0.4, 0.0, 1.0), np.array([-9.0, 0.0, 4.0]))
    points = clouds(1)[0]
    np.testing.assert_allclose(one.then(other).apply(points), other.apply(one.apply(points)))
    np.testing.assert_allclose(one.then(one.inverse()).apply(points), points)
    np.testing.assert_allclose(Similarity.identity().apply(points), points)


@pytest.mark.parametrize(
    ("points", "target"),
    [
        (np.zeros((1, 5, 3)), np.ones((1, 5, 3))),  # no extent
        (np.zeros((1, 2, 3)), np.zeros((1, 2, 3))),  # too few
        (np.zeros((1, 5, 3)), np.zeros((1, 4, 3))),
        (np.full((1, 5, 3), np.nan), np.zeros((1, 5, 3))),
        (np.zeros((5, 3)), np.zeros((5, 3))),
    ],
)
def test_misuse(points: np.ndarray, target: np.ndarray) -> None:
    """What has no motion is refused in words."""
    with pytest.raises(ValueError, match=r"points|motion"):
        fit_similarities(points, target, with_scale=True)
