"""A small renderer for triangle meshes: smooth shading and a z-buffer, in numpy.

It exists so that the synthetic face can be looked at and synthetic photographs can be made without a
graphics library. Points are in the image frame: pixels, x right, y down, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.raster import Coverage, rasterize

GAMMA = 2.2  # light adds up linearly, stored colours do not
GLOSS_EXPONENT = 22.0
VIEWER = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Rendering:
    """What a picture of a mesh is made of.

    Attributes
    ----------
    image : (h, w, 3) uint8
        The mesh on the background.
    covered : (h, w) bool
        Pixels that show the mesh.
    depth : (h, w) float64
        z of the surface, pixels; minus infinity where uncovered.
    """

    image: NDArray[np.uint8]
    covered: NDArray[np.bool_]
    depth: NDArray[np.float64]


def render(
    points: NDArray[np.floating],
    triangles: NDArray[np.integer],
    size_px: tuple[int, int],
    *,
    colors: NDArray[np.uint8],
    light_direction: tuple[float, float, float] = (-0.3, -0.5, 0.8),
    ambient: float = 0.35,
    gloss: float = 0.05,
    background: NDArray[np.uint8] | tuple[int, int, int] | None = None,
    supersample: int = 1,
) -> NDArray[np.uint8]:
    """Picture of a mesh; see :func:`render_layers`."""
    return render_layers(
        points,
        triangles,
        size_px,
        colors=colors,
        light_direction=light_direction,
        ambient=ambient,
        gloss=gloss,
        background=background,
        supersample=supersample,
    ).image


def render_layers(
    points: NDArray[np.floating],
    triangles: NDArray[np.integer],
    size_px: tuple[int, int],
    *,
    colors: NDArray[np.uint8],
    light_direction: tuple[float, float, float] = (-0.3, -0.5, 0.8),
    ambient: float = 0.35,
    gloss: float = 0.05,
    background: NDArray[np.uint8] | tuple[int, int, int] | None = None,
    supersample: int = 1,
) -> Rendering:
    """Picture of a mesh with its coverage and depth.

    Parameters
    ----------
    points : (v, 3) float, image frame, pixels
    triangles : (t, 3) int
        Counter-clockwise seen from outside in a y-up frame (so clockwise on the screen). Triangles
        seen from behind are left out.
    size_px : (height, width)
    colors : (v, 3) uint8
    light_direction : three floats
        From the face to the light, image frame; any length.
    ambient : float in [0, 1]
        Share of the light that comes from everywhere.
    gloss : float
        Strength of the highlight.
    background : (h, w, 3) uint8, one colour, or None for black
    supersample : int
        Rays per pixel side; 2 smooths the outline at four times the work.

    Returns
    -------
    Rendering
    """
    height, width = size_px
    n = supersample
    fine = np.array(points, np.float64)
    fine[:, :2] = fine[:, :2] * n + (n - 1) / 2
    normals = vertex_normals(points, triangles)
    front = triangles[seen_from_front(points, triangles)]
    coverage = rasterize(fine[:, :2], front, (height * n, width * n), depth=fine[:, 2])
    covered = coverage.covered
    light = _shade(normals, colors, light_direction, ambient, gloss)
    canvas = _canvas(background, size_px, n)
    canvas[covered] = _interpolate(light, front, coverage)
    depth = np.full(covered.shape, -np.inf)
    depth[covered] = _interpolate(fine[:, 2:], front, coverage)[:, 0]
    mean = canvas.reshape(height, n, width, n, 3).mean((1, 3))
    image = np.rint(255 * np.clip(mean, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
    share = covered.reshape(height, n, width, n).mean((1, 3))
    return Rendering(image, share >= 0.5, depth.reshape(height, n, width, n).max((1, 3)))


def visible_points(
    points: NDArray[np.floating],
    triangles: NDArray[np.integer],
    size_px: tuple[int, int],
    rows: NDArray[np.integer],
    *,
    tolerance_px: float = 2.0,
) -> NDArray[np.bool_]:
    """Which vertices are inside the picture and not hidden behind the mesh.

    Parameters
    ----------
    points : (v, 3) float, image frame, pixels
    triangles : (t, 3) int
    size_px : (height, width)
    rows : (k,) int
        Vertices asked about.
    tolerance_px : float
        How far behind the nearest surface a vertex still counts as on it.

    Returns
    -------
    (k,) bool
    """
    height, width = size_px
    front = triangles[seen_from_front(points, triangles)]
    coverage = rasterize(points[:, :2], front, size_px, depth=points[:, 2])
    depth = np.full((height + 2, width + 2), np.inf)
    inner = np.full(size_px, -np.inf)
    inner[coverage.covered] = _interpolate(points[:, 2:], front, coverage)[:, 0]
    depth[1:-1, 1:-1] = inner
    column, row = np.rint(points[rows, :2]).astype(np.int64).T
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    column, row = np.clip(column, 0, width - 1) + 1, np.clip(row, 0, height - 1) + 1
    # On a steep surface the pixel's depth is not the vertex's: the farthest neighbour decides.
    around = [depth[row + i, column + j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return inside & (points[rows, 2] >= np.min(around, 0) - tolerance_px)


def seen_from_front(
    points: NDArray[np.floating], triangles: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """(t,) bool: triangles whose outside faces the viewer, for points in the image frame."""
    a, b, c = np.asarray(points, np.float64)[:, :2][triangles].swapaxes(0, 1)
    u, w = b - a, c - a
    return u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0] < 0


def vertex_normals(
    points: NDArray[np.floating], triangles: NDArray[np.integer]
) -> NDArray[np.float64]:
    """(v, 3) unit outward normals in the image frame, area-weighted over the triangles around."""
    corners = np.asarray(points, np.float64)[triangles]
    # The image frame is left-handed, so the outward normal is the cross product reversed.
    facets = np.cross(corners[:, 2] - corners[:, 0], corners[:, 1] - corners[:, 0])
    flat = triangles.reshape(-1)
    sums = [np.bincount(flat, np.repeat(facets[:, k], 3), len(points)) for k in range(3)]
    normals = np.stack(sums, 1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _shade(
    normals: NDArray[np.float64],
    colors: NDArray[np.uint8],
    light_direction: tuple[float, float, float],
    ambient: float,
    gloss: float,
) -> NDArray[np.float64]:
    """(v, 3) linear light of each vertex: Lambert plus a Blinn highlight."""
    light = np.asarray(light_direction, np.float64)
    light = light / np.linalg.norm(light)
    half = light + VIEWER
    half /= np.linalg.norm(half)
    diffuse = np.maximum(normals @ light, 0)
    # Light from everywhere reaches surfaces that look down a little less than those that look up.
    sky = ambient * (0.85 - 0.15 * normals[:, 1])
    linear = (np.asarray(colors, np.float64) / 255) ** GAMMA
    # Dark places (hair, the inside of the mouth) shine less than wet or oily skin.
    highlight = gloss * np.maximum(normals @ half, 0) ** GLOSS_EXPONENT
    highlight *= np.minimum(8 * linear.mean(1), 1)
    return linear * (sky + (1 - ambient) * diffuse)[:, None] + highlight[:, None]


def _interpolate(
    values: NDArray[np.floating], triangles: NDArray[np.integer], coverage: Coverage
) -> NDArray[np.float64]:
    """(n, k) vertex values at the covered pixels, in row-major order."""
    covered = coverage.covered
    corners = values[triangles[coverage.triangle[covered]]]
    return np.asarray(np.einsum("nk,nkd->nd", coverage.weights[covered], corners))


def _canvas(
    background: NDArray[np.uint8] | tuple[int, int, int] | None, size_px: tuple[int, int], n: int
) -> NDArray[np.float64]:
    """(h n, w n, 3) linear light of the background."""
    full = np.zeros((*size_px, 3)) if background is None else np.asarray(background, np.float64)
    linear = np.broadcast_to((full / 255) ** GAMMA, (*size_px, 3))
    return linear.repeat(n, 0).repeat(n, 1)
