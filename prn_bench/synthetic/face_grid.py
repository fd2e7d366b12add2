"""The grid of the synthetic face: one regular UV chart whose rows follow lids, lips and jaw.

Only the half with x >= 0 is sculpted; the other is its mirror image. Each grid point is a ray that
looks for the surface of :mod:`prn_bench.synthetic.face_sdf` from outside. In front the rays are
parallel to z, so that a row can follow the rim of an eyelid exactly; beyond the cheeks they fan out
around the head, over the crown and under the chin. Millimetres, model frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HALF = 78  # columns from the midline to the back of the head
FRONT, CHEEK, EAR = 41, 56, 71  # half columns at which the front, the cheek and the ear end
N_COLUMNS = 2 * HALF + 1
#: Control rows from the neck's edge to the crown, and the grid row that each one is.
ROWS = {
    "neck": 0, "throat": 3, "under_chin": 7, "jaw": 14, "chin": 23, "red_low": 31, "lip_low": 38,
    "lip_up": 44, "red_up": 50, "nose": 62, "tip": 72, "lid_low": 84, "lid_up": 95, "brow": 105,
    "hairline": 116, "crown": 127,
}  # fmt: skip
N_ROWS = ROWS["crown"] + 1
EYE_INNER, EYE_OUTER = 17.5, 43.5
EYE_INNER_Y, EYE_OUTER_Y = 24.6, 26.4
MOUTH_CORNER = 25.0
#: Columns at which the control rows below are given: midline, nose, eye, cheek, jaw, ear, behind, back.
_KNOTS = np.array([0, 12, 24, 40, 49, 63, 71, 78])
#: Height of the ray's start (mm), its elevation in degrees, and how far from the midline it starts
#: compared with the face rows.
_HEIGHT = {
    "neck": [-146, -146, -146, -146, -145, -143, -142, -142],
    "throat": [-124, -124, -123, -122, -120, -116, -114, -112],
    "under_chin": [-82, -82, -82, -80, -74, -70, -70, -72],
    "jaw": [-63, -62, -60, -52, -42, -30, -40, -50],
    "chin": [-57, -56.5, -53, -42, -32, -22, -28, -32],
    "nose": [-19.5, -19.0, -18, -16, -10, -3, -6, -8],
    "tip": [-3, -3, -2, 0, 4, 8, 6, 4],
    "crown": [52] * 8,
}
_ELEVATION = {
    "under_chin": [-42, -42, -42, -38, -28, -20, -18, -18],
    "jaw": [-20, -20, -20, -18, -12, -6, -6, -6],
    "crown": [88.5] * 8,
}
_REACH = {
    "neck": 0.55,
    "throat": 0.5,
    "under_chin": 0.7,
    "jaw": 0.92,
    "hairline": 0.95,
    "crown": 0.05,
}
#: Height of the hairline (mm) by half column: forehead, temple, sideburn, ear, nape.
_HAIR_COLUMNS = [0, 8, 18, 28, 36, 41, 47, 52, 55, 60, 66, 71, 73, 75, 78]
_HAIR_HEIGHTS = [91, 91, 91, 87, 77, 68, 54, 32, 14, 40, 44, 12, -22, -38, -42]


@dataclass(frozen=True)
class Rays:
    """Where each point of the half grid looks for the surface; (rows, HALF + 1, 3) each."""

    origin: Array
    direction: Array


def column_axes() -> tuple[Array, Array, Array]:
    """Start x, start z (mm) and azimuth (radians) of the rays of each half column."""
    i = np.arange(HALF + 1)
    x = _curve([0, 13, 39, 44, CHEEK, EAR, HALF], [0, 17, 44.6, 48, 48, 40, 0], i)
    z = _curve([0, FRONT, CHEEK, EAR, HALF], [10, 10, 8, -4, -22], i)
    azimuth = _curve([0, 37, FRONT, CHEEK, EAR, HALF], [0, 0, 3, 66, 114, 180], i)
    return x, z, np.radians(azimuth)


def rays() -> Rays:
    """The rays of the half grid."""
    x, z, azimuth = column_axes()
    names, rows = list(ROWS), np.array(list(ROWS.values()))
    heights = control_heights()
    columns = np.arange(HALF + 1)
    elevations = [_curve(_KNOTS, _ELEVATION.get(name, [0] * 8), columns) for name in names]
    reaches = [np.full(HALF + 1, _REACH.get(name, 1.0)) for name in names]
    j = np.arange(N_ROWS)
    height, elevation, reach = (
        _curve(rows, np.array(value), j)
        for value in ([heights[name] for name in names], elevations, reaches)
    )
    elevation = np.radians(elevation)
    shape = (N_ROWS, HALF + 1)
    origin = np.stack([reach * x, height, np.broadcast_to(z, shape)], -1)
    flat = np.cos(elevation)
    direction = np.stack([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)], -1)
    return Rays(origin, direction)


def control_heights() -> dict[str, Array]:
    """Heights of the ray starts of each control row, (HALF + 1,) each, mm."""
    x, _, _ = column_axes()
    columns = np.arange(HALF + 1)
    heights = {name: _curve(_KNOTS, value, columns) for name, value in _HEIGHT.items()}
    turn = np.clip((columns - FRONT) / 19, 0, 1)
    heights["lid_low"], heights["lid_up"] = _lids(x, turn)
    heights["lip_low"], heights["lip_up"], heights["red_low"], heights["red_up"] = _lips(x, columns)
    heights["brow"] = brow_middle(x) - 3.0 * smoothstep(turn)
    heights["hairline"] = np.maximum(hairline(), 64.0)
    return heights


def hairline() -> Array:
    """Height above which hair grows, (HALF + 1,) mm."""
    return _curve(_HAIR_COLUMNS, _HAIR_HEIGHTS, np.arange(HALF + 1))


def brow_middle(x: Array) -> Array:
    """Height of the middle of the eyebrow at x (mm)."""
    t = np.clip((x - 11) / 41, 0, 1)
    return np.asarray(45.0 + 7.5 * t - 8.5 * t**2.6)


def lid_curves(x: Array) -> tuple[Array, Array]:
    """Heights of the lower and upper lid rims at x (mm); they meet beyond the corners of the eye."""
    t = np.clip((x - EYE_INNER) / (EYE_OUTER - EYE_INNER), 0, 1)
    axis = EYE_INNER_Y + (EYE_OUTER_Y - EYE_INNER_Y) * t
    upper = axis + 13.9 * t**0.66 * (1 - t) ** 0.72
    lower = axis - 8.6 * t**0.95 * (1 - t) ** 0.62
    return lower, upper


def mouth_line(x: Array) -> Array:
    """Height of the line between the lips at x (mm)."""
    bow = 0.5 * np.exp(-(((np.abs(x) - 8) / 5) ** 2)) - 0.5 * np.exp(-((x / 4.5) ** 2))
    return -38.9 + bow - 1.1 * (np.clip(np.abs(x), 0, 30) / MOUTH_CORNER) ** 3


def _lids(x: Array, turn: Array) -> tuple[Array, Array]:
    lower, upper = lid_curves(x)
    middle = (lower + upper) / 2
    away = np.maximum(np.maximum(EYE_INNER - x, x - EYE_OUTER), 0)
    away = np.maximum(away, 20 * turn)
    gap = np.maximum(upper - lower, 1.7 + 5.5 * smoothstep(away / 14))
    middle = middle - 2.0 * smoothstep(turn)
    return middle - gap / 2, middle + gap / 2


def lip_borders(x: Array) -> tuple[Array, Array]:
    """Heights of the upper and the lower edge of the red of the lips at x (mm)."""
    t = np.clip(np.abs(x) / MOUTH_CORNER, 0, 1)
    fade = np.sqrt(np.maximum(1 - t**2.2, 0))
    peak = 1.0 * np.exp(-(((np.abs(x) - 5.5) / 4) ** 2)) - 0.9 * np.exp(-((x / 2.8) ** 2))
    line = mouth_line(x)
    return line + (6.4 * (1 - 0.42 * t) + peak) * fade, line - 8.8 * fade * (1 - 0.12 * t)


def _lips(x: Array, columns: NDArray[np.integer]) -> tuple[Array, Array, Array, Array]:
    """Rows of the lower and upper lip's contact, and of the lower and upper edge of the red."""
    beyond = np.maximum(x - MOUTH_CORNER, 0) + 2.0 * np.maximum(columns - FRONT, 0)
    away = smoothstep(beyond / 26)
    gap = 0.3 + 0.5 * smoothstep((x - 19) / 6) + 4.5 * away
    rise = _curve(_KNOTS, [0, 0, 0, 5.5, 15, 25, 20, 18], columns)
    line = mouth_line(np.minimum(x, MOUTH_CORNER)) + rise
    upper, lower = (edge - mouth_line(x) for edge in lip_borders(x))
    red_up = np.maximum(upper, 1.6) + 4.0 * away
    red_low = np.maximum(-lower, 1.6) + 4.0 * away
    return line - gap / 2, line + gap / 2, line - red_low - gap / 2, line + red_up + gap / 2


def mirror(half: NDArray, *, flip: bool = True) -> NDArray:
    """(rows, HALF + 1, ...) values to the whole grid; with ``flip`` the first coordinate changes sign."""
    left = half[:, :0:-1].copy()
    if flip:
        left[..., 0] *= -1
    return np.concatenate([left, half], 1)


def uv_coordinates() -> Array:
    """(v, 2) UV coordinates of the grid, row by row from the neck up, from the face's right."""
    u, v = np.meshgrid(np.linspace(0, 1, N_COLUMNS), np.linspace(0, 1, N_ROWS))
    return np.stack([u, v], -1).reshape(-1, 2)


def grid_triangles() -> NDArray[np.int32]:
    """(t, 3) triangles, counter-clockwise from outside; the two halves are mirror images.

    The diagonals alternate, so that the fan around every vertex is symmetric: with parallel ones the
    normals along the midline would differ from their neighbours' and draw a line down the chin.
    """
    row, column = np.meshgrid(np.arange(N_ROWS - 1), np.arange(N_COLUMNS - 1), indexing="ij")
    a = (row * N_COLUMNS + column).ravel()
    b, c, d = a + 1, a + N_COLUMNS + 1, a + N_COLUMNS
    right = ((row + column + HALF) % 2 == 0).ravel()[:, None]
    first = np.where(right, np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    second = np.where(right, np.stack([a, c, d], 1), np.stack([b, c, d], 1))
    return np.stack([first, second], 1).reshape(-1, 3).astype(np.int32)


def smoothstep(t: Array) -> Array:
    """0 below 0, 1 above 1, and smooth between."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _curve(knots: object, values: object, at: NDArray) -> Array:
    """Monotone cubic through the knots, along the first axis."""
    from scipy.interpolate import PchipInterpolator

    spline = PchipInterpolator(np.asarray(knots, float), np.asarray(values, float), axis=0)
    return np.asarray(spline(at), np.float64)
