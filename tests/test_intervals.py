"""Intervals: against slow oracles, by hand, and by how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from prn_bench.intervals import (
    auc_interval,
    ced_band,
    failure_interval,
    headline_interval,
    subjects,
)
from prn_bench.resampling import Units, replicate, standard_error, units_of
from prn_bench.summary import AGGREGATES, area_under_ced, ced, failure_rate, summarize
from tests.interval_coverage import World, coverage

LABELS = ("a", "b", "c")


def world(n: int = 60, *, missing: int = 0, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Skewed errors in three bins, in no order."""
    rng = np.random.default_rng(seed)
    errors, bins = rng.gamma(3, 1, n), rng.permutation(np.arange(n) % 3)
    errors[rng.permutation(n)[:missing]] = np.nan
    return errors, bins


def drawn_samples(units: Units, resamples: int, seed: int) -> list[NDArray]:
    """Rows of the samples in each resample, each as often as its unit was drawn."""
    times = np.concatenate([*units.blocks(resamples, seed)])
    return [
        np.repeat(np.arange(len(units.of_sample)), row[units.of_sample].astype(int))
        for row in times
    ]


def figure(errors: NDArray, bins: NDArray, aggregate: str) -> float:
    """A headline by NumPy alone."""
    if aggregate == "mean-of-bins":
        return float(np.mean([np.nanmean(errors[bins == b]) for b in np.unique(bins)]))
    return float((np.nanmedian if aggregate == "median" else np.nanmean)(errors))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_every_resample_against_a_loop(aggregate, grouped: bool) -> None:
    """The figure of each resample is that of its samples, taken one by one; missing ones as well."""
    errors, bins = world(missing=7)
    groups = np.random.default_rng(1).integers(0, 9, len(errors)) if grouped else None
    found = replicate(errors[:, None], bins, aggregate, groups=groups, resamples=40, seed=5)
    assert found is not None
    value = figure(errors, bins, aggregate)
    assert found.value[0] == pytest.approx(value)
    rows = drawn_samples(units_of(bins, groups), 40, 5)
    expected = [figure(errors[r], bins[r], aggregate) - value for r in rows]
    assert found.change[:, 0] == pytest.approx(expected)


def test_standard_errors_by_the_textbook() -> None:
    """Without missing samples: the error of a stratified mean, in the sample and every resample."""
    errors, bins = world()

    def textbook(x: NDArray, b: NDArray) -> float:
        return float(np.sqrt(sum(x[b == i].var(ddof=1) / (b == i).sum() for i in range(3)) / 9))

    found = replicate(errors[:, None], bins, "mean-of-bins", resamples=30, seed=2)
    assert found is not None
    assert found.error[0] == pytest.approx(textbook(errors, bins))
    expected = [textbook(errors[r], bins[r]) for r in drawn_samples(units_of(bins), 30, 2)]
    assert found.errors[:, 0] == pytest.approx(expected)


def test_standard_error_of_groups_by_hand() -> None:
    """Groups of sums 3, 7, 2 and counts 2, 2, 1: mean 12 / 5, deviations -9/5, 11/5, -2/5."""
    values, groups = np.array([[1.0], [2.0], [3.0], [4.0], [2.0]]), np.array([0, 0, 1, 1, 2])
    zeros = np.zeros(5, int)
    found = standard_error(values, zeros, units_of(zeros, groups))
    assert found == pytest.approx(np.sqrt(3 / 2 * (81 + 121 + 4) / 25) / 5)


def test_the_ends_by_hand() -> None:
    """Bootstrap-t: the 50th root from either end of 2,000, on the other side of the figure."""
    errors, bins = world()
    found = replicate(errors[:, None], bins, "mean-of-bins")
    interval = headline_interval(errors, bins, "mean-of-bins")
    assert found is not None
    assert interval is not None
    roots = sorted(found.change[:, 0] / found.errors[:, 0])
    assert interval.low == pytest.approx(found.value[0] - roots[1950] * found.error[0])
    assert interval.high == pytest.approx(found.value[0] - roots[49] * found.error[0])
    assert interval.method == "bootstrap-t, drawing images within bins"
    middle = headline_interval(errors, bins, "median")
    assert middle is not None
    medians = sorted(
        figure(errors[r], bins[r], "median") for r in drawn_samples(units_of(bins), 2000, 0)
    )
    assert (middle.low, middle.high) == pytest.approx((medians[49], medians[1950]))


def test_the_draws_never_change() -> None:
    """Result files are recomputed on loading: these draws, from PCG64's own bits, are for ever."""
    (times,) = units_of(np.array([1, 0, 0, 1, 1])).blocks(3, seed=0)
    assert times.tolist() == GOLDEN_DRAWS
    words = np.random.PCG64(0).random_raw(3)  # for the pairs of bin 0, in its three rows
    halves = [int(word) >> shift & 0xFFFFFFFF for word in words for shift in (0, 32)]
    picked = [half * 2 >> 32 for half in halves]
    assert [picked[i : i + 2].count(0) for i in (0, 2, 4)] == [row[0] for row in GOLDEN_DRAWS]


GOLDEN_DRAWS = [[0, 2, 3, 0, 0], [1, 1, 0, 1, 2], [2, 0, 0, 2, 1]]


def test_draws_are_even() -> None:
    """Each of 7 units is drawn as often as any other, and every resample has 7 and 5 draws."""
    times = np.concatenate([*Units(np.arange(12), (7, 5), "").blocks(40_000, 3)])
    assert (times[:, :7].sum(1) == 7).all()
    assert (times[:, 7:].sum(1) == 5).all()
    assert times.mean(0) == pytest.approx(np.ones(12), abs=0.025)
    assert times[:, :7].var(0) == pytest.approx(np.full(7, 6 / 7), rel=0.05)


def test_the_digits_never_change() -> None:
    """2,000 samples in AFLW2000-3D's bins: what any machine finds for seed 0, to nine digits."""
    rows = np.arange(2000)
    errors, bins = rows * 7919 % 2003 / 500, np.repeat([0, 1, 2], [1312, 383, 305])
    golden = {
        "mean-of-bins": (1.9446483747935048, 2.069330671948189),
        "mean-of-images": (1.9555225826539, 2.056442408503277),
        "median": (1.921, 2.09),
    }
    for aggregate in AGGREGATES:
        found = headline_interval(errors, bins, aggregate)
        assert found is not None
        assert (found.low, found.high) == pytest.approx(golden[aggregate], abs=1e-9)
        assert found == headline_interval(errors, bins, aggregate)
    grouped = headline_interval(errors, bins, "mean-of-bins", groups=rows % 50)
    assert grouped is not None
    assert (grouped.low, grouped.high) == pytest.approx((1.96262034974, 2.04927193255), abs=1e-9)
    assert headline_interval(errors, bins, "median", seed=1) != found


@settings(max_examples=20)
@given(st.floats(0.01, 100), st.sampled_from(AGGREGATES), st.booleans())
def test_the_unit_does_not_matter(scale: float, aggregate, grouped: bool) -> None:
    """In other units the interval is the same interval."""
    errors, bins = world(missing=5)
    groups = np.arange(60) // 4 if grouped else None
    one, other = (
        headline_interval(x, bins, aggregate, groups=groups, resamples=200)
        for x in (errors, scale * errors)
    )
    assert one is not None
    assert other is not None
    assert (other.low, other.high) == pytest.approx((scale * one.low, scale * one.high))


@pytest.mark.parametrize("aggregate", ["mean-of-images", "median"])
def test_copies_within_a_group_add_nothing(aggregate) -> None:
    """Three copies of each image, drawn as one group, are as sure as groups of one image."""
    errors, _ = world(30)
    zeros = np.zeros(30, int)
    alone = headline_interval(errors, zeros, aggregate, groups=np.arange(30))
    copies = headline_interval(
        np.repeat(errors, 3), np.repeat(zeros, 3), aggregate, groups=np.repeat(np.arange(30), 3)
    )
    assert alone is not None
    assert copies is not None
    assert (copies.low, copies.high) == pytest.approx((alone.low, alone.high))
    assert copies.method.endswith("drawing whole groups")


def test_constant_errors() -> None:
    """Nothing varies: the interval is the figure."""
    found = [headline_interval([2.5] * 8, [0, 1] * 4, aggregate) for aggregate in AGGREGATES]
    assert [(one.low, one.high) for one in found if one is not None] == [(2.5, 2.5)] * 3


def test_too_few_to_say() -> None:
    """One sample in a bin says nothing of the mean of bins; a mean of images does without bins."""
    assert headline_interval([1.0, 2.0, 3.0], [0, 0, 1], "mean-of-bins") is None
    assert headline_interval([1.0, 2.0, 3.0, np.nan], [0, 0, 1, 1], "mean-of-bins") is None
    assert headline_interval([np.nan] * 4, [0] * 4, "median") is None
    assert headline_interval([1.0, 2.0], [0, 0], "mean-of-images") is None  # half have no spread
    assert headline_interval(np.arange(9.0), [-1] * 9, "median") is None
    assert headline_interval(np.arange(9.0), [0] * 9, "median", groups=["x"] * 9) is None
    found = headline_interval(np.arange(9.0), [0] * 8 + [1], "mean-of-images")
    assert found is not None
    assert found.method == "bootstrap-t, drawing images"


def test_no_error_below_zero() -> None:
    """An interval of errors ends at zero; one of values of either sign does not."""
    values = np.array([0.0, 0.1, 0.0, 0.2, 9.0, 0.1])
    found = headline_interval(values, [0] * 6, "mean-of-images")
    moved = headline_interval(values - 1, [0] * 6, "mean-of-images")
    assert found is not None
    assert moved is not None
    assert found.low == 0
    assert moved.low < -1
    assert moved.high == pytest.approx(found.high - 1)


def test_expanded_percentiles_by_hand() -> None:
    """Ten subjects: the tail beyond 2.262157 sqrt(10 / 9), 0.00855, the 17th of 2,000 medians."""
    errors, bins = world()
    groups = np.arange(60) // 6
    found = headline_interval(errors, bins, "median", groups=groups)
    assert found is not None
    drawn = drawn_samples(units_of(bins, groups), 2000, 0)
    medians = sorted(figure(errors[r], bins[r], "median") for r in drawn)
    assert (found.low, found.high) == pytest.approx((medians[16], medians[1983]))
    assert found.method == "expanded percentile bootstrap, drawing whole groups"
    assert headline_interval(errors, bins, "median", groups=np.arange(60) // 15) is None  # four


def test_the_band_is_around_the_curve() -> None:
    """At any threshold the share is that of the CED, within its band; missing samples are above."""
    errors, bins = world(200, missing=20)
    bins[:10] = -1
    thresholds = np.linspace(0, 12, 50)
    share, low, high = ced_band(errors, bins, thresholds)
    known, fraction = ced(errors[10:])
    steps = np.append(0.0, fraction)[np.searchsorted(known, thresholds, side="right")]
    assert share == pytest.approx(steps)
    assert ((low <= share) & (share <= high)).all()
    assert share[-1] < 0.95
    assert np.isnan(ced_band([], [], [1.0])).all()


def test_auc_and_failure_rate() -> None:
    """Their intervals are around the figures of the summary, and within 0 and 1."""
    errors, bins = world(300, missing=30)
    area, failures = auc_interval(errors, bins, 7), failure_interval(errors, bins, 5)
    assert area is not None
    assert failures is not None
    assert 0 < area.low < area_under_ced(errors, 7) < area.high < 1
    assert 0 < failures.low < failure_rate(errors, 5) < failures.high < 1
    assert failures.method == "Wilson and mid-p"
    perfect = auc_interval([0.0] * 12 + [0.5] * 3 + [6.0], [0] * 16, 7)
    assert perfect is not None
    assert perfect.high == 1
    assert auc_interval([0.0] * 5 + [1.0], [0] * 6, 7) is None  # too often six zeros
    assert failure_interval([], [], 5) is None


def test_subjects() -> None:
    """The subject is what stands before the first slash."""
    assert subjects(["a/1/x", "a/2", "b/1", "c"]).tolist() == ["a", "a", "b", "c"]


def test_misuse() -> None:
    """Too few resamples for the level, and values that only some methods lack."""
    with pytest.raises(ValueError, match="30 resamples are too few"):
        headline_interval([1.0, 2.0], [0, 0], "median", resamples=30)
    with pytest.raises(ValueError, match="all columns"):
        replicate(np.array([[1.0, np.nan], [1.0, 2.0]]), np.zeros(2, int), "median")


def test_the_summary_has_it() -> None:
    """The interval of the headline, from the same samples; none without resamples or headline."""
    errors, bins = world(missing=6)
    for aggregate in AGGREGATES:
        summary = summarize(errors, bins, labels=LABELS, aggregate=aggregate, seed=1)
        assert summary.interval == headline_interval(errors, bins, aggregate, seed=1)
        assert summary.interval is not None
        assert summary.interval.low < summary.headline < summary.interval.high
    groups = np.arange(60) // 6
    grouped = summarize(errors, bins, labels=LABELS, groups=groups).interval
    assert grouped == headline_interval(errors, bins, "mean-of-bins", groups=groups)
    assert summarize(errors, bins, labels=LABELS, resamples=0).interval is None
    assert summarize(errors, bins, labels=(*LABELS, "empty")).interval is None


@pytest.mark.parametrize(
    ("place", "least"),
    [
        (World("small", (131, 38, 31)), 0.92),
        (World("subjects", (33, 33, 66), subjects=11, between=0.3), 0.91),
        (World("ten images", (10,), spread=0.6), 0.91),  # percentiles of means: 0.87
    ],
)
def test_coverage(place: World, least: float) -> None:
    """Intervals hold the truth about as often as they say (docs/statistics.md has 1,000 runs)."""
    found = coverage(place, 300, resamples=400, only=("mean-of-bins", "auc"))
    assert all(least <= share <= 0.985 for share in found.values()), found
