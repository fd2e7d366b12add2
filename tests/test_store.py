"""The HDF5 store: whole files or none, and nothing that a damaged or hostile file can do."""

import random
import struct

import h5py
import numpy as np
import pytest

from prn_bench import store
from prn_bench.errors import BenchError
from prn_bench.store_guard import broken_heap

KIND = "prn-bench/test"


def write(path, **arrays):
    store.write_tree(path, KIND, 1, arrays, {"title": "a test", "none": None, "n": 3})
    return path


def foreign(path, fill, libver=None):
    """A file made with h5py itself."""
    with h5py.File(path, "w", libver=libver) as file:
        file.attrs["format"], file.attrs["format_version"] = KIND, 1
        fill(file)
    return path


def code_of(path, kind=KIND):
    with pytest.raises(BenchError) as error:
        store.read_tree(path, kind)
    assert str(path) in str(error.value)
    return error.value.code


def test_what_is_written_is_read(tmp_path):
    """Numbers, texts of any script, empty arrays and attributes; None is left out."""
    arrays = {
        "numbers": np.arange(6, dtype=np.float32).reshape(2, 3),
        "deep/flags": np.array([True, False]),
        "texts": np.array(["image00002", "顔", ""], dtype=object),
        "nothing": np.zeros((0, 4)),
        "large": np.arange(30_000),
    }
    found, attributes = store.read_tree(write(tmp_path / "a.h5", **arrays), KIND)
    assert found.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype
    assert attributes == {"format": KIND, "format_version": 1, "title": "a test", "n": 3}


def test_rows_in_any_order(tmp_path):
    """Repeated and unsorted rows; rows beyond the end are the caller's mistake."""
    write(tmp_path / "a.h5", x=np.arange(10), s=np.array(list("abcdefghij"), object))
    with store.open_file(tmp_path / "a.h5", KIND) as file:
        assert store.read_rows(file["x"], [7, 1, 7]).tolist() == [7, 1, 7]
        assert store.read_rows(file["s"], [2, 0]).tolist() == ["c", "a"]
        assert store.read_rows(file["x"], slice(2, 4)).tolist() == [2, 3]
        with pytest.raises(IndexError):
            store.read_rows(file["x"], [10])


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    file.create_virtual_dataset("x", layout)


def loop(file):
    group = file.create_group("a")
    group.create_group("b")["up"] = group


def unknown_filter(file):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((4,))
    plan.set_filter(1, h5py.h5z.FLAG_OPTIONAL)
    plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)  # zstandard, a plug-in
    space = h5py.h5s.create_simple((4,))
    h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_FLOAT, space, plan)


HOSTILE = {
    "soft link": ("foreign-link", lambda f: f.__setitem__("x", h5py.SoftLink("/y"))),
    "external link": (
        "foreign-link",
        lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")),
    ),
    "virtual storage": ("foreign-link", virtual),
    "external storage": (
        "foreign-link",
        lambda f: f.create_dataset("x", (3,), "f4", external=[("outside.bin", 0, 12)]),
    ),
    "cycle": ("foreign-link", loop),
    "root in itself": ("foreign-link", lambda f: f.__setitem__("x", f["/"])),
    "references": (
        "object-array",
        lambda f: f.create_dataset("x", data=[f.ref], dtype=h5py.ref_dtype),
    ),
    "records": ("object-array", lambda f: f.create_dataset("x", data=np.zeros(2, "f4,i4"))),
    "opaque": ("object-array", lambda f: f.create_dataset("x", data=[np.void(b"ab")])),
    "no shape": ("object-array", lambda f: f.__setitem__("x", h5py.Empty("f4"))),
    "named type": ("object-array", lambda f: f.__setitem__("x", np.dtype("f4"))),
    "object attribute": ("object-array", lambda f: f.attrs.__setitem__("x", f.ref)),
    "empty attribute": ("object-array", lambda f: f.attrs.__setitem__("x", h5py.Empty("f4"))),
    "huge shape": ("implausible-size", lambda f: f.create_dataset("x", (10**15,), "f4")),
    "huge chunk": (
        "implausible-size",
        lambda f: f.create_dataset("x", (4,), "f4", maxshape=(None,), chunks=(1 << 28,)),
    ),
    "plug-in filter": ("unknown-filter", unknown_filter),
    "other kind": ("wrong-format", lambda f: f.attrs.__setitem__("format", "other")),
    "kind as numbers": ("wrong-format", lambda f: f.attrs.__setitem__("format", [1, 2])),
    "no kind": ("wrong-format", lambda f: f.attrs.__delitem__("format")),
    "newer": ("newer-format", lambda f: f.attrs.__setitem__("format_version", 2)),
    "versions": ("newer-format", lambda f: f.attrs.__setitem__("format_version", [1, 1])),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_file_is_refused(tmp_path, monkeypatch, what):
    """By code, before anything is read; nothing is made beside it."""
    monkeypatch.chdir(tmp_path)
    code, fill = HOSTILE[what]
    path = foreign(tmp_path / "x.h5", fill)
    before = sorted(tmp_path.iterdir())
    assert code_of(path) == code
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not-hdf5"),
        (b"PK\x03\x04", "not-hdf5"),
        (store.SIGNATURE, "damaged-hdf5"),
        (store.SIGNATURE + bytes(5000), "damaged-hdf5"),
    ],
)
def test_not_hdf5(tmp_path, content, code):
    """Other files and bare signatures."""
    (tmp_path / "x.h5").write_bytes(content)
    assert code_of(tmp_path / "x.h5") == code


def test_no_such_file(tmp_path):
    """Neither a folder nor nothing is a file."""
    assert code_of(tmp_path / "x.h5") == "no-such-file"
    assert code_of(tmp_path) == "no-such-file"


def mutated(data, seed):
    """The bytes cut short, with a zeroed block, or with a few bytes changed."""
    rng = random.Random(seed)
    place = rng.randrange(len(data))
    if seed % 3 == 0:
        return data[:place]
    changed = bytearray(data)
    if seed % 3 == 1:
        size = rng.choice((1, 8, 64, 512))
        changed[place : place + size] = bytes(len(changed[place : place + size]))
    else:
        for _ in range(rng.choice((1, 4, 16))):
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("text", ["fixed", "variable"])
def test_damage_is_always_a_bench_error(tmp_path, text):
    """200 seeded mutations of a small file, in this process: read, or refused with a code.

    Both in the format that we write, whose metadata have checksums. In HDF5's oldest format, h5py's
    default, HDF5 2.0 itself crashes on some mutations, which no caller can catch.
    """
    path = tmp_path / "good.h5"
    if text == "fixed":
        write(path, x=np.arange(300.0), s=np.array(["a", "b"], object))
    else:
        foreign(path, lambda f: f.update({"x": np.arange(300.0), "s": ["a", "bc"]}), "v110")
    data, codes = path.read_bytes(), set()
    for seed in range(200):
        path.write_bytes(mutated(data, seed))
        try:
            store.read_tree(path, KIND)
        except BenchError as error:
            codes.add(error.code)
    assert "damaged-hdf5" in codes


def test_zeroed_heap_does_not_hang(tmp_path):
    """HDF5 would walk objects of size zero for ever; they are seen before it looks."""
    path = foreign(tmp_path / "x.h5", lambda f: f.__setitem__("s", ["a", "bc"]))
    assert broken_heap(path) is None
    data = bytearray(path.read_bytes())
    start = data.index(b"GCOL")
    data[start + 16 : start + 256] = bytes(240)
    path.write_bytes(data)
    assert broken_heap(path) == start
    assert code_of(path) == "damaged-hdf5"


@pytest.mark.parametrize(
    ("objects", "sound"),
    [
        (struct.pack("<HH4xQ", 0, 0, 48), True),  # free space counts its header
        (struct.pack("<HH4xQ", 1, 1, 32), True),
        (struct.pack("<HH4xQ", 1, 1, 25), True),  # padded to 32
        (struct.pack("<HH4xQ", 1, 1, 33), False),
        (struct.pack("<HH4xQ", 0, 0, 0), False),
        (struct.pack("<HH4xQ", 1, 1, 2**64 - 8), False),  # wraps round to 8
    ],
)
def test_heap_objects(tmp_path, objects, sound):
    """A heap of 64 bytes, 48 of them for objects."""
    heap = b"GCOL\x01\0\0\0" + struct.pack("<Q", 64) + objects.ljust(48, b"\0")
    (tmp_path / "x").write_bytes(b"before" + heap)
    assert broken_heap(tmp_path / "x") == (None if sound else 6)


def test_nothing_is_left_of_a_failed_write(tmp_path):
    """The older file stays, the temporary one goes."""
    path = write(tmp_path / "a.h5", x=np.arange(3))
    with pytest.raises(FileNotFoundError), store.atomic_path(path):
        pass  # nothing was written
    with pytest.raises(AttributeError):
        write(path, x=np.ones(3), y="no array")
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]
    assert store.read_tree(path, KIND)[0]["x"].tolist() == [0, 1, 2]


def test_links_do_not_lead_a_write_elsewhere(tmp_path):
    """Neither a link under the final name nor one under the temporary name is followed."""
    folder, outside = tmp_path / "in", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("mine")
    (folder / "a.h5").symlink_to(outside)
    with store.atomic_path(folder / "a.h5") as part:
        name = part.name
        part.write_bytes(b"new")
    assert outside.read_text() == "mine"
    assert not (folder / "a.h5").is_symlink()
    (folder / name).symlink_to(outside)
    with store.atomic_path(folder / "a.h5") as part:
        part.write_bytes(b"newer")
    assert outside.read_text() == "mine"


def test_where_not_to_write(tmp_path):
    """A missing folder and a folder of that name."""
    for path, code in ((tmp_path / "no" / "a.h5", "no-such-folder"), (tmp_path, "is-a-folder")):
        with pytest.raises(BenchError) as error, store.atomic_path(path):
            pass
        assert error.value.code == code
