import gzip
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.formats import npyfile, sniff

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:37b1f074\nsize 240875364\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (LFS, "a Git LFS pointer"),
        (b"<!DOCTYPE html><html><body>Too large to scan</body>", "an HTML page"),
        (b"\n  <HTML lang='en'>", "an HTML page"),
        (b"\xef\xbb\xbf<!-- x --><html>", "an HTML page"),
        (b"\0" * 5000, "zeros"),
        (b"MATLAB 5.0 MAT-file", "a MATLAB v5 to v7 file"),
        (b"MATLAB 7.3 MAT-file", "a MATLAB v7.3 (HDF5) file"),
        (b"\x89HDF\r\n\x1a\n....", "an HDF5 file"),
        (b"PK\x03\x04....", "a zip (or npz) archive"),
        (gzip.compress(b"x", mtime=0), "a gzip file"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (pickle.dumps({}), "a Python pickle, which is never read"),
        (b'{"error": "quota exceeded"}', "JSON text"),
        (b"<?xml version='1.0'?><Error>", "XML text"),
        (b"face3d\n1 2 3\n", "text that starts 'face3d'"),
        (b"\x01\x02\x03\x00", "unknown binary data (it starts with 01 02 03 00)"),
        (
            b"abc\xff\xfe" + b"x" * 50,
            "unknown binary data (it starts with 61 62 63 ff fe 78 78 78)",
        ),
    ],
)
def test_describe_says_what_bytes_are(content: bytes, words: str) -> None:
    """The usual wrong downloads and formats each have words of their own."""
    assert sniff.describe(content) == words


def test_describe_reads_paths(tmp_path: Path) -> None:
    """A path, a folder and a missing file are described as well, without an exception."""
    (tmp_path / "a.mat").write_bytes(LFS)
    assert sniff.describe(tmp_path / "a.mat") == "a Git LFS pointer"
    assert sniff.describe(tmp_path) == "a folder"
    assert sniff.describe(tmp_path / "none").startswith("nothing readable (")


def test_text_cut_inside_a_character_is_text() -> None:
    """The head of a long text may end in the middle of a UTF-8 character."""
    text = ("é" * sniff.HEAD_BYTES).encode()
    assert sniff.describe(b"a" + text).startswith("text that starts")


def test_npz_is_no_pickle() -> None:
    """A zip written by NumPy is called an archive."""
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    assert sniff.describe(stream.getvalue()) == "a zip (or npz) archive"


def test_wrong_kind_names_the_usual_faults_and_the_rest() -> None:
    """Usual faults keep their own code; anything else gets the caller's, with what was found."""
    usual = sniff.wrong_kind(LFS, "a.jpg", code="not-an-image", expected="a JPEG image")
    other = sniff.wrong_kind(b"%PDF-1.7", "a.jpg", code="not-an-image", expected="a JPEG image")
    assert usual.code == "git-lfs-pointer"
    assert "git lfs pull" in str(usual)
    assert other.code == "not-an-image"
    assert "a.jpg" in str(other)
    assert "found a PDF document" in str(other)


def npy_bytes(value: np.ndarray) -> bytes:
    """What NumPy writes."""
    stream = io.BytesIO()
    np.save(stream, value)
    return stream.getvalue()


def code_of(call: Callable[[], object]) -> str:
    """Code of the BenchError that a call raises."""
    with pytest.raises(BenchError) as error:
        call()
    return error.value.code


def test_plain_arrays_are_read(tmp_path: Path) -> None:
    """The loaders give back what was written."""
    np.save(tmp_path / "a.npy", np.arange(5))
    np.savez(tmp_path / "a.npz", a=np.arange(3), b=np.ones(2))
    np.savetxt(tmp_path / "a.txt", np.eye(2))
    assert npyfile.read_npy(tmp_path / "a.npy", "a").tolist() == [0, 1, 2, 3, 4]
    assert npyfile.read_npy((tmp_path / "a.npy").read_bytes(), "a").size == 5
    assert npyfile.read_npz(tmp_path / "a.npz", ["b"])["b"].tolist() == [1, 1]
    assert sniff.read_table(tmp_path / "a.txt").tolist() == [[1, 0], [0, 1]]
    assert code_of(lambda: npyfile.read_npz(tmp_path / "a.npz", ["c"])) == "missing-field"
    assert code_of(lambda: npyfile.read_npy(tmp_path / "a.npz", "a")) == "not-an-npy"
    assert code_of(lambda: npyfile.read_npz(tmp_path / "a.npy", ["a"])) == "not-an-npz"
    assert code_of(lambda: sniff.read_table(tmp_path / "a.npy")) == "not-a-table"
    assert code_of(lambda: npyfile.read_npy(tmp_path / "none.npy", "a")) == "unreadable"


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    """An object array is refused, in .npy and .npz."""
    value = np.array([{}], object)
    np.save(tmp_path / "a.npy", value, allow_pickle=True)
    np.savez(tmp_path / "a.npz", a=value)
    assert code_of(lambda: npyfile.read_npy(tmp_path / "a.npy", "a")) == "object-array"
    assert code_of(lambda: npyfile.read_npz(tmp_path / "a.npz", ["a"])) == "object-array"


def test_damaged_arrays_end_in_a_bench_error(tmp_path: Path) -> None:
    """900 seeded flips and cuts of .npy and .npz: a reading or a BenchError, nothing else."""
    draw = np.random.default_rng(5)
    stream = io.BytesIO()
    np.savez_compressed(stream, a=np.arange(40.0))
    for trial in range(900):
        is_npz = trial % 2 == 0
        data = bytearray(stream.getvalue() if is_npz else npy_bytes(np.arange(40.0)))
        place = int(draw.integers(len(data) if is_npz else 128))
        if trial % 3:
            data[place] = int(draw.integers(256))
        else:
            del data[place:]
        path = tmp_path / ("a.npz" if is_npz else "a.npy")
        path.write_bytes(data)
        try:
            npyfile.read_npz(path, ["a"]) if is_npz else npyfile.read_npy(path, "a")
        except BenchError:
            continue
