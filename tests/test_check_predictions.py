"""``check`` on predictions: every fault at once, and values that give themselves away."""

import struct
import zipfile

import numpy as np
import pytest

from prn_bench.checks import check_file
from prn_bench.geometry import apply_affine, crop_affine
from prn_bench.predictions import write_predictions
from prn_bench.readers import read_npz
from tests.checking import codes, predict


def test_all_faults_of_predictions_at_once(tmp_path):
    """Structure and values in one pass; a fault hides no other."""
    points = np.full((4, 68, 3), 0.5)
    points[0], points[1, 3], points[2, 0, 0] = np.nan, np.nan, np.inf
    np.savez(
        tmp_path / "p.npz",
        sample_id=np.array(["a", "a", "", "b"]),
        landmarks=points,
        position_map=np.zeros((4, 256, 256, 3), np.float16),
        method=np.array({}, dtype=object),
    )
    assert codes(tmp_path / "p.npz") == [
        *("duplicate-ids", "empty-id", "infinite-values", "looks-like-fractions", "missing-rows"),
        *("no-frame", "object-array", "partly-missing", "wrong-shape"),
    ]


def spoiled(faces, what):
    """Good points with one fault."""
    points, middle = faces.copy(), faces.mean((0, 1))
    if what == "constant-predictions":
        points[:] = points[0]
    elif what == "looks-like-fractions":
        points /= 450
    elif what == "looks-like-per-cent":
        points = np.tile(points / 4.5, (2, 1, 1)).clip(0, 100)
    elif what == "far-outside":
        points[3, 5, 0] = -1e6
    elif what == "zero-depth":
        points[..., 2] = 0
    elif what == "partly-missing":
        points[2, 7, 1] = np.nan
    elif what == "infinite-values":
        points[1, 0, 2] = np.inf
    elif what == "all-missing":
        points[:] = np.nan
    elif what == "missing-rows":
        points[4] = np.nan
    return points + 0 * middle


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("constant-predictions", "warning"),
        ("looks-like-fractions", "error"),
        ("looks-like-per-cent", "warning"),
        ("far-outside", "warning"),
        ("zero-depth", "warning"),
        ("partly-missing", "error"),
        ("infinite-values", "error"),
        ("all-missing", "error"),
        ("missing-rows", "note"),
    ],
)
def test_values_give_themselves_away(tmp_path, faces, code, level):
    """One fault, one finding of its level."""
    points = spoiled(faces, code)
    path = predict(tmp_path, [f"s{i}" for i in range(len(points))], points)
    found = [finding for finding in check_file(path) if finding.code != "predictions"]
    assert [(finding.code, finding.level) for finding in found] == [(code, level)]


def test_a_bad_sample_is_named(tmp_path, dataset, faces):
    """By its id, so that one can look at it."""
    path = predict(tmp_path, dataset.sample_ids, spoiled(faces, "partly-missing"))
    messages = {finding.code: finding.message for finding in check_file(path)}
    assert dataset.sample_ids[2] in messages["partly-missing"]


def test_ids_against_the_dataset(tmp_path, dataset, faces):
    """Unknown ids are an error, missing ones a warning: a policy may allow them."""
    ids = [*dataset.sample_ids[:-1], "nobody"]
    findings = check_file(predict(tmp_path, ids, faces), dataset=dataset)
    assert {f.code: f.level for f in findings if f.level != "note"} == {
        "unknown-ids": "error",
        "missing-ids": "warning",
    }


def crop_points(dataset, points):
    return apply_affine(crop_affine(dataset.read("crop")), points)


@pytest.mark.parametrize(
    ("frame", "spoil", "hint"),
    [
        ("image", crop_points, "frame 'crop' instead of 'image'"),
        ("crop", lambda dataset, points: points, "frame 'image' instead of 'crop'"),
        (
            "image",
            lambda dataset, points: (
                points * [1, -1, 1] + [0, dataset.read("image_size")[0, 0] - 1, 0]
            ),
            "y pointing down",
        ),
        ("image", lambda dataset, points: points[..., [1, 0, 2]] + [90, 0, 0], ""),
    ],
)
def test_gross_mismatch_gives_a_hint(tmp_path, dataset, faces, frame, spoil, hint):
    """What would bring the points to the faces, when something does."""
    path = predict(tmp_path, dataset.sample_ids, spoil(dataset, faces), frame=frame)
    findings = {finding.code: finding for finding in check_file(path, dataset=dataset)}
    assert hint in findings["gross-mismatch"].remedy


def test_rounded_maps(tmp_path):
    """Maps that went through a picture file, and maps that did not."""
    maps = np.random.default_rng(0).uniform(0, 255, (2, 3, 256, 256))
    for values, expected in ((maps, []), (maps.round(), ["rounded-maps"])):
        write_predictions(
            tmp_path / "p.h5", ["a", "b"], frame="crop", position_map=values, method="M"
        )
        assert codes(tmp_path / "p.h5", "warning") == expected


def test_hostile_npz_ends_in_a_finding(tmp_path):
    """A declared size of a million million faces."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 68, 3), }"
    header = header.ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
        archive.writestr("landmarks.npy", magic + header)
    assert "implausible-size" in codes(tmp_path / "p.npz", "error")


def test_real_predictions(real_data, tmp_path):
    """The released predictions, once they say their frame, have no fault that shows."""
    found = read_npz(real_data / "predictions" / "3ddfa_v2_mb05_aflw2000.npz", frame="image")
    path = predict(tmp_path, found.sample_ids, found.arrays["landmarks"])
    assert codes(path) == ["predictions"]
