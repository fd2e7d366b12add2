"""Colours of an ICT face: skin, lips, brows, hair and eyes by region, since the model has none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel

Array = NDArray[np.float64]
Colour = NDArray[np.float64]

MOUTH_INSIDE, SCLERA, PUPIL = (58, 20, 20), (212, 206, 200), (14, 12, 12)
# Lengths as shares of the face's width at the eyes (147 mm on the mean).
IRIS, PUPIL_RADIUS = 0.044, 0.017
BROW, EDGE = 0.024, 0.008
OUTER_LIPS, INNER_LIPS = range(48, 60), range(60, 68)
BROWS = (range(17, 22), range(22, 27))
CREASE_STEPS = 6


@dataclass(frozen=True)
class Look:
    """Colours of one person, (3,) float64 each, sRGB 0 to 255."""

    skin: Colour
    lips: Colour
    hair: Colour
    iris: Colour


def ict_albedo(model: FaceModel, rng: np.random.Generator | None = None) -> NDArray[np.uint8]:
    """Paint an ICT face.

    Parameters
    ----------
    model : FaceModel
        Made by ``read_ict_model``, or loaded from its file.
    rng : Generator, optional
        Draws another person's colours; without it they are the model's own.

    Returns
    -------
    (v, 3) uint8

    Raises
    ------
    ValueError
        When the model is not an ICT face.
    """
    if "eyeballs" not in model.regions or "mouth_inside" not in model.regions:
        raise ValueError("the model lacks the regions of an ICT face")
    return paint(
        model.mean.astype(np.float64),
        model.triangles,
        model.landmark_vertices,
        model.regions,
        _usual() if rng is None else _random(rng),
        np.random.default_rng(7) if rng is None else rng,
    )


def paint(
    points: Array,
    triangles: NDArray[np.integer],
    landmarks: NDArray[np.integer],
    regions: dict[str, NDArray[np.bool_]],
    look: Look,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """(v, 3) uint8 colours of a mean, with the shade of its hollows."""
    marks = points[landmarks]
    unit = marks[16, 0] - marks[0, 0]
    front = regions["face"] & ~regions["eyeballs"]
    colour = np.repeat(look.skin[None], len(points), 0)
    blush = front * _blush(points, marks, unit)
    colour = _mix(colour, look.skin * (0.95, 0.76, 0.73), blush)
    lips = front * _smooth(-_outside(points, marks[list(OUTER_LIPS)]) / (EDGE * unit) + 0.5)
    colour = _mix(colour, look.lips, lips)
    colour = _mix(colour, look.hair, 0.8 * front * _brows(points, marks, unit))
    colour = _mix(colour, look.hair, 0.85 * _softened(regions["scalp"], triangles))
    colour = colour + rng.normal(0, 1.5, (len(points), 1))
    colour = colour * (1 - 0.5 * hollowness(points, triangles, unit))[:, None]
    for side in (points[:, 0] > 0, points[:, 0] <= 0):
        ball = np.flatnonzero(regions["eyeballs"] & side)
        colour[ball] = _eye(points[ball], unit, look)
    colour[regions["mouth_inside"]] = MOUTH_INSIDE
    return np.rint(np.clip(colour, 0, 255)).astype(np.uint8)


def _usual() -> Look:
    colours = ((214, 166, 140), (176, 104, 96), (62, 44, 34), (92, 112, 116))
    return Look(*(np.array(colour, np.float64) for colour in colours))


def _random(rng: np.random.Generator) -> Look:
    """Skin from light to dark, with hair and eyes that go with it."""
    dark = rng.uniform()
    skin = _along(
        [(238, 198, 176), (216, 168, 142), (182, 130, 98), (124, 82, 60), (78, 52, 40)], dark
    )
    hair = _along([(150, 116, 70), (92, 62, 40), (40, 28, 22), (24, 20, 19)], rng.uniform())
    iris = _along([(104, 134, 150), (106, 120, 90), (94, 66, 40)], rng.uniform())
    skin = skin + rng.normal(0, 4, 3)
    return Look(
        skin,
        0.7 * skin * (0.93, 0.7, 0.69) + 0.3 * np.array([172, 88, 84]) * (1 - 0.5 * dark),
        hair * (1 - dark) + np.array([24, 18, 16]) * dark,
        iris * (1 - dark) + np.array([58, 38, 26]) * dark,
    )


def _along(stops: list[tuple[int, int, int]], t: float) -> Colour:
    at = np.arange(len(stops)) / (len(stops) - 1)
    return np.array([np.interp(t, at, channel) for channel in np.array(stops, float).T])


def _blush(points: Array, marks: Array, unit: float) -> Array:
    """Cheeks and the tip of the nose."""
    total = np.zeros(len(points))
    for centre, width in (
        ((marks[1] + marks[48]) / 2, 0.13),
        ((marks[15] + marks[54]) / 2, 0.13),
        (marks[30], 0.08),
    ):
        offset = (points[:, :2] - centre[:2]) / (width * unit)
        total += 0.35 * np.exp(-(offset**2).sum(1))
    return total


def _outside(points: Array, polygon: Array) -> Array:
    """(v,) distance to a polygon seen from the front, negative within it."""
    a, b = polygon[:, :2], np.roll(polygon[:, :2], -1, 0)
    distance = _to_segments(points[:, :2], a, b).min(1)
    x, y = points[:, :1], points[:, 1:2]
    spans = (a[:, 1] > y) != (b[:, 1] > y)
    rise = np.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])
    crossing = a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / rise
    within = (spans & (x < crossing)).sum(1) % 2 == 1
    return np.where(within, -distance, distance)


def _to_segments(points: Array, a: Array, b: Array) -> Array:
    """(v, n) distances from points to segments."""
    along = b - a
    t = ((points[:, None] - a) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12)
    near = a + np.clip(t, 0, 1)[..., None] * along
    return np.asarray(np.linalg.norm(points[:, None] - near, axis=-1))


def _brows(points: Array, marks: Array, unit: float) -> Array:
    """Strips along the landmarks, thin at the outer end."""
    best = np.zeros(len(points))
    for brow in BROWS:
        line = marks[list(brow)]
        if abs(line[0, 0]) < abs(line[-1, 0]):
            line = line[::-1]  # from the outer end to the nose
        distance = _to_segments(points, line[:-1], line[1:])
        width = np.array([0.55, 0.85, 1, 0.9]) * BROW * unit
        best = np.maximum(best, _smooth(1.5 - distance / width).max(1))
    return best


def _eye(ball: Array, unit: float, look: Look) -> Array:
    """Colours of one eyeball's front; its pole is the foremost point."""
    if not len(ball):
        return np.zeros((0, 3))
    pole = ball[ball[:, 2].argmax()]
    reach = np.linalg.norm(ball[:, :2] - pole[:2], axis=1) / unit
    colour = np.repeat(np.array(SCLERA, float)[None], len(ball), 0)
    colour = _mix(colour, look.iris * 0.55, _smooth((IRIS - reach) / 0.005 + 0.5))
    colour = _mix(colour, look.iris, _smooth((IRIS * 0.85 - reach) / 0.005 + 0.5))
    return _mix(colour, PUPIL, _smooth((PUPIL_RADIUS - reach) / 0.004 + 0.5))


def hollowness(points: Array, triangles: NDArray[np.integer], unit: float) -> Array:
    """(v,) 0 to 1: how deep a place lies below its surroundings, where less light arrives."""
    corners = points[triangles]
    facets = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(f, 3), len(points)) for f in facets.T], 1
    )
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    depth = ((_averaged(points, triangles) - points) * normals).sum(1)
    return _smooth(depth / (0.02 * unit))


def _softened(mask: NDArray[np.bool_], triangles: NDArray[np.integer]) -> Array:
    return _averaged(mask[:, None].astype(np.float64), triangles, 2)[:, 0]


def _averaged(values: Array, triangles: NDArray[np.integer], steps: int = CREASE_STEPS) -> Array:
    """Every vertex at the mean of the triangles around it, some times over."""
    flat = triangles.ravel()
    counts = np.maximum(np.bincount(flat, minlength=len(values)), 1)[:, None]
    for _ in range(steps):
        middles = np.repeat(values[triangles].mean(1), 3, 0)
        sums = [np.bincount(flat, column, len(values)) for column in middles.T]
        values = np.stack(sums, 1) / counts
    return values


def _smooth(t: Array) -> Array:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _mix(colour: Array, other: object, share: Array) -> Array:
    share = np.clip(share, 0, 1)[:, None]
    return np.asarray(colour * (1 - share) + np.asarray(other, float) * share)
