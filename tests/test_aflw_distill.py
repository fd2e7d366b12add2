"""AFLW crops with 3DDFA-V2's predictions: the formula, the variants, copies of photographs, damage."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_recipes.aflw_distill import copies
from dataset_recipes.aflw_distill.recipe import FILE
from prn_bench import geometry
from prn_bench.build import build
from prn_bench.checks.dataset import check_dataset
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.recipes import find_recipe
from prn_bench.recipes.rawsource import open_raw
from prn_bench.training import holdout

IN_ONE_PHOTOGRAPH = (9928, 14653)  # listed in copies.toml
SHOWS_A_TEST_IMAGE = 4409
N_REAL = 24


def crop_points(values: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(p, 3) points in the 120 px crop by the published formula, from (62,) coefficients."""
    camera = values[:12].reshape(3, 4)
    shape = mean + basis @ values[12:]
    x, y, z = camera[:, :3] @ shape.T + camera[:, 3:]
    return np.stack([x - 1, 120 - y, z - 1], 1)


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    """What the raw file holds."""
    with np.load(folder / FILE) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture
def raw(world, tmp_path):
    """A copy of the synthetic raw folder, to be changed."""
    shutil.copytree(world / "raw-aflw-distill", tmp_path / "raw")
    return tmp_path / "raw"


def built(raw: Path, world: Path, recipe: str = "aflw-distill", **options: Any) -> Any:
    """The report of a build in the coefficient layout."""
    out, model = raw.parent / "d.h5", world / "face-model.h5"
    return build(find_recipe(recipe), raw, out, face_model=model, layout="coefficients", **options)


def test_landmarks_follow_the_formula(world, datasets, face_model):
    """Every built landmark is the formula's, with a camera that is no similarity."""
    stored = arrays_of(world / "raw-aflw-distill")
    dataset = open_dataset(datasets["aflw-distill"])
    basis = face_model.landmark_basis
    both = np.concatenate([basis.identity[..., :40], basis.expression[..., :10]], -1)
    sizes = np.linalg.svd(stored["coefficients"][:, :12].reshape(-1, 3, 4)[..., :3])[1]
    assert (sizes[:, 0] / sizes[:, 2]).max() > 1.02
    for name, values in zip(stored["sample_id"], stored["coefficients"], strict=True):
        row = list(dataset.sample_ids).index(f"{name}/{name}")
        expected = crop_points(values.astype(np.float64), basis.mean, both)
        np.testing.assert_allclose(dataset.read("landmarks", [row])[0], expected, atol=2e-4)


def test_landmarks_lie_on_the_pictured_face(world, datasets, face_model):
    """Cameras are off by 2 % only, so the rendered face lies under its landmarks, not beside them."""
    dataset = open_dataset(datasets["aflw-distill"])
    points = dataset.read("landmarks")[..., :2]
    assert ((points > -3) & (points < 123)).all()
    middle = points.mean(1)
    assert np.abs(middle - 59.5).max() < 25


numbers = st.floats(-2, 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, min_size=12, max_size=12))
def test_a_pose_of_13_numbers_is_the_camera(values):
    """Any camera that does not mirror comes back, in our frame."""
    camera = np.array(values).reshape(3, 4) + np.eye(3, 4) * 3
    if np.linalg.det(camera[:, :3]) < 0.1:
        return
    found = geometry.pose_affine(geometry.pose_para_of(camera), 120)
    expected = camera * [[1], [-1], [1]] + [[0, 0, 0, -1], [0, 0, 0, 120], [0, 0, 0, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_similarity_has_no_stretch():
    """The first seven numbers are then the pose itself; a mirror image is refused."""
    pose = np.array([0.3, -0.9, 0.2, 10.0, 20.0, 30.0, 2.5])
    camera = geometry.pose_affine(pose, 0) * [[1], [-1], [1]] + [[0, 0, 0, 1], [0] * 4, [0] * 4]
    np.testing.assert_allclose(geometry.pose_para_of(camera), [*pose, *[0.0] * 6], atol=1e-12)
    with pytest.raises(ValueError, match="mirrors"):
        geometry.pose_para_of(camera * [[-1], [1], [1]])


def test_variants_and_photographs(raw, world):
    """Copies of test images are left out, crops of one photograph named after its first one."""
    stored = arrays_of(raw)
    known = [*IN_ONE_PHOTOGRAPH, SHOWS_A_TEST_IMAGE]
    stored["sample_id"][:3] = [f"image{number:05d}" for number in known]
    stored["visible21_nme_percent"][:] = 4.0
    stored["visible21_nme_percent"][5] = 5.0
    np.savez(raw / FILE, **stored)
    n = {
        v: len(find_recipe(f"aflw-distill@{v}").module.find(open_raw(raw))) for v in ("all", "sure")
    }
    assert n == {"all": 12, "sure": 10}
    report = built(raw, world)
    assert not [f for f in check_dataset(report.path) if f.level == "error"]
    dataset = open_dataset(report.path)
    ids = [str(name) for name in dataset.sample_ids]
    first = copies.known_copies().first_of[9928]
    assert {f"image{first:05d}/image{n:05d}" for n in IN_ONE_PHOTOGRAPH} < set(ids)
    assert len(ids) == 11
    for share in (0.1, 0.3, 0.5):
        train, held = ({ids[row].split("/")[0] for row in r} for r in holdout.split(dataset, share))
        assert not train & held


@pytest.mark.parametrize(
    ("damage", "code"),
    [("cut", "truncated-image"), ("nan", "not-finite"), ("mirror", "mirrored-camera")],
)
def test_one_bad_row_loses_nothing_else(raw, world, damage, code):
    """It is quarantined with its reason."""
    stored = arrays_of(raw)
    if damage == "cut":
        stored["image_webp"][stored["image_offset"][3] :][:16] = 0
    elif damage == "nan":
        stored["coefficients"][3, 20] = np.nan
    else:
        stored["coefficients"][3, :4] *= -1
    np.savez(raw / FILE, **stored)
    report = built(raw, world)
    assert (report.n_samples, report.audit.quarantined) == (11, 1)
    assert [f.code for f in report.audit.findings if f.level == "error"] == [code]


@pytest.mark.parametrize("name", ["image_offset", "coefficients", "sample_id"])
def test_arrays_that_do_not_belong_together(raw, world, name):
    """The whole file is refused, by the name of the array."""
    stored = arrays_of(raw)
    stored[name] = stored[name][:-1] if name != "sample_id" else stored[name][[0, *range(11)]]
    np.savez(raw / FILE, **stored)
    with pytest.raises(BenchError, match=name) as error:
        built(raw, world)
    assert error.value.code == "wrong-shape"


def test_a_file_that_is_no_npz(raw, world):
    """Said by its own name."""
    (raw / FILE).write_bytes(b"<!DOCTYPE html><html>quota exceeded</html>")
    with pytest.raises(BenchError) as error:
        built(raw, world)
    assert (error.value.code, FILE in str(error.value.where)) == ("html-page", True)


def test_groups_of_thumbnails():
    """Linked through a third one; a brighter copy is a copy."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 200, (40, 40, 3), dtype=np.uint8)
    other = rng.integers(0, 200, (40, 40, 3), dtype=np.uint8)
    table = np.stack([copies.thumbnail(p) for p in (first, other, first + 50)])
    assert copies.groups(table).tolist() == [0, 1, 0]


def test_rendered_faces_share_their_person(world, datasets):
    """Views of a person have one identity, other views and other people have others."""
    dataset = open_dataset(datasets["synthetic"])
    who = np.array([str(name).split("/")[0] for name in dataset.sample_ids])
    shape, pose = (dataset.read(f"coefficients/{name}") for name in ("identity", "pose"))
    assert len(set(who)) == 2
    for person in set(who):
        assert (shape[who == person] == shape[who == person][0]).all()
    assert len(np.unique(shape, axis=0)) == 2
    assert len(np.unique(pose[:, 1])) == 12


@pytest.mark.parametrize("plan", ["people = 1", "seed = 0\npeople = 0\nviews = 1", "seed = ["])
def test_a_bad_plan_is_refused(world, tmp_path, plan):
    """Before anything is rendered."""
    shutil.copytree(world / "raw-synthetic", tmp_path / "raw")
    (tmp_path / "raw" / "synthetic.toml").write_text(plan)
    with pytest.raises(BenchError) as error:
        built(tmp_path / "raw", world, "synthetic")
    assert error.value.code == "bad-plan"


@pytest.fixture(scope="module")
def real(real_data, tmp_path_factory):
    """The first samples of the real file, built with the 40 + 10 components, and the raw arrays."""
    from prn_bench.facemodel.bfm.layouts import read_face_model
    from prn_bench.facemodel.file import save_face_model

    folder = tmp_path_factory.mktemp("distill")
    save_face_model(read_face_model(real_data / "bfm"), folder / "bfm.h5")
    recipe, raw = find_recipe("aflw-distill"), real_data / "aflw_distill"
    options = {"layout": "coefficients", "lossless": True, "limit": N_REAL}
    build(recipe, raw, folder / "d.h5", face_model=folder / "bfm.h5", **options)
    return open_dataset(folder / "d.h5"), arrays_of(raw)


def test_real_maps_follow_the_formula(real, real_data):
    """Landmarks and maps, against the basis file and another project's UV correspondence."""
    from prn_bench.facemodel.bfm.files import ModelFolder, read_facts

    dataset, stored = real
    basis = np.load(real_data / "bfm" / "bfm_dense_basis_40_10.npz")
    mean = basis["u"].reshape(-1, 3).astype(np.float64)
    both = np.concatenate([basis["w_shp"], basis["w_exp"]], 1).reshape(-1, 3, 50).astype(float)
    points = read_facts(ModelFolder(real_data / "bfm"), len(mean)).landmark_vertices
    corners = np.loadtxt(real_data / "bfm" / "uv_face_ind_to_org_triangles.txt").astype(int)
    weights = np.loadtxt(real_data / "bfm" / "uv_face_ind_to_org_triweights.txt")
    pixels = np.loadtxt(real_data / "bfm" / "face_ind.txt").astype(int)
    number = {str(name): row for row, name in enumerate(stored["sample_id"])}
    for row, name in enumerate(dataset.sample_ids):
        values = stored["coefficients"][number[name.split("/")[1]]].astype(np.float64)
        expected = crop_points(values, mean, both)
        np.testing.assert_allclose(dataset.read("landmarks", [row])[0], expected[points], atol=0.01)
        crop = geometry.crop_affine(dataset.read("crop", [row]), dataset.read("z_shift", [row]))[0]
        on_map = dataset.position_maps([row])[0].reshape(3, -1)[:, pixels].T
        wanted = geometry.apply_affine(crop, np.einsum("pk,pkc->pc", weights, expected[corners]))
        assert np.quantile(np.abs(on_map - wanted).max(1), 0.99) < 0.05
        assert on_map[:, 2].min() > -0.01
        assert abs(geometry.apply_affine(crop, expected)[:, 2].min()) < 0.01


def test_real_crops_are_where_their_matrix_says(real):
    """A 256 px crop read through its own matrix is the stored 120 px picture, not one half a pixel off."""
    from PIL import Image
    from scipy.ndimage import map_coordinates

    dataset, stored = real
    number = {str(name): row for row, name in enumerate(stored["sample_id"])}
    y, x = np.mgrid[40:80, 40:80].astype(float)
    for row, name in enumerate(dataset.sample_ids):
        first, end = stored["image_offset"][number[name.split("/")[1]] :][:2]
        webp = Image.open(io.BytesIO(stored["image_webp"][first:end].tobytes())).convert("L")
        small, large = np.asarray(webp, float), dataset.image(row).mean(-1)
        crop = dataset.read("crop", [row])[0]
        errors = []
        for shift in (-0.5, 0.0, 0.5):
            place = crop[0, 0] * np.stack([y + shift, x + shift]) + crop[[1, 0], 2][:, None, None]
            errors.append(
                np.abs(map_coordinates(large, place, order=1) - small[40:80, 40:80]).mean()
            )
        assert np.argmin(errors) == 1


def test_real_copies_are_those_listed(real):
    """Listed groups correlate, and no other pair among two thousand crops does."""
    from PIL import Image

    _, stored = real
    numbers = [int(str(name)[5:]) for name in stored["sample_id"][:2000]]
    pictures = [
        stored["image_webp"][a:b]
        for a, b in zip(stored["image_offset"][:2000], stored["image_offset"][1:2001], strict=True)
    ]
    table = np.stack(
        [
            copies.thumbnail(np.asarray(Image.open(io.BytesIO(p.tobytes())).convert("RGB")))
            for p in pictures
        ]
    )
    first_of = copies.known_copies().first_of
    label = copies.groups(table)
    for group in np.unique(label):
        members = [numbers[row] for row in np.flatnonzero(label == group)]
        assert len({first_of.get(number, number) for number in members}) == 1
