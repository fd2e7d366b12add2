"""A small FaceXModel folder with the layout of ICT-FaceKit: a bent sheet with holes, and eyeballs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel.ict.parts import EXPRESSIONS, N_IDENTITIES, NEUTRAL, Parts

STEP = 0.5
HALF_WIDTH, HALF_HEIGHT = 10.0, 12.0
NARROW, FACE = (6.0, 7.0), (8.0, 9.0)
HOLES = ((3.0, 3.0, 1.0, 0.5), (-3.0, 3.0, 1.0, 0.5), (0.0, -4.0, 1.5, 0.5))  # x, y, half sizes
SOCKET_RINGS, BALL_RINGS, BALL_COLUMNS, BALL_RADIUS = 5, 8, 8, 1.6


@dataclass(frozen=True)
class Toy:
    """The whole mesh: vertices in cm, polygons as (corner, texture point) pairs, and its changes."""

    parts: Parts
    vertices: NDArray[np.float64]
    uv: NDArray[np.float64]
    polygons: list[list[tuple[int, int]]]
    identities: NDArray[np.float64]
    expressions: NDArray[np.float64]


def make_toy(seed: int = 0) -> Toy:
    """One known model; the same every time."""
    rng = np.random.default_rng(seed)
    sheet, quads, sizes = _sheet()
    vertices, polygons = list(sheet), list(quads)
    mouth = _loop_round(quads, sheet, HOLES[2])
    middle = sheet[mouth].mean(0)
    for k in range(1, SOCKET_RINGS + 1):
        ring = len(vertices) + np.arange(len(mouth))
        points = np.array([vertices[i] for i in mouth])
        vertices += list(middle + (points - middle) * (0.85, 0.85, 1) - (0, 0, 0.3 * k))
        polygons += _band(mouth, ring)
        mouth = ring
    n_mouth = len(vertices)
    scleras = []
    for x, y, _, _ in HOLES[:2]:
        start = len(vertices)
        ball, faces = _ball(np.array([x, y, _height(x, y) - 1.2]))
        vertices += list(ball)
        polygons += [[i + start for i in face] for face in faces]
        scleras.append((start, len(vertices)))
    whole = np.round(np.array(vertices), 6)
    landmarks = _landmarks(sheet[: sizes[0]])
    parts = Parts(len(whole), *sizes, n_mouth, (scleras[0], scleras[1]), landmarks, 3, 3)
    uv, corners = _texture(whole, polygons, parts)
    return Toy(parts, whole, uv, corners, *(_changes(rng, whole, n) for n in (100, 53)))


def write_toy(folder: Path, toy: Toy) -> Path:
    """Write the folder ``FaceXModel`` below another, and give its path."""
    path = folder / "FaceXModel"
    path.mkdir(parents=True)
    neutral = _vertex_text(toy.vertices)
    neutral += "".join(f"vt {u:.6f} {v:.6f}\n" for u, v in toy.uv) + "usemtl M_Face\n"
    for polygon in toy.polygons:
        neutral += "f " + " ".join(f"{i + 1}/{k + 1}" for i, k in polygon) + "\n"
    (path / f"{NEUTRAL}.obj").write_text(neutral)
    names = [f"identity{k:03d}" for k in range(N_IDENTITIES)] + list(EXPRESSIONS)
    for name, change in zip(names, [*toy.identities, *toy.expressions], strict=True):
        (path / f"{name}.obj").write_text(_vertex_text(toy.vertices + change) + "f 1 2 3\n")
    facts = {"expressions": list(EXPRESSIONS), "idx_to_landmark_verts": list(toy.parts.landmarks)}
    (path / "vertex_indices.json").write_text(json.dumps(facts))
    return path


def _vertex_text(vertices: NDArray[np.float64]) -> str:
    return "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in vertices)


def _height(x: NDArray | float, y: NDArray | float) -> NDArray | float:
    """Nearest at the middle of the lower edge, which is the hem's front."""
    return 8 - 0.04 * x**2 - 0.3 * y


def _sheet() -> tuple[NDArray[np.float64], list[list[int]], tuple[int, int, int]]:
    """Grid points in the order narrow face, face, head; quads; how many each range has."""
    xs = np.arange(-HALF_WIDTH, HALF_WIDTH + STEP / 2, STEP)
    ys = np.arange(-HALF_HEIGHT, HALF_HEIGHT + STEP / 2, STEP)
    x, y = (a.ravel() for a in np.meshgrid(xs, ys))
    kept = np.ones(len(x), bool)
    for hx, hy, rx, ry in HOLES:
        kept &= ~((np.abs(x - hx) < rx - 0.01) & (np.abs(y - hy) < ry - 0.01))
    group = np.full(len(x), 2)
    for level, (rx, ry) in ((1, FACE), (0, NARROW)):
        group[(np.abs(x) <= rx) & (np.abs(y) <= ry)] = level
    order = np.lexsort((np.arange(len(x)), group))
    order = order[kept[order]]
    number = np.full(len(x), -1)
    number[order] = np.arange(len(order))
    grid = number.reshape(len(ys), len(xs))
    cells = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], -1).reshape(
        -1, 4
    )
    middle = np.stack([x, y], 1).reshape(len(ys), len(xs), 2)
    middle = (middle[:-1, :-1] + middle[1:, 1:]).reshape(-1, 2) / 2
    open_cells = np.zeros(len(cells), bool)
    for hx, hy, rx, ry in HOLES:
        open_cells |= (np.abs(middle[:, 0] - hx) < rx) & (np.abs(middle[:, 1] - hy) < ry)
    points = np.stack([x, y, _height(x, y)], 1)[order]
    sizes = [int((group[order] <= level).sum()) for level in range(3)]
    return points, cells[~open_cells].tolist(), (sizes[0], sizes[1], sizes[2])


def _loop_round(
    quads: list[list[int]], points: NDArray[np.float64], hole: tuple[float, ...]
) -> NDArray[np.int64]:
    """The edge of a hole, in the direction of the quads around it."""
    edges = {(q[i], q[(i + 1) % 4]) for q in quads for i in range(4)}
    follows = {a: b for a, b in edges if (b, a) not in edges}
    off = np.abs(points[:, :2] - hole[:2]) - hole[2:]
    loop = [next(a for a in follows if (np.abs(off[a].max()) < 0.01))]
    while follows[loop[-1]] != loop[0]:
        loop.append(follows[loop[-1]])
    return np.array(loop)


def _band(outer: NDArray[np.int64], inner: NDArray[np.int64]) -> list[list[int]]:
    after = np.roll(outer, -1), np.roll(inner, -1)
    return np.stack([after[0], outer, inner, after[1]], 1).tolist()


def _ball(centre: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[list[int]]]:
    """Poles in front and behind, rings between; polygons counter-clockwise seen from outside."""
    down = np.pi * np.arange(1, BALL_RINGS) / BALL_RINGS
    round_ = 2 * np.pi * np.arange(BALL_COLUMNS) / BALL_COLUMNS
    a, b = (g.ravel() for g in np.meshgrid(down, round_, indexing="ij"))
    rings = np.stack([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)], 1)
    points = np.concatenate([[[0, 0, 1]], rings, [[0, 0, -1]]]) * BALL_RADIUS + centre
    faces, last = [], len(points) - 1
    for c in range(BALL_COLUMNS):
        d = (c + 1) % BALL_COLUMNS
        faces.append([0, 1 + c, 1 + d])
        for r in range(BALL_RINGS - 2):
            near, far = 1 + r * BALL_COLUMNS, 1 + (r + 1) * BALL_COLUMNS
            faces.append([near + c, far + c, far + d, near + d])
        faces.append([last, last - BALL_COLUMNS + d, last - BALL_COLUMNS + c])
    return points, faces


def _texture(
    vertices: NDArray[np.float64], polygons: list[list[int]], parts: Parts
) -> tuple[NDArray[np.float64], list[list[tuple[int, int]]]]:
    """Face polygons on the first tile, all others on the next, so that seams have two points."""
    first = np.clip((vertices[:, :2] / FACE + 1) / 2, 0, 1)
    uv = np.concatenate([first, first + (1, 0)])
    tiles = [0 if max(polygon) < parts.face else len(vertices) for polygon in polygons]
    return uv, [[(i, i + t) for i in p] for p, t in zip(polygons, tiles, strict=True)]


def _landmarks(points: NDArray[np.float64]) -> tuple[int, ...]:
    """The nearest vertices to a face drawn by hand; the jaw from the right to the left."""
    turn = np.pi * np.arange(17) / 16
    places = [*zip(-6 * np.cos(turn), 3 - 9.5 * np.sin(turn), strict=True)]
    places += [(x, 5.5) for x in (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)]
    places += [(0, 3), (0, 2), (0, 1), (0, 0), (-1, -1), (-0.5, -1), (0, -1), (0.5, -1), (1, -1)]
    eye = [(-1, 0), (-0.5, 0.5), (0.5, 0.5), (1, 0), (0.5, -0.5), (-0.5, -0.5)]
    places += [(x - 3, y + 3) for x, y in eye] + [(x + 3, y + 3) for x, y in eye]
    upper = [(-2.5, -4), (-1.5, -3), (-0.5, -3), (0, -3), (0.5, -3), (1.5, -3), (2.5, -4)]
    places += upper + [(x, -5) for x in (1.5, 0.5, 0, -0.5, -1.5)]
    places += [
        (-1.5, -4),
        (-1, -3.5),
        (0, -3.5),
        (1, -3.5),
        (1.5, -4),
        (1, -4.5),
        (0, -4.5),
        (-1, -4.5),
    ]
    distance = np.linalg.norm(points[None, :, :2] - np.array(places)[:, None], axis=-1)
    return tuple(int(i) for i in distance.argmin(1))


def _changes(
    rng: np.random.Generator, vertices: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """(n, v, 3) smooth shifts of a few millimetres."""
    waves = (
        rng.normal(0, 0.15, (n, 1, 3))
        * np.sin(np.einsum("nd,vd->nv", rng.normal(0, 0.3, (n, 3)), vertices))[..., None]
    )
    return np.round(waves, 6)
