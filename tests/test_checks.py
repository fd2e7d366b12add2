"""``check``: every fault at once, each by its code, and never an exception."""

import gzip
import json
import pickle
import shutil
import struct

import h5py
import numpy as np
import pytest

from prn_bench.checks import check_file
from prn_bench.dataset import open_dataset
from prn_bench.evaluate import score
from prn_bench.geometry import apply_affine, crop_affine
from prn_bench.predictions import write_predictions
from prn_bench.results import save


def codes(path, level=None, dataset=None):
    """Codes of the findings, sorted."""
    findings = check_file(path, dataset=dataset)
    return sorted(f.code for f in findings if level in (None, f.level))


@pytest.fixture(scope="module")
def dataset(datasets):
    return open_dataset(datasets["aflw2000-3d"])


@pytest.fixture
def copy(datasets, tmp_path):
    """A dataset file to spoil."""
    return shutil.copy(datasets["aflw2000-3d"], tmp_path / "d.h5")


@pytest.fixture
def faces(dataset):
    """Good predictions: the reference, a pixel to the right."""
    return dataset.read("landmarks").astype(np.float64) + np.array([1.0, 0, 0])


def predict(folder, ids, points, *, frame="image", **options):
    write_predictions(folder / "p.npz", ids, frame=frame, landmarks=points, method="M", **options)
    return folder / "p.npz"


def test_good_files_have_notes_only(datasets, dataset, faces, world, tmp_path):
    """Datasets, a face model, predictions and a result."""
    path = predict(tmp_path, dataset.sample_ids, faces)
    for file in (*datasets.values(), world / "face-model.h5", path):
        assert {finding.level for finding in check_file(file)} == {"note"}
    assert codes(path, dataset=dataset) == ["predictions"]


def test_residuals_are_said(datasets):
    """The projection agrees with the stored points, in one line with its numbers."""
    lines = {f.code: f.message for f in check_file(datasets["aflw2000-3d"])}
    assert "projected 68 landmarks agree with the stored ones: median" in lines["residuals"]


FILES = {
    "git-lfs-pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "html-page": b"<!DOCTYPE html><html><title>Google Drive</title></html>",
    "zero-filled": bytes(10_000),
    "empty-file": b"",
    "unknown-kind": pickle.dumps({"a": 1}, protocol=4),
    "damaged-hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "damaged-npz": b"PK\x03\x04" + bytes(100),
    "damaged-result": b'{"format": "prn-bench/result"',
    "not-a-result": b'{"a": 1}',
}


@pytest.mark.parametrize("code", FILES)
def test_other_files_are_one_error(tmp_path, code):
    """Known by content, whatever the name; nothing is unpickled."""
    for name in ("x.h5", "x.npz", "x.json"):
        (tmp_path / name).write_bytes(FILES[code])
        known = name.endswith(".json") or not code.endswith("-result")
        assert codes(tmp_path / name) == [code if known else "unknown-kind"]


def test_a_pickle_is_called_so(tmp_path):
    """So that nobody tries to load it."""
    (tmp_path / "p.pkl").write_bytes(FILES["unknown-kind"])
    assert "pickle" in check_file(tmp_path / "p.pkl")[0].message


def test_nothing_there(tmp_path):
    """No file, and a folder without results."""
    assert codes(tmp_path / "x") == ["no-such-file"]
    assert codes(tmp_path) == ["unknown-kind"]


def test_other_hdf5(tmp_path):
    """Somebody else's HDF5 file is named as such."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = 1
    assert codes(tmp_path / "x.h5") == ["unknown-kind"]


def test_truncated_dataset(copy):
    """Wherever it is cut: one error."""
    data = copy.read_bytes()
    for part in (0.01, 0.5, 0.99):
        copy.write_bytes(data[: int(part * len(data))])
        assert codes(copy, "error") == ["damaged-hdf5"]


# predictions -------------------------------------------------------------------------------------


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


# datasets ----------------------------------------------------------------------------------------


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


# results -----------------------------------------------------------------------------------------


@pytest.fixture
def result(tmp_path, dataset, faces):
    """The files of a score."""
    from prn_bench.predictions import open_predictions

    predictions = open_predictions(predict(tmp_path, dataset.sample_ids, faces))
    return save(score(predictions, dataset, "aflw2000/68/2d@all"), tmp_path / "results")


def test_good_result(result):
    """Either file of the pair, or their folder."""
    for path in (*result, result[0].parent):
        assert codes(path, "error") == []
        assert "result" in codes(path, "note")


def test_edited_result(result):
    """A digit of the summary, a digit of a sample, a field of the protocol."""
    summary, samples = result
    text, packed = summary.read_text(), samples.read_bytes()
    table = json.loads(text)
    table["protocol"]["normalizer"] = "bbox-diagonal"
    summary.write_text(json.dumps(table))
    assert codes(summary) == ["result-edited"]
    summary.write_text(text)
    samples.write_bytes(gzip.compress(gzip.decompress(packed).replace(b"0.", b"0.1", 1)))
    assert codes(samples) == ["result-edited"]
    samples.unlink()
    assert codes(summary) == ["no-such-file"]


def test_stale_protocol(result, monkeypatch):
    """A protocol that changed since is a warning."""
    from prn_bench import protocol as module

    other = module.protocol("aflw2000/68/2d@all+normalizer=bbox-max")
    monkeypatch.setattr(module, "protocol", lambda name: other)
    assert "stale-protocol" in codes(result[0], "warning")


def test_hostile_npz_ends_in_a_finding(tmp_path):
    """A declared size of a million million faces."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 68, 3), }"
    header = header.ljust(117) + b"\n"
    import zipfile

    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
        archive.writestr("landmarks.npy", magic + header)
    assert "implausible-size" in codes(tmp_path / "p.npz", "error")


def test_real_predictions(real_data, tmp_path):
    """The released predictions, once they say their frame, have no fault that shows."""
    from prn_bench.readers import read_npz

    found = read_npz(real_data / "predictions" / "3ddfa_v2_mb05_aflw2000.npz", frame="image")
    path = predict(tmp_path, found.sample_ids, found.arrays["landmarks"])
    assert codes(path) == ["predictions"]
