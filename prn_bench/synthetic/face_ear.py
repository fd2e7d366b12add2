"""Ears of the synthetic face: a patch of the grid pulled out into a flap that overhangs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.synthetic.face_grid import CHEEK, EAR, smoothstep

Array = NDArray[np.float64]

FIRST, LAST = CHEEK, EAR - 1  # columns of the patch, from the cheek to behind the ear
CENTRE_Y, HALF_HEIGHT, WIDTH = 9.0, 32.0, 35.0  # mm
FRONT_Z = 15.0
REACH = 1.3  # how far beyond the ear its grid is disturbed, relative to its height
TILT = 0.17  # the upper end leans back, mm per mm
#: Along the patch from front to back: how far back on the ear's width, and how far out from the head
#: (mm) at the lobe, in the middle and at the top.
_ALONG = [0, 0.1, 0.18, 0.25, 0.33, 0.42, 0.5, 0.58, 0.65, 0.72, 0.79, 0.88, 1.0]
_BACK = [-0.10, 0.02, 0.09, 0.14, 0.27, 0.45, 0.58, 0.72, 0.86, 0.97, 1.0, 0.74, 0.52]
_OUT = {
    "lobe": [0, 0.8, 1.8, 2.8, 4.5, 6.2, 7.5, 8.4, 8.8, 8.2, 6.4, 2.8, 0],
    "middle": [0, 2.2, 5.6, 1.5, -4.5, -3.0, 6.0, 12.0, 11.5, 17.0, 14.5, 5.0, 0],
    "top": [0, 3.5, 8.0, 9.0, 6.0, 6.0, 8.0, 10.5, 11.0, 17.0, 15.0, 6.0, 0],
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
    for row, level in enumerate(ear_levels(half)):
        # Above and below the ear the grid slides back to where it was.
        blend = _smooth((REACH - abs(level)) / (REACH - 1))
        if blend > 0:
            ear = _ear_row(half[row], along, float(np.clip(level, -1, 1)))
            out[row, patch] = (1 - blend) * half[row, patch] + blend * ear
    return out


def ear_levels(half: Array) -> Array:
    """(rows,) height of each grid row on the ear, from -1 (lobe) to 1 (top), beyond outside it."""
    return np.asarray((half[:, (FIRST + LAST) // 2, 1] - CENTRE_Y) / HALF_HEIGHT)


def ear_mask(half: Array) -> NDArray[np.bool_]:
    """(rows, columns) bool: the places of the half grid that make the ear."""
    columns = np.arange(half.shape[1])
    inside = np.abs(ear_levels(half)) < 0.96
    return np.asarray(inside[:, None] & (columns > FIRST) & (columns < LAST))


def _ear_row(line: Array, along: Array, level: float) -> Array:
    """One row of the ear, from the cheek to behind the ear; ``level`` runs from -1 to 1."""
    height = max(1 - abs(level) ** 3, 0) ** 0.5  # share of the full relief
    # Where there is no relief left the grid must not fold back under the rim.
    fold = _smooth(height / 0.6)
    back = fold * _pchip(_ALONG, _BACK, along) + (1 - fold) * along
    # At both ends the outline is rounded in front too, or the lobe would end in a point.
    root = 8.0 * _smooth((-0.55 - level) / 0.45) + 6.0 * _smooth((level - 0.6) / 0.4)
    z = FRONT_Z - root - back * WIDTH * _outline(level) - TILT * HALF_HEIGHT * level
    end = smoothstep((along - 0.86) / 0.14)  # the last column stays where it was
    z = (1 - end) * z + end * line[LAST, 2]
    side = slice(43, 76)
    order = np.argsort(line[side, 2])
    x = np.interp(z, line[side, 2][order], line[side, 0][order])
    y = np.interp(z, line[side, 2][order], line[side, 1][order])
    # The rows bend, so that the top is an arch and the lobe is round.
    arch = 13 * _smooth(level / 0.9) - 4 * _smooth(-level / 0.9)
    bend = np.minimum((back - 0.42) ** 2, 0.35) * (1 - end) * smoothstep(along / 0.1)
    lift = _mix_profiles(along, level) * height
    return np.stack([x + lift, y - arch * bend, z], 1)


def _outline(level: float) -> float:
    """Width of the ear at a height, relative to its widest."""
    if level > 0:
        return float(max((1 - level**2.4) ** 0.5, 0.52))
    return float(max((1 - (-level) ** 3.0) ** 0.55, 0.72) * (1 - 0.38 * _smooth(-level / 0.75)))


def _mix_profiles(along: Array, level: float) -> Array:
    lobe, middle, top = (_pchip(_ALONG, _OUT[name], along) for name in ("lobe", "middle", "top"))
    low, high = _smooth((-0.35 - level) / 0.35), _smooth((level - 0.15) / 0.4)
    return low * lobe + high * top + (1 - low - high) * middle


def _smooth(t: float) -> float:
    return float(smoothstep(np.asarray(t)))


def _pchip(knots: list[float], values: list[float], at: Array) -> Array:
    from scipy.interpolate import PchipInterpolator

    return np.asarray(PchipInterpolator(knots, values)(at), np.float64)
