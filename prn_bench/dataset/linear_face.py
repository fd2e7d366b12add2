"""Chosen points of a face model as one matrix: the ground truth of dense scores, straight from the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.dataset import derive
from prn_bench.facemodel import FaceModel

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

BASIS = ("uv_basis/mean", "uv_basis/identity", "uv_basis/expression")


@dataclass(frozen=True)
class LinearFace:
    """Points that are linear in the coefficients of a fit.

    Attributes
    ----------
    mean : (3 * p,) float32, model frame
        All x, then all y, then all z.
    basis : (k, 3 * p) float32
        Identity components first.
    n_identity : int
    """

    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    n_identity: int

    def image_points(self, read: derive.Read) -> NDArray[np.float32]:
        """(b, 3, p) points of the fits whose rows ``read`` gives, image frame."""
        from threadpoolctl import threadpool_limits

        from prn_bench.compiled.dense import place

        given = read("coefficients/identity"), read("coefficients/expression")
        weights = derive.coefficient_rows(*given, len(self.basis), self.n_identity)
        with threadpool_limits(1):  # the last bit of a sum hangs on how many threads share it
            points = np.asarray(weights @ self.basis).reshape(len(weights), 3, -1)
        pose = geometry.pose_affine(read("coefficients/pose"), read("image_size")[:, 0])
        place(points, self.mean.reshape(3, -1), pose.astype(np.float32))
        return points


def linear_of_model(
    model: FaceModel, *, pixels: NDArray[np.intp] | None = None, stride: int = 1
) -> LinearFace:
    """Pixels of the model's UV map, or every ``stride``-th of its vertices.

    Parameters
    ----------
    model : FaceModel
    pixels : (p,) int, optional
        Flat, of the map; None takes vertices.
    stride : int
        Of the vertices.
    """
    columns = (model.mean[:, :, None], model.identity_basis, model.expression_basis)
    flat = np.concatenate(columns, 2).reshape(model.n_vertices, -1)
    to_map = model.uv_layout.operator.to_map
    flat = flat[::stride] if pixels is None else np.asarray(to_map[pixels] @ flat)
    planar = flat.reshape(len(flat), 3, -1).transpose(2, 1, 0)  # (1 + k, 3, p)
    rows = np.ascontiguousarray(planar, np.float32).reshape(len(planar), -1)
    return LinearFace(rows[0], rows[1:], model.n_components[0])


def linear_of_dataset(dataset: Dataset, pixels: NDArray[np.intp]) -> LinearFace:
    """Pixels of the UV basis that a file in the coefficient layout carries."""
    mean, identity, expression = (
        values.reshape(-1, 3, values.shape[-1] * values.shape[-2])[:, :, pixels]
        for values in map(dataset.read, BASIS)
    )
    basis = np.concatenate([identity, expression])
    return LinearFace(mean.reshape(-1), basis.reshape(len(basis), -1), len(identity))
