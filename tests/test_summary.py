"""Aggregates, the CED and its area."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prn_bench.summary import area_under_ced, ced, failure_rate, figure_text, summarize

LABELS = ("[0, 30]", "(30, 60]", "(60, inf)")
error_arrays = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 50))


def test_both_aggregates_of_3ddfa_v2() -> None:
    """Bins 1312/383/305 with means 2.735/3.477/4.543 print 3.585, Std 0.742, mean of images 3.153."""
    counts, means = (1312, 383, 305), (2.735, 3.477, 4.543)
    bins = np.repeat([0, 1, 2], counts)
    errors = np.repeat(means, counts)
    errors[::2] += 0.5
    for i, mean in enumerate(means):
        errors[bins == i] += mean - errors[bins == i].mean()
    order = np.random.default_rng(0).permutation(2000)
    summary = summarize(errors[order], bins[order], labels=LABELS)
    assert [part.n for part in summary.bins] == list(counts)
    assert [part.mean for part in summary.bins] == pytest.approx(means, abs=1e-9)
    assert summary.mean_of_bins == pytest.approx(3.585, abs=0.001)
    assert summary.std_of_bins == pytest.approx(0.742, abs=0.001)
    assert summary.mean_of_images == pytest.approx(3.153, abs=0.001)
    assert summary.headline == summary.mean_of_bins


def test_by_hand() -> None:
    """Five errors, one missing, one left out."""
    errors = [1, 3, 2, np.nan, 8, 100]
    bins = [0, 0, 1, 1, 2, -1]
    summary = summarize(errors, bins, labels=LABELS, aggregate="median")
    assert (summary.n, summary.n_missing, summary.n_left_out) == (5, 1, 1)
    assert [(p.n, p.n_missing, p.mean) for p in summary.bins] == [(2, 0, 2), (2, 1, 2), (1, 0, 8)]
    assert summary.mean_of_bins == pytest.approx(4)
    assert summary.std_of_bins == pytest.approx(np.sqrt(8))
    assert summary.mean_of_images == pytest.approx(3.5)
    assert summary.headline == summary.median == pytest.approx(2.5)
    assert summary.std_of_images == pytest.approx(np.sqrt((6.25 + 0.25 + 2.25 + 20.25) / 4))
    assert summary.auc == pytest.approx((6 / 7 + 4 / 7 + 5 / 7) / 5)
    assert summary.failure_rate == pytest.approx(1 / 5)
    assert summary.draws is None


def test_a_penalty_is_in_the_means_but_stays_a_failure() -> None:
    """A missing sample with a penalty of 5 enters the means; for AUC and failures it is missing."""
    summary = summarize([1, 5], [0, 0], [False, True], labels=("all",))
    assert summary.mean_of_images == pytest.approx(3)
    assert summary.n_missing == 1
    assert summary.failure_rate == pytest.approx(0.5)
    assert summary.auc == pytest.approx(6 / 7 / 2)


def test_an_empty_bin() -> None:
    """No sample gives n = 0 and NaN, never zero; in JSON it is null."""
    summary = summarize([1.0, 2.0], [0, 2], labels=LABELS)
    assert summary.bins[1].n == 0
    assert np.isnan(summary.bins[1].mean)
    assert np.isnan(summary.mean_of_bins)
    assert np.isnan(summary.headline)
    assert summary.mean_of_images == pytest.approx(1.5)
    assert (figure_text(summary.bins[1].mean), figure_text(1.23456)) == ("-", "1.235")
    plain = summary.as_dict()
    assert plain["mean_of_bins"] is None
    assert plain["bins"][1] == {"label": "(30, 60]", "n": 0, "n_missing": 0, "mean": None}


def test_nothing_at_all() -> None:
    """No counted sample: counts of zero, figures NaN, no warning."""
    summary = summarize([np.nan], [-1], labels=LABELS)
    assert (summary.n, summary.n_left_out) == (0, 1)
    assert np.isnan([summary.mean_of_images, summary.median, summary.auc]).all()


def test_draws() -> None:
    """Balanced draws come with their count, size and spread; the headline is their expected value."""
    errors, bins = np.array([1.0, 3, 5, 7, 9]), np.array([0, 0, 1, 1, 2])
    summary = summarize(errors, bins, labels=LABELS, draws=500, seed=4)
    draws = summary.draws
    assert draws is not None
    assert (draws.draws, draws.seed, draws.size) == (500, 4, 1)
    assert (draws.min, draws.max) == (5, pytest.approx(19 / 3))
    assert summary.headline == pytest.approx(17 / 3)
    assert draws.mean == pytest.approx(17 / 3, abs=0.1)
    assert draws.sd == pytest.approx(np.sqrt(2) / 3, rel=0.1)


def test_auc_of_five_errors() -> None:
    """By hand: steps of 1/5 at 1, 2, 3 and 4 up to a limit of 5; the sample at 9 adds nothing."""
    assert area_under_ced([1, 2, 3, 4, 9], 5) == pytest.approx((4 + 3 + 2 + 1) / 5 / 5)
    assert failure_rate([1, 2, 3, 4, 9], 4) == pytest.approx(1 / 5)


@given(error_arrays, st.floats(0.1, 60))
def test_auc_against_slow_integration(errors: np.ndarray, limit: float) -> None:
    """The closed form is the sum of rectangles between all the steps (quadratic, no grid)."""
    steps = sorted({0.0, limit, *(e for e in errors.tolist() if e < limit)})
    area = 0.0
    for left, right in pairwise(steps):
        area += (right - left) * sum(1 for e in errors if e <= left) / len(errors)
    assert area_under_ced(errors, limit) == pytest.approx(area / limit, abs=1e-9)


@given(error_arrays, st.integers(0, 10))
def test_ced_is_monotone_and_counts_failures(errors: np.ndarray, n_missing: int) -> None:
    """The curve rises, and ends at the share of samples that have an error."""
    known, fraction = ced(np.append(errors, np.full(n_missing, np.nan)))
    assert (np.diff(known) >= 0).all()
    assert (np.diff(fraction) > 0).all()
    assert fraction[-1] == pytest.approx(len(errors) / (len(errors) + n_missing))


@given(error_arrays, st.floats(0.1, 60))
def test_failure_rate_against_a_count(errors: np.ndarray, limit: float) -> None:
    """The failure rate is what the CED lacks at the limit; a missing sample adds to it."""
    expected = sum(1 for e in errors if e > limit)
    assert failure_rate(errors, limit) == pytest.approx(expected / len(errors))
    with_missing = failure_rate(np.append(errors, np.nan), limit)
    assert with_missing == pytest.approx((expected + 1) / (len(errors) + 1))


@given(st.integers(0, 2**32 - 1))
def test_order_does_not_matter(seed: int) -> None:
    """Permuting the samples changes no figure."""
    rng = np.random.default_rng(seed)
    errors, bins = rng.gamma(3, 1, 60), rng.integers(-1, 3, 60)
    order = rng.permutation(60)
    first = summarize(errors, bins, labels=LABELS, resamples=0).as_dict()
    second = summarize(errors[order], bins[order], labels=LABELS, resamples=0).as_dict()
    means_1, means_2 = ([part["mean"] for part in one.pop("bins")] for one in (first, second))
    assert means_1 == pytest.approx(means_2, rel=1e-12)
    texts = {"aggregate": 0, "draws": 0, "interval": 0}
    assert {**first, **texts} == pytest.approx({**second, **texts}, rel=1e-12)


def test_misuse() -> None:
    """Shapes that differ, unknown aggregates and limits are the caller's mistakes."""
    with pytest.raises(ValueError, match="one value a sample"):
        summarize([1, 2], [0], labels=LABELS)
    with pytest.raises(ValueError, match="unknown aggregate 'mode'"):
        summarize([1], [0], labels=LABELS, aggregate="mode")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="positive"):
        area_under_ced([1], 0)


def test_pixels_have_no_auc() -> None:
    """The thresholds are per cent, so errors in pixels get none."""
    summary = summarize([1.0], [0], labels=("all",), percent=False)
    assert np.isnan([summary.auc, summary.failure_rate]).all()
