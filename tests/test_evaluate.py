"""Joining, policies, findings and refusals of a score, in a small world in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prn_bench.evaluate import score
from prn_bench.metrics import nme_68
from prn_bench.protocol import protocol
from prn_bench.results import Result
from tests.fakes import FakeDataset, FakePredictions, face_world, sparse_protocols
from tests.fakes import refusal as code

GOLDEN = Path(__file__).parent / "golden" / "scores.json"
FIT, Z_MEAN = "aflw2000/68/2d@3ddfa-fit", "aflw2000/68/3d@z-mean"


@pytest.fixture
def world() -> tuple[FakeDataset, FakePredictions]:
    """A dataset of 40 faces with every array, and noisy predictions."""
    return face_world()


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Nested lists and dictionaries as one dictionary by path."""
    if not isinstance(value, dict | list):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for key, item in items for k, v in flat(item, f"{name}/{key}").items()}


def codes(result: Result) -> list[str]:
    """Codes of the findings of a result."""
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize("name", [p.id for p in sparse_protocols()])
def test_golden_numbers(world: tuple[FakeDataset, FakePredictions], name: str) -> None:
    """Every published protocol gives the stored figures (tests/regenerate_golden.py)."""
    golden = json.loads(GOLDEN.read_text())
    assert sorted(golden) == sorted(p.id for p in sparse_protocols())
    found = flat(score(world[1], world[0], name).summary.as_dict())
    expected = flat(golden[name])
    numbers = {key: value for key, value in expected.items() if isinstance(value, float)}
    assert {key: found[key] for key in numbers} == pytest.approx(numbers, rel=1e-9)
    assert {**found, **numbers} == expected


def test_against_the_plain_functions(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Without files: NME of the predictions against the stored points."""
    dataset, predictions = world
    stored = dataset.arrays["landmarks"] + [1, 1, 0]
    points = predictions.arrays["landmarks"]
    result = score(predictions, dataset, FIT)
    np.testing.assert_allclose(result.samples.errors, nme_68(points, stored))
    result = score(predictions, dataset, f"{FIT}+reference_frame=image")
    np.testing.assert_allclose(result.samples.errors, nme_68(points, stored - [1, 1, 0]))
    result = score(predictions, dataset, f"{Z_MEAN}+annotation=original")
    np.testing.assert_allclose(result.samples.errors, nme_68(points, stored, dims=3))


def test_order_of_the_predictions_is_irrelevant(
    world: tuple[FakeDataset, FakePredictions],
) -> None:
    """Rows are joined by id."""
    dataset, predictions = world
    order = np.random.default_rng(1).permutation(len(dataset))
    shuffled = FakePredictions(
        predictions.sample_ids[order], {"landmarks": predictions.arrays["landmarks"][order]}
    )
    expected, found = (score(p, dataset, FIT) for p in (predictions, shuffled))
    assert found.as_dict() == expected.as_dict()


def test_missing_policies(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Strict refuses and lists; drop leaves out; penalise counts; all keep the counts."""
    dataset, predictions = world
    complete = score(predictions, dataset, FIT)
    points = predictions.arrays["landmarks"].copy()
    points[7] = np.nan
    some = FakePredictions(predictions.sample_ids[:-3], {"landmarks": points[:-3]})
    error = code(some, dataset)
    assert error.code == "missing-predictions"
    assert "4 (image00007, image00037, image00038, image00039) samples" in str(error)
    assert f"{FIT}+missing=drop or +missing=penalise" in str(error)
    gone = [7, 37, 38, 39]
    dropped = score(some, dataset, f"{FIT}+missing=drop")
    assert (dropped.summary.n, dropped.summary.n_missing) == (40, 4)
    assert sum(part.n_missing for part in dropped.summary.bins) == 4
    expected = np.delete(complete.samples.errors, gone)
    assert dropped.summary.mean_of_images == pytest.approx(expected.mean())
    assert np.isnan(dropped.samples.errors[gone]).all()
    penalised = score(some, dataset, f"{FIT}+missing=penalise+penalty=20")
    total = expected.sum() + 4 * 20
    assert penalised.summary.mean_of_images == pytest.approx(total / 40)
    assert penalised.summary.n_missing == 4
    for result in (dropped, penalised):
        assert "missing-predictions" in codes(result)
        assert result.summary.failure_rate >= 4 / 40


def test_partly_missing_rows(world: tuple[FakeDataset, FakePredictions]) -> None:
    """NaN or infinity beside numbers is an error under every policy."""
    dataset, predictions = world
    predictions.arrays["landmarks"][3, 5] = np.nan
    predictions.arrays["landmarks"][9, 5, 0] = np.inf
    error = code(predictions, dataset, f"{FIT}+missing=drop")
    assert error.code == "partly-missing"
    assert "2 (image00003, image00009)" in str(error)


def test_a_2d_score_ignores_z(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Whatever z is, even NaN, a 2D protocol does not look at it."""
    dataset, predictions = world
    expected = score(predictions, dataset, FIT).samples.errors
    predictions.arrays["landmarks"][..., 2] = np.nan
    np.testing.assert_array_equal(score(predictions, dataset, FIT).samples.errors, expected)


@pytest.mark.parametrize(
    ("change", "expected"), [("unknown", "unknown-ids"), ("image00001", "duplicate-ids")]
)
def test_bad_ids(world: tuple[FakeDataset, FakePredictions], change: str, expected: str) -> None:
    """Ids that the dataset lacks, and ids that occur twice, are named."""
    dataset, predictions = world
    predictions.sample_ids[0] = change
    error = code(predictions, dataset)
    assert error.code == expected
    assert change in str(error)
    assert "predictions.npz" in str(error)


def test_another_dataset(world: tuple[FakeDataset, FakePredictions]) -> None:
    """A protocol of another dataset is refused, and the remedy it names works."""
    dataset, predictions = world
    dataset.attributes["recipe"] = "300w-lp"
    error = code(predictions, dataset)
    assert error.code == "wrong-dataset"
    assert error.remedy is not None
    name = error.remedy.split()[-1].rstrip(".")
    result = score(predictions, dataset, name)
    assert "partial-dataset" not in codes(result)


def test_findings(world: tuple[FakeDataset, FakePredictions]) -> None:
    """A part of the benchmark never looks complete; constant and odd inputs are said aloud."""
    dataset, predictions = world
    result = score(predictions, dataset, FIT)
    assert codes(result)[:2] == ["partial-dataset", "yaw-beyond-90"]
    assert "40 samples, where the benchmark has 2000" in result.findings[0].message
    predictions.arrays["landmarks"][:] = predictions.arrays["landmarks"][0]
    assert "constant-predictions" in codes(score(predictions, dataset, FIT))
    result = score(predictions, dataset, f"{FIT}+over_90=drop+bin_edges=0,30,90,170")
    assert {"left-out", "empty-bin"} <= set(codes(result))
    assert result.summary.n_left_out > 0
    assert np.isnan(result.summary.headline)


def test_nothing_left_to_score(world: tuple[FakeDataset, FakePredictions]) -> None:
    """A mean of no sample at all is no result; neither is one of samples that do not count."""
    dataset, predictions = world
    error = code(predictions, dataset, f"{FIT}+bin_edges=170,180")
    assert error.code == "nothing-to-score"
    predictions.arrays["landmarks"][:] = np.nan
    error = code(predictions, dataset, f"{FIT}+missing=drop")
    assert error.code == "nothing-to-score"
    assert "40 of them without a prediction" in str(error)


def test_predictions_put_together_by_hand(world: tuple[FakeDataset, FakePredictions]) -> None:
    """What opening a file would refuse, scoring refuses: an unknown frame, a nameless method."""
    dataset, predictions = world
    predictions.frame = "banana"
    error = code(predictions, dataset)
    assert error.code == "unknown-frame"
    assert "image or crop" in str(error)
    predictions.frame = "image"
    for card in ({}, {"name": ""}, {"name": None}, {"version": "1"}):
        predictions.method = card
        assert code(predictions, dataset).code == "bad-method"


def test_sdrn_subset_marks_the_rest(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Samples outside the subset keep their error and have no bin."""
    dataset, predictions = world
    result = score(predictions, dataset, "aflw2000/68/2d@balanced894-sdrn")
    counts = [part.n for part in result.summary.bins]
    assert counts == [counts[2]] * 3
    assert result.summary.n_left_out == 40 - sum(counts)
    assert np.isfinite(result.samples.errors).all()


def test_a_protocol_object_or_its_name(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Both ways to say which protocol give one result."""
    predictions = world[1]
    first, second = (score(predictions, world[0], name) for name in (FIT, protocol(FIT)))
    assert first.as_dict() == second.as_dict()
