"""Scores against scans, on the synthetic Florence: the scan itself, moved, as a prediction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from prn_bench.dataset import Dataset, open_dataset
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.evaluate.inputs import ScoreInputs, SubsetList
from prn_bench.evaluate.scans import ScanClouds
from prn_bench.geometry import rotation_matrix
from prn_bench.predictions import Predictions

PAPER = "florence/rec@paper+expected_samples=0+dataset_variants=default"
TURN = rotation_matrix(*np.radians([3.0, -4.0, 2.0]))
MOVE = np.array([6.0, -3.0, 20.0])


@pytest.fixture(scope="module")
def florence(datasets: dict[str, Path]) -> Dataset:
    """The synthetic Florence."""
    return open_dataset(datasets["florence"])


@pytest.fixture(scope="module")
def truth(florence: Dataset) -> list[tuple[NDArray, NDArray]]:
    """Region vertices and landmarks of every rendering's scan, image frame."""
    scans = ScanClouds(florence, "sphere95")
    clouds = [scans.cloud(row) for row in range(len(florence))]
    return [(cloud.vertices, cloud.landmarks) for cloud in clouds]


def predicted(
    florence: Dataset, meshes: list[NDArray], landmarks: NDArray | None = None
) -> Predictions:
    """Unordered meshes as predictions in memory."""
    starts = np.cumsum([0, *map(len, meshes)])
    arrays = {"vertices": np.concatenate(meshes), "vertex_start": starts}
    if landmarks is not None:
        arrays["landmarks"] = landmarks
    ids = florence.sample_ids[: len(meshes)]
    return Predictions(ids, "image", arrays, {"name": "mesh"}, "unordered", None, None)


def few(florence: Dataset, n: int) -> ScoreInputs:
    """The first n renderings count."""
    return ScoreInputs(subset=SubsetList("few", frozenset(florence.sample_ids[:n])))


def test_a_moved_scan_is_found_again(florence: Dataset, truth: list) -> None:
    """A rigid motion of the truth leaves no error after ICP, and a large one without."""
    n = 3
    moved = [vertices @ TURN.T + MOVE for vertices, _ in truth[:n]]
    points = np.stack([landmarks @ TURN.T + MOVE for _, landmarks in truth[:n]])
    method = predicted(florence, moved, points)
    result = score(method, florence, PAPER, inputs=few(florence, n))
    assert result.samples.errors[:n].max() < 1e-3
    assert result.samples.extra["rotation_deg"][:n].max() == pytest.approx(5.4, abs=0.2)
    assert result.summary.n == n
    raw = score(method, florence, f"{PAPER}+alignment=none+icp_search=predicted-to-reference"
                "+icp_start=centroid", inputs=few(florence, n))  # fmt: skip
    assert raw.samples.errors[:n].min() > 1.0


def test_the_normaliser_is_the_scans_interocular_distance(florence: Dataset, truth: list) -> None:
    """Points 2 px before the surface of a plane are 2 px over the eye distance."""
    n = 2
    lifted = [vertices + [0.0, 0.0, 500.0] for vertices, _ in truth[:n]]
    name = f"{PAPER}+alignment=none+icp_search=predicted-to-reference+icp_start=centroid"
    result = score(predicted(florence, lifted), florence, name, inputs=few(florence, n))
    expected = [np.linalg.norm(landmarks[45] - landmarks[36]) for _, landmarks in truth[:n]]
    np.testing.assert_allclose(result.samples.normalizer_px[:n], expected, rtol=1e-6)
    px = result.samples.errors[:n] * expected / 100
    assert (px > 250).all()
    assert (px <= 500).all()


def test_unmoved_pairs(florence: Dataset, truth: list) -> None:
    """VRN's main table: ICP finds the pairs, the unmoved points are measured, mean z removed."""
    n = 2
    shifted = [vertices + [4.0, 0.0, 77.0] for vertices, _ in truth[:n]]
    method = predicted(florence, shifted)
    result = score(method, florence, "florence/rec@vrn921", inputs=few(florence, n))
    px = result.samples.errors[:n] * result.samples.normalizer_px[:n] / 100
    np.testing.assert_allclose(px, 4.0, atol=0.4)


def test_sadrnets_two_alignments(florence: Dataset, truth: list) -> None:
    """A scaled and moved scan is aligned; the length is that of the prediction."""
    n = 2
    moved = [1.05 * vertices @ TURN.T + MOVE for vertices, _ in truth[:n]]
    points = np.stack([1.05 * landmarks @ TURN.T + MOVE for _, landmarks in truth[:n]])
    method = predicted(florence, moved, points)
    result = score(
        method, florence, "florence/rec@sadrnet20+dataset_variants=default", inputs=few(florence, n)
    )
    length = np.linalg.norm(points[:, 45] - points[:, 36], axis=1)
    np.testing.assert_allclose(result.samples.normalizer_px[:n], length, rtol=1e-6)
    assert result.samples.errors[:n].max() < 3.0
    np.testing.assert_allclose(result.samples.extra["scale"][:n], 1 / 1.05, rtol=0.01)


def test_signed_bins(florence: Dataset, truth: list) -> None:
    """Every rendering goes to the nearest of -80, -40, 0, 40, 80."""
    method = predicted(florence, [vertices[::40] for vertices, _ in truth])
    name = f"{PAPER}+alignment=none+icp_search=predicted-to-reference+icp_start=centroid"
    result = score(method, florence, name)
    labels = [part.label for part in result.summary.bins]
    assert labels == ["-80", "-40", "0", "40", "80"]
    yaw = florence.read("yaw_deg/rendered")
    counts = [int((np.abs(yaw - centre) <= 20).sum()) for centre in (-80, -40, 0, 40, 80)]
    assert [part.n for part in result.summary.bins] == counts
    assert result.summary.interval is None or "subject" in result.summary.interval.method


def test_refusals(florence: Dataset, truth: list) -> None:
    """Other renderings, landmarks alone, none for a start by them, an unknown region, no mesh."""
    meshes = [vertices[::10] for vertices, _ in truth[:2]]
    method, inputs = predicted(florence, meshes), few(florence, 2)
    sparse = replace(method, arrays={"landmarks": np.zeros((2, 68, 3))})
    empty = predicted(florence, [meshes[0], meshes[1][:0]])
    cases = {
        "wrong-dataset": (method, "florence/rec@paper"),
        "no-clouds": (sparse, "florence/rec@vrn921"),
        "no-landmarks": (method, PAPER),
        "dataset-lacks": (method, "florence/rec@vrn921+region=vrn19618"),
        "missing-predictions": (empty, "florence/rec@vrn921"),
    }
    for code, (predictions, name) in cases.items():
        with pytest.raises(BenchError) as error:
            score(predictions, florence, name, inputs=inputs)
        assert error.value.code == code
