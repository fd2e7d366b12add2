"""Who is better than whom, and which ranks that leaves open.

Conventions: values are (n, m), one row a sample and one column a method, lower is better; a row is
missing in all columns or in none. All methods are judged on the same resamples, so what is hard for
all of them cancels from their differences.

The intervals of all pairs hold together with the given level (single-step max-|t| bootstrap), so
every statement about ranks that follows from them holds with it, however many methods there are.

References
----------
Romano and Wolf, Econometrica 73 (2005): max-|t|. Mogstad, Romano, Shaikh and Wilhelm, Review of
Economic Studies 91 (2024): intervals of ranks from those of differences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench.intervals import LEVEL
from prn_bench.resampling import RESAMPLES, Replicates, replicate

if TYPE_CHECKING:
    from prn_bench.summary import Aggregate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Differences of the headlines of all pairs of m methods.

    Attributes
    ----------
    first, second : (p,) intp
        Columns, ``first < second``.
    difference : (p,) float64
        First minus second: negative where the first is better.
    low, high : (p,) float64
        Intervals that hold the differences of all pairs at once.
    first_better : (p,) float64
        Share of resamples in which the first is better; half of those in which both are equal.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    difference: Array
    low: Array
    high: Array
    first_better: Array


def pairwise(
    values: ArrayLike,
    bins: ArrayLike,
    aggregate: Aggregate,
    *,
    groups: NDArray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Pairs | None:
    """Paired comparison of every two methods.

    Parameters
    ----------
    values : (n, m) float
        Errors; the samples of all methods in one order.
    bins : (n,) int
        Negative for a sample that does not count.
    aggregate : str
        The headline: one of :data:`prn_bench.summary.AGGREGATES`.
    groups : (n,), optional
        Groups that are drawn whole (:func:`prn_bench.intervals.subjects`).
    resamples, seed : int
    level : float

    Returns
    -------
    Pairs or None
        None where there are too few samples to say (:func:`prn_bench.resampling.replicate`). Two
        equal columns give an interval from 0 to 0.

    Raises
    ------
    ValueError
        For fewer than two methods, or values missing in some columns of a row only.
    """
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"a comparison needs (n, 2 or more) values, got {table.shape}")
    first, second = np.array([*combinations(range(table.shape[1]), 2)], np.intp).T
    if aggregate != "median":  # the difference of two means is the mean of the differences
        table = table[:, first] - table[:, second]
    found = replicate(
        table, np.asarray(bins), aggregate, groups=groups, resamples=resamples, seed=seed
    )
    if found is None:
        return None
    found = found if aggregate != "median" else _differences(found, first, second)
    margin = _margin(found, level)
    changed = found.change[~np.isnan(found.change).any(1)] + found.value
    better = (changed < 0).mean(0) + (changed == 0).mean(0) / 2
    low, high = found.value - margin, found.value + margin
    return Pairs(first, second, found.value, low, high, better)


def rank_intervals(pairs: Pairs, n_methods: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Best and worst rank that the differences leave open for each method.

    A method's best rank is one more than the number of methods that are certainly better; its worst
    leaves room for those that are certainly worse. Methods whose ranks overlap are tied.

    Returns
    -------
    best, worst : (n_methods,) intp
        1 is the first rank.
    """
    best, worst = np.ones(n_methods, np.intp), np.full(n_methods, n_methods, np.intp)
    first_wins, second_wins = pairs.high < 0, pairs.low > 0
    for winner, loser, won in (
        (pairs.first, pairs.second, first_wins),
        (pairs.second, pairs.first, second_wins),
    ):
        np.add.at(best, loser[won], 1)
        np.subtract.at(worst, winner[won], 1)
    return best, worst


def kendall_tau(first: ArrayLike, second: ArrayLike) -> float:
    """Agreement of two rankings of the same methods, from -1 (reversed) to 1 (the same).

    Kendall's tau-b, which allows for ties; NaN where either ranks nothing: fewer than two methods
    with both figures, or all of them equal.

    Parameters
    ----------
    first, second : (m,) float
        Figures, such as headlines; a method with a NaN is left out.
    """
    pair = np.array([first, second], np.float64)
    pair = pair[:, ~np.isnan(pair).any(0)]
    if pair.shape[1] < 2 or (pair == pair[:, :1]).all(1).any():
        return math.nan
    from scipy.stats import kendalltau

    return float(kendalltau(*pair).statistic)


def _differences(found: Replicates, first: NDArray, second: NDArray) -> Replicates:
    """Replicates of differences of figures that are no means, with the error of the resamples."""
    change = found.change[:, first] - found.change[:, second]
    value, error = found.value[first] - found.value[second], np.nanstd(change, axis=0)
    return Replicates(value, error, change, np.broadcast_to(error, change.shape), found.drawn)


def _margin(found: Replicates, level: float) -> Array:
    """(p,) half widths of intervals that hold all pairs at once; infinite where none can say."""
    largest = np.abs(found.roots).max(1)
    known = np.sort(largest[~np.isnan(largest)])
    place = math.ceil(level * (len(known) + 1)) - 1
    if len(known) < level * len(largest) or place >= len(known):
        return np.where(found.error > 0, np.inf, 0.0)
    with np.errstate(invalid="ignore"):
        return np.where(found.error > 0, known[place] * found.error, 0.0)
