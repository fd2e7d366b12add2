"""Many fitted faces at once: coefficients to vertices in the crop, block by block within the cache."""

from __future__ import annotations

from collections.abc import Callable
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
    done array by array, moving costs as much as the matrix product. Faces with equal coefficients, as
    the views of one person in 300W-LP, are computed once.

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
    maps = np.ascontiguousarray(np.moveaxis(affine, 0, -1), np.float32)  # (3, 4, b)
    n_faces = maps.shape[2]
    points = np.empty((3, model.n_vertices, n_faces), np.float32) if keep_points else None
    low, high = (np.full((3, n_faces), end, np.float32) for end in (np.inf, -np.inf))
    move = _mover(model, weights, maps)
    scratch = np.empty((3, BLOCK_VERTICES, n_faces), np.float32)
    for start in range(0, model.n_vertices, BLOCK_VERTICES):
        block = slice(start, min(start + BLOCK_VERTICES, model.n_vertices))
        moved = scratch[:, : block.stop - start] if points is None else points[:, block]
        move(block, moved)
        np.minimum(low, moved.min(1), out=low)
        np.maximum(high, moved.max(1), out=high)
    return Placed(points, low, high)


Mover = Callable[[slice, NDArray[np.float32]], None]


def _mover(model: FaceModel, weights: NDArray[np.float32], maps: NDArray[np.float32]) -> Mover:
    """What fills a block of moved vertices (3, vertices, faces): by shape, where faces share shapes."""
    shapes, groups = _distinct(weights)
    if 3 * len(groups) > weights.shape[1]:
        return _each_face(model, weights, maps)
    return _each_shape(model, shapes, groups, maps)


def _each_shape(
    model: FaceModel,
    weights: NDArray[np.float32],
    groups: list[slice | NDArray[np.intp]],
    maps: NDArray[np.float32],
) -> Mover:
    """Every shape once; a product with the maps of its faces then places them all."""
    shape = np.ones((len(groups), BLOCK_VERTICES, 4), np.float32)  # homogeneous

    def move(block: slice, moved: NDArray[np.float32]) -> None:
        size = block.stop - block.start
        for axis, plane in enumerate(model.planes):
            shape[:, :size, axis] = (plane[block] @ weights + model.mean[block, axis, None]).T
        for own, faces in zip(shape, groups, strict=True):
            for axis in range(3):
                moved[axis][:, faces] = own[:size] @ maps[axis][:, faces]

    return move


def _each_face(model: FaceModel, weights: NDArray[np.float32], maps: NDArray[np.float32]) -> Mover:
    """Faces that differ: long elementwise loops over a block of all of them."""
    # The maps, repeated for each vertex of a block: plain long loops instead of many short ones.
    spread = np.repeat(maps[:, :, None], BLOCK_VERTICES, 2)
    shape = np.empty((3, BLOCK_VERTICES, weights.shape[1]), np.float32)
    scratch = np.empty(shape.shape[1:], np.float32)

    def move(block: slice, moved: NDArray[np.float32]) -> None:
        size = block.stop - block.start
        for axis, plane in enumerate(model.planes):
            np.matmul(plane[block], weights, out=shape[axis, :size])
            shape[axis, :size] += model.mean[block, axis, None]
        for axis in range(3):
            np.multiply(shape[0, :size], spread[axis, 0, :size], out=moved[axis])
            for other in (1, 2):
                part = np.multiply(
                    shape[other, :size], spread[axis, other, :size], out=scratch[:size]
                )
                moved[axis] += part
            moved[axis] += spread[axis, 3, :size]

    return move


def _distinct(
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.float32], list[slice | NDArray[np.intp]]]:
    """The different columns, in order of appearance, and the faces that have each of them."""
    faces: dict[bytes, list[int]] = {}
    for face, column in enumerate(weights.T):
        faces.setdefault(column.tobytes(), []).append(face)
    first = [members[0] for members in faces.values()]
    groups = [_as_slice(members) for members in faces.values()]
    return np.ascontiguousarray(weights[:, first]), groups


def _as_slice(members: list[int]) -> slice | NDArray[np.intp]:
    """A run of neighbours as a slice, which NumPy copies much faster than a list of places."""
    if members[-1] - members[0] + 1 == len(members):
        return slice(members[0], members[-1] + 1)
    return np.array(members, np.intp)
