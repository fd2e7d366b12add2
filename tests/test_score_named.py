"""Scores of AFLW-LFPA's points and of head pose, on synthetic data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prn_bench.dataset import Dataset, open_dataset
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.landmark_map import LandmarkMap, built_in_landmark_maps
from prn_bench.predictions import Predictions

KNOWN, ALL = "aflw-lfpa/21@3ddfa-map", "aflw-lfpa/34@userlist"
NAME = "aflw-lfpa-34"


@pytest.fixture(scope="module")
def lfpa(datasets: dict[str, Path]) -> Dataset:
    """The synthetic AFLW-LFPA."""
    return open_dataset(datasets["aflw-lfpa"])


def predicted(dataset: Dataset, **arrays: Any) -> Predictions:
    """Predictions in memory."""
    return Predictions(dataset.sample_ids, "image", arrays, {"name": "M"}, None, None, None)


def landmarks_for(dataset: Dataset, shift: float) -> np.ndarray:
    """68 landmarks whose mapped points lie ``shift`` px right of the stored points, where visible."""
    rng = np.random.default_rng(0)
    points = rng.normal(200, 50, (len(dataset), 68, 2))
    target = np.nan_to_num(dataset.read(f"points/{NAME}").astype(float), nan=200.0)
    target = target + dataset.stored_offset(f"points/{NAME}")
    chart = built_in_landmark_maps()["aflw21-3ddfa"]
    # Groups that are single landmarks first, then those that average others.
    for k in sorted(range(21), key=lambda k: -len(chart.groups[k])):
        group = list(chart.groups[k])
        points[:, group] += (target[:, k] + [shift, 0.0] - points[:, group].mean(1))[:, None]
    for k in range(21):
        if len(chart.groups[k]) == 1:
            points[:, chart.groups[k][0]] = target[:, k] + [shift, 0.0]
    for k in range(21):  # eyes: free corners are fixed now, the rest moves the mean back
        group = list(chart.groups[k])
        fixed = {chart.groups[j][0] for j in range(21) if len(chart.groups[j]) == 1}
        free = [i for i in group if i not in fixed]
        if len(group) > 1:
            gap = (target[:, k] + [shift, 0.0]) - points[:, group].mean(1)
            points[:, free] += gap[:, None] * len(group) / len(free)
    return points


def test_visible_points_over_the_annotated_box(lfpa: Dataset) -> None:
    """Every visible point 3 px off: 3 px over sqrt(w h) of the annotated box, whatever is hidden."""
    result = score(predicted(lfpa, landmarks=landmarks_for(lfpa, 3.0)), lfpa, KNOWN)
    left, top, right, bottom = lfpa.read("boxes/annotated").T
    expected = 100 * 3.0 / np.sqrt((right - left) * (bottom - top))
    np.testing.assert_allclose(result.samples.errors, expected, rtol=1e-5)
    visible = lfpa.read(f"points_visible/{NAME}")[:, :21].sum(1)
    np.testing.assert_array_equal(result.samples.extra["points"], visible)
    assert (visible < 21).any()
    assert result.inputs["landmark_map"].startswith("aflw21-3ddfa ")


def test_all_34_points_need_a_map_of_the_users(lfpa: Dataset) -> None:
    """No map is published, so the score says so; with one, its hash goes along."""
    method = predicted(lfpa, landmarks=landmarks_for(lfpa, 0.0))
    with pytest.raises(BenchError) as error:
        score(method, lfpa, ALL)
    assert error.value.code == "landmark-map-needed"
    known = built_in_landmark_maps()["aflw21-3ddfa"]
    groups = (*known.groups[:21], *((i,) for i in range(13)))
    mine = LandmarkMap("mine", "test", "68", NAME, 68, groups, (None,) * 34)
    result = score(method, lfpa, ALL, inputs=ScoreInputs(landmark_map=mine))
    assert result.inputs["landmark_map"] == f"mine {mine.sha256}"
    other = replace(mine, groups=(*known.groups[:21], *((i + 1,) for i in range(13))))
    again = score(method, lfpa, ALL, inputs=ScoreInputs(landmark_map=other))
    assert again.reference_digest != result.reference_digest
    assert again.summary.headline != result.summary.headline


def test_position_maps_serve_too_and_poses_do_not(lfpa: Dataset) -> None:
    """What has no landmarks is refused by name."""
    with pytest.raises(BenchError) as error:
        score(predicted(lfpa, pose_deg=np.zeros((len(lfpa), 3))), lfpa, KNOWN)
    assert error.value.code == "no-landmarks"


def test_pose_errors(dataset: Dataset) -> None:
    """Planted differences of 1, 2, 3 degrees: mean 2, and each angle in its column."""
    pose = dataset.read("pose_deg") + [1.0, -2.0, 3.0]
    result = score(predicted(dataset, pose_deg=pose), dataset, "aflw2000/pose@2000-wrapped")
    assert result.summary.headline == pytest.approx(2.0)
    means = result.samples.columns()
    assert [means[f"{name}_error_deg"] for name in ("pitch", "yaw", "roll")] == pytest.approx(
        [1, 2, 3]
    )
    turned = score(
        predicted(dataset, pose_deg=pose + [0.0, 360.0, 0.0]), dataset, "aflw2000/pose@2000-wrapped"
    )
    assert turned.summary.headline == pytest.approx(2.0)
    beyond = np.abs(dataset.read("pose_deg")).max(1) > 99
    limited = score(predicted(dataset, pose_deg=pose), dataset, "aflw2000/pose@1969")
    assert (limited.summary.n, limited.summary.n_left_out) == ((~beyond).sum(), beyond.sum())
    exact = predicted(dataset, pose_deg=dataset.read("pose_deg"))
    for name in ("geodesic", "frobenius"):
        assert score(exact, dataset, f"aflw2000/pose@{name}").summary.headline < 1e-6


def test_pose_needs_pose(dataset: Dataset) -> None:
    """Landmarks are no pose."""
    with pytest.raises(BenchError) as error:
        score(
            predicted(dataset, landmarks=dataset.read("landmarks")), dataset, "aflw2000/pose@1969"
        )
    assert error.value.code == "no-pose"


def test_1969_of_2000(real_data: Path, tmp_path: Path) -> None:
    """The subset that the field uses is what its rule leaves of the real poses."""
    from prn_bench.build import build
    from prn_bench.recipes import find_recipe

    raw = real_data / "aflw2000_3d_annotations"
    build(find_recipe("aflw2000-3d"), raw, tmp_path / "a.h5", with_images=False)
    real = open_dataset(tmp_path / "a.h5")
    method = predicted(real, pose_deg=real.read("pose_deg"))
    result = score(method, real, "aflw2000/pose@1969")
    assert (result.summary.n, result.summary.n_left_out) == (1969, 31)
