"""What is particular to one method: several faces, crops, volumes, scales, poses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.errors import BenchError
from prn_bench.geometry import rotation_matrix
from prn_bench.predictions import open_predictions
from prn_bench.readers import find_reader
from prn_bench.readers.posmap import map_of
from prn_bench.readers.prnet import pose_of
from prn_bench.readers.vrn import crop_of_landmarks
from tests.reader_files import (
    NAMES,
    ToyDataset,
    known_points,
    ply_text,
    prnet_angles,
    prnet_mat,
    prnet_obj,
    vrn_landmarks,
    y_up,
)

KNOWN = known_points(NAMES[0])
POINTS = KNOWN["landmarks"]


def read(name, folder, dataset=None, frame=None, **options):
    return find_reader(name)(folder, frame=frame, dataset=dataset, **options)


def code_of(name, folder, dataset=None, frame=None, **options):
    with pytest.raises(BenchError) as error:
        read(name, folder, dataset, frame, **options)
    return error.value.code


def test_prnet_prefers_the_mat(tmp_path):
    """The .obj beside it says the same with fewer digits, and needs the picture's height."""
    prnet_mat(tmp_path, NAMES[0], KNOWN)
    (tmp_path / f"{NAMES[0]}.obj").write_text("v 1 2 3\n")
    found = read("prnet", tmp_path)
    np.testing.assert_allclose(found.mesh(0)[0], KNOWN["prnet"], atol=2e-5)


def test_prnet_objs_need_the_height(tmp_path):
    """Without it y cannot be turned; on the dataset's own crops it is known."""
    prnet_obj(tmp_path, NAMES[0], KNOWN)
    assert code_of("prnet", tmp_path) == "dataset-needed"
    crop = read("prnet", tmp_path, frame="crop").mesh(0)[0]
    np.testing.assert_allclose(crop, y_up(y_up(KNOWN["prnet"], 399), 255), atol=3e-5)


def test_prnet_shrinks_square_pictures_only(tmp_path):
    """Results of others are in pixels of the picture already."""
    np.savetxt(tmp_path / f"{NAMES[0]}_kpt.txt", POINTS)
    found = read("prnet", tmp_path, ToyDataset(), whole_image=True)
    np.testing.assert_array_equal(found.arrays["landmarks"][0], POINTS)


@given(st.tuples(*[st.floats(-85, 85)] * 3).map(np.array))
def test_prnet_poses_become_those_of_the_fits(pose):
    """Through the rotation, whose factors PRNet has in another order and with y down."""
    np.testing.assert_allclose(pose_of(np.array(prnet_angles(pose)), ""), pose, atol=1e-6)


def test_poses_turn_as_the_geometry_says():
    """The angles that come out give the rotation that went in."""
    angles = np.array([0.3, -0.2, 0.1])
    pitch, yaw, roll = np.radians(pose_of(angles, ""))
    turn = rotation_matrix(pitch, yaw, roll) * np.outer([1, -1, 1], [1, -1, 1])
    assert np.arcsin(turn[2, 0]) == pytest.approx(0.3)
    assert np.arctan2(turn[2, 1], turn[2, 2]) == pytest.approx(-0.2)


def test_a_pose_of_two_angles(tmp_path):
    """Is none."""
    np.savetxt(tmp_path / "a_pose.txt", [0.1, 0.2])
    assert code_of("prnet", tmp_path) == "wrong-shape"


@pytest.mark.parametrize(
    ("reader", "files"),
    [
        ("3ddfa", {"a_0.txt": POINTS.T, "a_1.txt": POINTS.T + 1}),
        ("3ddfa", {"a_10.txt": POINTS.T + 1, "a_9.txt": POINTS.T}),
        ("3d-fan", {"a.npy": np.stack([POINTS, POINTS + 1])}),
        ("3d-fan", {"a.txt": np.concatenate([POINTS, POINTS + 1])}),
        ("synergynet", {"a.npy": np.stack([POINTS.T, POINTS.T + 1])}),
        ("3ddfa-v2", {"a.npy": np.stack([POINTS.T, POINTS.T + 1])}),
    ],
)
def test_several_faces(tmp_path, reader, files):
    """Refused unless the first is asked for; that is noted."""
    for name, values in files.items():
        (np.save if name.endswith(".npy") else np.savetxt)(tmp_path / name, values)
    assert code_of(reader, tmp_path) == "several-faces"
    assert code_of(reader, tmp_path, faces="best") == "bad-option"
    found = read(reader, tmp_path, faces="first")
    assert found.sample_ids.tolist() == ["a"]
    np.testing.assert_allclose(found.arrays["landmarks"][0], POINTS, atol=1e-9)


def test_merged_meshes(tmp_path):
    """3DDFA-V2 writes all faces of a picture into one file, one after the other."""
    both = np.concatenate([KNOWN["noneck"], KNOWN["noneck"] + 9])
    (tmp_path / f"{NAMES[0]}_ply.ply").write_text(ply_text(y_up(both, 400), "{:.2f}"))
    assert code_of("3ddfa-v2", tmp_path, ToyDataset()) == "several-faces"
    found = read("3ddfa-v2", tmp_path, ToyDataset(), faces="first")
    np.testing.assert_allclose(found.mesh(0)[0], KNOWN["noneck"], atol=6e-3)
    assert code_of("3ddfa-v2", tmp_path) == "dataset-needed"


@pytest.mark.parametrize("reader", ["3d-fan", "synergynet"])
def test_no_face_is_a_missing_sample(tmp_path, reader):
    """An empty list, or NaN throughout: a row without a prediction, and a note."""
    np.save(tmp_path / "a.npy", np.zeros((0, 68, 3)))
    np.save(tmp_path / "b.npy", POINTS if reader == "3d-fan" else POINTS.T)
    np.save(tmp_path / "c.npy", np.full((68, 3), np.nan))
    found = read(reader, tmp_path)
    assert np.isnan(found.arrays["landmarks"]).all((1, 2)).tolist() == [True, False, True]
    assert "2 samples without a prediction: a, c" in found.method["notes"]


def test_names_that_end_in_numbers_of_their_own(tmp_path):
    """A sample's own number stays where the dataset says so; the number of a face goes."""
    known = ToyDataset(["AFW/AFW_1_0", "AFW/AFW_1_1", "AFW/AFW_2_0"])
    for name in ("AFW_1_0", "AFW_1_1_0", "AFW_2_0_0", "AFW_2_0_1"):
        np.savetxt(tmp_path / f"{name}.txt", POINTS.T)
    found = read("3ddfa", tmp_path, known, faces="first")
    assert found.sample_ids.tolist() == known.sample_ids.tolist()


def test_the_crop_pixel_needs_the_crop(tmp_path):
    """Without NAME.roibox, or with one that is no box."""
    np.savetxt(tmp_path / "a_0.txt", POINTS.T)
    assert code_of("3ddfa", tmp_path, one_based=True) == "box-needed"
    np.savetxt(tmp_path / "a_0.roibox", [10, 10, 5, 20])
    assert code_of("3ddfa", tmp_path, one_based=True) == "wrong-shape"
    (tmp_path / "a_0.txt").unlink()
    assert code_of("3ddfa", tmp_path) == "no-output-files"


def sphere(folder, name, *, center=(120.0, 90.0, 40.0), radius=30.0):
    """A volume as VRN's process.lua writes it; the centre in pixels of its crop."""
    z, y, x = np.ogrid[:200, :192, :192]
    distance = np.sqrt((x - center[0]) ** 2 + (y - center[1]) ** 2 + (z / 2 - center[2]) ** 2)
    volume = np.clip(127.5 + 60 * (radius - distance), 0, 255)
    (folder / f"{name}.raw").write_bytes(volume.astype(np.uint8).tobytes())


def test_vrn_volumes(tmp_path):
    """A ball of a known radius comes out where the crop says, in pixels of the image."""
    pytest.importorskip("skimage")
    landmarks, scale, corner = vrn_landmarks(None)
    sphere(tmp_path, "a")
    np.savetxt(tmp_path / "a.txt", landmarks, delimiter=",")
    found = read("vrn", tmp_path, level=127.5)
    vertices, triangles = found.mesh(0)
    center = (np.array([120.0, 90.0]) + corner + 0.5) / scale - 0.5
    distance = np.linalg.norm(vertices - [*center, 40 / scale], axis=1)
    np.testing.assert_allclose(distance, 30 / scale, atol=0.05)
    assert len(triangles) > 10_000
    assert found.topology == "unordered"


def test_a_volume_without_a_surface_is_a_missing_sample(tmp_path):
    """Beside one that has one."""
    pytest.importorskip("skimage")
    sphere(tmp_path, "a")
    (tmp_path / "b.raw").write_bytes(bytes([5]) + bytes(200 * 192 * 192 - 1))
    for name in "ab":
        (tmp_path / f"{name}.crop").write_text("1 0 0")
    found = read("vrn", tmp_path)
    assert len(found.mesh(0)[0]) > 1000
    assert [len(part) for part in found.mesh(1)] == [0, 0]
    assert "1 samples without a prediction: b" in found.method["notes"]


def test_vrn_needs_its_crop(tmp_path):
    """Landmarks or a crop file; neither may be nonsense."""
    (tmp_path / "a.jpg.obj").write_text("v 96 96 5\nv 9 9 9\nv 1 2 9\nf 1 2 3\nf 3 3 1\n")
    assert code_of("vrn", tmp_path) == "crop-needed"
    for text in ("0 1 2", "1 2", "1 nan 2"):
        (tmp_path / "a.crop").write_text(text)
        assert code_of("vrn", tmp_path) == "wrong-shape"
    (tmp_path / "a.crop").write_text("2 -10 20")
    found = read("vrn", tmp_path)
    assert found.mesh(0)[0][0] == pytest.approx([(96 - 10 + 0.5) / 2 - 0.5, 116.5 / 2 - 0.5, 2.5])
    assert "1 triangles without an area dropped, in 1 samples: a" in found.method["notes"]


def test_the_crop_that_run_sh_cuts():
    """Worked by hand: a box of 90 x 100 from (100, 120)."""
    points, scale, corner = vrn_landmarks(None)
    assert scale == pytest.approx(0.94868, abs=1e-5)
    assert corner.tolist() == [52, 66]  # 55 and 70 times the scale: 52.18, 66.41
    found = crop_of_landmarks(points)
    assert found[0] == pytest.approx(scale)
    assert found[1].tolist() == corner.tolist()


MAP = np.random.default_rng(2).uniform(-0.05, 1.05, (256, 256, 3))
BAD_MAPS = {
    "fractions": ("scale-needed", MAP, None),
    "pixels and a scale": ("scale-conflict", MAP * 256, 280.0),
    "8 bits": ("eight-bit-map", (MAP.clip(0, 1) * 255).astype(np.uint8), None),
    "vertices": ("wrong-shape", np.zeros((43867, 3)), None),
    "texts": ("wrong-shape", np.full((256, 256, 3), "1"), None),
    "partly nan": ("not-finite", np.where(MAP > 1, np.nan, MAP), 280.0),
}


@pytest.mark.parametrize("what", BAD_MAPS)
def test_bad_position_maps(what):
    """Each by its own code; a scale is never guessed."""
    code, values, scale = BAD_MAPS[what]
    with pytest.raises(BenchError) as error:
        map_of(values, "m.npy", scale=scale)
    assert error.value.code == code


def test_good_position_maps():
    """Channels last or first, one or none of a batch; NaN throughout is no prediction."""
    turned = MAP.transpose(2, 0, 1)
    for values in (MAP, turned, turned[None]):
        np.testing.assert_allclose(map_of(values, "", scale=280.0), turned * 280, rtol=1e-6)
    np.testing.assert_allclose(map_of(MAP * 256, "", scale=1.0), turned * 256, rtol=1e-6)
    assert map_of(MAP * np.nan, "", scale=None) is None


def test_maps_saved_as_pictures(tmp_path):
    """Named for what they have lost."""
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert code_of("sadrnet", tmp_path) == "eight-bit-map"


def test_obj_folders_of_any_method(tmp_path):
    """Ordered where the number is known, unless said otherwise."""
    for name, count in (("a", 5023), ("b", 5023)):
        text = "".join(f"v {i} {i * i % 7} 1\n" for i in range(count))
        (tmp_path / f"{name}.obj").write_text(text + "f 1 2 4\nf 1 1 2\n")
    assert read("obj", tmp_path, frame="image").topology == "flame-5023"
    found = read("obj", tmp_path, frame="image", topology="unordered")
    assert [len(part) for part in found.mesh(1)] == [5023, 1]
    assert "2 triangles without an area dropped, in 2 samples: a, b" in found.method["notes"]
    assert code_of("obj", tmp_path, frame="image", topology="bfm-53215") == "wrong-topology"
    assert code_of("obj", tmp_path, ToyDataset(["x"]), frame="image") == "no-known-ids"
    assert code_of("obj", tmp_path, frame="image", y_up=True) == "dataset-needed"


def test_real_prnet_files(real_data):
    """The released network's own files: landmarks are vertices, at the layout's pixels."""
    found = read("prnet", real_data / "predictions" / "prnet")
    assert (len(found), found.topology, found.frame) == (10, "prnet-43867", "image")
    columns, rows = np.loadtxt(real_data / "bfm" / "uv_kpt_ind.txt").astype(int)
    pixels = np.loadtxt(real_data / "bfm" / "face_ind.txt").astype(int).tolist()
    kept = [pixels.index(row * 256 + column) for row, column in zip(rows, columns, strict=True)]
    vertices = found.rows("vertices", slice(None))[:, kept]
    np.testing.assert_allclose(found.arrays["landmarks"], vertices, atol=3e-5)


@pytest.mark.parametrize("name", ["3ddfa", "2dasl"])
def test_real_meshes_are_taken_as_written(real_data, name):
    """Not moved: published scores compare them so."""
    from scipy.io import loadmat

    found = read(name, real_data / "predictions" / name)
    written = loadmat(real_data / "predictions" / name / "image00013.mat")["vertex"]
    row = found.sample_ids.tolist().index("image00013")
    np.testing.assert_array_equal(found.rows("vertices", row), written.T)


def test_a_real_vrn_mesh(real_data, tmp_path):
    """Half of its faces have no area; the others and their vertices stay."""
    mesh = real_data / "predictions" / "vrn" / "turing.jpg.obj"
    (tmp_path / mesh.name).symlink_to(mesh)
    (tmp_path / "turing.crop").write_text("1 0 0")
    with pytest.raises(BenchError) as error:
        read("vrn", tmp_path)
    assert error.value.code == "link-leaves-folder"
    (tmp_path / mesh.name).unlink()
    (tmp_path / mesh.name).write_bytes(mesh.read_bytes())
    vertices, triangles = read("vrn", tmp_path).mesh(0)
    assert (len(vertices), len(triangles)) == (30250, 120460 - 59930)
    assert vertices.min(0).tolist() == [43, 28, 20]


def test_what_real_imports_say_of_themselves(real_data, tmp_path, run):
    """The command prints what it did, line by line, and the file holds it."""
    code, out, _ = run(
        "import", "prnet", real_data / "predictions" / "prnet", "--out", tmp_path / "p.h5"
    )
    assert code == 0
    assert "  read 10 kpt, 10 mesh\n" in out
    assert open_predictions(tmp_path / "p.h5").method["name"] == "PRNet"
