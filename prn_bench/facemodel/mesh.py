"""Many fitted faces at once: what of their meshes is wanted, without placing every vertex of every face.

The views of one person share their shape, so each different shape of a batch is computed once. A pose is
linear, so the rearmost vertex of a view needs one row of a product, the reach of a mesh follows from a box
around its shape, and a position map is a map of the shape, moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel

Array = NDArray[np.float64]

GROUP_SHAPES = 64  # computed in one product, which reads the whole basis: 41 MB for the BFM


@dataclass(frozen=True)
class Meshes:
    """What is known of the meshes of a batch.

    Attributes
    ----------
    rearmost : (b,) intp
        Vertex with the smallest z.
    box : (b, 2, 3) float64
        Smallest and largest coordinates of each face's shape, model frame.
    maps : list of (3, n, n) float32, or None
        The different shapes on the UV map, model frame; None when not asked for.
    shape : (b,) intp
        Which of ``maps`` is a face's.
    """

    rearmost: NDArray[np.intp]
    box: Array
    maps: list[NDArray[np.float32]] | None
    shape: NDArray[np.intp]


def meshes(
    model: FaceModel,
    identity: NDArray[np.floating],
    expression: NDArray[np.floating],
    affine: Array,
    *,
    with_maps: bool,
) -> Meshes:
    """Look at the meshes of a batch of fits, each moved by its own affine map.

    Parameters
    ----------
    model : FaceModel
    identity : (b, k) float
    expression : (b, k) float
    affine : (b, 3, 4) float
        Model frame to the frame wanted.
    with_maps : bool
    """
    rearmost, box = np.empty(len(affine), np.intp), np.empty((len(affine), 2, 3))
    shape = np.empty(len(affine), np.intp)
    maps: list[NDArray[np.float32]] = []
    count = 0
    for vertices, faces in _shapes(model, identity, expression):
        for own, members in zip(vertices, faces, strict=True):
            # The planes of the box are three more rows of the product that looks for the rearmost.
            rows = np.concatenate([affine[members, 2, :3], np.eye(3)]).astype(np.float32)
            moved = rows @ own.T
            rearmost[members] = moved[:-3].argmin(1)
            box[members] = moved[-3:].min(1), moved[-3:].max(1)
            shape[members] = count
            count += 1
        if with_maps:
            maps.extend(model.uv_layout.operator.maps_from_vertices(vertices.transpose(2, 1, 0)))
    return Meshes(rearmost, box, maps if with_maps else None, shape)


def _shapes(
    model: FaceModel, identity: NDArray[np.floating], expression: NDArray[np.floating]
) -> Iterator[tuple[NDArray[np.float32], list[NDArray[np.intp]]]]:
    """The different shapes of a batch, some (g, v, 3) at a time, and the faces that have each of them."""
    weights = model.weights(identity, expression)
    faces: dict[bytes, list[int]] = {}
    for face, column in enumerate(weights.T):
        faces.setdefault(column.tobytes(), []).append(face)
    members = [np.array(own) for own in faces.values()]
    split = model.n_components[0]
    for start in range(0, len(members), GROUP_SHAPES):
        group = members[start : start + GROUP_SHAPES]
        own = np.ascontiguousarray(weights[:, [faces[0] for faces in group]].T)
        vertices = own[:, :split] @ _rows(model.identity_basis).T
        vertices += own[:, split:] @ _rows(model.expression_basis).T
        vertices += model.mean.reshape(-1)
        yield vertices.reshape(len(group), -1, 3), group


def _rows(basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3 v, k): the basis as it lies in memory; a product with its transpose needs no copy of it."""
    return basis.reshape(-1, basis.shape[2])


def vertex_z(
    model: FaceModel,
    identity: NDArray[np.floating],
    expression: NDArray[np.floating],
    affine: Array,
    vertices: NDArray[np.intp],
) -> Array:
    """(b,) z of one vertex of each face after its map, in float64.

    Summed component by component, as landmarks are: the same bits on every machine and in every batch.
    """
    points = model.mean[vertices].astype(np.float64)
    for basis, values in (
        (model.identity_basis, identity),
        (model.expression_basis, expression),
    ):
        rows = basis[vertices].astype(np.float64)
        for k in range(min(basis.shape[2], values.shape[1])):
            points += rows[..., k] * values[:, k, None].astype(np.float64)
    x, y, z = (affine[:, 2, axis] * points[:, axis] for axis in range(3))
    return np.asarray(x + y + z + affine[:, 2, 3])


def reach(box: Array, affine: Array) -> tuple[Array, Array]:
    """(b, 3) bounds of what moved meshes reach, from the (b, 2, 3) boxes around their shapes.

    No vertex lies outside, but some may stay well inside: see :func:`extremes`.
    """
    centre, half = box.mean(1), (box[:, 1] - box[:, 0]) / 2
    middle = (affine[..., :3] @ centre[..., None])[..., 0] + affine[..., 3]
    spread = (np.abs(affine[..., :3]) @ half[..., None])[..., 0]
    return middle - spread, middle + spread


def extremes(
    model: FaceModel,
    identity: NDArray[np.floating],
    expression: NDArray[np.floating],
    affine: Array,
) -> tuple[Array, Array]:
    """(b, 3) smallest and largest coordinates over all vertices of each face."""
    low, high = np.empty((len(affine), 3)), np.empty((len(affine), 3))
    for vertices, faces in _shapes(model, identity, expression):
        for own, members in zip(vertices, faces, strict=True):
            for face in members:
                moved = affine[face, :, :3].astype(np.float32) @ own.T
                low[face], high[face] = moved.min(1), moved.max(1)
    return low + affine[..., 3], high + affine[..., 3]


def moved_map(shape_map: NDArray[np.float32], affine: Array) -> NDArray[np.float32]:
    """(3, n, n) position map of a face: its shape's map, moved by its (3, 4) affine map."""
    exact = affine.astype(np.float32)
    moved = exact[:, :3] @ shape_map.reshape(3, -1) + exact[:, 3:]
    return moved.reshape(shape_map.shape)
