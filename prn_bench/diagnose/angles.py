"""What may be wrong with head-pose angles: radians, signs, order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose.search import improves

Array = NDArray[np.float64]

NAMES = ("pitch", "yaw", "roll")
FULL_TURN_DEG = 360.0


@dataclass(frozen=True)
class AngleFault:
    """A change of angles that brings them nearer to the reference.

    Attributes
    ----------
    family, name, cause : str
    before, after : float
        Mean absolute error over the three angles and all samples, degrees.
    """

    family: str
    name: str
    cause: str
    before: float
    after: float


@dataclass(frozen=True)
class _Change:
    in_radians: bool
    order: tuple[int, ...]
    signs: tuple[int, ...]

    @property
    def n_parts(self) -> int:
        return self.in_radians + (self.order != (0, 1, 2)) + sum(sign < 0 for sign in self.signs)

    def apply(self, angles: Array) -> Array:
        degrees = np.degrees(angles) if self.in_radians else angles
        return np.asarray(degrees[:, list(self.order)] * self.signs)


def angle_fault(predicted: Array, reference: Array) -> AngleFault | None:
    """The change of unit, order and signs that explains angles best, if one does.

    Parameters
    ----------
    predicted : (n, 3) float
        Pitch, yaw, roll in degrees, as declared; NaN where unknown.
    reference : (n, 3) float, degrees
    """
    before = angle_errors(predicted, reference)
    trials = [(change, angle_errors(change.apply(predicted), reference)) for change in _changes()]
    good = [(change, errors) for change, errors in trials if improves(before, errors)]
    if not good:
        return None
    change, errors = min(good, key=lambda pair: (float(np.nanmean(pair[1])), pair[0].n_parts))
    means = float(np.nanmean(before)), float(np.nanmean(errors))
    return AngleFault(_family(change), _name(change), _cause(change), *means)


def angle_errors(predicted: Array, reference: Array) -> Array:
    """(n,) mean absolute error of the three angles of each sample, wrapped, degrees."""
    gap = np.abs(predicted - reference) % FULL_TURN_DEG
    return np.asarray(np.minimum(gap, FULL_TURN_DEG - gap).mean(1))


def _changes() -> Iterator[_Change]:
    for in_radians, order in product((False, True), permutations(range(3))):
        for signs in product((1, -1), repeat=3):
            change = _Change(in_radians, order, signs)
            if change.n_parts:
                yield change


def _family(change: _Change) -> str:
    if change.in_radians:
        return "angle-unit"
    return "angle-order" if change.order != (0, 1, 2) else "angle-sign"


def _name(change: _Change) -> str:
    terms = [
        f"{NAMES[i]} = {'-' if sign < 0 else ''}{NAMES[source]}"
        for i, (source, sign) in enumerate(zip(change.order, change.signs, strict=True))
        if source != i or sign < 0
    ]
    return ", ".join([*(["radians to degrees"] if change.in_radians else []), *terms])


def _cause(change: _Change) -> str:
    causes = ["angles are in radians"] if change.in_radians else []
    if change.order != (0, 1, 2):
        stands = ", ".join(NAMES[change.order.index(i)] for i in range(3))
        causes.append(f"the columns hold {stands}, not {', '.join(NAMES)}")
    if min(change.signs) < 0:
        turned = [NAMES[i] for i in range(3) if change.signs[i] < 0]
        causes.append(f"the sign of {' and '.join(turned)} is the other one")
    return "; ".join(causes)
