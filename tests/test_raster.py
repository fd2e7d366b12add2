"""The rasteriser against a per-pixel, per-triangle oracle."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prn_bench import raster


def slow_coverage(points, triangles, size_px, depth=None):
    """(triangle, depth) per pixel by looking at each triangle: the first of the nearest wins."""
    height, width = size_px
    best = np.full(size_px, -1)
    nearest = np.full(size_px, -np.inf)
    for row in range(height):
        for column in range(width):
            for index, corners in enumerate(triangles):
                matrix = np.vstack([points[corners].T, np.ones(3)])
                if abs(np.linalg.det(matrix)) < 1e-12:
                    continue
                weights = np.linalg.solve(matrix, [column, row, 1])
                z = 0.0 if depth is None else weights @ depth[corners]
                if (weights >= -1e-9).all() and z > nearest[row, column] + 1e-9:
                    nearest[row, column], best[row, column] = z, index
    return best, nearest


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=25, deadline=None)
def test_equals_the_slow_oracle(seed, with_depth):
    """Random overlapping triangles, partly outside the image."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-3, 12, size=(9, 2))
    triangles = np.array([rng.choice(9, 3, replace=False) for _ in range(6)])
    depth = rng.normal(size=9) if with_depth else None
    found = raster.rasterize(points, triangles, (9, 8), depth=depth)
    triangle, nearest = slow_coverage(points, triangles, (9, 8), depth)
    np.testing.assert_array_equal(found.covered, triangle >= 0)
    if depth is None:
        np.testing.assert_array_equal(found.triangle, triangle)
    else:  # two triangles on the same corners tie: their depth is what must agree
        shown = np.einsum("hwk,hwk->hw", found.weights, depth[triangles[found.triangle]])
        np.testing.assert_allclose(shown[found.covered], nearest[found.covered], atol=1e-9)


def test_weights_rebuild_the_pixel():
    """Barycentric weights times corners give the pixel centre."""
    points = np.array([[0.0, 0.0], [9.0, 1.0], [3.0, 8.0]])
    found = raster.rasterize(points, np.array([[0, 1, 2]]), (10, 10))
    rows, columns = np.nonzero(found.covered)
    np.testing.assert_allclose(
        found.weights[rows, columns] @ points, np.stack([columns, rows], 1), atol=1e-12
    )
    assert found.triangle[0, 0] == 0, "a pixel on a corner belongs to the triangle"


def test_degenerate_and_infinite_triangles_cover_nothing():
    """No area, no finite corner: no pixel."""
    points = np.array([[1.0, 1], [5, 5], [3, 3], [np.nan, 1], [1e9, 1e9]])
    triangles = np.array([[0, 1, 2], [0, 1, 3]])
    assert not raster.rasterize(points, triangles, (8, 8)).covered.any()
