"""VRML meshes: both versions of the format, and damaged files."""

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.formats.wrlfile import read_wrl

V2 = """#VRML V2.0 utf8
# a comment with brackets [ { and "quotes
DEF head Shape {
  appearance Appearance { texture ImageTexture { url ["face #1.bmp"] } }
  geometry IndexedFaceSet {
    coord Coordinate { point [ 0 0 0, 1 0 0, 1 1 0,
      0 1 0.5e0 ] }  # four points
    coordIndex [ 0, 1, 2, 3, -1 ]
    texCoord TextureCoordinate { point [ 0 0 1 0 1 1 0 1 ] }
    texCoordIndex [ 3 2 1 0 -1 ]
  }
}
"""
V1 = """#VRML V1.0 ascii
Separator {
  Texture2 { filename "a.bmp" }
  Coordinate3 { point [ 0 0 0, 1 0 0, 1 1 0 ] }
  TextureCoordinate2 { point [ 0 0, 1 0, 1 1 ] }
  IndexedFaceSet { coordIndex [ 0, 1, 2, -1 ] textureCoordIndex [ 2, 1, 0, -1 ] }
}
"""


def read(text):
    return read_wrl(text.encode("latin-1"), "scan.wrl")


def test_version_2_with_a_quad_is_cut_into_a_fan():
    """By hand: 0 1 2 3 becomes 0 1 2 and 0 2 3, texture corners alike."""
    mesh = read(V2)
    np.testing.assert_array_equal(mesh.vertices[3], [0, 1, 0.5])
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.uv_triangles.tolist() == [[3, 2, 1], [3, 1, 0]]
    assert mesh.uv.shape == (4, 2)
    assert mesh.texture == "face #1.bmp"
    assert not mesh.moved


def test_version_1_has_the_points_before_the_faces():
    """The nodes of the older format."""
    mesh = read(V1)
    assert mesh.triangles.tolist() == [[0, 1, 2]]
    assert mesh.uv_triangles.tolist() == [[2, 1, 0]]
    assert mesh.texture == "a.bmp"


def test_several_face_sets_become_one_mesh():
    """Indices of the second count from its own points."""
    mesh = read(V2 + V2.split("\n", 1)[1])
    assert len(mesh.vertices) == 8
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]
    assert mesh.uv_triangles.max() == 7


def test_texture_corners_default_to_the_corners():
    """Without texCoordIndex the points and their texture coordinates go together."""
    mesh = read(V2.replace("texCoordIndex [ 3 2 1 0 -1 ]", ""))
    np.testing.assert_array_equal(mesh.uv_triangles, mesh.triangles)


def test_clockwise_faces_are_turned():
    """Outside is always where the corners run counter-clockwise."""
    assert read(V2.replace("coord C", "ccw  FALSE coord C")).triangles[0].tolist() == [2, 1, 0]


def test_without_texture_coordinates():
    """None, not an empty array."""
    text = V2.replace("texCoord TextureCoordinate { point [ 0 0 1 0 1 1 0 1 ] }", "")
    mesh = read(text.replace("texCoordIndex [ 3 2 1 0 -1 ]", ""))
    assert mesh.uv is None
    assert mesh.uv_triangles is None


def test_transform_nodes_are_reported():
    """They are not applied, so somebody must say so."""
    assert read(V2.replace("DEF head Shape", "Transform { children Shape") + "}").moved


def test_a_path_is_read_too(tmp_path):
    """With the path in messages."""
    (tmp_path / "a.wrl").write_text(V1)
    assert len(read_wrl(tmp_path / "a.wrl").triangles) == 1
    (tmp_path / "b.wrl").write_text("v 0 0 0")
    with pytest.raises(BenchError) as error:
        read_wrl(tmp_path / "b.wrl")
    assert str(tmp_path / "b.wrl") in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("#VRML", "hello", "not-vrml"),
        ("#VRML V2.0", "\x1f\x8b\x08", "not-vrml"),
        ("3, -1 ]", "4, -1 ]", "index-out-of-range"),
        ("3, -1 ]", "-7, -1 ]", "index-out-of-range"),
        ("[ 3 2 1 0 -1 ]", "[ 9 2 1 0 -1 ]", "index-out-of-range"),
        ("[ 3 2 1 0 -1 ]", "[ 3 2 1 -1 ]", "wrong-shape"),
        ("1 1 0,", "1 1,", "wrong-shape"),
        ("1 1 0,", "1 nan 0,", "wrong-shape"),
        ("1 1 0,", "1 one 0,", "bad-number"),
        ("0, 1, 2, 3, -1", "0, 1, 2.5, 3, -1", "bad-number"),
        ("0, 1, 2, 3, -1", "0, 1, 99999999999999999999, 3, -1", "bad-number"),
        ("IndexedFaceSet", "Sphere", "no-geometry"),
        ("0, 1, 2, 3, -1", "0, 1, -1", "no-geometry"),
        ("coord Coordinate", "coord USE other Coordinate", "wrl-unsupported"),
    ],
)
def test_damage_has_a_name(old, new, code):
    """Refused before any array is read out of bounds."""
    text = V2.replace(old, new)
    if code == "no-geometry" and "Sphere" not in text:
        text = text.replace("texCoordIndex [ 3 2 1 0 -1 ]", "texCoordIndex [ 3 2 -1 ]")
    with pytest.raises(BenchError) as error:
        read(text)
    assert error.value.code == code


@pytest.mark.parametrize("share", [0.45, 0.55, 0.65])
def test_a_file_cut_short(share):
    """Within a list it is truncated; it is never read as a smaller mesh."""
    with pytest.raises(BenchError) as error:
        read(V2[: int(len(V2) * share)])
    assert error.value.code in ("truncated", "no-geometry")


@pytest.mark.parametrize(
    ("text", "code"),
    [("[" * 300_000 + "]", "no-geometry"), ("IndexedFaceSet {" * 50_000, "wrl-unsupported")],
)
def test_hostile_nesting_is_quick(text, code):
    """It costs no more than its length."""
    with pytest.raises(BenchError) as error:
        read("#VRML V2.0 utf8\n" + text)
    assert error.value.code == code
