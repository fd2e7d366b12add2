"""Building: crops, quantised maps against exact geometry, atomic files, limits."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from prn_bench import geometry
from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.recipes import find_recipe


def test_position_map_is_the_projected_mesh(datasets, face_model):
    """Every pixel of a stored map against vertex arithmetic in float64: <= 0.005 px and rounding."""
    dataset = open_dataset(datasets["aflw2000-3d"])
    operator = face_model.uv_layout.operator
    for row in (0, 5):
        identity = dataset.read("coefficients/identity", [row])[0].astype(np.float64)
        expression = dataset.read("coefficients/expression", [row])[0].astype(np.float64)
        shape = face_model.mean.astype(np.float64)
        shape = shape + face_model.identity_basis.astype(np.float64) @ identity[:40]
        shape += face_model.expression_basis.astype(np.float64) @ expression[:10]
        affine = geometry.pose_affine(dataset.read("coefficients/pose", [row])[0], 450)
        image = geometry.apply_affine(affine, shape)
        crop = dataset.read("crop", [row])[0]
        points = geometry.apply_affine(geometry.crop_affine(crop), image)
        points[:, 2] -= points[:, 2].min()
        exact = np.einsum("hwk,hwkd->dhw", operator.weights, points[operator.vertices])
        assert np.abs(dataset.position_maps([row])[0] - exact).max() <= 0.0055


def test_z_shift_puts_the_rearmost_vertex_at_zero(datasets):
    """Taken over the whole mesh, as face3d's maps have it."""
    maps = open_dataset(datasets["aflw2000-3d"]).position_maps()
    lowest = maps[:, 2].min((1, 2))
    assert (lowest > -0.01).all()
    assert (lowest < 3).all(), "UV pixels need not hit the one rearmost vertex"


def test_crop_shows_what_the_landmarks_say(datasets):
    """Cropping moves image and landmarks together: a bright spot ends where its coordinates end."""
    from PIL import Image

    from prn_bench.images import cut_crop

    y, x = np.indices((450, 450))
    spot = 255 * np.exp(-((x - 300) ** 2 + (y - 200) ** 2) / 200)
    picture = np.repeat(spot.astype(np.uint8)[..., None], 3, 2)
    crop = geometry.crop_from_box(np.array([200.0, 120.0, 380.0, 300.0]))
    found = np.asarray(cut_crop(Image.fromarray(picture), crop, 256), np.float64)[..., 0]
    rows, columns = np.indices(found.shape)
    centre = np.array([(columns * found).sum(), (rows * found).sum()]) / found.sum()
    expected = crop[:2] @ [300, 200, 1]
    np.testing.assert_allclose(centre, expected, atol=0.02)


def test_boxes_and_crops_belong_to_the_landmarks(datasets):
    """Box of the 68 points to 1e-3 px; crop of 1.6 times its mean side."""
    dataset = open_dataset(datasets["300w-lp"])
    points, box = dataset.read("landmarks"), dataset.read("box")
    np.testing.assert_allclose(box, geometry.landmark_box(points), atol=1e-3)
    np.testing.assert_array_equal(dataset.read("crop"), geometry.crop_from_box(box))


def test_limit_takes_the_first_by_id(world, tmp_path, datasets):
    """--limit is for trying things out, and the file says so."""
    report = build(
        find_recipe("aflw2000-3d"), world / "raw-aflw2000-3d", tmp_path / "d.h5", limit=4
    )
    dataset = open_dataset(report.path)
    assert list(dataset.sample_ids) == list(open_dataset(datasets["aflw2000-3d"]).sample_ids[:4])
    assert dataset.attributes["limit"] == 4


def test_lossless_crops(world, tmp_path):
    """PNG instead of JPEG."""
    recipe, raw = find_recipe("aflw2000-3d"), world / "raw-aflw2000-3d"
    report = build(recipe, raw, tmp_path / "d.h5", lossless=True, limit=2)
    first = open_dataset(report.path).read("image", [0])[0].tobytes()
    assert first.startswith(b"\x89PNG")


def test_no_images_scores_the_same_points(world, tmp_path, datasets):
    """The annotation does not depend on whether images are kept."""
    recipe, raw = find_recipe("aflw2000-3d"), world / "raw-aflw2000-3d"
    report = build(recipe, raw, tmp_path / "d.h5", with_images=False)
    full, bare = open_dataset(datasets["aflw2000-3d"]), open_dataset(report.path)
    assert "image" not in bare.names
    for name in ("sample_id", "landmarks", "crop", "yaw_deg/fitted", "annotation/reannotated"):
        np.testing.assert_array_equal(full.read(name), bare.read(name))


def test_every_sample_bad_is_an_error(world, tmp_path):
    """Not an empty dataset."""
    raw = tmp_path / "raw" / "AFLW2000"
    raw.mkdir(parents=True)
    for name in ("image00001", "image00002"):
        (raw / f"{name}.mat").write_bytes(b"\0" * 500)
    with pytest.raises(BenchError) as error:
        build(find_recipe("aflw2000-3d"), raw.parent, tmp_path / "d.h5", with_images=False)
    assert error.value.code == "nothing-read"
    assert list(tmp_path.iterdir()) == [tmp_path / "raw"]


def test_a_killed_build_leaves_no_file(world, tmp_path):
    """kill -9 in the middle: nothing stands under the name of the dataset."""
    out = tmp_path / "d.h5"
    script = (
        "import time, sys; from prn_bench.build import build; from prn_bench.recipes import find_recipe\n"
        "def slow(done, total): print(done, flush=True); time.sleep(60)\n"
        "build(find_recipe('aflw2000-3d'), sys.argv[1], sys.argv[2], with_images=False, progress=slow)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(world / "raw-aflw2000-3d"), str(out)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not out.exists()


def test_an_error_keeps_the_older_file(world, tmp_path):
    """A failing rebuild does not take the good dataset away, and leaves no part file."""
    out = tmp_path / "d.h5"
    out.write_text("good")
    with pytest.raises(BenchError):
        build(find_recipe("300w-lp"), world / "raw-300w-lp", out)
    assert out.read_text() == "good"
    assert [p.name for p in tmp_path.iterdir()] == ["d.h5"]


def test_a_folder_that_does_not_exist(world, tmp_path):
    """Said before any work is done."""
    start = time.monotonic()
    with pytest.raises(BenchError) as error:
        build(find_recipe("aflw2000-3d"), world / "raw-aflw2000-3d", tmp_path / "no" / "d.h5")
    assert error.value.code == "no-such-folder"
    assert time.monotonic() - start < 5


def test_real_data_builds(real_data, tmp_path):
    """60 of 60 and 27 of 27 pairs; the audit adds up; one and two workers agree."""
    from prn_bench.facemodel.bfm import read_face_model
    from prn_bench.facemodel.file import save_face_model

    model = tmp_path / "bfm.h5"
    save_face_model(read_face_model(real_data / "bfm"), model)
    for name, raw, n in (("aflw2000-3d", "aflw2000_3d", 60), ("300w-lp", "300w_lp", 27)):
        reports = [
            build(
                find_recipe(name),
                real_data / raw,
                tmp_path / f"{name}{jobs}.h5",
                face_model=model,
                jobs=jobs,
            )
            for jobs in (1, 2)
        ]
        assert reports[0].fingerprint == reports[1].fingerprint
        audit = reports[0].audit
        assert audit.found == audit.read + audit.warned == n
        assert audit.quarantined == 0
        if name == "aflw2000-3d":
            assert audit.residuals["landmarks"]["max_px"] < 1e-3


def test_real_annotations_reproduce(real_data, tmp_path):
    """All 2,000 stored landmarks from their parameters, to 1e-3 px."""
    from prn_bench.facemodel.bfm import read_face_model
    from prn_bench.facemodel.file import save_face_model

    model = tmp_path / "bfm.h5"
    save_face_model(read_face_model(real_data / "bfm"), model)
    report = build(
        find_recipe("aflw2000-3d"),
        real_data / "aflw2000_3d_annotations",
        tmp_path / "d.h5",
        face_model=model,
        with_images=False,
        limit=None,
    )
    assert report.n_samples == 2000
    assert report.audit.residuals["landmarks"]["n"] == 2000
    assert report.audit.residuals["landmarks"]["max_px"] < 1e-3
