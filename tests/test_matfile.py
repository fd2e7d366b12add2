import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.formats.matfile import list_mat, read_mat, read_struct

REAL = os.environ.get("PRN_BENCH_REAL_DATA")


def mat_bytes(variables: dict[str, Any], **options: Any) -> bytes:
    """What scipy writes for these variables."""
    from scipy.io import savemat

    stream = io.BytesIO()
    savemat(stream, variables, **options)
    return stream.getvalue()


def sample() -> dict[str, Any]:
    """Variables such as a raw sample has, in the dtypes that occur."""
    draw = np.random.default_rng(0)
    return {
        "Pose_Para": draw.normal(size=(1, 7)).astype(np.float32),
        "Shape_Para": draw.normal(size=(199, 1)) * 1e5,
        "Tex_Para": np.arange(199, dtype=np.uint8)[:, None],
        "roi": np.array([[1, -2, 450, 451]], np.int16),
        "pt2d": draw.normal(size=(2, 68)),
        "empty": np.zeros((0, 3)),
        "cube": draw.integers(-9, 9, (2, 3, 4)),
        "flag": np.array([[True, False]]),
    }


@pytest.mark.parametrize("do_compression", [False, True])
def test_reads_what_scipy_wrote(do_compression: bool) -> None:
    """Every dtype and shape comes back bit for bit, in a writable array of native byte order."""
    expected = sample()
    found = read_mat(mat_bytes(expected, do_compression=do_compression), "a.mat")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.array_equal(found[name], value), name
        assert found[name].dtype.isnative
        assert found[name].flags.writeable
    assert found["Pose_Para"].dtype == np.float32
    assert found["roi"].dtype == np.int16


def big_endian_file() -> bytes:
    """A v5 file as a big-endian machine writes it: [1 2; 3 4] as int16, column-major."""
    flags = struct.pack(">IIII", 6, 8, 10, 0)
    dims = struct.pack(">IIii", 5, 8, 2, 2)
    name = struct.pack(">HH4s", 1, 1, b"a")
    data = struct.pack(">II4h", 3, 8, 1, 3, 2, 4)
    body = flags + dims + name + data
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\1\0MI"
    return header + struct.pack(">II", 14, len(body)) + body


def test_reads_big_endian_files() -> None:
    """A file written by hand in big-endian order, small-element name included."""
    assert read_mat(big_endian_file(), "a.mat")["a"].tolist() == [[1, 2], [3, 4]]


def test_texts_cells_and_sparse_are_passed_over() -> None:
    """Only numbers are read; the names of the rest are still listed."""
    from scipy.sparse import csc_array

    cell = np.empty((1, 2), object)
    cell[0, 0], cell[0, 1] = np.zeros(2), "text"
    data = mat_bytes({"t": "text", "c": cell, "s": csc_array(np.eye(3)), "z": 1j, "n": 2.0})
    assert list(read_mat(data, "a.mat")) == ["n"]
    assert set(list_mat(data, "a.mat")) == {"t", "c", "s", "z", "n"}


@pytest.mark.parametrize("do_compression", [False, True])
def test_read_struct_flattens(do_compression: bool) -> None:
    """The fields of a struct come as a flat dictionary; a struct within is passed over."""
    tri = np.arange(6, dtype=np.uint16).reshape(3, 2)
    model: dict[str, Any] = {"tri": tri, "inner": {"a": 1.0}, "t": "x"}
    data = mat_bytes({"model": model, "other": 1}, do_compression=do_compression)
    assert list(read_struct(data, "BFM.mat", "model")) == ["tri"]
    assert np.array_equal(read_struct(data, "BFM.mat", "model", ["tri"])["tri"], model["tri"])
    with pytest.raises(BenchError, match="lacks the array shapeMU") as error:
        read_struct(data, "BFM.mat", "model", ["tri", "shapeMU"])
    assert error.value.code == "missing-field"
    with pytest.raises(BenchError, match=r"lacks the struct model_info.*found model, other"):
        read_struct(data, "BFM.mat", "model_info")


def test_only_wanted_fields_are_unpacked() -> None:
    """A wanted field is read although a later large one is damaged inside (its head is whole)."""
    noise = np.random.default_rng(0).integers(0, 255, 200_000, dtype=np.uint8)
    data = bytearray(mat_bytes({"a": np.ones(3), "z": noise}, do_compression=True))
    data[-5000] ^= 0xFF
    assert read_mat(bytes(data), "a.mat", ["a"])["a"].tolist() == [[1, 1, 1]]
    with pytest.raises(BenchError) as error:
        read_mat(bytes(data), "a.mat", ["z"])
    assert error.value.code == "damaged-mat-file"


def test_missing_field_names_what_is_there() -> None:
    """The message names the file, what is missing and what was found."""
    with pytest.raises(BenchError) as error:
        read_mat(mat_bytes({"a": 1, "b": 2}), "x/image.mat", ["a", "pt3d_68"])
    assert error.value.code == "missing-field"
    assert str(error.value).startswith("x/image.mat: the MATLAB file lacks the array pt3d_68")
    assert "found a, b" in str(error.value)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "git-lfs-pointer"),
        (b"<!DOCTYPE html><title>Google Drive - Virus scan warning</title>", "html-page"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + b"\0" * 384, "matlab-v73"),
        (b"", "empty-file"),
        (b"\0" * 4000, "zero-filled"),
        (mat_bytes({"a": 1})[:128] + b"\0" * 4000, "zero-filled"),
        (mat_bytes({"a": 1})[:100], "truncated"),
        (mat_bytes({"a": np.ones(50)})[:-8], "truncated"),
        (mat_bytes({"a": np.ones(50)}, do_compression=True)[:-3], "truncated"),
        (b"\x80\x04}.", "not-a-mat-file"),
        (b"\x89HDF\r\n\x1a\n" + b"x" * 600, "not-a-mat-file"),
        (b"MATLAB 5.0 MAT-file".ljust(128), "damaged-mat-file"),
    ],
)
def test_each_bad_file_has_its_code(tmp_path: Path, content: bytes, code: str) -> None:
    """Bytes and paths give the same error, which names the file and what to do."""
    (tmp_path / "a.mat").write_bytes(content)
    for source in (content, tmp_path / "a.mat"):
        with pytest.raises(BenchError) as error:
            read_mat(source, "data/a.mat")
        assert error.value.code == code
        assert str(error.value).startswith("data/a.mat: ")
        assert error.value.remedy


def test_unreadable_path_is_a_bench_error(tmp_path: Path) -> None:
    """A missing file is said in words."""
    with pytest.raises(BenchError) as error:
        read_mat(tmp_path / "none.mat", "none.mat")
    assert error.value.code == "unreadable"


def compressed_element(claim: int, content: bytes) -> bytes:
    """A file with one compressed element that claims a size."""
    packed = zlib.compress(struct.pack("<II", 14, claim) + content)
    return mat_bytes({})[:128] + struct.pack("<II", 15, len(packed)) + packed


def test_compression_bombs_are_refused() -> None:
    """More or less data than claimed, or claims beyond any compression, are damage."""
    for data in (
        compressed_element(100, b"\0" * 50_000_000),
        compressed_element(1 << 31, b""),
        compressed_element(1000, b"\0" * 10),
    ):
        with pytest.raises(BenchError) as error:
            read_mat(data, "a.mat")
        assert error.value.code == "damaged-mat-file"


def test_many_large_elements_are_refused() -> None:
    """The parts of one sample may not add up to more than 256 MiB."""
    one = mat_bytes({"a": np.zeros(1 << 23)}, do_compression=True)
    with pytest.raises(BenchError) as error:
        read_mat(one + one[128:] * 4, "a.mat")
    assert error.value.code == "too-large"


def test_a_claimed_shape_allocates_nothing() -> None:
    """A header with a huge shape over few bytes is damage, not a MemoryError."""
    data = bytearray(mat_bytes({"a": np.ones((3, 4))}))
    at = data.index(struct.pack("<ii", 3, 4))
    for shape in ((1 << 30, 1 << 30), (-3, -4), (3, 5)):
        data[at : at + 8] = struct.pack("<ii", *shape)
        with pytest.raises(BenchError) as error:
            read_mat(bytes(data), "a.mat")
        assert error.value.code == "damaged-mat-file"


@pytest.mark.parametrize("do_compression", [False, True])
def test_damage_anywhere_ends_in_a_bench_error(do_compression: bool) -> None:
    """600 seeded bit flips, cuts and overwritten runs: a reading or a BenchError, nothing else."""
    whole = mat_bytes({**sample(), "model": sample()}, do_compression=do_compression)
    draw = np.random.default_rng(7)
    for trial in range(300):
        data = bytearray(whole)
        place = int(draw.integers(len(data)))
        if trial % 3 == 0:
            del data[place:]
        elif trial % 3 == 1:
            data[place] ^= 1 << int(draw.integers(8))
        else:
            data[place : place + 8] = draw.bytes(8)
        for read in (read_mat, list_mat, lambda d, w: read_struct(d, w, "model")):
            try:
                read(bytes(data), "a.mat")
            except BenchError:
                continue


def test_noise_after_a_header_ends_in_a_bench_error() -> None:
    """Random bytes behind a good header never pass as data."""
    draw = np.random.default_rng(3)
    for _ in range(200):
        with pytest.raises(BenchError):
            read_mat(mat_bytes({})[:128] + draw.bytes(int(draw.integers(1, 400))), "a.mat")


def test_flips_in_compressed_data_are_always_noticed() -> None:
    """The checksum is held: a flipped bit in packed data never becomes another number."""
    whole = mat_bytes({"a": np.random.default_rng(0).normal(size=(40, 40))}, do_compression=True)
    for place in range(140, len(whole), 97):
        data = bytearray(whole)
        data[place] ^= 1
        with pytest.raises(BenchError):
            read_mat(bytes(data), "a.mat")


@pytest.mark.skipif(REAL is None, reason="PRN_BENCH_REAL_DATA is not set")
def test_real_files_agree_with_scipy() -> None:
    """Every real .mat on disk reads as scipy.io.loadmat reads it, dtypes included."""
    from scipy.io import loadmat

    paths = sorted(Path(str(REAL)).rglob("*.mat"))
    assert len(paths) >= 90
    for path in paths:
        oracle = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
        found = read_mat(path, str(path))
        if path.name == "BFM_info.mat":
            info = oracle["model_info"][0, 0]
            found = read_struct(path, str(path), "model_info")
            oracle = {k: info[k] for k in info.dtype.names if info[k].dtype.kind != "O"}
        oracle = {k: v for k, v in oracle.items() if v.dtype.kind not in "OUV"}
        assert found.keys() == oracle.keys(), path
        for name in found:
            assert found[name].dtype == oracle[name].dtype, path
            assert np.array_equal(found[name], oracle[name]), path
