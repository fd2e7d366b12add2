"""What a score against scans says of a prediction's shape: cropped, or with another expression."""

from __future__ import annotations

import numpy as np
import pytest

from prn_bench import icp as icp_module
from prn_bench.evaluate import score
from prn_bench.evaluate.scan_look import covered_share, mouth_opening
from tests.test_scan_scores import MOVE, PAPER, TURN, few, florence, predicted, truth

__all__ = ["florence", "truth"]
N = 3


def finding(result, code):
    """The message of a finding, or None."""
    return next((one.message for one in result.findings if one.code == code), None)


def moved_meshes(truth, keep=None):
    """The scans as predictions, moved; perhaps only a part of each."""
    return [(v if keep is None else v[keep(v)]) @ TURN.T + MOVE for v, _ in truth[:N]]


def moved_landmarks(truth, lower=0.0, noise=0.0):
    """Predicted landmarks, the lower inner lip lower by that many eye distances."""
    rng, found = np.random.default_rng(0), []
    for _, landmarks in truth[:N]:
        eyes = np.linalg.norm(landmarks[36] - landmarks[45])
        points = landmarks + rng.normal(0, noise * eyes, (68, 3))
        points[65:68, 1] += lower * eyes
        found.append(points @ TURN.T + MOVE)
    return np.stack(found)


def test_a_covered_plane_by_hand():
    """Half of a plane, and a reach of 5 % of its diagonal beyond."""
    x, y = np.meshgrid(np.linspace(0, 100, 101), np.linspace(0, 100, 101))
    plane = np.stack([x, y, 0 * x], -1).reshape(-1, 3)
    half = plane[plane[:, 0] <= 50]
    reach = 0.05 * np.hypot(100, 100)
    expected = (np.floor(50 + reach) + 1) / 101
    assert covered_share(plane, plane) == 1
    assert covered_share(half, plane) == pytest.approx(expected, abs=0.01)
    assert covered_share(half + [0, 0, 8.0], plane) == 0


def test_a_mouth_by_hand():
    """2, 4 and 6 between the lips, 40 between the eyes: a tenth; unknown without eyes."""
    points = np.zeros((68, 3))
    points[45] = 40, 0, 0
    points[[67, 66, 65], 1] = 2, 4, 6
    assert mouth_opening(points) == pytest.approx(0.1)
    assert mouth_opening(7 * points @ TURN.T + MOVE) == pytest.approx(0.1)
    assert np.isnan(mouth_opening(0 * points))
    assert np.isnan(mouth_opening(None))


@pytest.mark.parametrize("name", [PAPER, "florence/rec@vrn921-icp"])
def test_whole_faces_at_rest_are_passed(florence, truth, name):
    """Neither is said of the truth, nor of landmarks that are 2 % of the eye distance off."""
    method = predicted(florence, moved_meshes(truth), moved_landmarks(truth, noise=0.02))
    result = score(method, florence, name, inputs=few(florence, N))
    assert finding(result, "partial-coverage") is None
    assert finding(result, "expression") is None
    assert result.samples.extra["covered"][:N].min() > 0.95


def test_cropped_faces_are_named(florence, truth):
    """The upper part of each alone: that is said, with the samples, whatever the error is."""
    meshes = moved_meshes(truth, lambda v: v[:, 1] < np.quantile(v[:, 1], 0.4))
    method = predicted(florence, meshes, moved_landmarks(truth))
    result = score(method, florence, PAPER, inputs=few(florence, N))
    assert str(florence.sample_ids[0]) in finding(result, "partial-coverage")
    assert result.samples.extra["covered"][:N].max() < 0.8


@pytest.mark.parametrize(("lower", "said"), [(0.25, True), (0.04, False)])
def test_an_open_mouth_is_said(florence, truth, lower, said):
    """Where most predictions have it, beyond what noise does; the error stays what it is."""
    method = predicted(florence, moved_meshes(truth), moved_landmarks(truth, lower))
    result = score(method, florence, PAPER, inputs=few(florence, N))
    assert (finding(result, "expression") is not None) == said
    assert result.samples.extra["mouth_opening"][:N] == pytest.approx(lower, abs=0.03)


def test_one_open_mouth_is_no_habit(florence, truth):
    """One of three may well be a fault of the landmarks."""
    points = moved_landmarks(truth)
    points[0] = moved_landmarks(truth, 0.3)[0]
    method = predicted(florence, moved_meshes(truth), points)
    assert finding(score(method, florence, PAPER, inputs=few(florence, N)), "expression") is None


def test_an_icp_out_of_steps_is_named(florence, truth, monkeypatch):
    """Its limit is a number of steps, so no score hangs on the machine; the samples are named."""
    monkeypatch.setattr(icp_module, "MOST_STEPS", 2)
    meshes = [v[::20] @ TURN.T + MOVE for v, _ in truth[:N]]
    name = "florence/rec@vrn921-icp+icp_tolerance=0+icp_iterations=0+icp_start=centroid"
    result = score(predicted(florence, meshes), florence, name, inputs=few(florence, N))
    assert result.samples.extra["converged"][:N].tolist() == [0] * N
    assert result.samples.extra["iterations"][:N].tolist() == [2] * N
    assert str(florence.sample_ids[0]) in finding(result, "not-converged")
    assert np.isfinite(result.samples.errors[:N]).all()
