"""Wavefront .obj files written by hand, good and bad."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.errors import BenchError
from prn_bench.formats.objfile import read_obj, read_obj_vertices, texture_name

SQUARE = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def refusal(data: bytes) -> BenchError:
    """The BenchError that reading this raises."""
    with pytest.raises(BenchError) as error:
        read_obj(data, "toy.obj")
    return error.value


def test_a_polygon_becomes_a_fan() -> None:
    """A pentagon gives three triangles around its first corner; vertices come as they stand."""
    data = b"# a comment\no name\n" + SQUARE + b"v -1 .5 -2e-1\ns off\nf 1 2 3 4 5\nf 1 2 3\n"
    mesh = read_obj(data, "toy.obj")
    assert mesh.vertices[4].tolist() == [-1, 0.5, -0.2]
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 1, 2]]
    assert mesh.triangles.dtype == np.int32
    assert mesh.uv is mesh.uv_triangles is mesh.colors is mesh.materials is None
    assert np.array_equal(read_obj_vertices(data, "toy.obj"), mesh.vertices)


def test_all_corner_forms_may_be_mixed() -> None:
    """v, v/vt, v//vn and v/vt/vn in one file, even in one polygon; a missing vt is -1."""
    faces = b"f 1/3 2/2/9 3//7 4\nf 1 2 3\nf 1//1 2//1 3//1\nf 1/1/1 2/2/2 3/3/3\n"
    mesh = read_obj(SQUARE + b"vt 0 0\nvt 1 0\nvt 1 1\n" + faces, "toy.obj")
    assert mesh.uv.tolist() == [[0, 0], [1, 0], [1, 1]]
    none = [-1, -1, -1]
    assert mesh.uv_triangles.tolist() == [[2, 1, -1], [2, -1, -1], none, none, [0, 1, 2]]


def test_negative_indices_count_back_from_their_line() -> None:
    """-1 is the newest vertex at that place of the file, not the last of the file."""
    data = SQUARE + b"vt 0 0\nvt 1 0\nvt 1 1\nf -4/-3 -3/-2 -2/-1\nv 9 9 9\nf -1 -2 -3\n"
    mesh = read_obj(data, "toy.obj")
    assert mesh.triangles.tolist() == [[0, 1, 2], [4, 3, 2]]
    assert mesh.uv_triangles[0].tolist() == [0, 1, 2]


def test_colours_and_line_ends() -> None:
    """v x y z r g b gives colours; Windows and old Macintosh line ends, indents and tabs pass."""
    plain = b"v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 1 1 0 0 0 .5\nf 1 2 3\n"
    for data in (
        plain,
        plain.replace(b"\n", b"\r\n"),
        plain.replace(b"\n", b"\r"),
        plain.replace(b"v ", b"  v\t"),
        plain[:-1],
        plain.replace(b"\n", b" # note\n"),
    ):
        mesh = read_obj(data, "toy.obj")
        assert mesh.colors.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0.5]]
        assert mesh.triangles.tolist() == [[0, 1, 2]]


def test_a_fourth_coordinate_on_some_lines() -> None:
    """Where lines differ in length, x, y and z are read and nothing is taken for a colour."""
    mesh = read_obj(b"v 0 0 0 1\nv 1 0 0 .5 .5 .5\nv 2 3 4\nf 1 2 3\n", "toy.obj")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [2, 3, 4]]
    assert mesh.colors is None


def test_materials_follow_their_line() -> None:
    """A name counts from its line on, may come again, and may hold spaces."""
    faces = b"f 1 2 3\nusemtl skin\nf 1 2 3 4\nusemtl my eye\nf 2 3 4\nusemtl skin\nf 1 2 4\n"
    mesh = read_obj(b"mtllib a b.mtl\n" + SQUARE + faces, "toy.obj")
    assert mesh.material_names == ("skin", "my eye")
    assert mesh.materials.tolist() == [-1, 0, 0, 1, 0]
    assert mesh.material_libraries == ("a b.mtl",)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"f 1 2 5", "obj-index-out-of-range"),
        (b"f 1 2 0", "obj-index-out-of-range"),
        (b"f 1 2 -5", "obj-index-out-of-range"),
        (b"f 1 2 9223372036854775807", "obj-index-out-of-range"),
        (b"f 1 2 -9223372036854775808", "obj-index-out-of-range"),
        (b"f 1 2 99999999999999999999999", "damaged-obj"),
        (b"f 1/1 2/2 3/4", "obj-index-out-of-range"),
        (b"f 1 2", "damaged-obj"),
        (b"f ", "damaged-obj"),
        (b"f 1 2 x", "damaged-obj"),
        (b"f 1/ 2/ 3/", "damaged-obj"),
        (b"f 1 2 3.5", "damaged-obj"),
        (b"v 1 2", "damaged-obj"),
        (b"v 1 2 three", "damaged-obj"),
        (b"v 1_0 2 3", "damaged-obj"),
        (b"v 1 nan 3", "not-finite"),
        (b"v 1 2 inf", "not-finite"),
        (b"vt 0", "damaged-obj"),
    ],
)
def test_a_bad_line_is_named(line: bytes, code: str) -> None:
    """The code says what is wrong, the place names the line."""
    head = SQUARE + b"vt 0 0\nvt 1 0\nvt 1 1\nf 1/1 2/2 3/3\n"
    error = refusal(head + line + b"\nf 1 2 3\n")
    assert error.code == code
    assert error.where == "toy.obj, line 9"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git-lfs-pointer"),
        (b"<!DOCTYPE html><html>", "html-page"),
        (b"", "empty-file"),
        (b"\0" * 100, "zero-filled"),
        (b"solid cube\n", "not-an-obj"),
        (b"\xff\xd8\xff\xe0" + b"\x01" * 50, "not-an-obj"),
    ],
)
def test_other_files_are_named(data: bytes, code: str) -> None:
    """What is no mesh at all is said in the usual words."""
    assert refusal(data).code == code
    with pytest.raises(BenchError) as error:
        read_obj_vertices(data, "toy.obj")
    assert error.value.code == code


def test_points_without_polygons_are_a_mesh(tmp_path: Path) -> None:
    """A scan's point cloud has no triangles; a path serves as well as bytes."""
    (tmp_path / "cloud.obj").write_bytes(SQUARE)
    assert read_obj(tmp_path / "cloud.obj", "cloud").triangles.shape == (0, 3)
    with pytest.raises(BenchError) as error:
        read_obj(tmp_path / "none.obj", "none")
    assert error.value.code == "unreadable"


@given(st.binary(max_size=60))
def test_no_bytes_bring_another_error(tail: bytes) -> None:
    """Whatever follows a good start, the answer is a mesh or a BenchError."""
    for data in (SQUARE + tail, SQUARE + b"f 1 2 3" + tail, SQUARE + b"vt 0 0\nf 1/" + tail):
        try:
            mesh = read_obj(data, "toy.obj")
        except BenchError:
            continue
        assert mesh.triangles.size == 0 or mesh.triangles.max() < len(mesh.vertices)


@given(st.lists(st.lists(st.integers(1, 4), min_size=3, max_size=6), min_size=1, max_size=5))
def test_fans_agree_with_a_slow_reader(faces: list[list[int]]) -> None:
    """Polygon by polygon: (first, i, i + 1)."""
    text = b"".join(b"f " + b" ".join(b"%d" % i for i in face) + b"\n" for face in faces)
    slow = [[f[0] - 1, f[i] - 1, f[i + 1] - 1] for f in faces for i in range(1, len(f) - 1)]
    assert read_obj(SQUARE + text, "toy.obj").triangles.tolist() == slow


def test_texture_names() -> None:
    """The first diffuse texture, or that of a material; options are passed over, folders cut off."""
    library = b"newmtl a\nKd 1 1 1\nmap_Ka no.png\nnewmtl b\r\n\tmap_Kd -s 1 1 1 -clamp on my face.bmp\r\n"
    assert texture_name(library) == texture_name(library, "b") == "my face.bmp"
    assert texture_name(library, "a") is None
    assert texture_name(b"map_Kd C:\\scans\\..\\01.bmp") == "01.bmp"
    assert texture_name(b"map_Kd ../../etc/passwd") == "passwd"
    assert texture_name(b"map_Kd ..") is None
    assert texture_name(b"map_Kd") is None
