"""Frames of both sides of a score, and what a dataset or a prediction file may lack for it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from prn_bench.evaluate import score
from prn_bench.geometry import apply_affine, crop_affine
from prn_bench.results import Result
from tests.fakes import FakeDataset, FakePredictions, face_world
from tests.fakes import refusal as code

FIT, Z_MEAN = "aflw2000/68/2d@3ddfa-fit", "aflw2000/68/3d@z-mean"


@pytest.fixture
def world() -> tuple[FakeDataset, FakePredictions]:
    """A dataset of 40 faces with every array, and noisy predictions."""
    return face_world()


def in_crop(dataset: FakeDataset, points: np.ndarray) -> np.ndarray:
    """Image-frame points in the crop frame."""
    affine = crop_affine(dataset.arrays["crop"], dataset.arrays["z_shift"])
    return apply_affine(affine, points)


def codes(result: Result) -> list[str]:
    """Codes of the findings of a result."""
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize("name", [FIT, Z_MEAN, "aflw2000/68/3d@z-none", "aflw2000/68/3d@uv-index"])
def test_crop_frame(world: tuple[FakeDataset, FakePredictions], name: str) -> None:
    """Predictions in the crop frame score as the same points in the image frame."""
    dataset, predictions = world
    points = in_crop(dataset, predictions.arrays["landmarks"])
    cropped = FakePredictions(predictions.sample_ids, {"landmarks": points}, frame="crop")
    expected = score(predictions, dataset, name).samples.errors
    np.testing.assert_allclose(score(cropped, dataset, name).samples.errors, expected)


def test_flat_crop_frame(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Two-dimensional landmarks in the crop frame score under 2D protocols."""
    dataset, predictions = world
    points = in_crop(dataset, predictions.arrays["landmarks"])[..., :2]
    cropped = FakePredictions(predictions.sample_ids, {"landmarks": points}, frame="crop")
    expected = score(predictions, dataset, FIT).samples.errors
    np.testing.assert_allclose(score(cropped, dataset, FIT).samples.errors, expected)


def test_position_maps_are_read_at_the_landmark_pixels(
    world: tuple[FakeDataset, FakePredictions],
) -> None:
    """Maps alone are enough; the dataset's own maps are a perfect prediction."""
    dataset, _ = world
    maps = {"position_map": dataset.arrays["position_map"]}
    perfect = FakePredictions(dataset.sample_ids, maps, frame="crop")
    for name in ("aflw2000/68/3d@uv-index", f"{Z_MEAN}+reference_frame=image"):
        np.testing.assert_allclose(score(perfect, dataset, name).samples.errors, 0, atol=1e-4)


def test_z_min_mesh(world: tuple[FakeDataset, FakePredictions]) -> None:
    """A network's crop z starts at the mesh's minimum: the dataset's own maps are perfect, unmoved.

    In the image frame the same prediction has to have its z at the minimum of the mesh.
    """
    dataset, _ = world
    name = "aflw2000/68/3d@z-min-mesh+reference_frame=image"
    points = in_crop(dataset, dataset.arrays["landmarks"])
    cropped = FakePredictions(dataset.sample_ids, {"landmarks": points}, frame="crop")
    np.testing.assert_allclose(score(cropped, dataset, name).samples.errors, 0, atol=1e-9)
    moved = dataset.arrays["landmarks"].copy()
    moved[..., 2] += (dataset.arrays["z_shift"] / dataset.arrays["crop"][:, 0, 0])[:, None]
    image = FakePredictions(dataset.sample_ids, {"landmarks": moved})
    np.testing.assert_allclose(score(image, dataset, name).samples.errors, 0, atol=1e-9)


def test_unknown_z_shift(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Without z_shift crop z is only scaled: harmless with a z rule, said aloud without one."""
    dataset, predictions = world
    points = in_crop(dataset, predictions.arrays["landmarks"])
    cropped = FakePredictions(predictions.sample_ids, {"landmarks": points}, frame="crop")
    expected = score(predictions, dataset, Z_MEAN).samples.errors
    del dataset.arrays["z_shift"]
    result = score(cropped, dataset, Z_MEAN)
    np.testing.assert_allclose(result.samples.errors, expected)
    assert "unknown-z-shift" not in codes(result)
    assert "unknown-z-shift" in codes(score(cropped, dataset, "aflw2000/68/3d@z-none"))


def test_no_depth(world: tuple[FakeDataset, FakePredictions]) -> None:
    """2D landmarks cannot be scored in 3D; neither can a 2D annotation."""
    dataset, predictions = world
    assert code(predictions, dataset, f"{Z_MEAN}+annotation=reannotated").code == "reference-2d"
    name = "aflw2000/68/2d@interocular-3d+annotation=reannotated"
    assert code(predictions, dataset, name).code == "reference-2d"
    assert score(predictions, dataset, f"{name}+normalizer_shape=landmarks").summary.n == 40
    predictions.arrays["landmarks"] = predictions.arrays["landmarks"][..., :2]
    assert code(predictions, dataset, Z_MEAN).code == "no-depth"


def test_no_landmarks(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Vertices alone do not say which 68 of them are the landmarks."""
    dataset, predictions = world
    predictions.arrays["vertices"] = predictions.arrays.pop("landmarks")
    assert code(predictions, dataset).code == "no-landmarks"


@pytest.mark.parametrize(
    ("lacking", "name"),
    [
        ("annotation/reannotated", "aflw2000/68/2d@reannotated"),
        ("yaw_deg/aflw", "aflw2000/68/2d@3ddfa-aflw"),
        ("position_map", "aflw2000/68/2d@uv-index"),
        ("roi_box", "aflw2000/68/2d@roi-side"),
        ("z_shift", "aflw2000/68/3d@z-min-mesh"),
    ],
)
def test_a_dataset_that_lacks_an_array(
    world: tuple[FakeDataset, FakePredictions], lacking: str, name: str
) -> None:
    """What a protocol needs and the dataset does not hold is named."""
    dataset, predictions = world
    del dataset.arrays[lacking]
    error = code(predictions, dataset, name)
    assert error.code == "dataset-lacks"
    assert lacking in str(error)


def test_bad_references(world: tuple[FakeDataset, FakePredictions]) -> None:
    """An unknown reference point and a face without extent are the dataset's faults."""
    dataset, predictions = world
    points = dataset.arrays["landmarks"]
    dataset.arrays["landmarks"] = np.where(np.arange(68)[:, None] == 4, np.nan, points)
    assert code(predictions, dataset).code == "reference-incomplete"
    dataset.arrays["landmarks"] = points * np.array([0, 1, 1])
    assert code(predictions, dataset).code == "zero-normalizer"


@pytest.mark.parametrize("name", ["yaw_deg/aflw", "z_shift", "crop"])
def test_an_unknown_value_never_drops_a_sample(
    world: tuple[FakeDataset, FakePredictions], name: str
) -> None:
    """A yaw, crop or z shift of NaN is refused with its name and count, not left out of a mean."""
    dataset, predictions = world
    dataset.arrays[name] = dataset.arrays[name].copy()
    dataset.arrays[name][[3, 8]] = np.nan
    yaw = name.startswith("yaw")
    protocol = "aflw2000/68/2d@3ddfa-aflw" if yaw else "aflw2000/68/3d@z-min-mesh"
    for missing in ("strict", "drop"):
        error = code(predictions, dataset, f"{protocol}+missing={missing}")
        assert error.code == "reference-incomplete"
        assert f"{name} is unknown for 2 (image00003, image00008) samples" in str(error)
    assert ("yaw_source" in str(error)) == yaw
    assert score(predictions, dataset, FIT).summary.n_left_out == 0


def test_min_mesh_depends_on_the_frame(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Image-frame z has to start at the rearmost vertex for this rule; nobody can see it does."""
    dataset, predictions = world
    behind = predictions.arrays["landmarks"]
    behind[:4, 0, 2] = -1.0
    for name in ("z-min-mesh", "prnet-keras"):
        result = score(predictions, dataset, f"aflw2000/68/3d@{name}")
        words = {finding.code: finding.message for finding in result.findings}["depth-origin"]
        assert "4 of 40 samples have landmarks behind that" in words
    points = in_crop(dataset, behind)
    cropped = FakePredictions(predictions.sample_ids, {"landmarks": points}, frame="crop")
    assert "depth-origin" not in codes(score(cropped, dataset, "aflw2000/68/3d@z-min-mesh"))
    assert "depth-origin" not in codes(score(predictions, dataset, Z_MEAN))


def test_reference_digest(world: tuple[FakeDataset, FakePredictions]) -> None:
    """The digest ignores storage noise and the predictions, and sees every input of the errors."""
    dataset, predictions = world
    first = score(predictions, dataset, FIT).reference_digest

    def digest(name: str = FIT, **changed: np.ndarray) -> str:
        other = dataclasses.replace(dataset, arrays=dataset.arrays | changed)
        return score(predictions, other, name).reference_digest

    points = np.round(dataset.arrays["landmarks"], 3)
    assert digest(landmarks=points) == digest(landmarks=points + 2e-4)
    assert digest(landmarks=points) != digest(landmarks=points + 2e-3)
    assert digest(**{"yaw_deg/fitted": dataset.arrays["yaw_deg/fitted"] + 0.01}) != first
    assert digest(**{"yaw_deg/aflw": dataset.arrays["yaw_deg/aflw"] + 0.01}) == first
    assert digest("aflw2000/68/2d@max") != first
    predictions.arrays["landmarks"] = predictions.arrays["landmarks"] + 1
    assert score(predictions, dataset, FIT).reference_digest == first
