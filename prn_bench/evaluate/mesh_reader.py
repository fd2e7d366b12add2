"""Reading chosen points off predicted meshes: one sparse matrix, and which points it covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.topology import IndexMap

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class MeshReader:
    """Points as weighted means of vertices.

    Attributes
    ----------
    matrix : (p, v) sparse float32
    covered : (p,) bool
        False where the mesh lacks a vertex that the point needs.
    """

    matrix: csr_array
    covered: NDArray[np.bool_]

    def points(self, vertices: NDArray[np.floating]) -> NDArray[np.float32]:
        """(b, 3, p) float32 points of (b, v, 3) vertices, same frame; NaN where not covered."""
        b, v, _ = vertices.shape
        flat = np.ascontiguousarray(vertices.transpose(1, 2, 0), np.float32).reshape(v, -1)
        found = np.asarray(self.matrix @ flat).reshape(-1, 3, b).transpose(2, 1, 0)
        points = np.ascontiguousarray(found)
        points[:, :, ~self.covered] = np.nan
        return points


def mesh_reader(
    vertices: NDArray[np.integer],
    weights: NDArray[np.floating],
    chart: IndexMap,
    n_predicted: int,
) -> MeshReader:
    """Compose points on a reference mesh with the map from a predicted mesh to it.

    Parameters
    ----------
    vertices : (p, 3) int
        Of the reference mesh, three for each point.
    weights : (p, 3) float
        Sum to 1; a vertex of weight 0 need not be covered.
    chart : IndexMap
    n_predicted : int
        Vertices of the predicted mesh.

    Raises
    ------
    BenchError
        ``bad-index-map`` when the map is about another number of vertices, ``no-coverage``.
    """
    from scipy.sparse import csr_array

    if chart.n_predicted not in (None, n_predicted) or chart.vertices.max() >= n_predicted:
        raise BenchError(
            f"the index map {chart.source} is not about these meshes",
            code="bad-index-map",
            expected=f"{chart.n_predicted or int(chart.vertices.max()) + 1} vertices",
            found=f"{n_predicted} vertices in the predictions",
        )
    ids = chart.vertices[vertices].reshape(len(vertices), -1)  # (p, 9): three of each of three
    values = (weights[:, :, None] * chart.weights[vertices]).reshape(len(vertices), -1)
    covered = np.asarray((chart.covered[vertices] | (weights == 0)).all(1))
    if not covered.any():
        what = "the predicted mesh has none of the points that are scored"
        raise BenchError(what, code="no-coverage", found=chart.source)
    known = ids >= 0
    starts = np.arange(0, ids.size + 1, ids.shape[1])
    parts: Any = (np.where(known, values, 0).ravel(), np.where(known, ids, 0).ravel(), starts)
    matrix = csr_array(parts, shape=(len(vertices), n_predicted), dtype=np.float32)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return MeshReader(matrix, covered)
