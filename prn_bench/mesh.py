"""Many fitted faces at once: coefficients to vertices in the crop, block by block within the cache."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel

BLOCK_VERTICES = 1024  # three planes of a block, 64 faces wide, are 0.8 MB


def place_vertices(
    model: FaceModel,
    identity: NDArray[np.floating],
    expression: NDArray[np.floating],
    affine: NDArray[np.floating],
    *,
    all_axes: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vertices of a batch of fits, each moved by its own affine map.

    A block of vertices is computed, moved and searched for its lowest z while it lies in the cache;
    done array by array, moving costs as much as the matrix product.

    Parameters
    ----------
    model : FaceModel
    identity : (b, k) float
    expression : (b, k) float
    affine : (b, 3, 4) float
        Model frame to the frame wanted.
    all_axes : bool
        False computes z alone, when only its minimum is asked for.

    Returns
    -------
    points : (3, v, b) float32
        x and y are not set when ``all_axes`` is False.
    lowest : (b,) float32
        Smallest z over all vertices.
    """
    weights = model.weights(identity, expression)
    n_faces = weights.shape[1]
    points = np.empty((3, model.n_vertices, n_faces), np.float32)
    lowest = np.full(n_faces, np.inf, np.float32)
    # The maps, repeated for each vertex of a block: plain long loops instead of many short ones.
    spread = np.repeat(np.moveaxis(affine, 0, -1)[:, :, None].astype(np.float32), BLOCK_VERTICES, 2)
    scratch = np.empty((4, BLOCK_VERTICES, n_faces), np.float32)
    for start in range(0, model.n_vertices, BLOCK_VERTICES):
        block = slice(start, min(start + BLOCK_VERTICES, model.n_vertices))
        size = block.stop - start
        shape = scratch[:3, :size]
        for axis, plane in enumerate(model.planes):
            np.matmul(plane[block], weights, out=shape[axis])
            shape[axis] += model.mean[block, axis, None]
        for axis in range(0 if all_axes else 2, 3):
            moved = points[axis, block]
            np.multiply(shape[0], spread[axis, 0, :size], out=moved)
            for other in (1, 2):
                moved += np.multiply(
                    shape[other], spread[axis, other, :size], out=scratch[3, :size]
                )
            moved += spread[axis, 3, :size]
        np.minimum(lowest, points[2, block].min(0), out=lowest)
    return points, lowest
