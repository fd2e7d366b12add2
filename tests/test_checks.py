"""``check``: every fault at once, each by its code, and never an exception."""

import gzip
import json
import pickle

import h5py
import pytest

from prn_bench import protocol as protocols
from prn_bench.checks import check_file
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.predictions import open_predictions
from prn_bench.results import save
from tests.checking import codes, predict


def test_good_files_have_notes_only(datasets, dataset, faces, world, tmp_path):
    """Datasets, a face model, predictions and a result."""
    path = predict(tmp_path, dataset.sample_ids, faces)
    for file in (*datasets.values(), world / "face-model.h5", path):
        assert {finding.level for finding in check_file(file)} == {"note"}
    assert codes(path, dataset=dataset) == ["predictions"]


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
    """No file, and a folder with nothing in it."""
    assert codes(tmp_path / "x") == ["no-such-file"]
    assert codes(tmp_path) == ["empty-folder"]


def test_other_hdf5(tmp_path):
    """Somebody else's HDF5 file is named as such."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = 1
    assert codes(tmp_path / "x.h5") == ["unknown-kind"]


@pytest.fixture
def result(tmp_path, dataset, faces):
    """The files of a score."""
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
    other = protocols.protocol("aflw2000/68/2d@all+normalizer=bbox-max")
    monkeypatch.setattr(protocols, "protocol", lambda name: other)
    assert "stale-protocol" in codes(result[0], "warning")


@pytest.mark.parametrize("name", ["nope.h5", "p.npz"])
def test_a_dataset_that_is_none_is_no_fault_of_the_file(dataset, faces, tmp_path, name):
    """What to compare with must be a dataset; the file itself is not blamed."""
    path = predict(tmp_path, dataset.sample_ids, faces)
    with pytest.raises(BenchError) as error:
        check_file(path, dataset=tmp_path / name)
    assert error.value.where == tmp_path / name
