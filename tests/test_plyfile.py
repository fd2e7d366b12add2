"""Polygon files: what methods write, in three encodings, and what nobody should believe."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prn_bench.errors import BenchError
from prn_bench.formats.plyfile import read_ply

CORNERS = np.array([[0.0, 0, 0], [1, 0, 0.5], [0, 1, -2], [1, 1, 4]])
FACES = np.array([[0, 1, 2], [3, 2, 1]])
FORMATS = ("ascii", "binary_little_endian", "binary_big_endian")


def header(fmt="ascii", n_vertices=4, n_faces=2, indent="", scalar="float"):
    lines = [f"format {fmt} 1.0", "comment made by hand", f"element vertex {n_vertices}"]
    lines += [f"property {scalar} {axis}" for axis in "xyz"]
    if n_faces is not None:
        lines += [f"element face {n_faces}", "property list uchar int vertex_indices"]
    return "ply\n" + "".join(f"{indent}{line}\n" for line in [*lines, "end_header"])


def write(fmt="ascii", vertices=CORNERS, faces=FACES, **options):
    text = header(fmt, len(vertices), len(faces), **options)
    if fmt == "ascii":
        rows = [" ".join(f"{x!r}" for x in row) for row in vertices.tolist()]
        rows += [" ".join(map(str, [len(face), *face])) for face in faces]
        return (text + "\n".join(rows) + "\n").encode()
    order = "<" if "little" in fmt else ">"
    body = vertices.astype(f"{order}f4").tobytes()
    for face in faces:
        body += struct.pack(f"{order}B{len(face)}i", len(face), *face)
    return text.encode() + body


def code_of(data):
    with pytest.raises(BenchError) as error:
        read_ply(data, "m.ply")
    assert "m.ply" in str(error.value)
    return error.value.code


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_three_encodings(fmt):
    """The same mesh from each."""
    mesh = read_ply(write(fmt), "m.ply")
    np.testing.assert_array_equal(mesh.vertices, CORNERS)
    np.testing.assert_array_equal(mesh.triangles, FACES)
    assert (mesh.vertices.dtype, mesh.triangles.dtype) == (np.float64, np.int32)


@pytest.mark.parametrize("indent", ["", "    "])
@pytest.mark.parametrize("blank", ["", "\n"])
def test_headers_as_3ddfa_writes_them(indent, blank):
    """Version 1 indents its header, version 2 puts an empty line after it."""
    data = write(indent=indent).decode().replace("end_header\n", f"end_header\n{blank}")
    np.testing.assert_array_equal(read_ply(data.encode(), "m").vertices, CORNERS)


@pytest.mark.parametrize("fmt", FORMATS)
def test_other_properties_are_passed_over(fmt):
    """Colours, and elements before and after."""
    order = "<" if "little" in fmt else ">"
    text = f"ply\r\nformat {fmt} 1.0\r\nelement camera 1\r\nproperty list uchar short view\r\n"
    text += "element vertex 2\r\nproperty uchar red\r\nproperty double x\r\nproperty double y\r\n"
    text += "property double z\r\nelement face 1\r\nproperty int flag\r\n"
    text += "property list uint8 uint32 vertex_index\r\nproperty uchar alpha\r\nend_header\r\n"
    if fmt == "ascii":
        body = b"2 7 8\r\n255 1 2 3\r\n254 4 5 6\r\n9 3 0 1 1 200\r\n"
    else:
        body = struct.pack(f"{order}B2h", 2, 7, 8) + struct.pack(f"{order}B3d", 255, 1, 2, 3)
        body += struct.pack(f"{order}B3d", 254, 4, 5, 6)
        body += struct.pack(f"{order}iB3IB", 9, 3, 0, 1, 1, 200)
    mesh = read_ply(text.encode() + body, "m")
    assert mesh.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert mesh.triangles.tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("fmt", FORMATS)
def test_polygons_become_fans(fmt):
    """A square gives two triangles."""
    mesh = read_ply(write(fmt, faces=[[0, 1, 3, 2]]), "m")
    assert mesh.triangles.tolist() == [[0, 1, 3], [0, 3, 2]]


def test_points_without_faces():
    """No triangles, whether the element is there or not."""
    bare = header(n_faces=None) + "0 0 0\n" * 4
    for data in (write(faces=[]), bare.encode()):
        assert read_ply(data, "m").triangles.shape == (0, 3)


@given(arrays(np.float32, (5, 3), elements=st.floats(-1e6, 1e6, width=32)))
def test_binary_numbers_survive(vertices):
    """Bit for bit, in either byte order."""
    for fmt in FORMATS[1:]:
        np.testing.assert_array_equal(read_ply(write(fmt, vertices), "m").vertices, vertices)


def replaced(old, new, fmt="ascii"):
    return write(fmt).replace(old, new, 1)


BAD = {
    "empty": ("empty-file", b""),
    "pointer": ("git-lfs-pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "page": ("html-page", b"<!DOCTYPE html><html></html>"),
    "an obj": ("not-a-ply", b"v 1 2 3\n"),
    "plyx": ("not-a-ply", b"plywood\n"),
    "header only": ("implausible-size", header().encode()),
    "no end of the header": ("damaged-ply", b"ply\nformat ascii 1.0\n"),
    "endless header": ("damaged-ply", b"ply\n" + b"comment x\n" * 10_000),
    "no format": ("damaged-ply", b"ply\nelement vertex 1\nend_header\n"),
    "other format": ("damaged-ply", replaced(b"ascii", b"gzip")),
    "unknown type": ("damaged-ply", replaced(b"float", b"quaternion")),
    "float as a count": ("damaged-ply", replaced(b"uchar", b"float")),
    "negative count": ("damaged-ply", replaced(b"vertex 4", b"vertex -4")),
    "property of nothing": ("damaged-ply", replaced(b"element vertex 4\n", b"")),
    "too many vertices": ("implausible-size", replaced(b"vertex 4", b"vertex 5")),
    "10^12 vertices": ("implausible-size", replaced(b"vertex 4", b"vertex 1000000000000")),
    "10^40 vertices": ("implausible-size", replaced(b"vertex 4", b"vertex 1" + b"0" * 40)),
    "10^12 faces": ("implausible-size", replaced(b"face 2", b"face 1000000000000")),
    "10^12 empty rows": (
        "implausible-size",
        replaced(b"element vertex", b"element nothing 1000000000000\nelement vertex"),
    ),
    "10^12 vertices, binary": (
        "implausible-size",
        replaced(b"vertex 4", b"vertex 1000000000000", "binary_little_endian"),
    ),
    "cut short": ("implausible-size", write()[:-4]),
    "cut short, binary": ("implausible-size", write("binary_big_endian")[:-4]),
    "text among numbers": ("damaged-ply", replaced(b"0.5", b"half")),
    "no z": ("damaged-ply", replaced(b" z\n", b" depth\n")),
    "no vertices": ("damaged-ply", header(n_vertices=0, n_faces=0).encode()),
    "not a number": ("not-finite", replaced(b"0.5", b"nan")),
    "infinite": ("not-finite", replaced(b"0.5", b"1e999")),
    "index too large": ("ply-index-out-of-range", replaced(b"3 3 2 1", b"3 4 2 1")),
    "billionth vertex": ("ply-index-out-of-range", replaced(b"3 3 2 1", b"3 1000000000 2 1")),
    "index of 20 digits": (
        "ply-index-out-of-range",
        replaced(b"3 3 2 1", b"3 " + b"9" * 20 + b" 2 1"),
    ),
    "negative index": ("ply-index-out-of-range", replaced(b"3 3 2 1", b"3 -1 2 1")),
    "half an index": ("ply-index-out-of-range", replaced(b"3 3 2 1", b"3 0.5 2 1")),
    "list of a thousand": ("damaged-ply", replaced(b"3 0 1 2", b"1000 0 1 2")),
    "list of nan": ("damaged-ply", replaced(b"3 0 1 2", b"nan 0 1 2")),
    "list of inf": ("damaged-ply", replaced(b"3 0 1 2", b"inf 0 1 2")),
    "lines as faces": ("damaged-ply", write(faces=[[0, 1], [1, 2]])),
    "mixed polygons": ("ply-unsupported", write(faces=[[0, 1, 2], [0, 1, 3, 2]])),
    "mixed polygons, binary": (
        "ply-unsupported",
        write("binary_little_endian", faces=[[0, 1, 2], [0, 1, 3, 2], [2, 1, 0]]),
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_files(what):
    """Each by its own code; no memory is taken on a header's word."""
    code, data = BAD[what]
    assert code_of(data) == code


@pytest.mark.parametrize("fmt", FORMATS)
def test_cut_anywhere(fmt):
    """Never a traceback."""
    data = write(fmt)
    for end in range(len(data) - 2):
        code_of(data[:end])


@pytest.mark.parametrize("fmt", FORMATS)
@given(place=st.integers(0, 300), byte=st.integers(0, 255))
def test_seeded_damage(fmt, place, byte):
    """A byte changed: either it is still a mesh, or one message."""
    data = bytearray(write(fmt))
    data[place % len(data)] = byte
    try:
        mesh = read_ply(bytes(data), "m")
    except BenchError:
        return
    assert mesh.triangles.max(initial=-1) < len(mesh.vertices)


def test_a_path_as_well(tmp_path):
    """Read within a limit."""
    (tmp_path / "m.ply").write_bytes(write())
    assert len(read_ply(tmp_path / "m.ply", "m").vertices) == 4
