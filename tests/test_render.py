"""The renderer: what is in front is seen, light comes from where it is said to."""

from __future__ import annotations

import numpy as np
import pytest

from prn_bench.render import (
    render,
    render_layers,
    seen_from_front,
    vertex_normals,
    visible_points,
)

SIZE = (40, 50)


def square(left: float, top: float, side: float, z: float) -> np.ndarray:
    """Corners of an upright square that faces the viewer, image frame."""
    x, y = np.array([0, side, side, 0]) + left, np.array([0, 0, side, side]) + top
    return np.stack([x, y, np.full(4, z)], 1)


#: Counter-clockwise seen from outside with y up, so clockwise in numbers with y down.
FACES = np.array([[0, 2, 1], [0, 3, 2]])


def white(n: int) -> np.ndarray:
    return np.full((n, 3), 255, np.uint8)


def test_a_square_covers_its_pixels() -> None:
    """Corners at pixel centres 10 and 19 cover ten by ten pixels at their depth."""
    layers = render_layers(square(10, 5, 9, 7.0), FACES, SIZE, colors=white(4))
    expected = np.zeros(SIZE, bool)
    expected[5:15, 10:20] = True
    np.testing.assert_array_equal(layers.covered, expected)
    np.testing.assert_allclose(layers.depth[expected], 7.0)
    assert np.isneginf(layers.depth[~expected]).all()
    assert not layers.image[~expected].any()


def test_a_normal_points_to_the_viewer() -> None:
    """The square that is seen has outward normal +z; its back is not drawn."""
    points = square(10, 5, 9, 0.0)
    np.testing.assert_allclose(vertex_normals(points, FACES), [[0, 0, 1]] * 4, atol=1e-12)
    assert seen_from_front(points, FACES).all()
    assert not seen_from_front(points, FACES[:, ::-1]).any()
    assert not render(points, FACES[:, ::-1], SIZE, colors=white(4)).any()


def test_the_nearer_square_hides_the_other() -> None:
    """Two squares in one place: the one with the larger z gives the colour."""
    points = np.concatenate([square(10, 5, 9, 0.0), square(10, 5, 9, 3.0)])
    colors = np.repeat(np.array([[255, 0, 0], [0, 255, 0]], np.uint8), 4, 0)
    image = render(points, np.concatenate([FACES, FACES + 4]), SIZE, colors=colors, gloss=0)
    red, green, _ = image[10, 15]
    assert red == 0
    assert green > 100


def test_light_from_the_front_is_brightest() -> None:
    """A square lit along its normal is full bright; from the side only the ambient part is left."""
    points = square(10, 5, 9, 0.0)

    def level(direction: tuple[float, float, float]) -> int:
        image = render(
            points, FACES, SIZE, colors=white(4), light_direction=direction, ambient=0.2, gloss=0
        )
        return int(image[10, 15, 0])

    front, slanted, side = level((0, 0, 1)), level((0, -1, 1)), level((-1, 0, 0))
    assert front > slanted > side > 0
    assert side == pytest.approx(255 * (0.2 * 0.85) ** (1 / 2.2), abs=1)


def test_the_background_stays() -> None:
    """Uncovered pixels keep the background, as a picture and as one colour, also when supersampled."""
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    for supersample in (1, 2):
        layers = render_layers(
            square(10, 5, 9, 0.0),
            FACES,
            SIZE,
            colors=white(4),
            background=picture,
            supersample=supersample,
        )
        far = np.ones(SIZE, bool)
        far[4:16, 9:21] = False
        np.testing.assert_array_equal(layers.image[far], picture[far])
    image = render(square(10, 5, 9, 0.0), FACES, SIZE, colors=white(4), background=(9, 90, 200))
    assert tuple(image[0, 0]) == (9, 90, 200)


def test_supersampling_keeps_the_square_in_place() -> None:
    """The inside of the square looks the same with four samples a pixel."""
    points = square(10, 5, 9, 0.0)
    one, two = (render(points, FACES, SIZE, colors=white(4), supersample=n) for n in (1, 2))
    np.testing.assert_array_equal(one[6:14, 11:19], two[6:14, 11:19])


def test_points_behind_and_outside_are_not_visible() -> None:
    """Of the corners of two squares, those behind the other and those outside the picture are hidden."""
    front, back = square(5, 5, 20, 10.0), square(10, 10, 5, 0.0)
    outside = square(45, 30, 20, 0.0)
    points = np.concatenate([front, back, outside])
    triangles = np.concatenate([FACES, FACES + 4, FACES + 8])
    seen = visible_points(points, triangles, SIZE, np.arange(12))
    assert seen[:4].all()
    assert not seen[4:8].any()
    np.testing.assert_array_equal(seen[8:], [True, False, False, False])


def test_an_empty_picture_is_background() -> None:
    """A mesh outside the picture leaves only the background."""
    layers = render_layers(square(100, 100, 9, 0.0), FACES, SIZE, colors=white(4))
    assert not layers.covered.any()
    assert not layers.image.any()
