"""From rays and a distance field to the mean surface of the synthetic face, in millimetres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.synthetic import face_sdf
from prn_bench.synthetic.face_ear import grow_ears
from prn_bench.synthetic.face_grid import (
    EYE_INNER,
    EYE_OUTER,
    HALF,
    MOUTH_CORNER,
    N_ROWS,
    ROWS,
    Rays,
    lid_curves,
    lip_borders,
    mirror,
    mouth_line,
    rays,
    smoothstep,
)
from prn_bench.synthetic.face_hair import grow_hair

Array = NDArray[np.float64]

START_MM = 170.0  # outside the head on every ray
STEPS = 60
STEP_SHARE = 0.85  # smooth unions overstate the distance a little
CLOSE_ENOUGH_MM = 1e-3


def mean_surface() -> Array:
    """(v, 3) mean face, mm, exactly symmetric: vertices row by row from the neck up."""
    half = march(rays())
    half = shape_lips(half)
    half = crease_lids(half)
    half = open_eyes(half)
    half = fold_mouth(half)
    half = grow_ears(grow_hair(half))
    half[:, 0, 0] = 0.0
    half[:, HALF, 0] = 0.0
    return mirror(half).reshape(-1, 3)


def march(field: Rays) -> Array:
    """Points where the rays, followed from outside, first meet the head."""
    origin, direction = field.origin.reshape(-1, 3), field.direction.reshape(-1, 3)
    along = np.full(len(origin), START_MM)
    active = np.arange(len(origin))
    for _ in range(STEPS):
        p = origin[active] + along[active, None] * direction[active]
        p[:, 0] = np.abs(p[:, 0])
        distance = face_sdf.head(p)
        along[active] -= STEP_SHARE * distance
        active = active[np.abs(distance) > CLOSE_ENOUGH_MM]
        if not len(active):
            break
    along = np.maximum(along, 0.5)
    return (origin + along[:, None] * direction).reshape(N_ROWS, HALF + 1, 3)


def shape_lips(half: Array) -> Array:
    """Lift lips, philtrum and the fold below the lower lip out of the front of the jaw."""
    out = half.copy()
    x, y = half[..., 0], half[..., 1]
    front = (half[..., 2] > 60) & (np.abs(y + 40) < 40)
    out[..., 2] += np.where(front, lip_relief(x, y), 0.0)
    return out


def lip_relief(x: Array, y: Array) -> Array:
    """Millimetres to add to z around the mouth."""
    line = mouth_line(x)
    upper, lower = lip_borders(x)
    x = np.abs(x)
    fade = smoothstep((1.1 - x / MOUTH_CORNER) / 0.5)
    q_up = np.clip((y - line) / np.maximum(upper - line, 0.8), 0, 8)
    q_low = np.clip((line - y) / np.maximum(line - lower, 0.8), 0, 8)
    lift = np.where(y >= line, _upper_profile(q_up), _lower_profile(q_low)) * fade
    philtrum = smoothstep((y + 34) / 4) * smoothstep((-18 - y) / 5)
    groove = 0.6 * np.exp(-(((x - 5.5) / 2.4) ** 2)) - 1.1 * np.exp(-((x / 3.0) ** 2))
    sulcus = -2.0 * np.exp(-(((y + 57) / 5) ** 2) - (x / 20) ** 2)
    corner = -1.3 * np.exp(-(((x - 26.5) / 5) ** 2) - ((y + 41) / 5) ** 2)
    return lift + groove * philtrum + sulcus + corner


def _upper_profile(q: Array) -> Array:
    """Relief across the upper lip: 0 at the line between the lips, 1 at the edge of the red."""
    swell = 4.2 * np.sqrt(np.minimum(q, 1)) * np.exp(-1.1 * np.maximum(q - 0.4, 0))
    return np.asarray(swell - 3.2 * np.exp(-q / 0.22))


def _lower_profile(q: Array) -> Array:
    swell = 4.6 * np.sqrt(np.minimum(q, 1)) * np.exp(-1.5 * np.maximum(q - 0.4, 0) ** 1.2)
    return np.asarray(swell - 3.2 * np.exp(-q / 0.18))


def crease_lids(half: Array) -> Array:
    """The fold above the upper lid, and the rims of both lids."""
    out = half.copy()
    x, y = half[..., 0], half[..., 1]
    lower, upper = lid_curves(x)
    t = np.clip((x - EYE_INNER) / (EYE_OUTER - EYE_INNER), 0, 1)
    span = smoothstep((x - EYE_INNER + 3) / 8) * smoothstep((EYE_OUTER + 5 - x) / 9)
    front = span * (half[..., 2] > 60)
    fold = upper + 2.4 + 2.2 * np.sqrt(t * (1 - t))
    out[..., 2] -= front * 1.5 * np.exp(-(((y - fold) / 1.3) ** 2))
    out[..., 2] += front * 1.0 * np.exp(-(((y - fold - 3.2) / 2.6) ** 2))
    out[..., 2] += front * 0.5 * np.exp(-(((y - lower) / 1.2) ** 2))
    out[..., 2] -= front * 0.7 * np.exp(-(((y - lower + 7) / 3.0) ** 2))
    return out


def open_eyes(half: Array) -> Array:
    """Put the grid between the lid rims onto the eyeball."""
    out = half.copy()
    rows = slice(ROWS["lid_low"] + 1, ROWS["lid_up"])
    p = out[rows]
    x, y = p[..., 0], p[..., 1]
    lower, upper = lid_curves(x)
    inside = (x > EYE_INNER) & (x < EYE_OUTER) & (y < upper - 0.05) & (y > lower + 0.05)
    cx, cy, cz = face_sdf.EYE_CENTRE
    across = (x - cx) ** 2 + (y - cy) ** 2
    ball = cz + np.sqrt(np.maximum(face_sdf.EYEBALL_RADIUS**2 - across, 0))
    ball += 0.7 * np.maximum(1 - across / 6.0**2, 0)
    p[..., 2] = np.where(inside, np.minimum(ball, p[..., 2]), p[..., 2])
    return out


def fold_mouth(half: Array) -> Array:
    """Push the rows between the lips back into a pocket that shows when the mouth opens."""
    out = half.copy()
    low, up = ROWS["lip_low"], ROWS["lip_up"]
    p = out[low + 1 : up]
    t = np.clip(p[..., 0] / MOUTH_CORNER, 0, 1)
    deep = np.sqrt(np.maximum(1 - t**2, 0)) * (p[..., 2] > 40)
    side = np.linspace(-1, 1, up - low + 1)[1:-1, None]
    p[..., 2] -= deep * (16 - 9 * side**4)
    p[..., 1] += deep * 6 * np.sign(side) * np.abs(side) ** 0.5
    return out
