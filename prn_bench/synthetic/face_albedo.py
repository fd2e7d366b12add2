"""Colours of the synthetic face: skin, lips, brows, eyes and hair, painted on its mean surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.synthetic import face_sdf
from prn_bench.synthetic.face_ear import ear_mask
from prn_bench.synthetic.face_grid import (
    EYE_INNER,
    EYE_OUTER,
    HALF,
    MOUTH_CORNER,
    N_COLUMNS,
    N_ROWS,
    ROWS,
    brow_middle,
    lid_curves,
    lip_borders,
    mirror,
    smoothstep,
)
from prn_bench.synthetic.face_hair import hair_cover, strands

Array = NDArray[np.float64]
Colour = tuple[float, float, float]

MOUTH_INSIDE = (48, 16, 18)
SCLERA = (208, 202, 196)
PUPIL = (14, 12, 12)
IRIS_MM, PUPIL_MM = 5.9, 2.5


@dataclass(frozen=True)
class Look:
    """Colours of one person, sRGB 0 to 255; ``seed`` makes the freckles."""

    skin: Colour = (222, 174, 146)
    lips: Colour = (182, 106, 98)
    hair: Colour = (62, 44, 34)
    iris: Colour = (92, 116, 122)
    seed: int = 7


def paint(mean: Array, look: Look) -> NDArray[np.uint8]:
    """(v, 3) uint8 colours.

    Parameters
    ----------
    mean : (v, 3) float64, mm
        The mean surface in grid order.
    look : Look
    """
    x, y, z = np.abs(mean[:, 0]), mean[:, 1], mean[:, 2]
    row = np.arange(len(mean)) // N_COLUMNS
    colour = _skin(x, y, z, look)
    colour = _mix(colour, look.lips, _lips(x, y, z))
    colour = _mix(colour, look.hair, 0.85 * _brows(x, y, z))
    colour = _hair(colour, mean, look)
    colour = _mix(colour, (70, 30, 26), 0.8 * _nostrils(x, y, z))
    colour = _eyes(colour, x, y, z, row, look)
    pocket = (row > ROWS["lip_low"]) & (row < ROWS["lip_up"]) & (x < MOUTH_CORNER) & (z > 40)
    colour[pocket] = MOUTH_INSIDE
    colour = colour * (1 - 0.45 * hollowness(mean))[:, None]
    return np.rint(np.clip(colour, 0, 255)).astype(np.uint8)


def random_look(rng: np.random.Generator) -> Look:
    """A person's colours: skin from light to dark, with hair, brows and eyes that go with it."""
    depth = rng.uniform()
    tones = np.array(
        [(238, 198, 176), (222, 174, 146), (186, 132, 98), (128, 84, 60), (78, 50, 38)]
    )
    skin = _along(tones, depth) + rng.normal(0, 4, 3)
    hair = _along(
        np.array([(150, 116, 70), (92, 62, 40), (40, 28, 22), (22, 18, 18)]), rng.uniform()
    )
    hair = hair * (1 - depth) + np.array([24, 18, 16]) * depth
    iris = _along(np.array([(104, 134, 150), (106, 120, 90), (94, 66, 40)]), rng.uniform())
    iris = iris * (1 - depth) + np.array([58, 38, 26]) * depth
    lips = 0.55 * skin * (0.95, 0.68, 0.68) + 0.45 * np.array([176, 84, 80]) * (1 - 0.5 * depth)
    seed = int(rng.integers(1 << 31))
    return Look(_colour(skin), _colour(lips), _colour(hair), _colour(iris), seed)


def _colour(values: Array) -> Colour:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _skin(x: Array, y: Array, z: Array, look: Look) -> Array:
    skin = np.asarray(look.skin, float)
    rng = np.random.default_rng(look.seed)
    colour = np.repeat(skin[None], len(x), 0)
    blush = 0.22 * _blob(x, y, (38, -6), (17, 15)) * (z > 40)
    blush += 0.18 * _blob(x, y, (0, -7), (13, 10)) * (z > 100)
    colour = _mix(colour, skin * (0.93, 0.68, 0.64), blush)
    shade = 0.12 * _blob(x, y, (30, 20), (14, 5)) * (z > 60)
    colour = _mix(colour, skin * (0.78, 0.66, 0.66), shade)
    spots = rng.normal(0, 1.2, (len(x), 1)) + rng.normal(0, 0.6, (len(x), 3))
    return colour + spots


def _lips(x: Array, y: Array, z: Array) -> Array:
    upper, lower = lip_borders(x)
    inside = smoothstep((upper - y) / 1.4 + 0.5) * smoothstep((y - lower) / 1.6 + 0.5)
    return inside * smoothstep((MOUTH_CORNER + 1.0 - x) / 2) * (z > 80)


def _brows(x: Array, y: Array, z: Array) -> Array:
    t = np.clip((x - 11) / 41, 0, 1)
    half_width = 3.3 * (1 - 0.68 * t**1.6) * (0.75 + 0.25 * smoothstep((x - 9) / 7))
    edge = smoothstep(1.6 - np.abs(y - brow_middle(x)) / half_width)
    hairs = 0.9 + 0.1 * np.sin(2.2 * x + 1.1 * y)
    return edge * hairs * smoothstep((x - 8) / 6) * smoothstep((54 - x) / 8) * (z > 40)


def _hair(colour: Array, mean: Array, look: Look) -> Array:
    half = mean.reshape(N_ROWS, N_COLUMNS, 3)[:, HALF:]
    cover, sheen = hair_cover(half), 1 + 0.22 * strands(half)
    cover = mirror(np.where(ear_mask(half), 0, cover), flip=False).ravel()
    tint = np.asarray(look.hair, float) * mirror(sheen, flip=False).ravel()[:, None]
    return _mix(colour, tint, cover)


def _nostrils(x: Array, y: Array, z: Array) -> Array:
    cx, cy, _ = (6.8, -18.5, 0)
    return smoothstep(1.6 - np.hypot((x - cx) / 3.0, (y - cy) / 2.6)) * (z > 100)


def _eyes(
    colour: Array, x: Array, y: Array, z: Array, row: NDArray[np.integer], look: Look
) -> Array:
    lower, upper = lid_curves(x)
    ball = (row > ROWS["lid_low"]) & (row < ROWS["lid_up"]) & (x > EYE_INNER) & (x < EYE_OUTER)
    ball &= (y < upper) & (y > lower) & (z > 60)
    from_iris = np.hypot(x - face_sdf.EYE_CENTRE[0], y - face_sdf.EYE_CENTRE[1])
    eye = np.repeat(np.array(SCLERA, float)[None], len(x), 0)
    eye = _mix(eye, (206, 150, 140), smoothstep((EYE_INNER + 4 - x) / 3))
    eye = _mix(eye, (190, 140, 130), smoothstep((x - EYE_OUTER + 3) / 3))
    eye = _mix(eye, look.iris, smoothstep((IRIS_MM - from_iris) / 1.6 + 0.5))
    eye = _mix(eye, PUPIL, smoothstep((PUPIL_MM - from_iris) / 1.4 + 0.5))
    eye *= 1 - 0.45 * smoothstep(1 - (upper - y) / 2.6)[:, None]  # the lid's shadow
    out = np.where(ball[:, None], eye, colour)
    rim = np.exp(-(((y - upper) / 0.9) ** 2)) * (x > EYE_INNER + 2) * (x < EYE_OUTER + 1) * (z > 60)
    return _mix(out, np.asarray(look.hair) * 0.6, 0.75 * rim)


def hollowness(mean: Array) -> Array:
    """(v,) 0 to 1: how deep a place lies below its surroundings, where less light arrives."""
    from scipy.ndimage import uniform_filter1d

    grid = mean.reshape(N_ROWS, N_COLUMNS, 3)
    across, up = np.gradient(grid, axis=1), np.gradient(grid, axis=0)
    normal = np.cross(across, up)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    around = grid
    for axis in (0, 1):
        around = uniform_filter1d(around, 7, axis=axis, mode="nearest")
    depth = ((around - grid) * normal).sum(-1)
    reach = 3 * (np.linalg.norm(across, axis=-1) + np.linalg.norm(up, axis=-1)) / 2
    return smoothstep(depth / (1.5 + 0.22 * reach)).ravel()


def _blob(x: Array, y: Array, centre: tuple[float, float], radii: tuple[float, float]) -> Array:
    return np.exp(-(((x - centre[0]) / radii[0]) ** 2) - ((y - centre[1]) / radii[1]) ** 2)


def _mix(colour: Array, other: object, share: Array) -> Array:
    share = np.clip(share, 0, 1)[:, None]
    return np.asarray(colour * (1 - share) + np.asarray(other, float) * share)


def _along(stops: NDArray, t: float) -> Array:
    at = t * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    return np.asarray(stops[low] + (at - low) * (stops[low + 1] - stops[low]), float)
