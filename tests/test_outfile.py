"""Where files may be made: whole, never over an input, never over another kind."""

import errno

import numpy as np
import pytest

from prn_bench import store
from prn_bench.errors import BenchError
from prn_bench.outfile import atomic_path, refuse_overwriting_input, require_place

KIND = "prn-bench/test"


def write(path, **arrays):
    store.write_tree(path, KIND, 1, arrays, {})
    return path


def test_only_its_own_kind_is_replaced(tmp_path):
    """Another format, somebody's HDF5 file, a zip: none of them gives way."""
    path = write(tmp_path / "a.h5", x=np.arange(3))
    write(path, x=np.arange(4))
    with pytest.raises(BenchError) as error:
        store.write_tree(path, "prn-bench/other", 1, {}, {})
    assert error.value.code == "not-replaced"
    for content in (b"PK\x03\x04 somebody's download", store.SIGNATURE + bytes(9)):
        path.write_bytes(content)
        with pytest.raises(BenchError) as error:
            write(path, x=np.arange(5))
        assert error.value.code == "not-replaced"
        assert path.read_bytes() == content


def test_inputs_are_not_outputs(tmp_path):
    """The same file by any name, and a raw file inside an input folder; new and own files may be."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.mat").write_text("theirs")
    (tmp_path / "link.h5").symlink_to(raw / "a.mat")
    ours = write(raw / "ours.h5", x=np.arange(3))
    for out, inputs in (
        (raw / "a.mat", [None, raw / "a.mat"]),
        (raw / ".." / "raw" / "a.mat", [raw / "a.mat"]),
        (tmp_path / "link.h5", [raw / "a.mat"]),
        (raw / "a.mat", [raw]),
        (raw / "a.mat", [tmp_path]),
        (ours, [ours]),
    ):
        with pytest.raises(BenchError) as error:
            refuse_overwriting_input(out, *inputs)
        assert error.value.code == "overwrites-input"
    refuse_overwriting_input(raw / "new.h5", raw, raw / "a.mat", tmp_path / "no", None)
    refuse_overwriting_input(ours, raw, "synthetic")


def fail_half_way(path, number):
    with atomic_path(path) as part:
        part.write_text("half")
        raise OSError(number, "no", str(part))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_or_closed_disk_is_named_by_the_file(tmp_path, number):
    """Never by the temporary name, and with something to do; other system errors pass."""
    with pytest.raises(BenchError) as error:
        fail_half_way(tmp_path / "a.h5", number)
    assert (error.value.code, error.value.where) == ("cannot-write", tmp_path / "a.h5")
    assert error.value.remedy
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InterruptedError):
        fail_half_way(tmp_path / "a.h5", errno.EINTR)


@pytest.mark.parametrize(
    ("name", "suffixes", "code"),
    [
        ("a.txt", [".h5", ".npz"], "unknown-suffix"),
        ("a", [".h5"], "unknown-suffix"),
        ("no/a.h5", [".h5"], "no-such-folder"),
        ("folder.h5", [".h5"], "is-a-folder"),
        ("a.h5", [".h5"], "not-replaced"),
    ],
)
def test_where_a_file_cannot_be_made(tmp_path, name, suffixes, code):
    """Said before any work, each with what to do."""
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "a.h5").write_text("a note of mine")
    with pytest.raises(BenchError) as error:
        require_place(tmp_path / name, KIND, *suffixes)
    assert error.value.code == code
    assert error.value.remedy
    require_place(tmp_path / "a.h5")  # of no kind: html, json and pictures
