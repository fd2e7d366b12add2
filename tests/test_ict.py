"""ICT-FaceKit's face model, read from a toy of its layout, and from the real files where they are."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import toy_ict as toys

from prn_bench.errors import BenchError
from prn_bench.facemodel import FaceModel, ict
from prn_bench.facemodel.file import load_face_model, save_face_model
from prn_bench.facemodel.ict import chart, surface
from prn_bench.facemodel.ict.parts import EXPRESSIONS, ICT_PARTS
from prn_bench.uvmap import uv_to_pixel

REAL = os.environ.get("PRN_BENCH_ICT")
needs_real = pytest.mark.skipif(REAL is None, reason="PRN_BENCH_ICT is not set")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


@pytest.fixture(scope="module")
def toy() -> toys.Toy:
    """One known model."""
    return toys.make_toy()


@pytest.fixture(scope="module")
def toy_folder(toy: toys.Toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, which tests leave as it is."""
    return toys.write_toy(tmp_path_factory.mktemp("ict"), toy)


@pytest.fixture(scope="module")
def model(toy: toys.Toy, toy_folder: Path) -> FaceModel:
    """The toy as read."""
    return ict.read_ict_model(toy_folder, parts=toy.parts)


@pytest.fixture
def damaged(toy_folder: Path, tmp_path: Path) -> Path:
    """A folder of links to the toy's files, to be replaced one by one."""
    for file in toy_folder.iterdir():
        os.link(file, tmp_path / file.name)
    return tmp_path


@pytest.fixture(scope="module")
def real() -> FaceModel:
    """The real model."""
    return ict.read_ict_model(str(REAL))


def refusal(path: Path, toy: toys.Toy) -> BenchError:
    """The BenchError that reading this raises."""
    with pytest.raises(BenchError) as error:
        ict.read_ict_model(path, parts=toy.parts)
    return error.value


def replace_file(path: Path, content: bytes) -> None:
    """Put another file in a link's place."""
    path.unlink()
    path.write_bytes(content)


def check_surface(model: FaceModel) -> None:
    """One piece with one boundary, outside out, each UV triangle turned the same way."""
    edges = np.sort(model.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    edges, uses = np.unique(edges, axis=0, return_counts=True)
    assert uses.max() == 2
    assert len(surface.boundary_loops(model.triangles.astype(np.int64))) == 1
    assert model.n_vertices - len(edges) + len(model.triangles) == 1  # a disc
    a, b, c = model.uv_layout.operator.uv[model.triangles].transpose(1, 0, 2)
    u, w = b - a, c - a
    assert (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0] > 0).all()
    uv = model.uv_layout.operator.uv
    assert (uv.min(), uv.max()) == pytest.approx((0, 1), abs=0.01)


def test_toy_comes_back(model: FaceModel, toy: toys.Toy) -> None:
    """Mean and changes of the vertices kept, in um; landmarks keep their places and their order."""
    rows = [int(np.abs(toy.vertices - p / 1e4).sum(1).argmin()) for p in model.mean[:-1]]
    assert rows == sorted(set(rows))
    assert set(range(toy.parts.skin)) <= set(rows)
    assert np.allclose(model.mean[:-1], toy.vertices[rows] * 1e4, atol=0.01)
    assert np.allclose(
        model.identity_basis[:-1], toy.identities[:, rows].transpose(1, 2, 0) * 1e4, atol=0.02
    )
    assert np.allclose(
        model.expression_basis[:-1], toy.expressions[:, rows].transpose(1, 2, 0) * 1e4, atol=0.02
    )
    landmarks = toy.vertices[list(toy.parts.landmarks)] * 1e4
    assert np.allclose(model.mean[model.landmark_vertices], landmarks, atol=0.01)
    assert (
        model.mean[model.landmark_vertices[0], 0] < 0 < model.mean[model.landmark_vertices[16], 0]
    )
    assert (model.topology, model.units) == (f"ict-{len(model.mean)}", "um")
    assert "MIT" in model.licence
    assert model.identity_sigma.tolist() == [1] * 100
    assert model.n_components == (100, 53)


def test_toy_surface_is_one_chart(model: FaceModel) -> None:
    """Eyes and mouth are closed, and the chart covers the square without overlaps."""
    check_surface(model)


def test_the_wall_of_the_mouth_moves_with_its_rim(model: FaceModel, toy: toys.Toy) -> None:
    """The last vertex is a mean of others, for every shape."""
    around = np.setdiff1d(
        model.triangles[(model.triangles == len(model.mean) - 1).any(1)], [len(model.mean) - 1]
    )
    assert np.allclose(model.mean[-1], model.mean[around].mean(0), rtol=1e-4, atol=1)
    assert np.allclose(model.identity_basis[-1], model.identity_basis[around].mean(0), atol=0.1)


def test_toy_face_keeps_icts_tile(model: FaceModel, toy: toys.Toy) -> None:
    """u grows to the face's left, v upwards; the face lies inside the head's ring."""
    uv = model.uv_layout.operator.uv
    left, right, chin, brow = uv[model.landmark_vertices[[16, 0, 8, 19]]]
    assert left[0] > right[0]
    assert brow[1] > chin[1]
    face = uv[model.regions["face"]]
    assert face.min() > 0.05
    assert face.max() < 0.95


def test_toy_regions_and_weights(model: FaceModel) -> None:
    """Landmarks weigh 16 at their UV pixels, features 4, the face 3, the rest 0."""
    layout = model.uv_layout
    points = uv_to_pixel(layout.operator.uv)[model.landmark_vertices]
    assert np.array_equal(layout.landmark_pixels, np.rint(points[:, ::-1]))
    assert sorted(np.unique(layout.region_weights)) == [0, 3, 4, 16]
    assert (layout.region_weights == 16).sum() == len({tuple(p) for p in layout.landmark_pixels})
    assert not (layout.face_mask & ~layout.operator.covered).any()
    names = ("face", "nose", "eyes", "mouth", "cheeks", "chin", "scalp", "eyeballs")
    assert [name for name in names if not model.regions[name].any()] == []
    skin = [model.regions[n] for n in ("face", "ears", "neck", "scalp", "mouth_inside")]
    assert np.sum(skin, 0).max() == 1


def test_folder_repository_and_zips(
    toy: toys.Toy, toy_folder: Path, model: FaceModel, tmp_path: Path
) -> None:
    """The folder, the one above it, and zips of both give one model."""
    for above, name in ((0, "folder.zip"), (1, "repository.zip")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file in toy_folder.iterdir():
                archive.write(file, f"ICT-FaceKit/FaceXModel/{file.name}" if above else file.name)
    for path in (toy_folder.parent, tmp_path / "folder.zip", tmp_path / "repository.zip"):
        assert ict.looks_like_ict(path)
        assert ict.read_ict_model(path, parts=toy.parts).model_id == model.model_id


def test_looks_like_ict(toy_folder: Path, tmp_path: Path) -> None:
    """Other folders and files are none, whatever they hold."""
    assert ict.looks_like_ict(toy_folder)
    (tmp_path / "a.zip").write_bytes(b"no zip")
    assert not ict.looks_like_ict(tmp_path)
    assert not ict.looks_like_ict(tmp_path / "a.zip")
    assert not ict.looks_like_ict(tmp_path / "none")


def test_model_survives_its_file(model: FaceModel, tmp_path: Path) -> None:
    """What was read can be saved and loaded, with the same digest."""
    save_face_model(model, tmp_path / "fm.h5")
    assert load_face_model(tmp_path / "fm.h5").model_id == model.model_id


def test_missing_files_are_listed(damaged: Path, toy: toys.Toy) -> None:
    """The first few by name, the rest by number."""
    for k in range(3, 12):
        (damaged / f"identity{k:03d}.obj").unlink()
    (damaged / "jawOpen.obj").unlink()
    error = refusal(damaged, toy)
    assert error.code == "face-model-incomplete"
    assert "identity003.obj" in str(error)
    assert "and 4 more" in str(error)
    (damaged / "generic_neutral_mesh.obj").unlink()
    assert refusal(damaged, toy).code == "no-face-model-files"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("identity007.obj", LFS, "git-lfs-pointer"),
        ("generic_neutral_mesh.obj", LFS, "git-lfs-pointer"),
        ("jawOpen.obj", b"<!DOCTYPE html><html>", "html-page"),
        ("jawOpen.obj", b"v 0 0 0\nv 1 0 0\n", "wrong-vertex-count"),
        ("generic_neutral_mesh.obj", b"v 0 0 0\nf 1 1 1\n", "wrong-vertex-count"),
        ("identity099.obj", b"v 0 0\n", "damaged-obj"),
        ("vertex_indices.json", b'{"idx_to_landmark_verts": [1, 2]}', "landmarks-disagree"),
        ("vertex_indices.json", b"[]", "damaged-json"),
        ("vertex_indices.json", b"[" * 100_000, "damaged-json"),
    ],
)
def test_bad_files_are_named(
    damaged: Path, toy: toys.Toy, name: str, content: bytes, code: str
) -> None:
    """The code says what is wrong, the place names the file."""
    replace_file(damaged / name, content)
    error = refusal(damaged, toy)
    assert error.code == code
    assert name in str(error.where)


def test_other_meshes_are_refused(damaged: Path, toy: toys.Toy) -> None:
    """A polygon less makes one hole too many; another count is said with ICT-FaceKit's."""
    lines = (damaged / "generic_neutral_mesh.obj").read_bytes().splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith(b"f ")) + 850
    replace_file(damaged / "generic_neutral_mesh.obj", b"".join(lines[:first] + lines[first + 1 :]))
    assert refusal(damaged, toy).code == "wrong-topology"
    with pytest.raises(BenchError) as error:
        ict.read_ict_model(damaged)
    assert "26,719" in str(error.value)


def test_an_unbalanced_chart_is_refused() -> None:
    """Two triangles on one place are found."""
    uv = np.array([[0, 0], [1, 0], [0, 1], [1, 0.5]])
    with pytest.raises(BenchError) as error:
        chart._check_no_overlap(uv, np.array([[0, 1, 2], [0, 2, 1]]), "toy")
    assert error.value.code == "chart-overlaps"


def test_albedo_varies(model: FaceModel, face_model: FaceModel) -> None:
    """The same without a generator, another person's with one; other models are refused."""
    assert np.array_equal(ict.ict_albedo(model), model.albedo)
    first, second = (ict.ict_albedo(model, np.random.default_rng(seed)) for seed in (1, 2))
    assert first.shape == (model.n_vertices, 3)
    assert first.dtype == np.uint8
    assert np.abs(first.astype(int) - second).mean() > 3
    with pytest.raises(ValueError, match="ICT"):
        ict.ict_albedo(face_model)


def test_samples_are_plausible(model: FaceModel) -> None:
    """Expressions stay in [0, 1], use few movements, and never blink with wide eyes."""
    rng = np.random.default_rng(0)
    identity, values = ict.sample_ict_identity(rng, 500, model), ict.sample_ict_expression(rng, 500)
    assert identity.shape == (500, 100)
    assert np.abs(identity).max() <= 2.5
    assert values.min() == 0
    assert values.max() <= 1
    column = dict(zip(EXPRESSIONS, values.T, strict=True))
    assert not (column["eyeBlink_L"] * column["eyeWide_L"]).any()
    assert not (column["eyeLookOut_L"] * column["eyeLookOut_R"]).any()
    assert np.array_equal(column["eyeLookOut_L"] > 0, column["eyeLookIn_R"] > 0)
    assert 2 < (values > 0).sum(1).mean() < 15


def test_expression_names() -> None:
    """53 names, in the alphabetic order of vertex_indices.json."""
    assert len(EXPRESSIONS) == 53
    assert EXPRESSIONS[:3] == ("browDown_L", "browDown_R", "browInnerUp_L")
    assert len(set(ICT_PARTS.landmarks)) == 68


@needs_real
def test_real_counts(real: FaceModel) -> None:
    """Vertices, components, landmark weights, and sizes that a head has."""
    assert real.topology == "ict-12739"
    assert real.n_components == (100, 53)
    assert (real.uv_layout.region_weights == 16).sum() == 68
    points = real.mean[real.landmark_vertices] / 1000
    assert 140 < points[16, 0] - points[0, 0] < 155
    assert 110 < points[27:, 1].max() - points[8, 1] < 120
    assert np.abs(points[:17, 0] + points[16::-1, 0]).max() < 0.1
    assert (np.diff(points[:17, 0]) > 0).all()
    assert points[30, 2] == points[:, 2].max()
    check_surface(real)


@needs_real
def test_real_face_through_the_position_map(real: FaceModel) -> None:
    """Mesh, map, mesh of random faces: the face to half a millimetre, its open parts far better."""
    rng = np.random.default_rng(0)
    people = real.vertices(ict.sample_ict_identity(rng, 4), ict.sample_ict_expression(rng, 4))
    operator = real.uv_layout.operator
    for vertices in people.transpose(2, 1, 0):
        back = operator.to_vertices @ (operator.to_map @ vertices)
        error = np.linalg.norm(back - vertices, axis=1) / 1000
        assert error.mean() < 0.7
        assert error[real.regions["cheeks"]].mean() < 0.1
        assert error[real.regions["mouth"]].mean() < 0.3
        assert error[real.landmark_vertices].mean() < 0.4


@needs_real
def test_real_identities_are_one_sigma(real: FaceModel) -> None:
    """Components grow smaller; the first moves the face by a few millimetres."""
    face = real.identity_basis[real.regions["face"]].astype(np.float64) / 1000
    size = np.sqrt((face**2).sum(1).mean(0))
    assert 2 < size[0] < 5
    assert size[:10].mean() > 5 * size[-10:].mean()
