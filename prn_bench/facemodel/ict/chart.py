"""The UV chart: the whole surface on one square, no triangle over another.

In two steps. First a layout as wanted: the face with ICT's own tile drawn into a rounded shape, the head
as a ring around it, from the tile's edge (depth 0) to the hem of the neck (depth 1). Some triangles
of the ring turn over in its corners. So the mean value weights (Floater 2003) of that layout are taken,
which are positive, and every vertex off the hem is put at the weighted mean of its neighbours: with the
hem on a convex curve no two triangles overlap then (Tutte 1963), and where nothing had turned over
the layout stays nearly as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.facemodel.ict.surface import boundary_loops

Points = NDArray[np.float64]
Rows = NDArray[np.int64]

TILE_CM = 25.0  # width of ICT's face tile on the head
UV_STEP = 1e-6  # results of the linear solver agree between machines to far better
_FLATTEST = -0.999  # cosine: keeps the weight of a needle's corner finite
_LOWEST = -np.pi / 2  # where outlines start: the middle of the lower side
_FAR = 10.0  # how much farther a step counts for each cm that it lies off the middle


@dataclass(frozen=True)
class Outline:
    """A superellipse: exponent 2 is a circle, a large one a square; strictly convex between."""

    centre: tuple[float, float]
    radius: float
    exponent: float

    def at(self, angles: Points) -> Points:
        """(n, 2) points in the given directions from the centre."""
        direction = np.stack([np.cos(angles), np.sin(angles)], 1)
        lengths = (np.abs(direction) ** self.exponent).sum(1, keepdims=True)
        return np.asarray(self.centre + self.radius * direction * lengths ** (-1 / self.exponent))


#: Found by trial: the face gets 60 % of the map's width, and the back of the head is kept to 1 mm.
TILE_OUTLINE = Outline((0.5, 0.46), 0.42, 2.5)
HEM_OUTLINE = Outline((0.5, 0.5), 0.5, 4.5)


def chart(
    vertices: Points,
    triangles: Rows,
    tile: Points,
    head: NDArray[np.bool_],
    where: str | Path,
) -> Points:
    """UV coordinates of a surface with one boundary.

    Parameters
    ----------
    vertices : (v, 3) float64, cm
    triangles : (t, 3) int64
        Counter-clockwise seen from outside.
    tile : (t, 3, 2) float64
        ICT's UV of each corner; NaN for triangles that are not on the face tile.
    head : (t,) bool
        Triangles of the ring around the face.
    where : str or Path
        Name for messages.

    Returns
    -------
    (v, 2) float64 in [0, 1], v up

    Raises
    ------
    BenchError
        ``wrong-topology`` when the surface or its face has not one boundary, ``chart-overlaps``.
    """
    hem = _from_front(vertices, _only_loop(triangles, where))
    try:
        uv = _lay_out(vertices, triangles, tile, head, hem, where)
    except RuntimeError:  # the solver: a piece hangs on nothing
        raise _not_a_disc(where, "pieces that do not hang together") from None
    _check_no_overlap(uv, triangles, where)
    return np.asarray(np.clip(np.rint(uv / UV_STEP) * UV_STEP, 0, 1))


def _lay_out(
    vertices: Points,
    triangles: Rows,
    tile: Points,
    head: NDArray[np.bool_],
    hem: Rows,
    where: str | Path,
) -> Points:
    layout = _face_layout(vertices, triangles[~head], tile[~head], where)
    edge = layout.edge
    depth, angle = _ring(vertices, triangles[head], edge, layout.angles, hem)
    ring = np.setdiff1d(triangles[head], edge)
    depth, angle = _spread(depth, ring)[ring, None], angle[ring]
    wanted = layout.uv.copy()
    wanted[ring] = (1 - depth) * TILE_OUTLINE.at(angle) + depth * HEM_OUTLINE.at(angle)
    flat = np.concatenate([wanted, np.zeros((len(wanted), 1))], 1)[triangles]
    return _balance(_Springs(flat, triangles, len(vertices)), hem, wanted)


@dataclass(frozen=True)
class _FaceLayout:
    """UV of the face, its edge in order, and the directions in which the edge lies."""

    uv: Points
    edge: Rows
    angles: Points


def _face_layout(vertices: Points, triangles: Rows, tile: Points, where: str | Path) -> _FaceLayout:
    """ICT's tile with its edge on the outline; what the tile lacks by its shape on the mesh."""
    edge = _only_loop(triangles, where)
    on_tile = np.isfinite(tile).all((1, 2))
    uv = np.full((len(vertices), 2), np.nan)
    uv[triangles[on_tile].ravel()] = tile[on_tile].reshape(-1, 2)
    offset = uv[edge] - 0.5
    turn = np.arctan2(offset[:, 1], offset[:, 0]) - _LOWEST
    first = int(np.abs(np.angle(np.exp(1j * turn))).argmin())
    edge, turn = np.roll(edge, -first), np.unwrap(np.roll(turn, -first))
    # Behind the ears the edge runs back a little; it must go on for an outline.
    even = 2 * np.pi * np.arange(len(edge)) / len(edge)
    angles = 0.9 * np.maximum.accumulate(turn - turn[0]) + 0.1 * even + _LOWEST
    corners = vertices[triangles]
    corners[on_tile] = np.pad(tile[on_tile] * TILE_CM, ((0, 0), (0, 0), (0, 1)))
    fixed = np.zeros((len(vertices), 2))
    fixed[edge] = TILE_OUTLINE.at(angles)
    springs = _Springs(corners, triangles, len(vertices))
    return _FaceLayout(_balance(springs, edge, fixed), edge, angles)


def _ring(
    vertices: Points, triangles: Rows, edge: Rows, angles: Points, hem: Rows
) -> tuple[Points, Points]:
    """(v,) depth and (v,) direction of the head's vertices, between the face's edge and the hem.

    Directions grow by a whole turn around the head: triangles on the face's right that touch the
    front middle see its vertices a turn further than those on its left.
    """
    middle = np.zeros(len(vertices), bool)
    middle[_front_middle(vertices, triangles, int(edge[0]), int(hem[0]))] = True
    turned = middle[triangles] & (vertices[triangles][:, :, 0].mean(1) < 0)[:, None]
    fixed = np.zeros((len(vertices), 2))
    fixed[edge, 1] = angles
    steps = _steps(vertices, hem)
    fixed[hem] = np.stack([np.ones(len(hem)), 2 * np.pi * steps + _LOWEST], 1)
    springs = _Springs(vertices[triangles], triangles, len(vertices))
    jumps = np.stack([np.zeros_like(turned, float), 2 * np.pi * turned], -1)
    ends = np.concatenate([edge, hem])
    depth, angle = _balance(springs, ends, fixed, jumps).T
    return depth, angle


def _front_middle(vertices: Points, triangles: Rows, start: int, end: int) -> Rows:
    """The way along edges from the face's edge to the hem that keeps to x = 0."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    ends = vertices[edges]
    cost = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1) + _FAR * np.abs(ends[:, :, 0]).sum(1)
    graph = csr_array((cost, tuple(edges.T)), shape=(len(vertices), len(vertices)))
    before = dijkstra(graph, directed=False, indices=[start], return_predecessors=True)[1][0]
    way = [end]
    while way[-1] != start and before[way[-1]] >= 0:
        way.append(int(before[way[-1]]))
    return np.array(way)


def _spread(depth: Points, ring: Rows) -> Points:
    """Half way to even steps: most of the head lies close to the face's edge otherwise."""
    inside = np.sort(depth[ring])
    even = np.interp(depth, np.concatenate([[0], inside]), np.linspace(0, 1, len(inside) + 1))
    return np.asarray((depth + even) / 2)


class _Springs:
    """Mean value weights, tan(angle / 2) / length for both edges at each corner of each triangle."""

    def __init__(self, corners: Points, triangles: Rows, n_vertices: int) -> None:
        self.triangles, self.n_vertices = triangles, n_vertices
        self.weights: dict[tuple[int, int], Points] = {}
        for k in range(3):
            to = [corners[:, (k + i) % 3] - corners[:, k] for i in (1, 2)]
            lengths = [np.maximum(np.linalg.norm(edge, axis=1), 1e-9) for edge in to]
            cosine = np.maximum((to[0] * to[1]).sum(1) / (lengths[0] * lengths[1]), _FLATTEST)
            half = np.sqrt(np.maximum(1 - cosine, 1e-9) / (1 + cosine))
            self.weights |= {(k, (k + i) % 3): half / lengths[i - 1] for i in (1, 2)}

    def pulls(self, jumps: Points) -> Points:
        """(v, 2): what neighbours seen further (``jumps``, (t, 3, 2)) pull beyond their places."""
        total = np.zeros((self.n_vertices, 2))
        for (i, j), weight in self.weights.items():
            np.add.at(total, self.triangles[:, i], weight[:, None] * (jumps[:, j] - jumps[:, i]))
        return total


def _balance(springs: _Springs, held: Rows, places: Points, jumps: Points | None = None) -> Points:
    """(v, 2): every vertex but those held at the weighted mean of its neighbours."""
    from scipy.sparse import csc_array, csr_array, diags_array
    from scipy.sparse.linalg import splu

    t, n = springs.triangles, springs.n_vertices
    values = np.concatenate(list(springs.weights.values()))
    rows = np.concatenate([t[:, i] for i, _ in springs.weights])
    columns = np.concatenate([t[:, j] for _, j in springs.weights])
    matrix = csr_array((values, (rows, columns)), shape=(n, n))
    free = np.setdiff1d(t, held)
    system = csr_array(diags_array(matrix.sum(1)) - matrix)[free]
    pull = -(system[:, held] @ places[held])
    if jumps is not None:
        pull += springs.pulls(jumps)[free]
    out = places.copy()
    out[free] = splu(csc_array(system[:, free])).solve(pull)
    return out


def _only_loop(triangles: Rows, where: str | Path) -> Rows:
    loops = boundary_loops(triangles)
    if len(loops) != 1:
        raise _not_a_disc(where, f"{len(loops)} boundaries")
    return loops[0]


def _not_a_disc(where: str | Path, found: str) -> BenchError:
    return BenchError(
        "the surface is not one piece with one boundary",
        code="wrong-topology",
        where=where,
        found=found,
        remedy="Take the files of github.com/ICT-VGL/ICT-FaceKit unchanged.",
    )


def _from_front(vertices: Points, loop: Rows) -> Rows:
    """The hem from the front middle on, towards the face's left."""
    offset = vertices[loop] - vertices[loop].mean(0)
    return np.roll(loop, -int(np.abs(np.arctan2(offset[:, 0], offset[:, 2])).argmin()))


def _steps(vertices: Points, loop: Rows) -> Points:
    """(n,) share of a closed loop's length before each vertex."""
    steps = np.linalg.norm(np.diff(vertices[np.append(loop, loop[0])], axis=0), axis=1)
    return np.asarray((np.cumsum(steps) - steps) / steps.sum())


def _check_no_overlap(uv: Points, triangles: Rows, where: str | Path) -> None:
    a, b, c = uv[triangles].transpose(1, 0, 2)
    u, w = b - a, c - a
    areas = u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]
    if not (areas > 0).all():  # a NaN fails as well
        raise BenchError(
            "the UV chart of this mesh overlaps itself",
            code="chart-overlaps",
            where=where,
            found=f"{int((~(areas > 0)).sum())} of {len(areas)} triangles turned over",
            remedy="Take the files of github.com/ICT-VGL/ICT-FaceKit unchanged.",
        )
