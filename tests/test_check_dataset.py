"""``check`` on datasets: every rule can fail, and a fault hides no other."""

import json
import shutil

import h5py
import numpy as np
import pytest

from prn_bench.checks import check_file


def codes(path, level=None):
    """Codes of the findings, sorted."""
    findings = check_file(path)
    return sorted(f.code for f in findings if level in (None, f.level))


@pytest.fixture
def copy(datasets, tmp_path):
    """A dataset file to spoil."""
    return shutil.copy(datasets["aflw2000-3d"], tmp_path / "d.h5")


def test_residuals_are_said(datasets):
    """The projection agrees with the stored points, in one line with its numbers."""
    found = {f.code: f for f in check_file(datasets["aflw2000-3d"])}["residuals"]
    assert found.level == "note"
    assert "projected 68 landmarks agree with the stored ones: median" in found.message


@pytest.mark.parametrize("numbers", [(36.0, 90.0), (0.01, 0.2), (None, None)])
def test_large_residuals_are_a_warning(copy, numbers):
    """A wrong or truncated face model is not a note; a missing number is not a good one."""
    line = dict(zip(("median_px", "max_px"), numbers, strict=True), n=12)
    line = {key: value for key, value in line.items() if value is not None}
    with h5py.File(copy, "r+") as file:
        report(residuals={"landmarks": line})(file)
    found = {f.code: f for f in check_file(copy)}["residuals"]
    assert (found.level, "truncated" in found.remedy) == ("warning", True)
    assert "do not lie on the stored ones" in found.message


def test_truncated_dataset(copy):
    """Wherever it is cut: one error."""
    data = copy.read_bytes()
    for part in (0.01, 0.5, 0.99):
        copy.write_bytes(data[: int(part * len(data))])
        assert codes(copy, "error") == ["damaged-hdf5"]


def put(name, rows, value):
    def spoil(file):
        file[name][rows] = value

    return spoil


def drop(name):
    return lambda file: file.__delitem__(name)


def replace(name, values):
    def spoil(file):
        del file[name]
        file[name] = values

    return spoil


def report(**changes):
    def spoil(file):
        file.attrs["report"] = json.dumps({**json.loads(file.attrs["report"]), **changes})

    return spoil


def lose(name):
    return lambda file: file["position_map"].attrs.__delitem__(name)


SPOILED = {
    "landmarks gone": ("missing-array", drop("landmarks")),
    "ids gone": ("missing-array", drop("sample_id")),
    "z shift gone": ("missing-array", drop("z_shift")),
    "shorter": ("wrong-shape", replace("box", np.ones((3, 4)))),
    "other shape": ("wrong-shape", replace("crop", np.ones((12, 2, 3)))),
    "other type": ("wrong-type", replace("image_size", np.ones((12, 2)))),
    "id twice": ("duplicate-ids", lambda f: put("sample_id", 1, f["sample_id"][0])(f)),
    "not sorted": ("unsorted-ids", put("sample_id", 0, "zzz")),
    "empty id": ("empty-id", put("sample_id", 0, "")),
    "not finite": ("landmarks-not-finite", put("landmarks", (2, 5), np.nan)),
    "sheared": ("crop-not-similarity", put("crop", (1, 0, 1), 0.3)),
    "mirrored": ("crop-not-similarity", put("crop", (1, 0), [-1, 0, 200])),
    "crop of NaN": ("crop-not-similarity", put("crop", 1, np.nan)),
    "empty box": ("bad-box", put("box", 1, [5, 5, 5, 9])),
    "no size": ("bad-image-size", put("image_size", 1, 0)),
    "z shift": ("bad-z-shift", put("z_shift", 1, np.inf)),
    "scale gone": ("map-attributes", lose("scale_factor")),
    "units gone": ("map-attributes", lose("units")),
    "counts": ("report-counts", report(quarantined=3)),
    "counts of others": ("report-counts", report(found=9, read=9, warned=0)),
    "report garbled": ("bad-report", lambda f: f.attrs.__setitem__("report", "{")),
    "report a list": ("bad-report", lambda f: f.attrs.__setitem__("report", "[]")),
    "edited": ("fingerprint-mismatch", put("landmarks", (0, 0, 0), 7.0)),
    "mask edited": ("edited", put("uv/face_mask", (0, 0), True)),
    "map edited": ("damaged-rows", put("position_map", (4, 0, 9, 9), 77)),
    "map far off": ("maps-off", lambda f: put("crop", np.s_[:, 0, 2], f["crop"][:, 0, 2] + 90)(f)),
}


@pytest.mark.parametrize("what", SPOILED)
def test_spoiled_dataset(copy, what):
    """Each fault is found by its code (and, as content changed, mostly by the digests too)."""
    code, spoil = SPOILED[what]
    with h5py.File(copy, "r+") as file:
        spoil(file)
    assert code in codes(copy)


def test_all_faults_of_a_dataset_at_once(copy):
    """A fault hides no other."""
    wanted = ["landmarks-not-finite", "bad-box", "bad-report", "map-attributes", "not sorted"]
    with h5py.File(copy, "r+") as file:
        for what in ("not finite", "empty box", "report garbled", "scale gone", "not sorted"):
            SPOILED[what][1](file)
    assert {SPOILED.get(name, (name,))[0] for name in wanted} <= set(codes(copy, "error"))
