"""The Florence recipe: poses, trees with faults, cameras, and where landmarks really are in the picture."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from dataset_recipes.florence import poses, reading, recipe, regions, scans, synthetic, tree
from dataset_recipes.florence.cameras import IMAGE_PX, View
from dataset_recipes.florence.rendering import GAMMA, Light, render, visible
from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.geometry import apply_affine, similarity_fit
from prn_bench.images import encode_pixels
from prn_bench.rawsource import open_raw
from prn_bench.recipes import find_recipe

#: Landmarks at least 10 mm from each other, so that painted dots of 2 mm do not touch.
APART = np.array([0, 4, 8, 12, 16, 17, 26, 28, 30, 33, 36, 39, 42, 45, 48, 54, 57])
DOT_MM = 2.0
TOLERANCE_PX = 0.5


@pytest.fixture(autouse=True)
def _open3d():
    pytest.importorskip("open3d", reason="Open3D is not installed: pip install 'prn-bench[recon]'")


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


@pytest.fixture(scope="module")
def dotted(face_model, tmp_path_factory):
    """One subject whose texture is black with a white dot round each landmark of ``APART``."""
    folder = tmp_path_factory.mktemp("dotted")
    rng = np.random.default_rng(6)
    identity, _ = synthetic._person(rng, face_model)
    scan = synthetic.make_scan(face_model, rng, identity, np.zeros((1, 1, 3), np.uint8))
    gap = np.linalg.norm(scan.vertices[:, None] - scan.landmarks[APART], axis=-1).min(1)
    shade = np.clip(127.5 * (1 + 4 * (DOT_MM - gap)), 0, 255).astype(np.uint8)  # a soft rim
    texture = synthetic.bake_texture(face_model, np.repeat(shade[:, None], 3, 1))
    scan = synthetic.SyntheticScan(scan.vertices, scan.triangles, scan.uv, scan.landmarks, texture)
    synthetic.write_scan(folder / "subject_01" / "Model" / "frontal1", "110920150452", scan)
    return folder


def subject(folder, name="subject_01"):
    return tree.subjects(open_raw(folder))[name]


def blob_centre(light, place, reach=6):
    """Centre of the light within ``reach`` px of a place; NaN where there is none."""
    column, row = np.rint(place).astype(int)
    rows, columns = np.mgrid[row - reach : row + reach + 1, column - reach : column + reach + 1]
    if min(row, column) < reach or max(row, column) >= light.shape[0] - reach:
        return np.full(2, np.nan)
    weight = light[rows, columns]
    weight = np.where(weight > 0.05, weight, 0)
    if not weight.sum():
        return np.full(2, np.nan)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


def dot_errors(picture, points, seen):
    """(k,) px between projected landmarks and the dots found in the picture."""
    light = (np.asarray(picture, float)[..., 0] / 255) ** GAMMA
    light[np.asarray(picture)[..., 0] == 128] = 0  # the background
    found = np.array([blob_centre(light, point) for point in points[seen]]).reshape(-1, 2)
    return np.linalg.norm(found - points[seen], axis=1)


def facing(scan, view, points):
    """Landmarks seen at no more than 60 degrees: flatter dots lose a side to the silhouette."""
    nearest = ((scan.vertices[:, None] - points) ** 2).sum(-1).argmin(0)
    normals = scan.normals[nearest]
    cosine = normals @ view.rotation[2] / np.linalg.norm(normals, axis=1)
    return visible(scan, view, points) & (cosine > 0.5)


@pytest.mark.parametrize("name", recipe.VARIANTS)
def test_painted_dots_lie_where_the_camera_says(dotted, name):
    """Pictures of a scan with white dots at its landmarks: dots and projections agree to half a px."""
    chosen, scan = poses.variant(name), scans.load(subject(dotted))
    errors = []
    for pose in chosen.poses(1)[::2]:
        view = View(chosen.rotation(pose), scan.pivot, chosen.fov_deg)
        seen = facing(scan, view, scan.landmarks[APART])
        picture = render(scan, view, Light(ambient=1.0))
        errors.append(dot_errors(picture, view.project(scan.landmarks[APART])[:, :2], seen))
    errors = np.concatenate(errors)
    assert len(errors) > 40
    assert errors.max() < TOLERANCE_PX


def test_painted_dots_in_the_stored_crops(dotted, tmp_path):
    """The same through a built dataset: stored crop, stored camera, stored landmarks of the scan."""
    report = build(find_recipe("florence"), dotted, tmp_path / "d.h5", lossless=True)
    dataset = open_dataset(report.path)
    world = dataset.read("scan/landmarks")[dataset.read("scan_of/index")]
    points = apply_affine(dataset.read("camera/world_to_image"), world)
    np.testing.assert_allclose(points, dataset.read("landmarks"), atol=1e-3)
    scan, worst, count = scans.load(subject(dotted)), 0.0, 0
    for row, crop in enumerate(dataset.read("crop")):
        affine = dataset.read("camera/world_to_image")[row]
        view = View(affine[:, :3] / 1.25 * [[1], [-1], [1]], scan.pivot)
        seen = facing(scan, view, scan.landmarks[APART])
        placed = points[row, APART, :2] * crop[0, 0] + crop[:2, 2]
        errors = dot_errors(dataset.image(row), placed, seen) / crop[0, 0]
        worst, count = max(worst, errors.max()), count + len(errors)
    assert count > 100
    assert worst < TOLERANCE_PX


@pytest.mark.parametrize("name", ["vrn", "paper-perspective"])
def test_the_ray_nearest_a_landmark_is_its_projection(raw, name):
    """A fine fan of rays round each visible landmark: the one that comes nearest has its pixel."""
    chosen, scan = poses.variant(name), scans.load(subject(raw))
    steps = np.arange(-2, 2.01, 0.1)
    window = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    for pose in chosen.poses(1)[::7]:
        view = View(chosen.rotation(pose), scan.pivot, chosen.fov_deg)
        rows = np.flatnonzero(facing(scan, view, scan.landmarks))
        places = view.project(scan.landmarks[rows])[:, :2]
        pixels = (np.rint(places)[:, None] + window).reshape(-1, 2)
        starts, directions = view.rays(pixels)
        reached = starts + scan.scene.cast(starts, directions).distance[:, None] * directions
        reached = reached.reshape(len(rows), -1, 3)
        gap = np.linalg.norm(reached - scan.landmarks[rows, None], axis=-1)
        nearest = pixels.reshape(len(rows), -1, 2)[np.arange(len(rows)), gap.argmin(1)]
        assert np.linalg.norm(nearest - places, axis=1).max() < 0.15


def test_the_file_names_of_vrn():
    """765 regular and 156 extra renderings of 51 subjects; one extra repeats a regular pose."""
    counts = [len(poses.vrn_poses(number)) for number in range(1, 54)]
    assert sum(counts[:51]) == 921
    assert sum(counts) == 951
    assert set(counts) == {20, 16, 15}
    names = {pose.name for pose in poses.vrn_poses(17)}
    assert {"p-25_y+00", "p-25_y+00_r+00", "p-25_y+00_r-15"} <= names


def test_the_file_names_of_vrn_against_its_own_table(real_data):
    """Every one of the 921 names of the VRN author's data, and no other."""
    rows = (real_data / "florence" / "vrn_per_image.csv").read_text().splitlines()[1:]
    theirs = {tuple(row.split(",")[1:5]) for row in rows}
    ours = {
        (f"{n - 1:02d}", str(p.pitch), str(p.yaw), "" if p.roll is None else str(p.roll))
        for n in range(1, 52)
        for p in poses.vrn_poses(n)
    }
    assert ours == theirs


@pytest.mark.parametrize(
    ("name", "pose", "forward"),
    [
        ("vrn", poses.Pose(-20, 0), (0, 0.3420, 0.9397)),  # a negative pitch of VRN raises
        ("paper", poses.Pose(-15, 0), (0, 0.0872, 0.9962)),  # raised by 20, lowered by 15
        ("sadrnet", poses.Pose(0, 0), (0, 0.3827, 0.9239)),  # raised by 22.5
        ("vrn", poses.Pose(-20, 80), (-0.9254, 0.3420, 0.1632)),  # yaw turns about the vertical
    ],
)
def test_where_the_face_looks(name, pose, forward):
    """By hand, for a head that looks straight ahead in its scan."""
    np.testing.assert_allclose(poses.variant(name).rotation(pose) @ [0, 0, 1], forward, atol=1e-4)


def test_an_unknown_variant_names_the_known():
    """One message."""
    with pytest.raises(BenchError) as error:
        poses.variant("prnet")
    assert error.value.code == "unknown-variant"
    assert "sadrnet" in str(error.value)


def test_real_heads_look_down_and_the_nose_tip_leads(real_data):
    """Six real landmark files: 23 to 32 degrees down, and landmark 30 is foremost once raised."""
    basis = np.load(real_data / "bfm" / "bfm68_basis_199_29.npz", allow_pickle=False)
    mean = basis["mu"].reshape(68, 3).astype(float)
    for path in sorted((real_data / "florence" / "landmarks").rglob("*.ljson")):
        points = reading.read_ljson(path.read_bytes(), str(path))
        _, turn, _ = similarity_fit(mean[17:], points[17:], with_scale=True)
        down = -np.degrees(np.arcsin((turn @ [0, 0, 1])[1]))
        assert 22 < down < 33
        tilt = np.radians(regions.TYPICAL_TILT_DEG)
        assert (points[:, 2] * np.cos(tilt) - points[:, 1] * np.sin(tilt)).argmax() == 30


@pytest.mark.parametrize("fov_deg", [None, 60.0])
def test_a_camera_inverts_its_rays(fov_deg):
    """A point anywhere along a pixel's ray projects onto that pixel."""
    rng = np.random.default_rng(0)
    turn = poses.variant("paper").rotation(poses.Pose(20, 40))
    view = View(turn, np.array([5.0, -40, 60]), fov_deg)
    pixels = rng.uniform(0, IMAGE_PX, (50, 2))
    starts, directions = view.rays(pixels)
    along = starts + directions * rng.uniform(150, 400, (50, 1))
    np.testing.assert_allclose(view.project(along)[:, :2], pixels, atol=1e-8)


def test_depth_is_in_pixels_and_zero_at_the_pivot():
    """1.25 px per mm towards the viewer; in perspective the same rule, and exact there only in x, y."""
    pivot = np.array([5.0, -40, 60])
    turn = poses.variant("paper").rotation(poses.Pose(20, 40))
    for fov_deg in (None, 60.0):
        view = View(turn, pivot, fov_deg)
        points = view.project(np.array([pivot, pivot + 10 * turn[2]]))
        np.testing.assert_allclose(points[:, 2], [0, 12.5], atol=1e-9)
        np.testing.assert_allclose(points[0, :2], 255.5, atol=1e-9)


def test_perspective_stores_no_affine_camera(raw):
    """Nobody can take the weak-perspective map for the exact one."""
    source = open_raw(raw)
    sample = recipe.find(source, "paper-perspective")[3]
    annotation = recipe.read(source, sample, "paper-perspective")
    assert set(annotation.columns) >= {"camera/projection", "camera/weak_perspective"}
    assert "camera/world_to_image" not in annotation.columns
    world = scans.load(subject(raw)).landmarks
    seen = apply_affine(annotation.columns["camera/projection"], world)
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], annotation.landmarks[:, :2], atol=1e-9)


def test_hidden_landmarks_are_flagged(raw):
    """At yaw 80 the nose turns to the left of the picture and hides the right eye's side."""
    chosen, scan = poses.variant("vrn"), scans.load(subject(raw))
    front, side = (
        visible(scan, View(chosen.rotation(poses.Pose(-25, yaw)), scan.pivot), scan.landmarks)
        for yaw in (0, 80)
    )
    assert front[17:].mean() > 0.9
    assert not side[[0, 1, 2, 36, 17]].any()
    assert side[[45, 26, 14]].all()


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
    colors = np.unique(np.asarray(annotation.picture).reshape(-1, 3), axis=0)
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


def test_a_picture_repeats_to_the_bit(raw):
    """The same rays, whatever was rendered before."""
    chosen, scan = poses.variant("vrn"), scans.load(subject(raw))
    view = View(chosen.rotation(poses.Pose(-15, 40)), scan.pivot)
    assert encode_pixels(render(scan, view)) == encode_pixels(render(scan, view))
