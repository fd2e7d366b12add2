"""Pictures of a scan by ray casting: textured, lit, on a plain background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dataset_recipes.florence.cameras import IMAGE_PX, View
from dataset_recipes.florence.scans import Scan
from prn_bench.surface import Hits

Array = NDArray[np.float64]

SKIN_RGB = (205, 160, 135)  # of a scan without a texture
BACKGROUND_RGB = (128, 128, 128)
LIGHT = (-0.3, 0.35, 1.0)  # from the face to the light, camera axes
AMBIENT = 0.45
GAMMA = 2.2  # light adds up linearly, stored colours do not
STEPS = 4095  # of the table back to stored colours
HIDDEN_MM = 2.0  # a landmark this little behind the surface still counts as seen


@dataclass(frozen=True)
class Light:
    """How a scan is lit; ``ambient`` 1 shows the texture's own colours."""

    direction: tuple[float, float, float] = LIGHT
    ambient: float = AMBIENT


def render(scan: Scan, view: View, light: Light | None = None) -> NDArray[np.uint8]:
    """The picture (512, 512, 3) uint8 of a scan.

    Parameters
    ----------
    scan : Scan
    view : View
    light : Light, optional
    """
    light = light or Light()
    pixels, window = _window(scan, view)
    hits = scan.scene.cast(*view.rays(pixels))
    canvas = np.full((IMAGE_PX, IMAGE_PX, 3), BACKGROUND_RGB, np.uint8)
    seen = canvas[window].reshape(-1, 3)
    corners = scan.triangles[hits.triangle[hits.hit]]
    weights = hits.barycentric[hits.hit].astype(np.float32)
    shade = _shade(_blend(scan.normals, corners, weights), view, light)
    to_linear, to_stored = _gamma_tables()
    linear = _surface_colors(scan, hits, weights, to_linear) * shade[:, None]
    seen[hits.hit] = to_stored[(np.minimum(linear, 1) * STEPS + 0.5).astype(np.int32)]
    canvas[window] = seen.reshape(canvas[window].shape)
    return canvas


def visible(scan: Scan, view: View, points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which world points the camera sees: (n,) bool; NaN points and those out of the picture are not.

    A ray is cast through each point's own place in the picture; the point is hidden if the ray meets the
    surface more than 2 mm before it.
    """
    known = np.isfinite(points).all(1)
    shown = np.zeros(len(points), bool)
    if not known.any():
        return shown
    placed = view.project(points[known])
    starts, directions = view.rays(placed[:, :2])
    length = np.linalg.norm(directions, axis=1)
    distance = np.linalg.norm(points[known] - starts, axis=1)
    met = scan.scene.cast(starts, directions).distance * length
    inside = ((placed[:, :2] >= 0) & (placed[:, :2] <= IMAGE_PX - 1)).all(1)
    shown[known] = inside & (met >= distance - HIDDEN_MM)
    return shown


def _window(scan: Scan, view: View) -> tuple[Array, tuple[slice, slice]]:
    """Pixels x, y in the mesh's own box of the picture, and that box: the others need no rays."""
    placed = view.project(scan.vertices)[:, :2]
    low = np.clip(np.floor(placed.min(0)), 0, IMAGE_PX - 1).astype(int)
    high = np.clip(np.ceil(placed.max(0)), 0, IMAGE_PX - 1).astype(int)
    columns, rows = (np.arange(low[k], high[k] + 1) for k in (0, 1))
    pixels = np.stack(np.broadcast_arrays(columns[None], rows[:, None]), -1).reshape(-1, 2)
    return pixels.astype(np.float64), (slice(low[1], high[1] + 1), slice(low[0], high[0] + 1))


def _blend(
    values: NDArray[np.floating], corners: NDArray[np.int32], weights: NDArray[np.float32]
) -> NDArray:
    """Vertex values at the hits, weighted by the barycentric coordinates."""
    total = values[corners[:, 0]] * weights[:, :1]
    for k in (1, 2):
        total += values[corners[:, k]] * weights[:, k : k + 1]
    return total


def _shade(normals: NDArray[np.float32], view: View, light: Light) -> NDArray[np.float32]:
    """(n,) Lambert light; the back of the surface, seen through a hole, is lit as if it were its front."""
    direction = np.asarray(light.direction) / np.linalg.norm(light.direction)
    toward_light = (direction @ view.rotation).astype(np.float32)
    toward_viewer = view.rotation[2].astype(np.float32)
    length = np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    turned = np.where(normals @ toward_viewer < 0, -1, 1) / length
    diffuse = np.maximum(normals @ toward_light * turned, 0)
    return (light.ambient + (1 - light.ambient) * diffuse).astype(np.float32)


def _surface_colors(
    scan: Scan, hits: Hits, weights: NDArray[np.float32], to_linear: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n, 3) linear colours at the hits, bilinear in the texture."""
    if scan.texture is None or scan.uv is None or scan.uv_triangles is None:
        return np.broadcast_to(to_linear[list(SKIN_RGB)], (len(weights), 3))
    uv = _blend(scan.uv, scan.uv_triangles[hits.triangle[hits.hit]], weights)
    height, width = scan.texture.shape[:2]
    uv = np.where((uv < 0) | (uv > 1), uv % 1.0, uv)  # textures repeat
    place = uv * (width, height) * (1, -1) + (-0.5, height - 0.5)
    low = np.floor(place)
    part = (place - low).astype(np.float32)
    columns, rows = low.astype(np.int32).T
    texels = scan.texture.reshape(-1, 3)
    total = np.zeros((len(uv), 3), np.float32)
    for down in (0, 1):
        row = np.clip(rows + down, 0, height - 1) * width
        for right in (0, 1):
            weight = np.abs(1 - right - part[:, 0]) * np.abs(1 - down - part[:, 1])
            column = np.clip(columns + right, 0, width - 1)
            total += to_linear[texels[row + column]] * weight[:, None]
    return total


@lru_cache(maxsize=1)
def _gamma_tables() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Stored colours (256) to linear light, and linear light in 4,096 steps to stored colours."""
    to_linear = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)
    steps = np.arange(STEPS + 1) / STEPS
    return to_linear, np.rint(255 * steps ** (1 / GAMMA)).astype(np.uint8)
