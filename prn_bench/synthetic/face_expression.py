"""How the synthetic face moves: ten local expressions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from prn_bench.synthetic.face_grid import (
    EYE_INNER,
    EYE_OUTER,
    MOUTH_CORNER,
    N_COLUMNS,
    ROWS,
    lid_curves,
    smoothstep,
)
from prn_bench.synthetic.face_sdf import EYE_CENTRE, LID_RADIUS

Array = NDArray[np.float64]

UM_PER_MM = 1000.0
FULL = 3.0  # coefficient at which an expression is complete
TMJ = (0.0, 8.0, 8.0)  # jaw joint axis, mm
JAW_DEG = 17.0
#: Name, standard deviation, and whether it also runs backwards (a smile into a frown).
NAMES: dict[str, tuple[float, bool]] = {
    "jaw open": (1.0, False), "smile": (1.2, True), "pout": (1.0, False), "lips stretch": (1.0, True),
    "brow raise": (1.1, True), "brow frown": (1.0, False), "blink": (0.9, False),
    "squint": (0.9, False), "cheek puff": (0.8, True), "nose wrinkle": (0.9, False),
}  # fmt: skip


def expression_basis(mean: Array) -> tuple[NDArray[np.float32], Array]:
    """(v, 3, 10) float32 basis in micrometres per unit of coefficient, and (10,) sigma.

    Parameters
    ----------
    mean : (v, 3) float64, mm
        The mean surface in grid order.
    """
    makers: list[Callable[[Array], Array]] = [
        _jaw_open, _smile, _pout, _stretch, _brow_raise, _frown, _blink, _squint, _puff, _wrinkle,
    ]  # fmt: skip
    columns = [make(mean) * UM_PER_MM / FULL for make in makers]
    sigma = np.array([sigma for sigma, _ in NAMES.values()])
    return np.stack(columns, -1).astype(np.float32), sigma


def _lip_side(p: Array) -> Array:
    """1 on the lower lip and below, 0 on the upper lip and above, by grid row; (v,)."""
    row = np.arange(len(p)) // N_COLUMNS
    return smoothstep((ROWS["lip_up"] - row) / (ROWS["lip_up"] - ROWS["lip_low"]))


def _jaw_open(p: Array) -> Array:
    x, y, z = p.T
    t = np.clip(np.abs(x) / MOUTH_CORNER, 0, 1)
    lower = 1 - 0.5 * t**2.5
    upper = 0.5 * t**2.5 * smoothstep((-5 - y) / 36)
    side = _lip_side(p)
    lips = side * lower + (1 - side) * upper
    cheek = smoothstep((22 - y) / 75)  # from the cheekbone to the edge of the jaw
    away = smoothstep((np.abs(x) - MOUTH_CORNER) / 16)
    weight = lips * (1 - away) + cheek * away
    weight = weight * smoothstep((z + 12) / 45) * smoothstep((y + 128) / 34)
    angle = np.radians(JAW_DEG)
    dy, dz = y - TMJ[1], z - TMJ[2]
    turn_y = dy * np.cos(angle) - dz * np.sin(angle) - dy
    turn_z = dy * np.sin(angle) + dz * np.cos(angle) - dz
    return np.stack([0 * x, weight * turn_y, weight * turn_z], 1)


def _smile(p: Array) -> Array:
    ax = np.abs(p[:, 0])
    bend = np.minimum(ax / MOUTH_CORNER, 1) ** 2 * np.exp(-((np.maximum(ax - 25, 0) / 13) ** 2))
    corner = bend * np.exp(-(((p[:, 1] + 40) / 15) ** 2)) * (p[:, 2] > 40)
    mouth = _at(p, (0, -40, 108), (28, 13, 40))
    cheek = _pair(p, (38, -6, 80), (17, 15, 30))
    lid = _pair(p, (31, 20, 92), (13, 5, 20))
    dx = 0.17 * p[:, 0] * mouth + np.sign(p[:, 0]) * (2.0 * corner + 1.5 * cheek)
    dy = 5.5 * corner + 3.0 * cheek + 1.0 * lid + 0.6 * mouth
    return np.stack([dx, dy, 2.4 * cheek - 3.0 * corner - 0.8 * mouth], 1)


def _pout(p: Array) -> Array:
    mouth = _at(p, (0, -40, 110), (24, 12, 40))
    return np.stack([-0.30 * p[:, 0] * mouth, 0 * mouth, 6.5 * mouth], 1)


def _stretch(p: Array) -> Array:
    corner = _pair(p, (24, -41, 100), (16, 11, 30)) * np.sign(p[:, 0])
    return np.stack([5.0 * corner, 0 * corner, -2.0 * np.abs(corner)], 1)


def _brow_raise(p: Array) -> Array:
    brow = _pair(p, (28, 48, 95), (28, 12, 30))
    skin = _at(p, (0, 64, 105), (44, 14, 40))
    return np.stack([0 * brow, 6.5 * brow + 1.5 * skin, 0.8 * brow], 1)


def _frown(p: Array) -> Array:
    inner = _pair(p, (13, 43, 104), (12, 9, 20))
    return np.stack([-3.0 * inner * np.tanh(p[:, 0] / 3), -4.0 * inner, 1.2 * inner], 1)


def _lid_motion(p: Array, *, close_upper: float, close_lower: float) -> Array:
    x, y, z = p.T
    ax = np.abs(x)
    lower, upper = lid_curves(ax)
    row = np.arange(len(p)) // N_COLUMNS
    front = (z > 60) & (ax > EYE_INNER - 2) & (ax < EYE_OUTER + 2)
    meet = lower + 0.15 * (upper - lower)
    above = np.exp(-(((row - ROWS["lid_up"]) / 5.0) ** 2)) * (row >= ROWS["lid_up"])
    below = np.exp(-(((row - ROWS["lid_low"]) / 5.0) ** 2)) * (row <= ROWS["lid_low"])
    dy = front * (close_upper * (meet - upper) * above + close_lower * (meet - lower) * below)
    # The upper lid slides over the eyeball, never through it.
    cx, cy, cz = EYE_CENTRE
    across = (ax - cx) ** 2 + (y + dy - cy) ** 2
    lid = cz + np.sqrt(np.maximum((LID_RADIUS + 0.9) ** 2 - across, 0))
    dz = np.where((dy < 0) & (above > 0.1), np.maximum(lid - z, 0), 0)
    return np.stack([0 * x, dy, np.minimum(dz, 5.0)], 1)


def _blink(p: Array) -> Array:
    return _lid_motion(p, close_upper=1.08, close_lower=0.6)


def _squint(p: Array) -> Array:
    cheek = _pair(p, (34, 12, 88), (17, 9, 25))
    lids = _lid_motion(p, close_upper=0.3, close_lower=1.6)
    return lids + np.stack([0 * cheek, 2.2 * cheek, 1.0 * cheek], 1)


def _puff(p: Array) -> Array:
    cheek = _pair(p, (42, -32, 70), (20, 18, 34))
    return np.stack([5.0 * cheek * np.tanh(p[:, 0] / 8), 0 * cheek, 5.0 * cheek], 1)


def _wrinkle(p: Array) -> Array:
    wing = _pair(p, (12, -8, 112), (10, 12, 18))
    lip = _pair(p, (12, -30, 112), (13, 8, 20)) * (1 - _lip_side(p))
    bridge = _at(p, (0, 26, 108), (14, 12, 18))
    return np.stack([0 * wing, 3.4 * wing + 2.0 * lip - 1.5 * bridge, 1.0 * wing + 0.8 * bridge], 1)


def _at(p: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    return np.asarray(np.exp(-(((p - centre) / radii) ** 2).sum(1)))


def _pair(p: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    folded = np.stack([np.abs(p[:, 0]), p[:, 1], p[:, 2]], 1)
    return _at(folded, centre, radii)
