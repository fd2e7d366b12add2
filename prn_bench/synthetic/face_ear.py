"""Ears of the synthetic face: a patch of the grid pulled out into a flap that overhangs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FIRST, LAST = 50, 65  # columns of the patch, from the cheek to behind the ear
CENTRE_Y, HALF_HEIGHT, WIDTH = 9.0, 32.0, 34.0  # mm
FRONT_Z = 16.0
TILT = 0.22  # the upper end leans back, mm per mm
#: Along the patch from front to back: how far back on the ear's width, and how far out from the head
#: (mm) at the lobe, in the middle and at the top.
_ALONG = [0, 0.13, 0.2, 0.27, 0.36, 0.45, 0.53, 0.61, 0.68, 0.74, 0.8, 0.88, 1.0]
_BACK = [-0.06, 0.04, 0.1, 0.17, 0.3, 0.44, 0.58, 0.74, 0.9, 1.0, 0.97, 0.68, 0.5]
_OUT = {
    "lobe": [0, 1.0, 2.0, 3.0, 4.5, 6.0, 7.2, 8.0, 8.2, 7.4, 5.6, 3.0, 0],
    "middle": [0, 2.5, 5.2, 2.0, -3.5, -2.0, 8.5, 12.0, 11.5, 16.0, 13.0, 5.0, 0],
    "top": [0, 3.0, 6.0, 7.0, 5.5, 6.5, 9.0, 10.5, 11.0, 16.5, 13.5, 6.0, 0],
}


def grow_ears(half: Array) -> Array:
    """Pull the ear out of the side of the half head.

    Parameters
    ----------
    half : (rows, columns, 3) float64, mm
    """
    out = half.copy()
    patch = slice(FIRST, LAST + 1)
    along = np.linspace(0, 1, LAST - FIRST + 1)
    for row in range(half.shape[0]):
        level = (half[row, (FIRST + LAST) // 2, 1] - CENTRE_Y) / HALF_HEIGHT
        if abs(level) < 1:
            ear = _ear_row(half[row], along, level)
            blend = _smooth(min(1.0, (1 - abs(level)) / 0.10))
            out[row, patch] = (1 - blend) * half[row, patch] + blend * ear
    return out


def _ear_row(line: Array, along: Array, level: float) -> Array:
    """One row of the ear, from the cheek to behind the ear; ``level`` runs from -1 to 1."""
    back = _pchip(_ALONG, _BACK, along) * WIDTH * _outline(level)
    z = FRONT_Z - back - TILT * HALF_HEIGHT * level
    side = slice(40, 72)
    order = np.argsort(line[side, 2])
    x = np.interp(z, line[side, 2][order], line[side, 0][order])
    y = np.interp(z, line[side, 2][order], line[side, 1][order])
    lift = _mix_profiles(along, level) * np.sqrt(max(1 - level**2, 0)) ** 0.35
    return np.stack([x + lift, y, z], 1)


def _outline(level: float) -> float:
    """Width of the ear at a height, relative to its widest."""
    ellipse = np.sqrt(max(1 - level**2, 0.0))
    return float(ellipse * (0.80 + 0.22 * level) ** 0.9 / 0.84 if level < 0.6 else ellipse * 1.08)


def _mix_profiles(along: Array, level: float) -> Array:
    lobe, middle, top = (_pchip(_ALONG, _OUT[name], along) for name in ("lobe", "middle", "top"))
    low, high = _smooth((-0.35 - level) / 0.35), _smooth((level - 0.15) / 0.4)
    return low * lobe + high * top + (1 - low - high) * middle


def _smooth(t: float) -> float:
    t = float(np.clip(t, 0, 1))
    return t * t * (3 - 2 * t)


def _pchip(knots: list[float], values: list[float], at: Array) -> Array:
    from scipy.interpolate import PchipInterpolator

    return np.asarray(PchipInterpolator(knots, values)(at), np.float64)
