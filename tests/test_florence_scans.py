"""Scans of the Florence recipe: the tree, its faults, landmarks and regions."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from dataset_recipes.florence import reading, recipe, regions, scans, synthetic, tree
from prn_bench.alignment import fit_similarity
from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.recipes import find_recipe
from prn_bench.recipes.rawsource import open_raw
from tests.checking import need_open3d


@pytest.fixture(autouse=True)
def _open3d():
    need_open3d()


@pytest.fixture(scope="module")
def raw(face_model, tmp_path_factory):
    """Two synthetic subjects."""
    folder = tmp_path_factory.mktemp("florence")
    synthetic.write(folder, face_model, 40, seed=4)
    return folder


@pytest.fixture
def damaged(raw, tmp_path):
    """A copy to damage."""
    shutil.copytree(raw, tmp_path / "raw")
    return tmp_path / "raw"


def subject(folder, name="subject_01"):
    return tree.subjects(open_raw(folder))[name]


def test_real_heads_look_down_and_the_nose_tip_leads(real_data):
    """Six real landmark files: 23 to 32 degrees down, and landmark 30 is foremost once raised."""
    basis = np.load(real_data / "bfm" / "bfm68_basis_199_29.npz", allow_pickle=False)
    mean = basis["mu"].reshape(68, 3).astype(float)
    for path in sorted((real_data / "florence" / "landmarks").rglob("*.ljson")):
        points = reading.read_ljson(path.read_bytes(), str(path))
        turn = fit_similarity(mean[17:], points[17:], with_scale=True).rotation
        down = -np.degrees(np.arcsin((turn @ [0, 0, 1])[1]))
        assert 22 < down < 33
        tilt = np.radians(regions.TYPICAL_TILT_DEG)
        assert (points[:, 2] * np.cos(tilt) - points[:, 1] * np.sin(tilt)).argmax() == 30


def test_both_formats_give_one_scan(raw):
    """The .wrl twin has the same surface and texture."""
    one = subject(raw)
    obj, wrl = (reading.read_mesh(one.source, name) for name in one.attempts[:2])
    np.testing.assert_array_equal(obj.vertices, wrl.vertices)
    np.testing.assert_array_equal(obj.triangles, wrl.triangles)
    np.testing.assert_array_equal(obj.uv[obj.uv_triangles], wrl.uv[wrl.uv_triangles])
    assert obj.texture == wrl.texture


def test_a_faulty_obj_falls_back_on_its_wrl(damaged):
    """With a warning that names the fault."""
    path = next(damaged.glob("subject_01/Model/frontal1/obj/*.obj"))
    path.write_bytes(path.read_bytes()[:-9] + b" 99999999\n")
    scan = scans.load(subject(damaged))
    assert scan.member.endswith(".wrl")
    assert "frontal1" in scan.member
    assert [w.code for w in scan.warnings] == ["scan-fallback"]
    assert "99999999" in scan.warnings[0].message


def test_without_any_frontal1_the_other_frontal_serves(damaged):
    """Said in a warning of every rendering."""
    shutil.rmtree(damaged / "subject_01/Model/frontal1")
    source = open_raw(damaged)
    annotation = recipe.read(source, recipe.find(source)[0])
    assert [f.code for f in annotation.findings] == ["scan-fallback"]
    assert "frontal2" in annotation.findings[0].message


def test_known_faulty_objs_come_last():
    """Subjects 3, 27 and 30: the .wrl first, then frontal2."""
    files = tuple(
        (scan, kind, f"subject_03/Model/{scan}/{kind[1:]}/1{kind}")
        for scan in ("frontal1", "frontal2")
        for kind in (".obj", ".wrl")
    )
    order = tree.Subject("subject_03", 3, None, files, ()).attempts
    assert [name[-5:] for name in order] == ["1.wrl", "1.obj", "1.wrl", "1.obj"]
    assert "frontal1/wrl" in order[0]
    assert "frontal1/obj" in order[-1]


def test_an_unreadable_subject_loses_nothing_else(damaged, tmp_path):
    """All its renderings are quarantined with the reasons; its slot of the scans is empty."""
    for path in damaged.glob("subject_01/**/*"):
        if path.suffix in (".obj", ".wrl"):
            path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    report = build(find_recipe("florence"), damaged, tmp_path / "d.h5", with_images=False)
    assert (report.audit.quarantined, report.n_samples) == (20, 20)
    errors = [f for f in report.audit.findings if f.level == "error"]
    assert {f.code for f in errors} == {"no-scan"}
    assert "Git LFS" in errors[0].message
    dataset = open_dataset(report.path)
    starts = dataset.read("scan/vertex_start")
    assert list(dataset.read("scan/subject")) == ["subject_01", "subject_02"]
    assert starts[0] == starts[1] < starts[2]
    assert set(dataset.read("scan_of/index")) == {1}


def test_a_limit_opens_the_scans_it_needs(raw, tmp_path, monkeypatch):
    """All of 53 subjects would take a minute; the slots of the others are there, and empty."""
    read, whole = [], scans.load
    monkeypatch.setattr(scans, "load", lambda one: read.append(one.name) or whole(one))
    report = build(find_recipe("florence"), raw, tmp_path / "d.h5", with_images=False, limit=3)
    assert set(read) == {"subject_01"}
    dataset = open_dataset(report.path)
    starts = dataset.read("scan/vertex_start")
    assert list(dataset.read("scan/subject")) == ["subject_01", "subject_02"]
    assert 0 == starts[0] < starts[1] == starts[2]
    assert set(dataset.read("scan_of/index")) == {0}


def test_a_repaired_file_is_read_again(damaged):
    """The cache of scans does not outlive a change of the files."""
    path = next(damaged.glob("subject_01/Model/frontal1/obj/*.bmp"))
    whole = path.read_bytes()
    for other in damaged.glob("subject_01/Model/frontal1/*/*.bmp"):
        other.unlink()
    assert scans.load(subject(damaged)).texture is None
    path.write_bytes(whole)
    assert scans.load(subject(damaged)).texture is not None


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_without_a_texture_the_scan_is_plain(damaged, damage):
    """One skin colour, and a warning; the geometry is whole."""
    for path in damaged.glob("subject_01/Model/frontal1/*/*.bmp"):
        path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes()[:999])
    source = open_raw(damaged)
    annotation = recipe.read(source, recipe.find(source)[0])
    assert [f.code for f in annotation.findings] == ["no-texture"]
    colors = np.unique(np.asarray(annotation.picture()).reshape(-1, 3), axis=0)
    assert len(colors) > 50  # still lit


def test_without_landmarks_the_nose_tip_is_found_by_shape(damaged):
    """Within a few mm of the landmark, and said once."""
    expected = scans.load(subject(damaged)).nose_tip
    for path in damaged.rglob("*.ljson"):
        path.unlink()
    scan = scans.load(subject(damaged))
    assert np.linalg.norm(scan.nose_tip - expected) < 4
    assert "no-landmarks" in {note.code for note in scan.notes}
    source = open_raw(damaged)
    annotation = recipe.read(source, recipe.find(source)[0])
    assert annotation.landmarks is None
    assert not annotation.columns["points_visible/ibug-68"].any()


def test_landmarks_may_lie_in_a_tree_of_their_own(damaged):
    """As GANFit gives them: the same names under another folder."""
    for path in list(damaged.rglob("*.ljson")):
        place = damaged / "landmarks" / path.relative_to(damaged)
        place.parent.mkdir(parents=True)
        os.replace(path, place)
    assert scans.load(subject(damaged)).landmarks is not None
    assert set(tree.subjects(open_raw(damaged))) == {"subject_01", "subject_02"}


def test_the_region_of_vrn_needs_a_registered_face(damaged):
    """Vertices nearest to region vertices of the BFM face, when both files are there."""
    scan = scans.load(subject(damaged))
    assert set(scan.regions) == {"sphere95"}
    rng = np.random.default_rng(1)
    registered = rng.uniform(900, 999, (regions.BFM_VERTICES, 3))
    registered[:2] = scan.nose_tip, scan.nose_tip + [0, 60, 0]
    region = np.zeros(regions.BFM_VERTICES, bool)
    region[0] = True
    np.save(damaged / tree.VRN_REGION, region)
    stem = Path(scan.member).name.replace(".obj", tree.BFM_SUFFIX)
    np.save((damaged / scan.member).with_name(stem), registered)
    scan = scans.load(subject(damaged))
    inside = scan.vertices[scan.regions["vrn19618"]]
    assert len(inside) > 10
    assert np.linalg.norm(inside - scan.nose_tip, axis=1).max() <= regions.NEAR_BFM_MM
    assert scan.region == "vrn19618"


def test_the_sphere_is_smaller_for_subject_28():
    """95 mm, and 60 for that one."""
    points = np.array([[0.0, 0, 0], [59, 0, 0], [61, 0, 0], [94, 0, 0], [96, 0, 0]])
    assert regions.sphere(points, points[0], 27).sum() == 4
    assert regions.sphere(points, points[0], 28).sum() == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("not json", "bad-landmarks"),
        ('{"groups": {}}', "bad-landmarks"),
        ("[" * 100_000, "bad-landmarks"),
        ('{"groups": {"LJSON": {"landmarks": {"points": [[0, 0, 0]]}}}}', "bad-landmarks"),
    ],
)
def test_damaged_landmarks(content, code):
    """One code, whatever is wrong."""
    with pytest.raises(BenchError) as error:
        reading.read_ljson(content.encode(), "a.ljson")
    assert error.value.code == code


def test_missing_landmarks_are_nan():
    """menpo writes null for a point that nobody placed."""
    points = [[0.0, 0, 0]] * 67 + [[None, None, None]]
    text = json.dumps({"groups": {"LJSON": {"landmarks": {"points": points}}}, "version": 3})
    assert np.isnan(reading.read_ljson(text.encode(), "a.ljson")[67]).all()


def test_a_scan_in_metres_is_refused(damaged):
    """Its spheres of 95 mm would hold the whole head."""
    path = next(damaged.glob("subject_01/Model/frontal1/obj/*.obj"))
    scan = synthetic.SyntheticScan(*_tiny(0.001), np.zeros((68, 3)), np.zeros((2, 2, 3), np.uint8))
    path.write_text(synthetic.obj_text(scan, "x"))
    for other in damaged.glob("subject_01/**/*.wrl"):
        other.unlink()
    warnings = scans.load(subject(damaged)).warnings
    assert "millimetres" in warnings[0].message


def _tiny(scale):
    """A grid of 9 x 9 points, 200 units wide before scaling."""
    x, y = np.meshgrid(np.linspace(-100, 100, 9), np.linspace(-100, 100, 9))
    points = np.stack([x, y, 0 * x], -1).reshape(-1, 3) * scale
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).reshape(-1)
    halves = [[corner, corner + 1, corner + 9], [corner + 9, corner + 1, corner + 10]]
    triangles = np.concatenate([np.stack(half, 1) for half in halves]).astype(np.int32)
    return points, triangles, points[:, :2] / 400 / scale + 0.5


def test_two_copies_of_a_subject_are_an_error(damaged):
    """Which of them would count?"""
    shutil.copytree(damaged / "subject_01", damaged / "copy" / "subject_01")
    with pytest.raises(BenchError) as error:
        recipe.find(open_raw(damaged))
    assert error.value.code == "duplicate-id"


def test_the_folder_of_one_subject_is_a_wrong_folder(raw, tmp_path):
    """The message shows the tree that was expected."""
    with pytest.raises(BenchError) as error:
        build(find_recipe("florence"), raw / "subject_01", tmp_path / "d.h5")
    assert error.value.code == "nothing-found"
    assert "subject_01/Model/frontal1/obj" in str(error.value)
