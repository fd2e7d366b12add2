"""A constant offset of all points, how sure it is, and which convention would explain it.

The offset of a sample is the mean of ``predicted - reference`` over its points. Over samples it is
estimated by the Hodges-Lehmann median with Wilcoxon's interval: a face that failed does not count for
more than its rank, and no shape of the errors is assumed beyond symmetry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_SAMPLES = 2000  # pairs of samples grow with the square
SHOWN = 0.05  # chance that an interval misses the truth
LIKELY, PROVEN = 0.005, 0.0005  # the same, of each of two coordinates, to call an offset so
NARROW_PX = 1.5  # wider intervals hold several conventions
CONVENTION_MARGIN_PX = 0.3  # a method's own bias on top of a convention

#: (x, y) px beside correct points, and where that comes from.
CONVENTIONS: tuple[tuple[tuple[float, float], str], ...] = (
    ((1.0, 1.0), "1-based pixels (MATLAB's)"),
    ((-1.0, -1.0), "taking 1 off points that were 0-based already"),
    ((0.5, 0.5), "pixel corners (the centre of the first pixel at 0.5)"),
    ((-0.5, -0.5), "taking half a pixel off points whose pixel centres were whole numbers"),
    ((1.0, -1.0), "face3d's maps (x 1-based, y = h - 1 - y of 1-based fits)"),
    ((0.0, 1.0), "a y flip by h instead of h - 1"),
    ((0.0, -1.0), "y = h - 1 - y of 1-based fits, as in face3d's maps"),
    ((1.0, 0.0), "x that is 1-based"),
    ((-1.0, 0.0), "taking 1 off x that was 0-based already"),
    ((-1.0, 1.0), "a pixel, to other sides in x and y"),
    ((0.5, 0.0), "half a pixel in x"),
    ((-0.5, 0.0), "half a pixel in x"),
    ((0.0, 0.5), "half a pixel in y"),
    ((0.0, -0.5), "half a pixel in y"),
    ((0.5, -0.5), "half a pixel, to other sides in x and y"),
    ((-0.5, 0.5), "half a pixel, to other sides in x and y"),
    ((0.0, 2.0), "MATLAB's y flip (h + 1) of 0-based points"),
    ((1.0, 2.0), "MATLAB's y flip (h + 1) of 0-based points, and x that is 1-based"),
)


@dataclass(frozen=True)
class Offset:
    """A constant offset, ``predicted - reference``.

    Attributes
    ----------
    estimate : (float, float)
        x and y, px.
    low, high : (float, float)
        95 % interval of each; infinite with too few samples.
    likely, proven : bool
        Whether it is not zero, with an error in 100 and in 1,000 files.
    mean : (float, float)
        The plain mean over samples.
    n : int
        Samples.
    """

    estimate: tuple[float, float]
    low: tuple[float, float]
    high: tuple[float, float]
    likely: bool
    proven: bool
    mean: tuple[float, float]
    n: int

    @property
    def length_px(self) -> float:
        """Of the estimate."""
        return math.hypot(*self.estimate)


def measure_offset(predicted: Array, reference: Array) -> Offset:
    """Estimate the constant offset of points.

    Parameters
    ----------
    predicted, reference : (n, p, 2 or 3) float, same frame, px
        z is not used; samples with unknown points are left out.

    Returns
    -------
    Offset
        NaN without a sample.
    """
    each = (predicted[..., :2] - reference[..., :2]).mean(1)
    each = each[np.isfinite(each).all(1)]
    if not len(each):
        nothing = (math.nan, math.nan)
        return Offset(nothing, nothing, nothing, False, False, nothing, 0)
    x, y = (_pairwise_means(values) for values in each.T)
    (x_low, x_high), (y_low, y_high) = (_interval(means, SHOWN) for means in (x, y))
    likely, proven = (
        any(not low <= 0 <= high for low, high in (_interval(x, chance), _interval(y, chance)))
        for chance in (LIKELY, PROVEN)
    )
    middle, mean = (float(np.median(x)), float(np.median(y))), each.mean(0).tolist()
    return Offset(middle, (x_low, y_low), (x_high, y_high), likely, proven, (*mean,), len(each))


def convention_of(offset: Offset) -> tuple[tuple[float, float], str] | None:
    """The convention that explains an offset best; None where none comes near or several may.

    Half-pixel steps are told apart by the nearest; a method's own bias is allowed for.
    """
    if not all(high - low <= NARROW_PX for low, high in zip(offset.low, offset.high, strict=True)):
        return None
    candidates = [((0.0, 0.0), ""), *CONVENTIONS]
    nearest = min(candidates, key=lambda entry: math.dist(entry[0], offset.estimate))
    margin = CONVENTION_MARGIN_PX
    fits = all(
        offset.low[axis] - margin <= nearest[0][axis] <= offset.high[axis] + margin
        for axis in range(2)
    )
    return nearest if fits and any(nearest[0]) else None


def _pairwise_means(values: Array) -> Array:
    """Sorted means of all pairs, each value with itself included; their median is the estimate."""
    if len(values) > MAX_SAMPLES:
        values = values[np.linspace(0, len(values) - 1, MAX_SAMPLES).astype(int)]
    first, second = np.triu_indices(len(values))
    return np.sort((values[first] + values[second]) / 2)


def _interval(means: Array, chance: float) -> tuple[float, float]:
    """Wilcoxon's signed-rank interval from sorted pairwise means (normal approximation)."""
    n = (math.isqrt(8 * len(means) + 1) - 1) // 2
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    cut = math.floor(n * (n + 1) / 4 - 0.5 - NormalDist().inv_cdf(1 - chance / 2) * spread)
    if cut < 0 and 2.0 ** (1 - n) > chance:  # not even all signs alike would do
        return -math.inf, math.inf
    return float(means[max(cut, 0)]), float(means[len(means) - 1 - max(cut, 0)])
