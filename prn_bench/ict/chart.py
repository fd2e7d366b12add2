"""The UV chart: the whole surface on one square, no triangle over another.

Mean value weights (Floater 2003) are positive, the hem lies on a convex curve, so Tutte's theorem
holds. Where a triangle belongs to ICT's face tile its angles and lengths are those of the tile, else
those of the mesh.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.ict.surface import boundary_loops

SQUARENESS = 10.0  # exponent of the outline: 2 is a circle; strictly convex whatever it is
HEAD_STIFFNESS = 3.0
TILE_CM = 25.0  # width of ICT's face tile on the head
UV_STEP = 1e-6  # results of the linear solver agree between machines to far better
_FLATTEST = -0.999  # cosine: keeps the weight of a needle's corner finite


def chart(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int64],
    tile: NDArray[np.float64],
    head: NDArray[np.bool_],
    where: str | Path,
) -> NDArray[np.float64]:
    """UV coordinates of a surface with one boundary.

    Parameters
    ----------
    vertices : (v, 3) float64, cm
    triangles : (t, 3) int64
        Counter-clockwise seen from outside.
    tile : (t, 3, 2) float64
        ICT's UV of each corner; NaN for triangles that are not on the face tile.
    head : (t,) bool
        Triangles to be drawn tighter.

    Returns
    -------
    (v, 2) float64 in [0, 1], v up

    Raises
    ------
    BenchError
        ``chart-overlaps`` when the surface has not the topology of a disc.
    """
    corners = vertices[triangles]
    on_tile = np.isfinite(tile).all((1, 2))
    flat = np.concatenate([tile[on_tile] * TILE_CM, np.zeros((on_tile.sum(), 3, 1))], 2)
    corners[on_tile] = flat
    hem = _hem(vertices, triangles, where)
    uv = np.zeros((len(vertices), 2))
    uv[hem] = _outline(vertices, hem)
    stiffness = np.where(head, HEAD_STIFFNESS, 1.0)
    uv = _solve(_weights(corners, triangles, stiffness, len(vertices)), hem, uv)
    a, b, c = uv[triangles].transpose(1, 0, 2)
    areas = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    if not np.isfinite(areas).all() or areas.min() <= 0:
        raise BenchError(
            "the UV chart of this mesh overlaps itself",
            code="chart-overlaps",
            where=where,
            found=f"{int((~(areas > 0)).sum())} of {len(areas)} triangles turned over",
            remedy="Take the files of github.com/ICT-VGL/ICT-FaceKit unchanged.",
        )
    return np.asarray(np.rint(uv / UV_STEP) * UV_STEP)


def _hem(
    vertices: NDArray[np.float64], triangles: NDArray[np.int64], where: str | Path
) -> NDArray[np.int64]:
    """The only boundary, from the front middle towards the face's left."""
    loops = boundary_loops(triangles)
    if len(loops) != 1:
        raise BenchError(
            "the surface has more holes than the neck's",
            code="wrong-topology",
            where=where,
            expected="1",
            found=str(len(loops)),
        )
    loop = loops[0]
    middle = vertices[loop].mean(0)
    angle = np.arctan2(vertices[loop, 0] - middle[0], vertices[loop, 2] - middle[2])
    return np.roll(loop, -int(np.abs(angle).argmin()))


def _outline(vertices: NDArray[np.float64], hem: NDArray[np.int64]) -> NDArray[np.float64]:
    """Places of the hem on a rounded square, from the middle of its lower side, by length."""
    closed = vertices[np.append(hem, hem[0])]
    steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    angle = 2 * np.pi * (np.cumsum(steps) - steps) / steps.sum() - np.pi / 2
    direction = np.stack([np.cos(angle), np.sin(angle)], 1)
    radius = (np.abs(direction) ** SQUARENESS).sum(1, keepdims=True) ** (-1 / SQUARENESS)
    return np.asarray(0.5 + 0.5 * radius * direction)


def _weights(
    corners: NDArray[np.float64],
    triangles: NDArray[np.int64],
    stiffness: NDArray[np.float64],
    n_vertices: int,
) -> object:
    """(v, v) sparse: tan(angle / 2) / length, for both edges at each corner of each triangle."""
    from scipy.sparse import csr_array

    rows, columns, values = [], [], []
    for k in range(3):
        to = [corners[:, (k + i) % 3] - corners[:, k] for i in (1, 2)]
        lengths = [np.maximum(np.linalg.norm(edge, axis=1), 1e-9) for edge in to]
        cosine = np.maximum((to[0] * to[1]).sum(1) / (lengths[0] * lengths[1]), _FLATTEST)
        half = np.sqrt(np.maximum(1 - cosine, 1e-9) / (1 + cosine))  # tan(angle / 2)
        for i in (1, 2):
            rows.append(triangles[:, k])
            columns.append(triangles[:, (k + i) % 3])
            values.append(stiffness * half / lengths[i - 1])
    index = (np.concatenate(rows), np.concatenate(columns))
    return csr_array((np.concatenate(values), index), shape=(n_vertices, n_vertices))


def _solve(
    weights: object, hem: NDArray[np.int64], uv: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Every vertex off the hem at the weighted mean of its neighbours."""
    from scipy.sparse import csc_array, csr_array, diags_array
    from scipy.sparse.linalg import splu

    matrix = csr_array(weights)
    free = np.setdiff1d(np.arange(len(uv)), hem)
    laplacian = csr_array(diags_array(matrix.sum(1)) - matrix)[free]
    solver = splu(csc_array(laplacian[:, free]))
    out = uv.copy()
    out[free] = solver.solve(-(laplacian[:, hem] @ uv[hem]))
    return out
