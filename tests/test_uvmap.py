"""The UV operator: linear, exact at vertices, exact on planes; the fixed point of the file."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prn_bench import uvmap


@pytest.fixture(scope="module")
def operator():
    """A 9 x 9 grid over the whole UV square, on a 33 x 33 map."""
    axis = np.linspace(0, 1, 9)
    uv = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).reshape(-1)
    triangles = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + 9], 1),
            np.stack([corner + 1, corner + 10, corner + 9], 1),
        ]
    )
    return uvmap.build_operator(uv, triangles, size_px=33)


def test_pixel_convention():
    """(u, v) = (0, 1) is the top-left pixel; v runs up, rows run down."""
    found = uvmap.uv_to_pixel(np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]))
    np.testing.assert_allclose(found, [[0, 0], [255, 255], [127.5, 127.5]])


def test_map_of_uv_itself_is_the_pixel_grid(operator):
    """Interpolating the vertices' own pixel coordinates gives each pixel's coordinates."""
    pixels = uvmap.uv_to_pixel(operator.uv, 33)
    vertices = np.stack([*pixels.T, np.zeros(len(pixels))])[:, :, None]
    found = operator.maps_from_vertices(vertices)[0]
    rows, columns = np.indices((33, 33))
    np.testing.assert_allclose(found[0], columns, atol=1e-5)
    np.testing.assert_allclose(found[1], rows, atol=1e-5)


def test_equals_the_per_pixel_oracle(operator):
    """The sparse product is the weighted sum over three vertices, pixel by pixel."""
    vertices = np.random.default_rng(0).normal(size=(3, 81, 2)).astype(np.float32)
    found = operator.maps_from_vertices(vertices)
    for row in range(0, 33, 4):
        for column in range(33):
            corner = operator.vertices[row, column]
            expected = np.einsum("k,dkb->bd", operator.weights[row, column], vertices[:, corner])
            np.testing.assert_allclose(found[:, :, row, column], expected, atol=1e-6)


@given(st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_operator_is_linear(operator, a, b, seed):
    """A map of a sum is the sum of the maps."""
    first, second = np.random.default_rng(seed).normal(size=(2, 3, 81, 1))
    together = operator.maps_from_vertices(a * first + b * second)
    apart = a * operator.maps_from_vertices(first) + b * operator.maps_from_vertices(second)
    np.testing.assert_allclose(together, apart, atol=1e-4)


def test_batches_and_out_change_nothing(operator, monkeypatch):
    """Batch size, transpose block and a reused buffer are matters of speed."""
    vertices = np.random.default_rng(3).normal(size=(3, 81, 7))
    whole = operator.maps_from_vertices(vertices)
    monkeypatch.setattr(uvmap, "BATCH_FACES", 2)
    monkeypatch.setattr(uvmap, "BLOCK_PIXELS", 100)
    again = uvmap.UVOperator(*(getattr(operator, field.name) for field in fields(operator)))
    out = np.empty_like(whole)
    assert again.maps_from_vertices(vertices, out=out) is out
    np.testing.assert_array_equal(out, whole)


def test_vertices_come_back_where_they_sit_on_pixels(operator):
    """The 9 x 9 grid lies on pixel centres of the 33 x 33 map: the round trip is exact there."""
    vertices = np.random.default_rng(4).normal(size=(3, 81, 2)).astype(np.float32)
    back = operator.vertices_from_maps(operator.maps_from_vertices(vertices))
    np.testing.assert_allclose(back, vertices.transpose(2, 1, 0), atol=1e-5)


def test_uncovered_pixels_repeat_the_nearest_vertex():
    """A triangle in one corner: the rest of the map has no cliff and no zero."""
    uv = np.array([[0.0, 1.0], [0.5, 1.0], [0.0, 0.5]])
    operator = uvmap.build_operator(uv, np.array([[0, 1, 2]]), size_px=11)
    assert operator.covered.sum() == 21
    found = operator.maps_from_vertices(np.arange(9.0).reshape(3, 3).T[:, :, None])[0]
    np.testing.assert_array_equal(found[:, 10, 0], [6, 7, 8])
    np.testing.assert_array_equal(found[:, 0, 10], [3, 4, 5])


@pytest.mark.parametrize("uv", [[[0, 0], [1, 0], [0, 1.1]], [[0, 0], [1, 0], [0, np.nan]]])
def test_bad_uv_is_refused(uv):
    """Coordinates outside the square are a mistake, not a texture repeat."""
    with pytest.raises(ValueError, match="UV"):
        uvmap.build_operator(np.array(uv), np.array([[0, 1, 2]]))


def test_bad_triangles_are_refused():
    """1-based indices reach one vertex too far."""
    with pytest.raises(ValueError, match="triangle"):
        uvmap.build_operator(np.zeros((3, 2)), np.array([[1, 2, 3]]))


@given(arrays(np.float32, (1, 3, 2, 2), elements=st.floats(-192, 447, width=32)))
def test_fixed_point_round_trip(maps):
    """Within half a step, 0.005 px, below 0 and above 255 too."""
    back = uvmap.decode_maps(uvmap.encode_maps(maps))
    assert np.abs(back - maps).max() <= 0.005


@pytest.mark.parametrize("value", [-193.0, 449.0, np.nan, np.inf])
def test_values_out_of_range_raise(value):
    """Never clipped silently."""
    with pytest.raises(ValueError, match=r"range|finite"):
        uvmap.encode_maps(np.full((1, 3, 2, 2), value, np.float32))


def test_grid_triangles():
    """A 2 x 3 mask with one hole has one whole square: two triangles, counter-clockwise on screen y up."""
    mask = np.array([[1, 1, 1], [1, 1, 0]], bool)
    np.testing.assert_array_equal(uvmap.grid_triangles(mask), [[0, 3, 1], [1, 3, 4]])
