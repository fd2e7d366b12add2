"""The UV operator: mesh vertices to a position map and back, as one sparse matrix each way.

Conventions: UV coordinates lie in [0, 1] with v up; on a map of side n the pixel (column, row) of a UV
point is ((n - 1) u, (n - 1)(1 - v)), as in PRNet and face3d. Maps are planar, (..., 3, n, n).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.raster import rasterize

if TYPE_CHECKING:
    from scipy.sparse import csr_array

UV_SIZE_PX = 256
#: Fixed point of stored position maps: value = code * SCALE + OFFSET, in crop pixels. The step is
#: exactly representable, the largest error 0.0049 px, the range about -192 to 448 px.
MAP_SCALE_PX = 10 / 1024
MAP_OFFSET_PX = -192.0
BATCH_FACES = 64  # measured best of 16 to 64: long rows, and still near the cache
BLOCK_PIXELS = 1024


@dataclass(frozen=True)
class UVOperator:
    """Which vertices make each UV pixel.

    Attributes
    ----------
    vertices : (n, n, 3) int32
        Three vertex rows for each pixel (row, column).
    weights : (n, n, 3) float64
        Their weights, summing to one.
    covered : (n, n) bool
        Pixels inside a UV triangle. The others repeat the nearest vertex, so that a map has no cliffs.
    n_vertices : int
    uv : (v, 2) float64
        UV coordinates, to read vertices back.
    """

    vertices: NDArray[np.int32]
    weights: NDArray[np.float64]
    covered: NDArray[np.bool_]
    n_vertices: int
    uv: NDArray[np.float64]

    @property
    def size_px(self) -> int:
        """Side n of the map."""
        return self.covered.shape[0]

    @cached_property
    def to_map(self) -> csr_array:
        """(n * n, v) float32: position map pixels from vertices."""
        return _sparse(self.vertices.reshape(-1, 3), self.weights.reshape(-1, 3), self.n_vertices)

    @cached_property
    def to_vertices(self) -> csr_array:
        """(v, n * n) float32: vertices from position map pixels, bilinear."""
        pixels, weights = bilinear(uv_to_pixel(self.uv, self.size_px), self.size_px)
        return _sparse(pixels, weights, self.size_px**2)

    def maps_from_vertices(
        self, vertices: NDArray[np.floating], *, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Position maps of a batch of faces.

        Parameters
        ----------
        vertices : (3, v, b) float
            Coordinate first, faces last: one sparse product a coordinate serves the whole batch.
        out : (b, 3, n, n) float32, optional
            Reused between batches, it saves a third of the time (fresh pages cost that much).

        Returns
        -------
        (b, 3, n, n) float32
            In the frame of the vertices.
        """
        n_faces = vertices.shape[2]
        maps = np.empty((n_faces, 3, *self.covered.shape), np.float32) if out is None else out
        flat = maps.reshape(n_faces, 3, -1)
        for start in range(0, n_faces, BATCH_FACES):
            faces = slice(start, start + BATCH_FACES)
            for axis in range(3):
                part = np.ascontiguousarray(vertices[axis, :, faces], np.float32)
                for pixels, rows in self._blocks:
                    flat[faces, axis, pixels] = (rows @ part).T
        return maps

    @cached_property
    def _blocks(self) -> list[tuple[slice, csr_array]]:
        """The map in blocks of pixels, whose products are still in the cache when they are turned."""
        starts = range(0, self.size_px**2, BLOCK_PIXELS)
        blocks = [slice(start, start + BLOCK_PIXELS) for start in starts]
        return [(block, self.to_map[block]) for block in blocks]

    def vertices_from_maps(self, maps: NDArray[np.floating]) -> NDArray[np.float32]:
        """(b, 3, n, n) maps to (b, v, 3) vertices, bilinear, in the frame of the maps."""
        pixels = maps.reshape(-1, self.size_px**2).T
        columns = self.to_vertices @ np.ascontiguousarray(pixels, np.float32)
        return np.ascontiguousarray(columns.T.reshape(len(maps), 3, -1).swapaxes(1, 2))


def build_operator(
    uv: NDArray[np.floating], triangles: NDArray[np.integer], *, size_px: int = UV_SIZE_PX
) -> UVOperator:
    """Build the operator of a UV layout.

    Parameters
    ----------
    uv : (v, 2) float in [0, 1], v up
    triangles : (t, 3) int, 0-based
        Where UV triangles overlap, the first in the list wins.
    size_px : int

    Raises
    ------
    ValueError
        For UV coordinates outside [0, 1] or triangles that name no vertex.
    """
    coordinates = np.asarray(uv, np.float64)
    if not (np.isfinite(coordinates).all() and coordinates.min() >= 0 and coordinates.max() <= 1):
        raise ValueError("UV coordinates must lie in [0, 1]")
    if triangles.min() < 0 or triangles.max() >= len(uv):
        raise ValueError(f"triangle indices must lie in 0..{len(uv) - 1}")
    pixels = uv_to_pixel(coordinates, size_px)
    coverage = rasterize(pixels, triangles, (size_px, size_px))
    vertices = triangles[np.maximum(coverage.triangle, 0)].astype(np.int32)
    weights = coverage.weights.copy()
    empty = ~coverage.covered
    vertices[empty] = _nearest_vertex(pixels, empty)[:, None]
    weights[empty] = (1.0, 0.0, 0.0)
    return UVOperator(vertices, weights, coverage.covered, len(uv), coordinates)


def uv_to_pixel(uv: NDArray[np.floating], size_px: int = UV_SIZE_PX) -> NDArray[np.float64]:
    """(..., 2) UV coordinates to (column, row) on a map of the given side."""
    scaled = np.asarray(uv, np.float64) * (size_px - 1)
    return np.stack([scaled[..., 0], (size_px - 1) - scaled[..., 1]], -1)


def bilinear(
    pixels: NDArray[np.floating], size_px: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Flat indices and weights, (n, 4) each, that read a square image at (column, row) points."""
    corner = np.clip(np.floor(pixels), 0, size_px - 2).astype(np.int64)
    x, y = np.clip(pixels - corner, 0, 1).T
    base = corner[:, 1] * size_px + corner[:, 0]
    indices = base[:, None] + np.array([0, 1, size_px, size_px + 1])
    return indices, np.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], 1)


def grid_triangles(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(t, 3) int32 flat pixel indices: two triangles for each 2 x 2 square of pixels in the mask.

    With the pixels of a position map as vertices this is the face surface, counter-clockwise seen from
    outside for a map whose rows run from forehead to chin.
    """
    size_px = mask.shape[1]
    whole = mask[:-1, :-1] & mask[:-1, 1:] & mask[1:, :-1] & mask[1:, 1:]
    corner = np.flatnonzero(np.pad(whole, ((0, 1), (0, 1))))
    right, below = corner + 1, corner + size_px
    pairs = [[corner, below, right], [right, below, below + 1]]
    return np.concatenate([np.stack(pair, 1) for pair in pairs]).astype(np.int32)


def encode_maps(maps: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Crop pixels to the fixed point of the file, to the nearest step.

    Raises
    ------
    ValueError
        For a value that is not finite or outside the range: clipping would be silent damage.
    """
    codes = np.empty(maps.shape, np.uint16)
    top = MAP_OFFSET_PX + 65535 * MAP_SCALE_PX
    for values, code in zip(maps, codes, strict=True):  # map by map, within the cache
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(low) and np.isfinite(high)):  # both pass a NaN on
            raise ValueError("a position map holds values that are not finite")
        if low < MAP_OFFSET_PX or high > top:
            raise ValueError(
                f"position map values {low:.1f} to {high:.1f} px leave the range of the file, "
                f"{MAP_OFFSET_PX:.0f} to {top:.0f} px"
            )
        scaled = np.asarray(values, np.float32) - np.float32(MAP_OFFSET_PX)
        scaled *= np.float32(1 / MAP_SCALE_PX)
        code[...] = np.rint(scaled, out=scaled)
    return codes


def decode_maps(codes: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The fixed point of the file to crop pixels, float32."""
    return codes.astype(np.float32) * np.float32(MAP_SCALE_PX) + np.float32(MAP_OFFSET_PX)


def _sparse(
    columns: NDArray[np.integer], weights: NDArray[np.floating], n_columns: int
) -> csr_array:
    from scipy.sparse import csr_array

    n_rows, per_row = columns.shape
    starts = np.arange(0, n_rows * per_row + 1, per_row, dtype=np.int32)
    values = weights.reshape(-1).astype(np.float32)
    matrix = csr_array(
        (values, columns.reshape(-1).astype(np.int32), starts), shape=(n_rows, n_columns)
    )
    matrix.eliminate_zeros()
    return matrix


def _nearest_vertex(pixels: NDArray[np.float64], empty: NDArray[np.bool_]) -> NDArray[np.int64]:
    from scipy.spatial import cKDTree

    rows, columns = np.nonzero(empty)
    if not len(rows):
        return np.zeros(0, np.int64)
    return np.asarray(cKDTree(pixels).query(np.stack([columns, rows], 1))[1], np.int64)
