"""The Florence recipe: poses, cameras, and where the landmarks really are in the pictures."""

import numpy as np
import pytest

from dataset_recipes.florence import poses, recipe, scans, synthetic, tree
from dataset_recipes.florence.cameras import IMAGE_PX, View
from dataset_recipes.florence.rendering import GAMMA, Light, render, visible
from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.geometry import apply_affine
from prn_bench.images import encode_pixels
from prn_bench.recipes import find_recipe
from prn_bench.recipes.rawsource import open_raw
from tests.checking import need_open3d

#: Landmarks at least 10 mm from each other, so that painted dots of 1.5 mm do not touch. Without the
#: corners of the eyes: those lie in a fold, where a dot is on the lid and on the eyeball.
APART = np.array([0, 2, 4, 6, 8, 10, 12, 14, 16, 17, 19, 24, 26, 28, 30, 33, 48, 54, 57])
DOT_MM = 1.5
TOLERANCE_PX = 0.5


@pytest.fixture(autouse=True)
def _open3d():
    need_open3d()


@pytest.fixture(scope="module")
def dotted(face_model, tmp_path_factory):
    """One subject whose texture is black with a red dot round each landmark of ``APART``."""
    folder = tmp_path_factory.mktemp("dotted")
    rng = np.random.default_rng(6)
    identity, _ = synthetic._person(rng, face_model)
    scan = synthetic.make_scan(face_model, rng, identity, np.zeros((1, 1, 3), np.uint8))
    places = synthetic.bake_chart(face_model, scan.vertices)
    gap = np.min([np.linalg.norm(places - p, axis=-1) for p in scan.landmarks[APART]], 0)
    shade = np.clip(127.5 * (1 + 2 * (DOT_MM - gap)), 0, 255).astype(np.uint8)  # a soft rim
    texture = np.stack([shade, 0 * shade, 0 * shade], -1)
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
    red, green, _ = np.moveaxis(np.asarray(picture), -1, 0)
    light = np.where(green < 8, (red / 255) ** GAMMA, 0)  # the background is grey
    found = np.array([blob_centre(light, point) for point in points[seen]]).reshape(-1, 2)
    return np.linalg.norm(found - points[seen], axis=1)


def open_landmarks(scan, view, points):
    """Landmarks that the camera sees whole: nothing but the skin round them, at 60 degrees or less.

    Dots in a fold or at the silhouette lose a side, and their centre moves.
    """
    nearest = ((scan.vertices[:, None] - points) ** 2).sum(-1).argmin(0)
    normals = scan.normals[nearest]
    cosine = normals @ view.rotation[2] / np.linalg.norm(normals, axis=1)
    angles = np.arange(0, 2 * np.pi, 0.4)
    ring = 1.25 * DOT_MM * np.stack([np.cos(angles), np.sin(angles)], 1)
    around = view.project(points)[:, None, :2] + ring
    starts, directions = view.rays(around.reshape(-1, 2))
    distance = np.nan_to_num(scan.scene.cast(starts, directions).distance, posinf=0)
    reached = (starts + distance[:, None] * directions).reshape(len(points), -1, 3)
    whole = np.linalg.norm(reached - points[:, None], axis=-1).max(1) < 2 * DOT_MM
    return visible(scan, view, points) & (cosine > 0.5) & whole


@pytest.mark.parametrize("name", recipe.VARIANTS)
def test_painted_dots_lie_where_the_camera_says(dotted, name):
    """Pictures of a scan with red dots at its landmarks: dots and projections agree to half a px."""
    chosen, scan = poses.variant(name), scans.load(subject(dotted))
    errors = []
    for pose in chosen.poses(1)[::3]:
        view = View(chosen.rotation(pose), scan.pivot, chosen.fov_deg)
        seen = open_landmarks(scan, view, scan.landmarks[APART])
        picture = render(scan, view, Light(ambient=1.0))
        errors.append(dot_errors(picture, view.project(scan.landmarks[APART])[:, :2], seen))
    errors = np.concatenate(errors)
    assert len(errors) > 20
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
        seen = open_landmarks(scan, view, scan.landmarks[APART])
        placed = points[row, APART, :2] * crop[0, 0] + crop[:2, 2]
        errors = dot_errors(dataset.image(row), placed, seen) / crop[0, 0]
        worst, count = max(worst, errors.max()), count + len(errors)
    assert count > 50
    assert worst < TOLERANCE_PX


@pytest.mark.parametrize("name", ["vrn", "paper-perspective"])
def test_the_ray_nearest_a_landmark_is_its_projection(dotted, name):
    """A fine fan of rays round each visible landmark: the one that comes nearest has its pixel."""
    chosen, scan = poses.variant(name), scans.load(subject(dotted))
    steps = np.arange(-2, 2.01, 0.1)
    window = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    for pose in chosen.poses(1)[::7]:
        view = View(chosen.rotation(pose), scan.pivot, chosen.fov_deg)
        rows = np.flatnonzero(visible(scan, view, scan.landmarks))
        places = view.project(scan.landmarks[rows])[:, :2]
        pixels = (np.rint(places)[:, None] + window).reshape(-1, 2)
        starts, directions = view.rays(pixels)
        distance = np.nan_to_num(scan.scene.cast(starts, directions).distance, posinf=0)
        reached = (starts + distance[:, None] * directions).reshape(len(rows), -1, 3)
        gap = np.linalg.norm(reached - scan.landmarks[rows, None], axis=-1)
        nearest = pixels.reshape(len(rows), -1, 2)[np.arange(len(rows)), gap.argmin(1)]
        reachable = gap.min(1) < 0.12  # the others: on the outline, or in a fold
        assert reachable.mean() > 0.6
        assert np.linalg.norm(nearest - places, axis=1)[reachable].max() < 0.25


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


def test_perspective_stores_no_affine_camera(dotted):
    """Nobody can take the weak-perspective map for the exact one."""
    source = open_raw(dotted)
    sample = recipe.find(source, "paper-perspective")[3]
    annotation = recipe.read(source, sample, "paper-perspective")
    assert set(annotation.columns) >= {"camera/projection", "camera/weak_perspective"}
    assert "camera/world_to_image" not in annotation.columns
    world = scans.load(subject(dotted)).landmarks
    seen = apply_affine(annotation.columns["camera/projection"], world)
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], annotation.landmarks[:, :2], atol=1e-9)


def test_hidden_landmarks_are_flagged(dotted):
    """At yaw 80 the nose turns to the left of the picture and hides the right eye's side."""
    chosen, scan = poses.variant("vrn"), scans.load(subject(dotted))
    front, side = (
        visible(scan, View(chosen.rotation(poses.Pose(-25, yaw)), scan.pivot), scan.landmarks)
        for yaw in (0, 80)
    )
    assert front[17:].mean() > 0.9
    assert not side[[0, 1, 2, 36, 17]].any()
    assert side[[45, 26, 14]].all()


def test_a_picture_repeats_to_the_bit(dotted):
    """The same rays, whatever was rendered before."""
    chosen, scan = poses.variant("vrn"), scans.load(subject(dotted))
    view = View(chosen.rotation(poses.Pose(-15, 40)), scan.pivot)
    assert encode_pixels(render(scan, view)) == encode_pixels(render(scan, view))


@pytest.mark.parametrize("name", recipe.VARIANTS)
def test_every_variant_builds(dotted, tmp_path, name):
    """Its first poses, rendered and cropped; the stored camera puts the landmarks where they are."""
    report = build(find_recipe(f"florence@{name}"), dotted, tmp_path / "d.h5", limit=3)
    dataset, chosen = open_dataset(report.path), poses.variant(name)
    assert dataset.attributes["recipe_variant"] == name
    names = sorted(pose.name for pose in chosen.poses(1))[:3]
    assert list(dataset.sample_ids) == [f"subject_01/{pose}" for pose in names]
    assert (report.audit.found, report.audit.read) == (3, 3)
    world = dataset.read("scan/landmarks")[dataset.read("scan_of/index")]
    camera = "projection" if chosen.fov_deg else "world_to_image"
    seen = apply_affine(dataset.read(f"camera/{camera}"), world)[..., :3]
    flat = seen[..., :2] / seen[..., 2:] if chosen.fov_deg else seen[..., :2]
    np.testing.assert_allclose(flat, dataset.read("landmarks")[..., :2], atol=1e-3)
    for row in range(3):
        assert dataset.image(row).std() > 10, "there is a face on the grey"


def test_variants_differ_by_name_and_fingerprint(dotted, tmp_path):
    """`florence` is `florence@vrn` in content, not in name; an unknown one is refused."""
    prints = {
        name: build(find_recipe(name), dotted, tmp_path / "d.h5", with_images=False, limit=2)
        for name in ("florence", *(f"florence@{variant}" for variant in recipe.VARIANTS))
    }
    assert len({report.fingerprint for report in prints.values()}) == len(prints)
    with pytest.raises(BenchError) as error:
        find_recipe("florence@best")
    assert error.value.code == "unknown-variant"
    assert "paper" in str(error.value)
