"""Resamples of a benchmark, and what a figure becomes in each of them.

Conventions: a *unit* is drawn as a whole: a sample, or all samples of a group (a subject). Units are
drawn with replacement within their *stratum*, as many as it holds. Values are (n, m), one row a
sample and one column a method, lower is better; NaN, in all columns of a row alike, where missing.
A missing sample is drawn like any other and stays missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from prn_bench.summary import Aggregate

Array = NDArray[np.float64]
RESAMPLES = 2000
BLOCK_DRAWS = 1 << 17  # held at once, 1 MB an array; another number gives other draws
WORD = np.uint64(32)
FEWEST = 2  # units that show a spread


@dataclass(frozen=True)
class Units:
    """What is drawn: the unit of each sample, numbered stratum by stratum.

    Attributes
    ----------
    of_sample : (n,) intp
    sizes : tuple of int
        Units in each stratum.
    what : str
        In words.
    """

    of_sample: NDArray[np.intp]
    sizes: tuple[int, ...]
    what: str

    @property
    def strata(self) -> list[slice]:
        """The units of each stratum."""
        ends = np.cumsum(self.sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True)]

    def blocks(self, resamples: int, seed: int) -> Iterator[Array]:
        """How often each unit is drawn: (rows, units) arrays, ``resamples`` rows in all.

        Result files are computed again when they are loaded, perhaps by another numpy. It keeps the
        bits of PCG64 for ever, but not what its Generator makes of them (NEP 19), so the indices
        are made here; their bias is below units / 2**32.
        """
        bits = np.random.PCG64(seed)
        step = max(1, BLOCK_DRAWS // sum(self.sizes))
        for start in range(0, resamples, step):
            rows = min(step, resamples - start)
            yield np.concatenate([_times_drawn(bits, size, rows) for size in self.sizes], 1)


@dataclass(frozen=True)
class Replicates:
    """A figure and what it is in each resample, for m methods.

    Attributes
    ----------
    value, error : (m,) float64
        The figure and its estimated standard error.
    change : (resamples, m) float64
        Figure of the resample minus ``value``; NaN where the resample left a bin without samples.
    errors : (resamples, m) float64
        The standard error as that resample estimates it.
    drawn : str
        What was drawn, in words.
    """

    value: Array
    error: Array
    change: Array
    errors: Array
    drawn: str

    @property
    def roots(self) -> Array:
        """(resamples, m) changes over their standard errors; 0 where nothing changed."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.change == 0, 0.0, self.change / self.errors)


def replicate(
    values: Array,
    bins: NDArray,
    aggregate: Aggregate,
    *,
    groups: NDArray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Replicates | None:
    """A headline figure under resampling, images within their bins or whole groups.

    Parameters
    ----------
    values : (n, m) float64
    bins : (n,) int
        Negative for a sample that does not count.
    aggregate : str
        Of :data:`prn_bench.summary.AGGREGATES`.
    groups : (n,), optional

    Returns
    -------
    Replicates or None
        None where a bin, or the whole, has fewer than two units with a value. A thin bin does not
        matter to figures over all images: these are then drawn without regard to bins.

    Raises
    ------
    ValueError
        When values are missing in some columns of a row only.
    """
    counted = bins >= 0
    values, names = values[counted], np.arange(len(bins)) if groups is None else groups
    known, names = _known(values), names[counted]
    strata = np.unique(bins[counted], return_inverse=True)[1].reshape(-1)
    columns = strata if aggregate == "mean-of-bins" else np.zeros_like(strata)
    if not known.any() or _thinnest(columns[known], names[known], columns) < FEWEST:
        return None
    thin = _thinnest(strata[known], names[known], strata) < FEWEST
    units = units_of(columns if thin else strata, None if groups is None else names)
    if aggregate == "median":
        return replicate_medians(values, units, resamples=resamples, seed=seed)
    return replicate_means(values, columns, units, resamples=resamples, seed=seed)


def units_of(strata: NDArray, groups: NDArray | None = None) -> Units:
    """What to draw: samples within their strata, or whole groups, all from one stratum.

    Parameters
    ----------
    strata : (n,) int
        Any numbers >= 0.
    groups : (n,), optional
        A group may lie across strata (a subject is rendered in every yaw bin), so that drawing it
        whole cannot keep their sizes.
    """
    if groups is not None:
        names, members = np.unique(groups, return_inverse=True)
        return Units(members.reshape(-1), (len(names),), "whole groups")
    place = np.empty(len(strata), np.intp)
    place[np.argsort(strata, kind="stable")] = np.arange(len(strata))
    sizes = tuple(size for size in np.bincount(strata).tolist() if size)
    return Units(place, sizes, "images within bins" if len(sizes) > 1 else "images")


def replicate_means(
    values: Array, columns: NDArray, units: Units, *, resamples: int = RESAMPLES, seed: int = 0
) -> Replicates:
    """Mean of the means of each column, a ratio of sums in every resample.

    Parameters
    ----------
    values : (n, m) float64
    columns : (n,) int
        0 to k - 1, each with a known value: bins, or zeros for the mean over all samples.

    Notes
    -----
    Standard errors are those of the linearised ratio, n - 1 in the denominator of each stratum. For
    samples without missing ones they are the textbook error of a stratified mean.
    """
    sums, counts, value = _centred_sums(values, columns, units)
    pull = _influence(sums, counts, units)
    change, variance = zip(
        *(_block(drawn, sums, counts, pull, units) for drawn in units.blocks(resamples, seed)),
        strict=True,
    )
    errors = np.sqrt(np.maximum(np.concatenate(variance), 0.0))
    error = standard_error(values, columns, units)
    return Replicates(value, error, np.concatenate(change), errors, units.what)


def replicate_medians(
    values: Array, units: Units, *, resamples: int = RESAMPLES, seed: int = 0
) -> Replicates:
    """Median over all samples; its standard error is the standard deviation of the resamples."""
    known = _known(values)
    values, owner = values[known], units.of_sample[known]
    orders = np.argsort(values, axis=0, kind="stable").T
    ranked = [(owner[order], column[order]) for order, column in zip(orders, values.T, strict=True)]
    medians = np.concatenate(
        [
            np.stack([_weighted_median(drawn[:, own], column) for own, column in ranked], 1)
            for drawn in units.blocks(resamples, seed)
        ]
    )
    value = np.median(values, axis=0)
    error = np.nanstd(medians, axis=0)
    errors = np.broadcast_to(error, medians.shape)
    return Replicates(value, error, medians - value, errors, units.what)


def standard_error(values: Array, columns: NDArray, units: Units) -> Array:
    """(m,) standard error of the mean of the column means, see :func:`replicate_means`."""
    pull = _influence(*_centred_sums(values, columns, units)[:2], units)
    parts = [_variance(0.0, np.square(pull[s]).sum(0), s.stop - s.start) for s in units.strata]
    return np.asarray(np.sqrt(np.sum(parts, axis=0)))


def _known(values: Array) -> NDArray[np.bool_]:
    missing = np.isnan(values)
    if (missing != missing[:, :1]).any():
        raise ValueError("a value is missing in all columns of a row or in none")
    return ~missing[:, 0]


def _thinnest(parts: NDArray, names: NDArray, every: NDArray) -> int:
    """Fewest different names in one of the parts that there are."""
    return min(len(np.unique(names[parts == part])) for part in np.unique(every))


def _times_drawn(bits: np.random.PCG64, size: int, rows: int) -> Array:
    """(rows, size): how often each of ``size`` units is among ``size`` draws."""
    n = rows * size
    words = bits.random_raw((n + 1) // 2).view(np.uint32)[:n].astype(np.uint64)
    index = (words * np.uint64(size) >> WORD).astype(np.intp).reshape(rows, size)
    index += size * np.arange(rows)[:, None]
    return np.bincount(index.ravel(), minlength=n).astype(np.float64).reshape(rows, size)


def _centred_sums(values: Array, columns: NDArray, units: Units) -> tuple[Array, Array, Array]:
    """(units, k, m) sums of deviations from the column means, (units, k) counts, (m,) figure."""
    known = _known(values)
    values, columns, owner = values[known], columns[known], units.of_sample[known]
    shape = (sum(units.sizes), int(columns.max()) + 1)
    means = np.stack([values[columns == j].mean(0) for j in range(shape[1])])
    sums, counts = np.zeros((*shape, values.shape[1])), np.zeros(shape)
    np.add.at(sums, (owner, columns), values - means[columns])
    np.add.at(counts, (owner, columns), 1)
    return sums, counts, means.mean(0)


def _influence(sums: Array, counts: Array, units: Units) -> Array:
    """(units, m): how much each unit pulls the figure, centred in its stratum."""
    pull = np.asarray((sums / counts.sum(0)[:, None]).mean(1))
    for part in units.strata:
        pull[part] -= pull[part].mean(0)
    return pull


def _block(
    drawn: Array, sums: Array, counts: Array, pull: Array, units: Units
) -> tuple[Array, Array]:
    """(rows, m) change of the figure and its variance, for rows of draws."""
    rows, (_, k, m) = len(drawn), sums.shape
    top, bottom, variance = np.zeros((rows, k, m)), np.zeros((rows, k)), np.zeros((rows, m))
    for part in units.strata:
        weights, size = drawn[:, part], part.stop - part.start
        used = np.flatnonzero(counts[part].any(0))  # a stratum that is a bin has one column
        moved = weights @ sums[part][:, used].reshape(size, -1)
        top[:, used] += moved.reshape(rows, len(used), m)
        bottom[:, used] += weights @ counts[part][:, used]
        variance += _variance(weights @ pull[part], weights @ np.square(pull[part]), size)
    with np.errstate(invalid="ignore"):
        return (top / bottom[:, :, None]).mean(1), variance


def _variance(first: Array | float, second: Array, size: int) -> Array:
    """Estimated variance of a sum of ``size`` draws from their first two moments."""
    return np.asarray((second - np.square(first) / size) * (size / (size - 1)))


def _weighted_median(weights: Array, values: Array) -> Array:
    """(rows,) medians of increasing values, each as often as its weight says."""
    total = weights.cumsum(1)
    n = total[:, -1:]
    low, high = ((total >= np.floor((n + step) / 2)).argmax(1) for step in (1, 2))
    return np.where(n[:, 0] > 0, (values[low] + values[high]) / 2, np.nan)
