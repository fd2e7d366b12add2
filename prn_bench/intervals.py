"""How sure a figure is: bootstrap intervals of headlines, and intervals of shares.

Conventions: errors are (n,), NaN where missing; bins are (n,), negative for a sample that does not
count. Images are drawn within their yaw bins, as many as each has, or whole groups (subjects) are
drawn, which may lie across bins (:mod:`prn_bench.resampling`).

Means take the studentised bootstrap (bootstrap-t): its coverage stays near 95 % for skewed errors of
a few images, where that of percentiles falls below 90 %. The median takes percentiles, further out
for a few subjects. A share takes a formula (:mod:`prn_bench.shares`), since resamples of images
without a failure know nothing of failures. docs/statistics.md has the measured coverage.

References
----------
Efron and Tibshirani, An Introduction to the Bootstrap (1993), sections 12.5 and 13.3.
Hesterberg, The American Statistician 69 (2015), section 4.1: expanded percentiles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench.resampling import FEWEST, RESAMPLES, Replicates, replicate
from prn_bench.shares import share_interval, worth_of_groups

if TYPE_CHECKING:
    from prn_bench.summary import Aggregate

Array = NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Where a figure may lie, and how that was found.

    Attributes
    ----------
    low, high : float
        In the unit of the figure.
    level : float
        Share of such intervals that hold the true value.
    resamples, seed : int
        0 resamples where a formula gives the interval.
    method : str
        In words.
    """

    low: float
    high: float
    level: float
    resamples: int
    seed: int
    method: str


def headline_interval(
    errors: ArrayLike,
    bins: ArrayLike,
    aggregate: Aggregate,
    *,
    groups: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval | None:
    """Bootstrap interval of a mean of bins, mean of images or median.

    Parameters
    ----------
    errors : (n,) float
    bins : (n,) int
    aggregate : str
        Of :data:`prn_bench.summary.AGGREGATES`.
    groups : (n,), optional
        Group of each sample, such as its subject (:func:`subjects`).
    resamples, seed : int
        Drawn by numpy's PCG64 with that seed.
    level : float

    Returns
    -------
    Interval or None
        None where there are too few samples to say: fewer than two in a bin of the mean of bins, so
        few that too many resamples have no spread, or fewer than five subjects for a median.

    Raises
    ------
    ValueError
        For too few resamples for the level.
    """
    if int(_tail(level) * (resamples + 1)) < 1:
        raise ValueError(f"{resamples} resamples are too few for a level of {level}")
    values, owners = np.asarray(errors, np.float64)[:, None], _array(groups)
    found = replicate(
        values, np.asarray(bins), aggregate, groups=owners, resamples=resamples, seed=seed
    )
    studentised = aggregate != "median"
    tail = _tail(level)
    if owners is not None and not studentised:
        counted = (np.asarray(bins) >= 0) & ~np.isnan(values[:, 0])
        tail = _expanded(tail, len(np.unique(owners[counted])))
    ends = None if found is None else _ends(found, level, tail, studentised=studentised)
    if found is None or ends is None:
        return None
    low = max(ends[0], 0.0) if np.nanmin(values) >= 0 else ends[0]
    kind = "bootstrap-t" if studentised else "percentile bootstrap"
    kind = "expanded " * (tail < _tail(level)) + kind
    method = f"{kind}, drawing {found.drawn}"
    return Interval(low, ends[1], level, resamples, seed, method)


def auc_interval(
    errors: ArrayLike,
    bins: ArrayLike,
    limit: float,
    *,
    groups: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval | None:
    """Bootstrap interval of :func:`prn_bench.summary.area_under_ced`; NaN counts as a failure.

    The area is the mean over images of max(0, 1 - error / limit). Otherwise as
    :func:`headline_interval`.
    """
    errors = np.asarray(errors, np.float64)
    gains = np.where(np.isnan(errors), 0.0, np.maximum(0.0, 1 - errors / limit))
    found = headline_interval(
        gains, bins, "mean-of-images", groups=groups, resamples=resamples, seed=seed, level=level
    )
    return found and replace(found, high=min(found.high, 1.0))


def failure_interval(
    errors: ArrayLike,
    bins: ArrayLike,
    limit: float,
    *,
    groups: ArrayLike | None = None,
    level: float = LEVEL,
) -> Interval | None:
    """Interval of :func:`prn_bench.summary.failure_rate`; NaN counts as a failure.

    Parameters as in :func:`headline_interval`; None without any sample.
    """
    _, low, high = ced_band(errors, bins, [limit], groups=groups, level=level)
    if np.isnan(low[0]):
        return None
    method = "Wilson and mid-p" + ("" if groups is None else ", effective number of images")
    return Interval(1 - float(high[0]), 1 - float(low[0]), level, 0, 0, method)


def ced_band(
    errors: ArrayLike,
    bins: ArrayLike,
    thresholds: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    level: float = LEVEL,
) -> tuple[Array, Array, Array]:
    """Cumulative error distribution at given thresholds, with an interval at each of them.

    The band is pointwise: it holds the true curve at one threshold with the given level, not at all
    of them at once.

    Parameters
    ----------
    errors : (n,) float
        NaN is above every threshold.
    bins : (n,) int
    thresholds : (t,) float
    groups : (n,), optional
        As in :func:`headline_interval`.

    Returns
    -------
    share, low, high : (t,) float64
        Share of samples with an error up to the threshold, and its interval
        (:func:`prn_bench.shares.share_interval`); NaN without any sample.
    """
    bins, owners = np.asarray(bins), _array(groups)
    counted = bins >= 0
    within = np.asarray(errors, np.float64)[counted, None] <= np.asarray(thresholds, np.float64)
    if not len(within):
        return (np.full(within.shape[1], np.nan),) * 3
    share = within.mean(0)
    n = np.full(len(share), float(len(within)))
    if owners is not None:
        n = worth_of_groups(within, owners[counted], level)
    low, high = share_interval(share, n, level)
    return share, low, high


def subjects(ids: Iterable[object]) -> NDArray:
    """Subject of each sample: its id up to the first ``/``."""
    return np.array([str(name).partition("/")[0] for name in ids], object)


def _array(groups: ArrayLike | None) -> NDArray | None:
    return None if groups is None else np.asarray(groups)


def _tail(level: float) -> float:
    return (1 - level) / 2


def _expanded(tail: float, n_groups: int) -> float:
    """Tail of percentiles for few groups: Student's quantile, and a spread of n - 1, not of n."""
    from scipy.special import ndtr, stdtrit

    if n_groups < FEWEST:
        return tail
    return float(ndtr(stdtrit(n_groups - 1, tail) * np.sqrt(n_groups / (n_groups - 1))))


def _ends(
    found: Replicates, level: float, tail: float, *, studentised: bool
) -> tuple[float, float] | None:
    """Ends of the interval of one figure; None where too many resamples have no spread."""
    value, error = float(found.value[0]), float(found.error[0])
    roots = found.roots[:, 0] if studentised else found.change[:, 0]
    roots = np.sort(roots[~np.isnan(roots)])
    place = int(tail * (len(roots) + 1))
    if len(roots) < level * len(found.change) or place < 1:
        return None
    low, high = float(roots[place - 1]), float(roots[-place])
    if not studentised:
        return value + low, value + high
    return (value - high * error, value - low * error) if np.isfinite([low, high]).all() else None
