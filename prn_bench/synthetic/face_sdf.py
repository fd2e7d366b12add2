"""The head of the synthetic face as a signed distance field: smooth unions of simple solids.

Millimetres, model frame: x to the face's left, y up, z out of the face; the eyes lie near y = 26, the
mouth near y = -39, the chin ends near y = -86. Numbers are an adult's usual proportions, set by eye.
All functions take points with x >= 0 (the head is symmetric) and give distances, negative inside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Vector = tuple[float, float, float]

EYE_CENTRE = (30.8, 25.6, 80.5)
EYEBALL_RADIUS = 12.4
LID_RADIUS = 13.9
BLUNT_MM = 6.0


def head(p: Array) -> Array:
    """(n,) distance to the head without ears and lips.

    Parameters
    ----------
    p : (n, 3) float64, mm, x >= 0
    """
    d = _skull(p)
    d = _soft_min(d, _neck(p), 14)
    d = _jaw(p, d)
    d = _cheeks(p, d)
    d = _sockets(p, d)
    return _nose(p, d)


def _skull(p: Array) -> Array:
    cranium = ellipsoid(p, (0, 56, 4), (73, 82, 98))
    face = ellipsoid(p, (0, -12, 38), (60, 80, 66))
    return _soft_min(cranium, face, 22)


def _neck(p: Array) -> Array:
    column = capsule(p, (0, -30, -16), (0, -190, -22), 50, 54)
    nape = capsule(p, (0, 0, -42), (0, -190, -44), 34, 44)
    muscle = capsule(p, (50, -38, -12), (12, -165, 30), 8, 8)
    return _soft_min(_soft_min(column, nape, 18), muscle, 12)


def _jaw(p: Array, d: Array) -> Array:
    q = _blunt(p)
    d = _soft_min(d, capsule(q, (48, -42, 16), (16, -75, 84), 10, 9), 14)
    d = _soft_min(d, ellipsoid(p, (46, -20, 30), (14, 36, 28)), 14)
    d = _soft_min(d, ellipsoid(q, (5, -73, 87), (15, 13, 17)), 12)
    return _soft_min(d, ellipsoid(p, (0, -40, 78), (31, 25, 33)), 14)


def _cheeks(p: Array, d: Array) -> Array:
    d = _soft_min(d, ellipsoid(p, (46, 2, 67), (19, 14, 18)), 14)
    d = _soft_min(d, capsule(p, (52, 4, 54), (60, 8, 22), 9, 6), 16)
    return _soft_min(d, ellipsoid(p, (34, -14, 78), (18, 20, 17)), 14)


def _sockets(p: Array, d: Array) -> Array:
    hollow = ellipsoid(p, (28, 28, 108), (19, 12, 16))
    d = _soft_max(d, -hollow, 12)
    brow = capsule(_blunt(p), (8, 46, 97), (47, 49, 78), 9, 8)
    d = _soft_min(d, brow, 18)
    lid = np.linalg.norm(p - EYE_CENTRE, axis=1) - LID_RADIUS
    return _soft_min(d, lid, 3)


def _blunt(p: Array) -> Array:
    """Points with |x| rounded off near the midline, so that paired solids leave no crease there."""
    q = p.copy()
    q[:, 0] = np.sqrt(p[:, 0] ** 2 + BLUNT_MM**2)
    return q


def _nose(p: Array, d: Array) -> Array:
    bridge = capsule(p, (0, 34, 97), (0, -2, 117), 8.5, 9)
    body = capsule(p, (0, 20, 96), (6, -8, 110), 9, 11)
    d = _soft_min(_soft_min(d, body, 10), bridge, 8)
    d = _soft_min(d, ellipsoid(p, (0, -6, 121), (9.5, 9, 11)), 6)
    wing = ellipsoid(p, (12, -11, 109.5), (5.6, 7.0, 9.5))
    d = _soft_min(d, wing, 4)
    d = _soft_min(d, capsule(p, (0, -10, 118), (0, -20, 110), 4.5, 4.5), 5)
    nostril = ellipsoid(p, (6.8, -18.5, 114.5), (3.2, 4.2, 5.5))
    return _soft_max(d, -nostril, 2)


def ellipsoid(p: Array, centre: Vector, radii: Vector) -> Array:
    """Approximate distance to an ellipsoid, exact on its surface."""
    q = p - np.asarray(centre)
    k0 = np.linalg.norm(q / radii, axis=1)
    k1 = np.linalg.norm(q / np.square(radii), axis=1)
    return np.asarray(k0 * (k0 - 1) / np.maximum(k1, 1e-9))


def capsule(p: Array, start: Vector, end: Vector, radius_start: float, radius_end: float) -> Array:
    """Approximate distance to a capsule whose radius changes along it."""
    a, axis = np.asarray(start, float), np.subtract(end, start).astype(float)
    t = np.clip((p - a) @ axis / (axis @ axis), 0, 1)
    gap = np.linalg.norm(p - a - t[:, None] * axis, axis=1)
    return np.asarray(gap - radius_start - (radius_end - radius_start) * t)


def _soft_min(a: Array, b: Array, k: float) -> Array:
    """The union with a fillet of about k mm."""
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * k / 4


def _soft_max(a: Array, b: Array, k: float) -> Array:
    return -_soft_min(-a, -b, k)
