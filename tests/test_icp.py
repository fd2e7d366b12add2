"""ICP against a slow oracle: the fast way gives the same answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from prn_bench.alignment import Similarity
from prn_bench.geometry import rotation_matrix
from prn_bench.icp import IcpRule, icp
from prn_bench.nearest import nearest
from tests.icp_oracle import mean_distance, plain_icp

Array = NDArray[np.float64]
SAME = 1e-4  # of the mean distance, which the toolkit promises


@pytest.fixture(scope="module")
def faces(face_model: Any) -> tuple[Array, Array]:
    """Two different faces of the synthetic model, in px, some 20,000 points each."""
    rng = np.random.default_rng(5)
    made = []
    for _ in range(2):
        n_identity, n_expression = face_model.n_components
        identity = rng.normal(0, 1, (1, n_identity)) * _sigma(face_model.identity_sigma, n_identity)
        shape = face_model.vertices(identity, np.zeros((1, n_expression)))[:, :, 0].T
        made.append(np.asarray(shape, np.float64))
    scale = 200 / np.ptp(made[0][:, 0])
    return made[0] * scale, made[1] * scale


def _sigma(sigma: Any, n: int) -> Any:
    return np.ones(n) if sigma is None else sigma


def turned(points: Array, degrees: float = 8.0, move: float = 10.0) -> Array:
    """Rotated about all axes and shifted."""
    rotation = rotation_matrix(*np.radians([degrees, -degrees, degrees / 2]))
    return points @ rotation.T + [move, -move / 2, move]


@pytest.mark.parametrize("degrees", [3.0, 12.0])
def test_a_moved_copy_comes_back(faces: tuple[Array, Array], degrees: float) -> None:
    """The same cloud, moved: found to a millionth of a pixel."""
    face = faces[0]
    moved = turned(face, degrees, 5.0)
    fit = icp(moved, face)
    assert (fit.status, fit.converged) == ("ok", True)
    np.testing.assert_allclose(fit.motion.apply(moved), face, atol=1e-6)


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("with_scale", [True, False])
def test_against_the_slow_oracle(
    faces: tuple[Array, Array], forward: bool, with_scale: bool
) -> None:
    """Different faces, both directions, with and without scale: the plain fixed point."""
    predicted, reference = turned(faces[0]), faces[1]
    search = "predicted-to-reference" if forward else "reference-to-predicted"
    fit = icp(predicted, reference, IcpRule(with_scale=with_scale, search=search))
    motion, _ = plain_icp(predicted, reference, with_scale=with_scale, forward=forward)
    expected = mean_distance(motion, predicted, reference)
    assert mean_distance(fit.motion, predicted, reference) == pytest.approx(expected, rel=SAME)
    by_index = np.linalg.norm(fit.motion.apply(predicted) - motion.apply(predicted), axis=1)
    assert by_index.max() < 0.05


@pytest.mark.parametrize("steps", [1, 7])
def test_a_number_of_steps_is_plain(faces: tuple[Array, Array], steps: int) -> None:
    """Rules with a number of steps follow the plain algorithm to the last digits."""
    predicted, reference = turned(faces[0])[::7], faces[1][::5]
    fit = icp(predicted, reference, IcpRule(max_iterations=steps))
    motion, _ = plain_icp(predicted, reference, steps=steps)
    np.testing.assert_allclose(fit.motion.apply(predicted), motion.apply(predicted), atol=1e-8)
    assert fit.iterations == steps


@pytest.mark.parametrize(
    ("criterion", "tolerance"), [("mse", 0.01), ("mean-distance", 0.1), ("relative-rmse", 1e-3)]
)
def test_criteria(faces: tuple[Array, Array], criterion: Any, tolerance: float) -> None:
    """A looser rule stops earlier, and says how many steps it took."""
    predicted, reference = turned(faces[0])[::9], faces[1][::9]
    loose = icp(predicted, reference, IcpRule(criterion=criterion, tolerance=tolerance))
    tight = icp(predicted, reference, IcpRule(criterion=criterion, tolerance=tolerance / 100))
    assert loose.converged
    assert 1 < loose.iterations < tight.iterations
    assert tight.rms <= loose.rms


def test_trimming_ignores_planted_outliers(faces: tuple[Array, Array]) -> None:
    """A fifth of the points far away: trimmed away, the rest is aligned."""
    face = faces[0][::4]
    moved = turned(face, 2.0, 2.0)
    moved[::5] += [0.0, 0.0, 60.0]
    good = np.arange(len(face)) % 5 != 0
    trimmed = icp(moved, face, IcpRule(trim=0.25, start="none"))
    whole = icp(moved, face, IcpRule(start="none"))
    errors = [
        np.linalg.norm(fit.motion.apply(moved)[good] - face[good], axis=1).mean()
        for fit in (trimmed, whole)
    ]
    assert errors[0] < 0.05 < errors[1]
    assert trimmed.inliers == pytest.approx(0.75, abs=0.01)


def test_a_start_is_used(faces: tuple[Array, Array]) -> None:
    """From far away ICP needs a start; with one it finds the face."""
    face = faces[0]
    far = turned(face, 100.0, 200.0)
    truth = Similarity(
        1.0, rotation_matrix(*np.radians([100.0, -100.0, 50.0])), np.array([200.0, -100.0, 200.0])
    )
    fit = icp(far, face, start=truth.inverse())
    np.testing.assert_allclose(fit.motion.apply(far), face, atol=1e-6)


def test_the_scale_collapses_and_says_so() -> None:
    """Points that all find the same partner shrink onto it."""
    rng = np.random.default_rng(0)
    predicted = rng.normal(0, 1, (400, 3))
    reference = np.concatenate(
        [rng.normal(0, 0.01, (3, 3)), [[400.0, 0, 0], [0, 400, 0], [0, 0, 400]]]
    )
    fit = icp(predicted, reference, IcpRule(with_scale=True, start="none"))
    assert fit.status == "scale-collapse"
    assert not fit.converged


@pytest.mark.parametrize(
    "points",
    [np.zeros((50, 3)), np.zeros((2, 3)), np.arange(30.0)[:, None] * [1.0, 2.0, 3.0]],
    ids=["one place", "two points", "a line"],
)
def test_degenerate_clouds(points: Array) -> None:
    """No rotation follows from them, and the fit says so instead of a small error."""
    cloud = np.random.default_rng(1).normal(size=(60, 3))
    assert icp(points, cloud).status == "degenerate"
    assert icp(cloud, points).status == "degenerate"


def test_misuse() -> None:
    """Wrong shapes and values that are not finite."""
    cloud = np.random.default_rng(1).normal(size=(60, 3))
    for bad in (cloud[:, :2], np.full((5, 3), np.nan), cloud[None]):
        with pytest.raises(ValueError, match="cloud"):
            icp(bad, cloud)
        with pytest.raises(ValueError, match="must be"):
            nearest(bad, cloud)
    with pytest.raises(ValueError, match="at least one"):
        nearest(cloud, cloud[:0])


def test_points_that_are_there_twice(faces: tuple[Array, Array]) -> None:
    """Duplicates have no margin between them, and do no harm."""
    cloud = np.repeat(faces[1][::20], 3, 0)
    fit = icp(turned(faces[0][::20], 3.0, 2.0), cloud)
    assert fit.status == "ok"


def test_real_meshes(real_data: Path) -> None:
    """PRNet against 2DASL, 43,867 points: the plain fixed point to 1e-4."""
    from prn_bench.formats.matfile import read_mat

    folder = real_data / "predictions"
    predicted = read_mat(folder / "prnet" / "image00013_mesh.mat", "p")["vertices"].astype(float)
    reference = read_mat(folder / "2dasl" / "image00013.mat", "r")["vertex"].T.astype(float)
    fit = icp(predicted, reference)
    start = Similarity(1.0, np.eye(3), reference.mean(0) - predicted.mean(0))
    motion, _ = plain_icp(predicted, reference, start=start)
    expected = mean_distance(motion, predicted, reference)
    assert mean_distance(fit.motion, predicted, reference) == pytest.approx(expected, rel=SAME)
