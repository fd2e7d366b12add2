"""Hostile and damaged files: nothing is unpickled or followed, no memory is taken on their word."""

import io
import os
import struct
import zipfile

import h5py
import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.predictions import open_predictions
from prn_bench.predictions.structure import FORMAT

GOOD = {
    "frame": np.array("image"),
    "sample_id": np.array(["a", "b", "c"]),
    "landmarks": np.random.default_rng(0).uniform(0, 450, (3, 68, 3)),
}


def save(path, **changes):
    np.savez(path, **{**GOOD, **changes})
    return path


def code_of(path):
    with pytest.raises(BenchError) as error:
        open_predictions(path)
    return error.value.code


class Payload:
    """Unpickling it would make a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["landmarks", "sample_id", "method", "extra"])
def test_nothing_is_unpickled(tmp_path, name):
    """An object array is refused wherever it stands, and its payload does not run."""
    hostile = np.array([Payload(tmp_path / "owned")] * 3, dtype=object)
    path = save(tmp_path / "p.npz", **{name: hostile})
    assert code_of(path) == "object-array"
    assert not (tmp_path / "owned").exists()


def npy(shape, dtype="<f4", data=b""):
    """An .npy whose header says what it likes."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    "member",
    [
        npy((10**12, 68, 3)),
        npy((2**62, 2**62)),
        npy((3, 68, 3), data=bytes(100)),
        npy((3, 68, 3), data=bytes(3 * 68 * 3 * 4 + 1)),
        npy((-3, 68, 3)),
        npy((10**12,), "<U10"),
    ],
)
def test_declared_size_is_compared_with_the_file(tmp_path, member):
    """Before any memory is taken."""
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        archive.writestr("landmarks.npy", member)
    assert code_of(tmp_path / "p.npz") == "implausible-size"


def test_decompression_bomb(tmp_path):
    """A file that unpacks to a thousand times its size, beyond what a machine does not notice."""
    zeros = bytes(1 << 24)
    with zipfile.ZipFile(tmp_path / "p.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(20):
            archive.writestr(f"x{i}.npy", npy((1 << 22,), data=zeros))
    assert code_of(tmp_path / "p.npz") == "implausible-size"


@pytest.mark.parametrize(
    "member",
    [b"", b"\x93NUMPY", b"not an array", npy((3,), "nonsense"), npy("(3,", "<f4"), npy("x")],
)
def test_damaged_members(tmp_path, member):
    """Headers that make NumPy raise six kinds of errors."""
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        archive.writestr("landmarks.npy", member)
    assert code_of(tmp_path / "p.npz") == "damaged-npz"


def test_truncated_npz(tmp_path):
    """Wherever it is cut."""
    content = io.BytesIO()
    np.savez_compressed(content, **GOOD)
    data, path = content.getvalue(), tmp_path / "p.npz"
    for end in range(0, len(data), max(1, len(data) // 40)):
        path.write_bytes(data[:end])
        assert code_of(path) in ("damaged-npz", "not-predictions")


def hdf5(path):
    """A file of ours to be spoiled."""
    file = h5py.File(path, "w")
    file.attrs.update({"format": FORMAT, "frame": "image", "topology": "unordered"})
    file["sample_id"] = np.array([b"a", b"b"])
    return file


def huge(file, name):
    file.create_dataset(name, (10**11, 3), "f4", chunks=(1024, 3), compression=1)


def external(file, name):
    place = os.path.join(os.path.dirname(file.filename), "elsewhere.bin")
    with open(place, "wb") as stream:
        stream.write(bytes(84))
    file.create_dataset(name, (7, 3), "f4", external=[(place, 0, 84)])


def virtual(file, name):
    layout = h5py.VirtualLayout((7, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (7, 3))
    file.create_virtual_dataset(name, layout)


def objects(file, name):
    file.create_dataset(name, (7,), h5py.ref_dtype)


def link(file, name):
    file[name] = h5py.ExternalLink("other.h5", "/x")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (huge, "implausible-size"),
        (external, "foreign-link"),
        (virtual, "foreign-link"),
        (objects, "object-array"),
        (link, "foreign-link"),
    ],
)
@pytest.mark.parametrize("name", ["vertices", "triangles", "vertex_start", "extra"])
def test_hostile_arrays_in_hdf5(tmp_path, spoil, code, name):
    """Refused before anything of them is read, wherever they stand."""
    path = tmp_path / "p.h5"
    with hdf5(path) as file:
        spoil(file, name)
    assert code_of(path) == code


def test_huge_parts_of_a_small_array(tmp_path):
    """Starts that claim a million million vertices are only numbers."""
    path = tmp_path / "p.h5"
    with hdf5(path) as file:
        file["vertices"] = np.zeros((7, 3))
        file["vertex_start"] = np.array([0, 10**12, 7])
    assert code_of(path) == "bad-starts"
