"""How synthetic people differ: forty orthonormal modes made of named, smooth deformations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_IDENTITY = 40
N_NAMED = 32
WAVE_MM = 0.45
UM_PER_MM = 1000.0


def identity_basis(mean: Array) -> tuple[NDArray[np.float32], Array]:
    """Orthonormal basis and standard deviations of the coefficients.

    The named deformations below are one-sigma displacements of independent traits; their principal
    axes give the same distribution of people with orthonormal columns.

    Parameters
    ----------
    mean : (v, 3) float64, mm

    Returns
    -------
    basis : (v, 3, 40) float32
    sigma : (40,) float64
        In micrometres (times unit-norm columns), largest first.
    """
    traits = np.stack([trait.ravel() for trait in _traits(mean)], 1) * UM_PER_MM
    values, vectors = np.linalg.eigh(traits.T @ traits)
    order = np.argsort(values)[::-1]
    sigma = np.round(np.sqrt(values[order]), 3)  # um; the last bits of an eigenvalue are noise
    basis = traits @ vectors[:, order] / sigma
    basis *= np.sign(basis[np.abs(basis).argmax(0), np.arange(basis.shape[1])])
    return basis.reshape(*mean.shape, -1).astype(np.float32), sigma


def _traits(p: Array) -> Iterator[Array]:
    yield from _head_traits(p)
    yield from _eye_traits(p)
    yield from _nose_traits(p)
    yield from _mouth_traits(p)
    yield from _asymmetries(p)
    yield from _waves(p)


def _head_traits(p: Array) -> Iterator[Array]:
    x, y, z = p.T
    below = _ramp((20 - y) / 80)
    yield _move(0.020 * x, 0.020 * y, 0.020 * z)  # size
    yield _move(0.030 * x, 0 * y, 0 * z)  # width
    yield _move(0 * x, 0.028 * (y - 20), 0 * z)  # height
    yield _move(0 * x, 0 * y, 0.028 * (z - 20))  # depth
    yield _move(0.045 * x * below, 0 * y, 0 * z)  # jaw width
    yield _move(0 * x, -4.0 * _ramp((-45 - y) / 35) * _ramp((y + 135) / 40), 0 * z)  # chin length
    yield _move(0 * x, 0 * y, 3.0 * _at(p, (0, -72, 90), (24, 20, 40)))  # chin forward
    yield _move(0 * x, 0 * y, 3.0 * _at(p, (0, 90, 95), (70, 32, 60)))  # forehead slope
    yield _move(0 * x, 0 * y, 1.6 * _pair(p, (22, 45, 98), (24, 10, 25)))  # brow ridge
    bone, flesh = _pair(p, (46, 2, 70), (18, 16, 22)), _pair(p, (40, -25, 75), (18, 20, 25))
    yield _move(2.0 * _side(p, (58, 2, 55), (22, 20, 34)), 0 * y, 1.2 * bone)  # cheekbones
    yield _move(1.8 * _side(p, (48, -28, 60), (20, 24, 30)), 0 * y, 1.8 * flesh)  # cheeks
    yield _move(0.08 * x * _ramp((-75 - y) / 40), 0 * y, 0.06 * z * _ramp((-85 - y) / 40))  # neck
    ear = _pair(p, (80, 8, 0), (16, 38, 30)) * _ramp((np.abs(x) - 70) / 8)
    yield _move(1.8 * ear * np.sign(x), 0.07 * ear * (y - 8), -1.5 * ear)  # ear size


def _eye_traits(p: Array) -> Iterator[Array]:
    x, y, z = p.T
    eye = _pair(p, (30.8, 26, 90), (17, 12, 20))
    local = np.abs(x) - 30.8
    yield _move(1.2 * _side(p, (30.8, 28, 90), (19, 18, 30)), 0 * y, 0 * z)  # spacing
    yield _move(0.05 * local * np.sign(x) * eye, 0.10 * (y - 25.6) * eye, 0 * z)  # size
    yield _move(0 * x, 0.06 * local * eye, 0 * z)  # slant
    yield _move(0 * x, 0 * y, 1.5 * _pair(p, (30.8, 28, 90), (18, 14, 30)))  # depth
    yield _move(0 * x, 1.6 * _pair(p, (30, 47, 95), (24, 8, 30)), 0 * z)  # brow height


def _nose_traits(p: Array) -> Iterator[Array]:
    x, y, z = p.T
    lower = _at(p, (0, -11, 116), (20, 11, 22))
    yield _move(0.11 * x * lower, 0 * y, 0 * z)  # width
    yield _move(0 * x, -2.0 * _at(p, (0, -16, 118), (20, 16, 26)), 0 * z)  # length
    yield _move(0 * x, 0 * y, 2.2 * _at(p, (0, -8, 124), (15, 15, 22)))  # projection
    yield _move(0 * x, 0 * y, 1.6 * _at(p, (0, 14, 116), (9, 13, 22)))  # bridge
    yield _move(0 * x, 1.4 * _at(p, (0, -7, 130), (10, 8, 12)), 0 * z)  # tip turned up
    yield _move(0.10 * x * _at(p, (0, 16, 112), (15, 16, 22)), 0 * y, 0 * z)  # bridge width


def _mouth_traits(p: Array) -> Iterator[Array]:
    x, y, z = p.T
    mouth = _at(p, (0, -40, 108), (30, 13, 34))
    yield _move(0.07 * x * mouth, 0 * y, 0 * z)  # width
    upper = _at(p, (0, -33, 114), (21, 6, 26))
    lower = _at(p, (0, -47.5, 112), (20, 6, 26))
    yield _move(0 * x, 0.9 * upper - 1.0 * lower, 0.7 * upper + 0.8 * lower)  # fullness
    yield _move(0 * x, 1.6 * _at(p, (0, -40, 108), (36, 16, 40)), 0 * z)  # height
    yield _move(0 * x, 0 * y, 1.7 * _at(p, (0, -38, 110), (34, 20, 40)))  # protrusion


def _asymmetries(p: Array) -> Iterator[Array]:
    x, y, z = p.T
    yield _move(1.0 * _at(p, (0, -8, 122), (17, 22, 22)), 0 * y, 0 * z)  # nose to one side
    yield _move(0 * x, 0.5 * np.tanh(x / 20) * _at(p, (0, -40, 105), (40, 16, 40)), 0 * z)
    yield _move(0 * x, 0.6 * np.tanh(x / 20) * _at(p, (0, 32, 95), (56, 22, 40)), 0 * z)
    yield _move(1.2 * _at(p, (0, -72, 80), (55, 28, 60)), 0 * y, 0 * z)  # jaw to one side


def _waves(p: Array) -> Iterator[Array]:
    """Smooth random modes for what has no name; symmetric, of 12 to 22 cm wavelength."""
    rng = np.random.default_rng(20180611)
    x, y, z = p.T
    for _ in range(N_IDENTITY - N_NAMED):
        parts = [np.zeros(len(p)) for _ in range(3)]
        for axis in (0, 1, 2):
            for _ in range(3):
                k = 2 * np.pi * rng.normal(size=3) / rng.uniform(120, 220)
                phase = rng.uniform(0, 2 * np.pi)
                # Odd in x for the sideways part and even for the others: both halves move alike.
                across = np.sin(k[0] * x) if axis == 0 else np.cos(k[0] * x)
                parts[axis] += across * np.cos(k[1] * y + k[2] * z + phase)
        yield WAVE_MM * _move(*parts)


def _move(dx: Array, dy: Array, dz: Array) -> Array:
    return np.stack([dx, dy, dz], 1)


def _ramp(t: Array) -> Array:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * t * (10 - 15 * t + 6 * t * t))


def _at(p: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    """Bell of influence around a point."""
    return np.asarray(np.exp(-(((p - centre) / radii) ** 2).sum(1)))


def _pair(p: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    """The same bell on both sides."""
    folded = np.stack([np.abs(p[:, 0]), p[:, 1], p[:, 2]], 1)
    return _at(folded, centre, radii)


def _side(p: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    """The bell on both sides, with the sign of x: outwards."""
    return _pair(p, centre, radii) * np.tanh(p[:, 0] / 4)
