"""The synthetic face model: a symmetric face with everything in its place, and people that stay faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.file import load_face_model, save_face_model
from prn_bench.synthetic.face import (
    sample_expression,
    sample_identity,
    synthetic_face_model,
    vary_albedo,
)
from prn_bench.synthetic.face_expression import NAMES
from prn_bench.synthetic.face_grid import N_COLUMNS
from prn_bench.synthetic.face_landmarks import MIRROR
from prn_bench.uvmap import uv_to_pixel


@pytest.fixture(scope="module")
def landmarks(face_model: FaceModel) -> NDArray[np.float64]:
    """(68, 3) mean landmarks in millimetres."""
    return face_model.landmark_basis.mean / 1000


@pytest.fixture(scope="module")
def people(face_model: FaceModel) -> NDArray[np.float32]:
    """(v, 3, 40) random people with random expressions, in millimetres."""
    rng = np.random.default_rng(11)
    identity = sample_identity(rng, 40, face_model)
    return face_model.vertices(identity, sample_expression(rng, 40)).swapaxes(0, 1) / 1000


def mirrored(rows: NDArray[np.integer]) -> NDArray[np.integer]:
    """Vertex rows of the mirror images."""
    row, column = np.divmod(rows, N_COLUMNS)
    return row * N_COLUMNS + N_COLUMNS - 1 - column


def facets(points: NDArray[np.floating], triangles: NDArray[np.integer]) -> NDArray[np.float64]:
    """(t, 3) normals with twice the area as their length."""
    a, b, c = points.astype(np.float64)[triangles].swapaxes(0, 1)
    return np.cross(b - a, c - a)


def test_the_mean_is_symmetric(face_model: FaceModel) -> None:
    """Every vertex has its mirror image, exactly."""
    image = face_model.mean[mirrored(np.arange(face_model.n_vertices))] * (-1, 1, 1)
    np.testing.assert_allclose(image, face_model.mean, atol=1e-3)


def test_triangles_and_landmarks_are_symmetric(face_model: FaceModel) -> None:
    """The set of triangles is its own mirror image; landmarks 0 and 16 are mirror images, and so on."""
    image = mirrored(face_model.triangles)[:, ::-1]
    tables = [np.unique(np.sort(rows, 1), axis=0) for rows in (image, face_model.triangles)]
    np.testing.assert_array_equal(*tables)
    left, right = np.array(MIRROR).T
    vertices = face_model.landmark_vertices
    np.testing.assert_array_equal(vertices[right], mirrored(vertices[left]))
    assert set(left) | set(right) == set(range(68))


def test_triangles_look_outward(face_model: FaceModel) -> None:
    """No triangle is degenerate, and the area points away from the middle of the head."""
    normals = facets(face_model.mean / 1000, face_model.triangles)
    assert np.linalg.norm(normals, axis=1).min() > 1e-4
    centre = face_model.mean[face_model.triangles].mean(1) / 1000 - (0, 20, 5)
    outward = (normals * centre).sum(1) > 0
    assert np.average(outward, weights=np.linalg.norm(normals, axis=1)) > 0.97


def test_size_is_that_of_a_head(face_model: FaceModel) -> None:
    """About 150 mm wide without the ears and 200 mm from chin to crown, centred like a BFM face."""
    face = face_model.mean[face_model.regions["face"]] / 1000
    assert 125 < np.ptp(face[:, 0]) < 160
    assert 180 < np.ptp(face_model.mean[:, 1] / 1000) < 320
    assert abs(face_model.mean[:, 0].mean()) < 1e-2


def test_the_uv_chart_has_no_overlaps(face_model: FaceModel) -> None:
    """All UV triangles turn the same way and together have exactly the area of the square."""
    a, b, c = face_model.uv_layout.operator.uv[face_model.uv_triangles].swapaxes(0, 1)
    u, w = b - a, c - a
    areas = (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / 2
    assert (areas > 0).all()
    assert areas.sum() == pytest.approx(1.0, abs=1e-9)
    assert face_model.uv_layout.operator.covered.all()


def test_landmark_pixels_are_distinct(face_model: FaceModel) -> None:
    """68 different pixels, each within half a pixel of its vertex; exactly these weigh 16."""
    layout = face_model.uv_layout
    at = uv_to_pixel(layout.operator.uv[face_model.landmark_vertices])[:, ::-1]
    assert np.abs(layout.landmark_pixels - at).max() <= 0.5 + 1e-9
    assert len(np.unique(layout.landmark_pixels, axis=0)) == 68
    assert layout.region_weights is not None
    assert (layout.region_weights == 16).sum() == 68
    assert set(np.unique(layout.region_weights)) == {0, 3, 4, 16}


def test_landmarks_are_where_a_face_has_them(landmarks: NDArray[np.float64]) -> None:
    """Nose tip in front, brows over eyes over nose over lips over chin, jaw ends near the ears."""
    x, y, z = landmarks.T
    assert z.argmax() == 30
    assert y[17:27].min() > y[36:48].max() > y[30] > y[33] > y[48:68].max() > y[8]
    assert np.all(np.diff(y[27:31]) < 0)
    assert np.all(np.diff(y[48:68][[3, 14, 18, 9]]) < 0)  # upper edge, contact, contact, lower edge
    assert np.all(np.diff(x[0:17]) > 0)
    assert np.all(np.diff(y[0:9]) < 0)
    assert x[0] < -60
    assert abs(z[0] - z[8]) > 50
    assert np.all(x[17:22] < 0)
    assert y[37] > y[41]
    assert y[38] > y[40]


def test_proportions_are_human(landmarks: NDArray[np.float64]) -> None:
    """Distances over the outer interocular one, within the range of adults."""
    outer = np.linalg.norm(landmarks[36] - landmarks[45])
    pairs = {
        (39, 42): (0.3, 0.5),
        (31, 35): (0.2, 0.45),
        (48, 54): (0.48, 0.68),
        (27, 8): (1.1, 1.5),
    }
    for (i, j), (low, high) in pairs.items():
        assert low < np.linalg.norm(landmarks[i] - landmarks[j]) / outer < high, (i, j)


def test_identity_columns_are_orthonormal(face_model: FaceModel) -> None:
    """To float32 precision, with standard deviations in falling order."""
    flat = face_model.identity_basis.astype(np.float64).reshape(-1, 40)
    np.testing.assert_allclose(flat.T @ flat, np.eye(40), atol=2e-6)
    assert face_model.identity_sigma is not None
    assert np.all(np.diff(face_model.identity_sigma) <= 0)
    assert face_model.identity_sigma[-1] > 0


def test_expressions_are_local_and_finite(face_model: FaceModel) -> None:
    """A blink moves the eyes and not the mouth; an open jaw moves the chin down and not the brows."""
    full = 3 * face_model.expression_basis / 1000
    assert np.isfinite(full).all()
    names, places = list(NAMES), face_model.landmark_vertices
    blink, jaw = full[..., names.index("blink")], full[..., names.index("jaw open")]
    assert np.abs(blink[places[48:68]]).max() < 1e-6
    assert blink[places[37], 1] < -4
    assert jaw[places[8], 1] < -15
    assert np.abs(jaw[places[17:27]]).max() < 1e-6
    assert jaw[places[66], 1] < jaw[places[62], 1] - 10


def test_people_stay_faces(face_model: FaceModel, people: NDArray[np.float32]) -> None:
    """In every sample the landmarks keep their order and the skin does not turn inside out."""
    for k in range(people.shape[2]):
        points = people[..., k]
        x, y, z = points[face_model.landmark_vertices].T
        assert x[36] < x[39] < x[27] < x[42] < x[45]
        assert x[48] < x[57] < x[54]
        assert y[27] > y[30] > y[33] > y[51] > y[57] > y[8]
        assert y[[19, 24]].min() > y[36:48].max()
        assert z[30] > z[36:48].max()
        base = facets(face_model.mean / 1000, face_model.triangles)
        skin = face_model.regions["face"][face_model.triangles].all(1)
        skin &= ~(face_model.regions["mouth"] | face_model.regions["eyes"])[
            face_model.triangles
        ].any(1)
        turned = (facets(points, face_model.triangles)[skin] * base[skin]).sum(1) <= 0
        assert turned.mean() < 0.002


def test_samples_stay_within_their_range(face_model: FaceModel) -> None:
    """At most 2.5 standard deviations, spread as promised, and no blink backwards."""
    rng = np.random.default_rng(5)
    identity, expression = sample_identity(rng, 500, face_model), sample_expression(rng, 500)
    assert identity.shape == (500, 40)
    assert expression.shape == (500, 10)
    scaled = identity / face_model.identity_sigma
    assert np.abs(scaled).max() <= 2.5 + 1e-9
    assert scaled.std() == pytest.approx(1, abs=0.05)
    assert expression[:, list(NAMES).index("blink")].min() >= 0
    assert expression[:, list(NAMES).index("smile")].min() < 0


def test_sampling_without_a_spread_is_refused(face_model: FaceModel) -> None:
    """A model of unknown standard deviations cannot be sampled."""
    from dataclasses import replace

    with pytest.raises(ValueError, match="spread"):
        sample_identity(np.random.default_rng(0), 1, replace(face_model, identity_sigma=None))


def test_regions_are_disjoint_where_they_must_be(face_model: FaceModel) -> None:
    """Face, ears, neck and scalp share no vertex; eyes, nose and mouth lie in the face."""
    outer = np.stack([face_model.regions[key] for key in ("face", "ears", "neck", "scalp")])
    assert outer.sum(0).max() == 1
    for key in ("eyes", "nose", "mouth", "cheeks", "forehead", "chin"):
        part = face_model.regions[key]
        assert part.sum() > 100, key
        assert not (part & ~face_model.regions["face"]).any(), key


def test_colours_say_eye_lip_and_hair(face_model: FaceModel) -> None:
    """Lips are redder than cheeks, hair darker than skin, and another person has other colours."""
    assert face_model.albedo is not None
    colors = face_model.albedo.astype(float)
    lips = colors[face_model.landmark_vertices[[62, 66]]].mean(0)
    cheeks = colors[face_model.regions["cheeks"]].mean(0)
    assert lips[0] / lips[1] > cheeks[0] / cheeks[1] + 0.15
    assert colors[face_model.regions["scalp"]].mean() < 0.6 * cheeks.mean()
    other = vary_albedo(np.random.default_rng(1), face_model)
    assert other.shape == face_model.albedo.shape
    assert other.dtype == np.uint8
    assert np.abs(other.astype(float) - colors).mean() > 5


def test_two_builds_are_one_model_and_survive_a_file(face_model: FaceModel, tmp_path: Path) -> None:
    """The digest is the same for a second build and after saving and loading."""
    again = synthetic_face_model()
    assert again.model_id == face_model.model_id
    save_face_model(again, tmp_path / "face.h5")
    assert load_face_model(tmp_path / "face.h5").model_id == face_model.model_id
