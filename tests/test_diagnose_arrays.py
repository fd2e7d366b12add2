"""`doctor` on predictions that are not landmarks: position maps, meshes, angles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeDataset, names
from faults import families, predictions

from prn_bench.diagnose import diagnose
from prn_bench.diagnose.reading import read_landmarks
from prn_bench.errors import BenchError
from prn_bench.geometry import apply_affine, pose_affine
from prn_bench.predictions import Predictions


def as_maps(dataset, maps):
    """Predicted position maps, crop frame."""
    return Predictions(dataset.sample_ids, "crop", {"position_map": maps}, {"name": "PRN"})


@pytest.mark.parametrize(
    ("divisor", "family", "words"),
    [
        (1.0, None, ""),
        (256.0, "fractions", "x -> x w, y -> y h"),
        (281.6, "scale", "multiplying by 281.6"),
        (280.0, "scale", "multiplying by 280"),
    ],
)
def test_units_of_position_maps(dataset, divisor, family, words):
    """Networks divide their maps by 256, by 256 x 1.1, by 280."""
    found = diagnose(as_maps(dataset, dataset.position_maps() / divisor), dataset)
    assert families(found) == ([family] if family else [])
    assert not family or found.mistakes[0].correction == words


def test_maps_turned(dataset):
    """Rows and columns exchanged, as when uv_kpt_ind is read as (row, column); and upside down."""
    maps = dataset.position_maps()
    for turned in (maps.swapaxes(2, 3), maps[:, :, ::-1]):
        found = diagnose(as_maps(dataset, turned), dataset)
        assert families(found) == ["map-order"]
        assert found.mistakes[0].changes[0].after < 2


@pytest.fixture
def meshes(dataset, face_model):
    """(n, V, 3) vertices of every sample, image frame."""
    shapes = face_model.vertices(
        dataset.read("coefficients/identity"), dataset.read("coefficients/expression")
    )
    pose = pose_affine(dataset.read("coefficients/pose"), dataset.read("image_size")[:, 0])
    return apply_affine(pose, shapes.transpose(2, 1, 0))


def test_meshes_of_the_dataset(dataset, face_model, meshes):
    """The 68 points are read from vertices of the dataset's own face model."""
    given = Predictions(
        dataset.sample_ids, "image", {"vertices": meshes}, {"name": "M"}, face_model.topology
    )
    points = read_landmarks(given, dataset, np.arange(len(dataset)))
    assert np.abs(points - dataset.read("landmarks")).max(0).mean() < 1.0
    turned = meshes.copy()
    turned[..., 1] = 449 - turned[..., 1]
    found = diagnose(
        Predictions(
            dataset.sample_ids, "image", {"vertices": turned}, {"name": "M"}, given.topology
        ),
        dataset,
    )
    assert families(found)[0] == "y-flip"


def test_prnet_vertices_are_pixels_of_the_mask():
    """PRNet's vertices are the pixels of the face mask, row by row."""
    rng = np.random.default_rng(0)
    mask = rng.random((32, 32)) < 0.5
    pixels = np.argwhere(mask)
    chosen = rng.choice(len(pixels), 68, replace=False)
    fake = FakeDataset(
        {"sample_id": names(2), "uv/face_mask": mask, "uv/landmark_pixels": pixels[chosen]}
    )
    mesh = rng.normal(size=(2, len(pixels), 3))
    given = Predictions(names(2), "image", {"vertices": mesh}, {"name": "PRNet"}, "prnet-43867")
    with pytest.raises(BenchError, match="68 landmarks"):
        read_landmarks(given, fake, np.arange(2))
    given = replace(given, topology=f"prnet-{len(pixels)}")
    assert np.array_equal(read_landmarks(given, fake, np.arange(2)), mesh[:, chosen])


@pytest.mark.parametrize(
    ("change", "family"),
    [
        (lambda a: a, None),
        (np.radians, "angle-unit"),
        (lambda a: a * [1, -1, 1], "angle-sign"),
        (lambda a: a[:, [1, 0, 2]], "angle-order"),
        (lambda a: np.radians(a[:, [2, 1, 0]] * [1, 1, -1]), "angle-unit"),
    ],
)
def test_angles(dataset, change, family):
    """Unit, signs and order of pose_deg, with 2 degrees of noise."""
    truth = dataset.read("pose_deg").astype(float)
    truth = truth + np.random.default_rng(0).normal(0, 2, truth.shape)
    points = dataset.read("landmarks").astype(float)
    given = predictions(dataset.sample_ids, points, pose_deg=change(truth))
    found = diagnose(given, dataset)
    assert families(found) == ([family] if family else [])
    alone = Predictions(dataset.sample_ids, "image", {"pose_deg": change(truth)}, {"name": "M"})
    assert families(diagnose(alone, dataset)) == families(found)
    if family:
        assert found.mistakes[0].changes[0].after < 3


def test_angles_are_compared_around_the_circle(dataset):
    """A whole turn is no error."""
    truth = dataset.read("pose_deg").astype(float)
    given = Predictions(dataset.sample_ids, "image", {"pose_deg": truth + 360}, {"name": "M"})
    found = diagnose(given, dataset)
    assert found.mistakes == ()
    assert found.figure is None
