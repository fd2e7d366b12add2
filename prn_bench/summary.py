"""From per-sample errors to the figures of a table, in one place.

Conventions: errors are (n,), in the unit of the protocol, NaN where there is no prediction. Every
mean stands beside its count and its number of missing samples. Standard deviations are those of the
population (ddof 0), as in the 3DDFA script. A figure that cannot be formed is NaN, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench.intervals import Interval, headline_interval
from prn_bench.resampling import RESAMPLES
from prn_bench.subsets import balanced_draws

Aggregate = Literal["mean-of-bins", "mean-of-images", "median"]

AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
AUC_LIMIT = 7.0  # per cent, 3D-FAN's threshold
FAILURE_LIMIT = 10.0  # per cent
TOLERANCE = 1e-9  # between machines, in the unit of the figure


@dataclass(frozen=True)
class BinSummary:
    """One yaw bin: its interval, samples (missing ones included), missing samples, mean error."""

    label: str
    n: int
    n_missing: int
    mean: float


@dataclass(frozen=True)
class DrawSummary:
    """Mean error of random balanced subsets, ``size`` samples of each bin at a time.

    Its expected value is the mean of bins; ``sd`` says how far one published draw can lie from it.
    """

    draws: int
    seed: int
    size: int
    mean: float
    sd: float
    min: float
    max: float


@dataclass(frozen=True)
class Summary:
    """The figures of one method under one protocol.

    Attributes
    ----------
    headline : float
        The figure that the protocol reports: that of ``aggregate``.
    aggregate : str
    n, n_missing, n_left_out : int
        Samples that count (missing ones included), those without a prediction, and those that the
        protocol leaves out (no bin, or not in its subset).
    bins : tuple of BinSummary
    mean_of_bins, std_of_bins : float
        Mean and standard deviation of the bin means: the "Mean" and "Std" of the 3DDFA script.
    mean_of_images, median, std_of_images : float
    auc, failure_rate : float
        Fractions, of the errors in per cent: area under the CED up to ``AUC_LIMIT`` and share above
        ``FAILURE_LIMIT``; missing samples are failures. NaN for errors in pixels.
    draws : DrawSummary or None
    interval : Interval or None
        Of the headline; None where the samples are too few to say.
    """

    headline: float
    aggregate: str
    n: int
    n_missing: int
    n_left_out: int
    bins: tuple[BinSummary, ...]
    mean_of_bins: float
    std_of_bins: float
    mean_of_images: float
    median: float
    std_of_images: float
    auc: float
    failure_rate: float
    draws: DrawSummary | None = None
    interval: Interval | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN becomes None."""
        return dict(_plain(asdict(self)))


def summarize(
    errors: ArrayLike,
    bins: ArrayLike,
    missing: ArrayLike | None = None,
    *,
    labels: Sequence[str],
    aggregate: Aggregate = "mean-of-bins",
    draws: int = 0,
    seed: int = 0,
    percent: bool = True,
    groups: NDArray | None = None,
    resamples: int = RESAMPLES,
) -> Summary:
    """Aggregate per-sample errors.

    Parameters
    ----------
    errors : (n,) float
        NaN where there is none: such samples are left out of the means, never out of the counts.
    bins : (n,) int
        Index into ``labels``; negative for a sample that does not count.
    missing : (n,) bool, optional
        Samples without a prediction, where a penalty may stand for the error. Default: the NaNs.
    labels : sequence of str
        One for each bin.
    aggregate : str
        Which figure is the headline.
    draws, seed : int
        Number of balanced subsets (0 draws none), and the seed of all that is drawn.
    percent : bool
        Whether the errors are per cent; AUC and failure rate exist only then.
    groups : (n,), optional
        Groups that the interval of the headline draws whole, such as subjects.
    resamples : int
        How many that interval takes; 0 for none.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        For shapes that differ or an unknown aggregate.
    """
    errors, bins = np.asarray(errors, np.float64), np.asarray(bins)
    missing = np.isnan(errors) if missing is None else np.asarray(missing, bool)
    if not errors.shape == bins.shape == missing.shape or errors.ndim != 1:
        raise ValueError(f"one value a sample: {errors.shape}, {bins.shape}, {missing.shape}")
    if aggregate not in AGGREGATES:
        raise ValueError(f"unknown aggregate {aggregate!r}, known: {', '.join(AGGREGATES)}")
    counted = bins >= 0
    inside, known = errors[counted], _known(errors[counted])
    parts = tuple(
        BinSummary(label, int(member.sum()), int(missing[member].sum()), _mean(errors[member]))
        for label, member in ((label, bins == i) for i, label in enumerate(labels))
    )
    means = np.array([part.mean for part in parts])
    failures = np.where(missing, np.nan, errors)[counted]
    figures = {
        "mean-of-bins": float(means.mean()),
        "mean-of-images": _mean(inside),
        "median": float(np.median(known)) if len(known) else np.nan,
    }
    drawn = _draw(errors, bins, len(parts), draws, seed) if draws else None
    headline = figures[aggregate]
    how: dict[str, Any] = {"groups": groups, "resamples": resamples, "seed": seed}
    wanted = resamples > 0 and not np.isnan(headline)
    return Summary(
        headline=headline,
        aggregate=aggregate,
        n=int(counted.sum()),
        n_missing=int(missing[counted].sum()),
        n_left_out=int((~counted).sum()),
        bins=parts,
        mean_of_bins=figures["mean-of-bins"],
        std_of_bins=float(means.std()),
        mean_of_images=figures["mean-of-images"],
        median=figures["median"],
        std_of_images=float(known.std()) if len(known) else np.nan,
        auc=area_under_ced(failures, AUC_LIMIT) if percent else np.nan,
        failure_rate=failure_rate(failures, FAILURE_LIMIT) if percent else np.nan,
        draws=drawn,
        interval=headline_interval(errors, bins, aggregate, **how) if wanted else None,
    )


def figure_text(value: float, digits: int = 3) -> str:
    """A figure as tables show it: fixed digits, or ``-`` where there is none."""
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def same_figures(expected: Any, found: Any) -> bool:
    """Whether two :meth:`Summary.as_dict` are equal, numbers to 1e-9.

    The last bits of a mean may differ between machines.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(
            same_figures(value, found[key]) for key, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(same_figures, expected, found))
    if isinstance(expected, float) and isinstance(found, int | float):
        return math.isclose(expected, found, rel_tol=0, abs_tol=TOLERANCE)
    return bool(expected == found)


def ced(errors: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cumulative error distribution.

    Parameters
    ----------
    errors : (n,) float
        NaN counts as a failure: the curve then ends below 1.

    Returns
    -------
    error : (m,) float64
        The m known errors, sorted.
    fraction : (m,) float64
        Share of all n samples with an error up to that one.
    """
    errors = np.asarray(errors, np.float64)
    known = np.sort(_known(errors))
    return known, np.arange(1, len(known) + 1) / max(len(errors), 1)


def area_under_ced(errors: ArrayLike, limit: float) -> float:
    """Exact area under the CED from 0 to a limit, as a fraction of the limit.

    The step function is integrated in closed form, mean of max(0, 1 - error / limit), with no grid
    (3D-FAN sums 70 thresholds, which differs in the third decimal). NaN counts as a failure.

    Raises
    ------
    ValueError
        For a limit that is not positive.
    """
    if not limit > 0:
        raise ValueError(f"the limit must be positive, got {limit}")
    errors = np.asarray(errors, np.float64)
    gains = np.maximum(0.0, 1 - _known(errors) / limit)
    return float(gains.sum() / len(errors)) if len(errors) else np.nan


def failure_rate(errors: ArrayLike, limit: float) -> float:
    """Share of samples with an error above the limit; NaN counts as a failure."""
    errors = np.asarray(errors, np.float64)
    return float((~(errors <= limit)).mean()) if len(errors) else np.nan


def _draw(
    errors: NDArray[np.float64], bins: NDArray, n_bins: int, draws: int, seed: int
) -> DrawSummary:
    means, size = balanced_draws(errors, bins, n_bins=n_bins, draws=draws, seed=seed)
    spread = float(means.std(ddof=1)) if draws > 1 else np.nan  # a sample of all possible subsets
    low, high = float(means.min()), float(means.max())
    return DrawSummary(draws, seed, size, float(means.mean()), spread, low, high)


def _known(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    return errors[~np.isnan(errors)]


def _mean(errors: NDArray[np.float64]) -> float:
    known = _known(errors)
    return float(known.mean()) if len(known) else np.nan


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
