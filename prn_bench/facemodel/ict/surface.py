"""One closed piece of surface out of ICT's separate meshes: skin, fronts of the eyeballs, mouth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.facemodel.ict.parts import Parts

Rows = NDArray[np.int64]
Triangles = NDArray[np.int64]
RIGHT_EYE, LEFT_EYE, INNER_LIPS = range(36, 42), range(42, 48), range(60, 68)


@dataclass(frozen=True)
class Surface:
    """Which vertices of the whole mesh make ours, and how they are joined.

    Attributes
    ----------
    rows : (v - 1,) int64
        Rows of the whole mesh.
    wall : (k,) int64
        Rows of the whole mesh whose mean is the last vertex, in the middle of the mouth's wall.
    triangles : (t, 3) int64
        Counter-clockwise seen from outside.
    source : (t,) int64
        The triangle of the whole mesh, -1 for one that is ours.
    """

    rows: Rows
    wall: Rows
    triangles: Triangles
    source: Rows

    def take(self, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 3) vertices of the whole mesh to (v, 3) of ours."""
        return np.concatenate([vertices[self.rows], vertices[self.wall].mean(0, keepdims=True)])


def build_surface(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32], parts: Parts, where: str | Path
) -> Surface:
    """Join the parts.

    Parameters
    ----------
    vertices : (n, 3) float64
        The neutral mesh.
    triangles : (t, 3) int32

    Raises
    ------
    BenchError
        ``wrong-topology`` when the holes of eyes and mouth are not where they should be.
    """
    corners = triangles.astype(np.int64)
    skin = np.flatnonzero((corners < parts.skin).all(1))
    holes = _face_holes(vertices, corners[skin], parts, where)
    pocket = _pocket(corners, holes["mouth"], parts)
    kept, joins = [skin, pocket], []
    for side, sclera in zip(("left", "right"), parts.scleras, strict=True):
        cap = _eye_cap(vertices, corners, sclera, parts.eye_rings)
        rim = boundary_loops(corners[cap])
        if len(rim) != 1:
            raise _topology(where, f"{len(rim)} rims of the {side} eyeball")
        kept.append(cap)
        joins.append(_join(vertices, holes[side][::-1], rim[0]))
    inner = [loop for loop in boundary_loops(corners[pocket]) if loop.min() >= parts.skin]
    if len(inner) != 1:
        raise _topology(where, f"{len(inner)} rims of the mouth's socket")
    rim_of_wall = inner[0][::-1]
    wall = np.stack(
        [rim_of_wall, np.roll(rim_of_wall, -1), np.full(len(rim_of_wall), len(vertices))], 1
    )
    source = np.concatenate(kept)
    together = np.concatenate([corners[source], *joins, wall])
    rows = np.unique(together)[:-1]
    number = np.full(len(vertices) + 1, -1)
    number[rows], number[-1] = np.arange(len(rows)), len(rows)
    if not np.isin(parts.landmarks, rows).all():
        raise _topology(where, "landmarks that belong to no polygon")
    ours = np.full(len(together) - len(source), -1)
    return Surface(rows, rim_of_wall, number[together], np.concatenate([source, ours]))


def boundary_loops(triangles: Triangles) -> list[Rows]:
    """Closed walks along edges that only one triangle has, in that triangle's direction."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    size = int(edges.max(initial=0)) + 1
    forth, back = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    following = dict(edges[~np.isin(forth, back)].tolist())
    loops = []
    while following:
        start, end = following.popitem()
        loop = [start]
        while end != start and end in following:
            loop.append(end)
            end = following.pop(end)
        loops.append(np.array(loop))
    return loops


def _face_holes(
    vertices: NDArray[np.float64], skin: Triangles, parts: Parts, where: str | Path
) -> dict[str, Rows]:
    """The loops round both eyes and the mouth, each the nearest to its landmarks."""
    loops = boundary_loops(skin)
    if len(loops) != 4:
        raise _topology(where, f"{len(loops)} holes of the skin, with the neck's")
    points = vertices[list(parts.landmarks)]
    middles = np.array([vertices[loop].mean(0) for loop in loops])
    holes = {}
    for name, landmarks in (("left", LEFT_EYE), ("right", RIGHT_EYE), ("mouth", INNER_LIPS)):
        distance = np.linalg.norm(middles - points[list(landmarks)].mean(0), axis=1)
        holes[name] = loops[int(distance.argmin())]
    return holes


def _rings(triangles: Triangles, start: Rows, count: int) -> Rows:
    """For each vertex, how many edges it is away from the start; ``count + 1`` beyond."""
    ring = np.full(max(int(triangles.max(initial=0)), int(start.max())) + 1, count + 1)
    ring[start] = 0
    for k in range(count):
        near = np.unique(triangles[(ring[triangles] == k).any(1)])
        ring[near] = np.minimum(ring[near], k + 1)
    return ring


def _pocket(triangles: Triangles, lips: Rows, parts: Parts) -> Rows:
    """Triangles of the mouth socket within some rings of the lips."""
    socket = np.flatnonzero((triangles < parts.mouth).all(1) & (triangles >= parts.skin).any(1))
    # Eye sockets lie beyond the mouth's in the list, so these are the mouth's and nothing else.
    ring = _rings(triangles[socket], lips, parts.mouth_rings)
    return socket[(ring[triangles[socket]] <= parts.mouth_rings).all(1)]


def _eye_cap(
    vertices: NDArray[np.float64], triangles: Triangles, sclera: tuple[int, int], rings: int
) -> Rows:
    """Triangles of the eyeball within some rings of its front pole, where most triangles meet."""
    ball = np.flatnonzero((triangles >= sclera[0]).all(1) & (triangles < sclera[1]).all(1))
    meeting = np.bincount(triangles[ball].ravel(), minlength=len(vertices))
    front = vertices[:, 2] > vertices[sclera[0] : sclera[1], 2].mean()
    ring = _rings(triangles[ball], np.array([int((meeting * front).argmax())]), rings)
    return ball[(ring[triangles[ball]] <= rings).all(1)]


def _join(vertices: NDArray[np.float64], outer: Rows, inner: Rows) -> Triangles:
    """A strip of triangles between two loops that run counter-clockwise seen from the front."""
    loops, shares = [], []
    for loop in (outer, inner):
        offset = vertices[loop, :2] - vertices[loop, :2].mean(0)
        first = int(np.abs(np.arctan2(offset[:, 1], offset[:, 0])).argmin())
        loop = np.append(np.roll(loop, -first), loop[first])
        steps = np.cumsum(np.linalg.norm(np.diff(vertices[loop], axis=0), axis=1))
        loops.append(loop)
        shares.append(steps / steps[-1])
    is_outer = np.repeat([True, False], [len(outer), len(inner)])
    is_outer = is_outer[np.argsort(np.concatenate(shares), kind="stable")]
    # Walk both loops at once; each step along either makes one triangle with the other's place.
    i, j = np.cumsum(is_outer), np.cumsum(~is_outer)
    across = np.where(is_outer, loops[1][j], loops[0][i])
    new = np.where(is_outer, loops[0][i], loops[1][j])
    old = np.where(is_outer, loops[0][i - 1], loops[1][j - 1])
    return np.where(
        is_outer[:, None], np.stack([old, new, across], 1), np.stack([new, old, across], 1)
    )


def _topology(where: str | Path, found: str) -> BenchError:
    return BenchError(
        "the mesh does not hang together as ICT-FaceKit's does",
        code="wrong-topology",
        where=where,
        expected="one hole for each eye, one for the mouth, one for the neck",
        found=found,
        remedy="Take the files of github.com/ICT-VGL/ICT-FaceKit unchanged.",
    )
