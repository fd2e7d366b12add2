"""Many fitted faces at once: coefficients to vertices in the crop, block by block within the cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel

BLOCK_VERTICES = 1024  # three planes of a block, 64 faces wide, are 0.8 MB


@dataclass(frozen=True)
class Placed:
    """Faces placed in a frame.

    Attributes
    ----------
    points : (3, v, b) float32 or None
        Coordinate first, faces last.
    low, high : (3, b) float32
        Smallest and largest coordinates over all vertices.
    """

    points: NDArray[np.float32] | None
    low: NDArray[np.float32]
    high: NDArray[np.float32]


def place_vertices(
    model: FaceModel,
    identity: NDArray[np.floating],
    expression: NDArray[np.floating],
    affine: NDArray[np.floating],
    *,
    keep_points: bool,
) -> Placed:
    """Vertices of a batch of fits, each moved by its own affine map.

    A block of vertices is computed, moved and searched for its extremes while it lies in the cache;
    done array by array, moving costs as much as the matrix product.

    Parameters
    ----------
    model : FaceModel
    identity : (b, k) float
    expression : (b, k) float
    affine : (b, 3, 4) float
        Model frame to the frame wanted.
    keep_points : bool
        False when only the extremes are asked for.

    Returns
    -------
    Placed
    """
    weights = model.weights(identity, expression)
    n_faces = weights.shape[1]
    points = np.empty((3, model.n_vertices, n_faces), np.float32) if keep_points else None
    low, high = (np.full((3, n_faces), end, np.float32) for end in (np.inf, -np.inf))
    # The maps, repeated for each vertex of a block: plain long loops instead of many short ones.
    spread = np.repeat(np.moveaxis(affine, 0, -1)[:, :, None].astype(np.float32), BLOCK_VERTICES, 2)
    scratch = np.empty((5, BLOCK_VERTICES, n_faces), np.float32)
    for start in range(0, model.n_vertices, BLOCK_VERTICES):
        block = slice(start, min(start + BLOCK_VERTICES, model.n_vertices))
        size = block.stop - start
        shape = scratch[:3, :size]
        for axis, plane in enumerate(model.planes):
            np.matmul(plane[block], weights, out=shape[axis])
            shape[axis] += model.mean[block, axis, None]
        for axis in range(3):
            moved = scratch[3, :size] if points is None else points[axis, block]
            _move(shape, spread[axis, :, :size], scratch[4, :size], out=moved)
            np.minimum(low[axis], moved.min(0), out=low[axis])
            np.maximum(high[axis], moved.max(0), out=high[axis])
    return Placed(points, low, high)


def _move(
    shape: NDArray[np.float32],
    row: NDArray[np.float32],
    scratch: NDArray[np.float32],
    *,
    out: NDArray[np.float32],
) -> None:
    """One coordinate of the affine map, for a block of vertices of every face."""
    np.multiply(shape[0], row[0], out=out)
    for axis in (1, 2):
        out += np.multiply(shape[axis], row[axis], out=scratch)
    out += row[3]
