"""Methods side by side under one protocol: differences, what they are worth, and ranks.

Results are compared only when the same rules measured the same samples against the same reference.
All methods are judged on the same resamples (:mod:`prn_bench.ranking`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from prn_bench.comparison.comparable import check_comparable
from prn_bench.errors import BenchError, first_few
from prn_bench.intervals import LEVEL, Interval, auc_interval, failure_interval, subjects
from prn_bench.ranking import Pairs, pairwise, rank_intervals
from prn_bench.resampling import RESAMPLES
from prn_bench.results import Result
from prn_bench.summary import AUC_LIMIT, FAILURE_LIMIT, ced

Unpaired = Literal["refuse", "drop"]


@dataclass(frozen=True)
class Entry:
    """One method.

    Attributes
    ----------
    method : str
        Its name, made unique.
    headline : float
    interval : Interval or None
        Of the headline alone; that of a difference says more about two methods.
    best_rank, worst_rank : int
        Ranks that the differences leave open; 1 is the best.
    n, n_missing : int
        Samples that count, and those without a prediction.
    auc, failure_rate : float
    auc_interval, failure_interval : Interval or None
    error, fraction : (k,) float64
        The CED as steps (:func:`prn_bench.summary.ced`).
    """

    method: str
    headline: float
    interval: Interval | None
    best_rank: int
    worst_rank: int
    n: int
    n_missing: int
    auc: float
    failure_rate: float
    auc_interval: Interval | None
    failure_interval: Interval | None
    error: NDArray[np.float64]
    fraction: NDArray[np.float64]

    @property
    def ranks(self) -> str:
        """Its ranks as tables show them: ``1``, ``2-3``."""
        best, worst = self.best_rank, self.worst_rank
        return f"{best}" if best == worst else f"{best}-{worst}"


@dataclass(frozen=True)
class Difference:
    """Headline of one method minus that of another, on the same resamples.

    Attributes
    ----------
    first, second : str
    difference : float
        Negative where the first is better.
    low, high : float
        The intervals of all pairs hold at once; infinite where there are too few samples to say.
    first_better : float
        Share of resamples in which the first is better.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    first_better: float

    @property
    def verdict(self) -> str:
        """The better method, or ``tie`` where the interval holds zero."""
        return self.first if self.high < 0 else self.second if self.low > 0 else "tie"


@dataclass(frozen=True)
class Comparison:
    """Several methods under one protocol.

    Attributes
    ----------
    protocol, protocol_hash, reference_digest, dataset, unit, aggregate : str
    entries : tuple of Entry
        By headline, the best first.
    differences : tuple of Difference
        Of every two entries, the one with the better headline first.
    n_unpaired : int
        Samples left out because some method, but not each, has an error for them.
    level : float
    resamples, seed : int
    common_region : float or None
        Share of the points that all methods have, where they were scored on these alone.
    """

    protocol: str
    protocol_hash: str
    reference_digest: str
    dataset: str
    unit: str
    aggregate: str
    entries: tuple[Entry, ...]
    differences: tuple[Difference, ...]
    n_unpaired: int
    level: float
    resamples: int
    seed: int
    common_region: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values and arrays, for JSON."""
        told = asdict(self)
        for table, difference in zip(told["differences"], self.differences, strict=True):
            table["verdict"] = difference.verdict
        for table in told["entries"]:
            table["ced"] = {name: table.pop(name) for name in ("error", "fraction")}
        return told


def compare(
    results: Sequence[Result],
    *,
    unpaired: Unpaired = "refuse",
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Comparison:
    """Compare results of two or more methods under one protocol.

    Parameters
    ----------
    results : sequence of Result
    unpaired : "refuse" or "drop"
        What to do with samples that some methods have an error for, and others not: refuse to
        compare, or compare on the samples that all have.
    resamples, seed : int
        Of the differences; intervals of single headlines are those of the results.
    level : float

    Returns
    -------
    Comparison

    Raises
    ------
    BenchError
        ``too-few-results``, ``unpaired-samples``, ``no-headline``, and those of
        :func:`prn_bench.comparison.comparable.check_comparable`.
    """
    check_comparable(results)
    paired, n_unpaired = _paired(results, unpaired)
    paired.sort(key=lambda result: (result.summary.headline, str(result.method["name"])))
    first = paired[0]
    samples, protocol = first.samples, first.protocol
    pairs = pairwise(
        np.stack([result.samples.errors for result in paired], 1),
        samples.bins,
        protocol.aggregate,
        groups=_groups(first),
        resamples=resamples,
        seed=seed,
        level=level,
    ) or _unknown(paired)
    best, worst = rank_intervals(pairs, len(paired))
    names = _names(paired)
    entries = tuple(map(_entry, paired, names, best.tolist(), worst.tolist()))
    return Comparison(
        protocol.id,
        protocol.hash,
        first.reference_digest,
        str(first.dataset.get("title")),
        protocol.unit,
        protocol.aggregate,
        entries,
        tuple(_differences(pairs, names)),
        n_unpaired,
        level,
        resamples,
        seed,
    )


def _paired(results: Sequence[Result], unpaired: Unpaired) -> tuple[list[Result], int]:
    """The results on the samples that all have an error for, and how many that left out."""
    counted = results[0].samples.bins >= 0
    absent = np.stack([np.isnan(result.samples.errors) for result in results])[:, counted]
    loose = absent.any(0) & ~absent.all(0)
    n_unpaired = int(loose.sum())
    if n_unpaired and unpaired == "refuse":
        counts = [f"{r.method['name']} {n}" for r, n in zip(results, absent.sum(1), strict=True)]
        raise BenchError(
            f"{n_unpaired} samples have an error by some of the methods only "
            f"({first_few(results[0].samples.ids[counted][loose])})",
            code="unpaired-samples",
            expected="the same samples of every method",
            found=f"without a prediction: {', '.join(counts)}",
            remedy="Predict them all, or compare on the samples that all have: --unpaired drop.",
        )
    if n_unpaired:
        results = [_without(result, np.flatnonzero(counted)[loose]) for result in results]
    for result in results:
        if np.isnan(result.summary.headline):
            what = f"{result.method['name']} has no headline: a bin is left without any error"
            raise BenchError(what, code="no-headline")
    return list(results), n_unpaired


def _without(result: Result, rows: NDArray[np.intp]) -> Result:
    errors, missing = result.samples.errors.copy(), result.samples.missing.copy()
    errors[rows], missing[rows] = np.nan, True
    samples = replace(result.samples, errors=errors, missing=missing)
    return replace(result, samples=samples, summary=samples.summarize(result.protocol))


def _names(results: Sequence[Result]) -> list[str]:
    """Names of the methods; a second result of a name gets a number."""
    seen: Counter[str] = Counter()
    names = []
    for result in results:
        name = str(result.method["name"])
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _entry(result: Result, name: str, best: int, worst: int) -> Entry:
    summary, samples, percent = result.summary, result.samples, result.protocol.unit == "percent"
    errors, groups = np.where(samples.missing, np.nan, samples.errors), _groups(result)
    area = auc_interval(errors, samples.bins, AUC_LIMIT, groups=groups) if percent else None
    failures = failure_interval(errors, samples.bins, FAILURE_LIMIT, groups=groups)
    return Entry(
        name,
        summary.headline,
        summary.interval,
        best,
        worst,
        summary.n,
        summary.n_missing,
        summary.auc,
        summary.failure_rate,
        area,
        failures if percent else None,
        *ced(errors[samples.bins >= 0]),
    )


def _groups(result: Result) -> NDArray | None:
    return subjects(result.samples.ids) if result.protocol.group == "subject" else None


def _differences(pairs: Pairs, names: Sequence[str]) -> Iterator[Difference]:
    figures = (pairs.difference, pairs.low, pairs.high, pairs.first_better)
    for first, second, *found in zip(pairs.first, pairs.second, *figures, strict=True):
        yield Difference(names[first], names[second], *map(float, found))


def _unknown(results: Sequence[Result]) -> Pairs:
    """Pairs of which too few samples say nothing."""
    first, second = np.array([*combinations(range(len(results)), 2)], np.intp).T
    headlines = np.array([result.summary.headline for result in results])
    infinite = np.full(len(first), np.inf)
    nothing = np.full(len(first), np.nan)
    difference = headlines[first] - headlines[second]
    return Pairs(first, second, difference, -infinite, infinite, nothing)
