"""Paired differences and ranks: ties are ties, what is certain is certain."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from prn_bench.intervals import headline_interval
from prn_bench.ranking import Pairs, kendall_tau, pairwise, rank_intervals
from prn_bench.resampling import replicate
from prn_bench.summary import AGGREGATES
from tests.interval_coverage import World, rank_coverage

BINS = np.repeat([0, 1, 2], [40, 20, 10])


def methods(*factors: float, own: float = 0.1, seed: int = 0) -> NDArray:
    """(70, m) errors of methods that find the same images hard, times a factor each."""
    rng = np.random.default_rng(seed)
    hard = rng.gamma(4, 1, (70, 1))
    return hard * np.exp(own * rng.normal(size=(70, len(factors)))) * np.array(factors)


def pairs_of(values: NDArray, aggregate="mean-of-bins", **how) -> Pairs:
    """The comparison, which must be possible."""
    found = pairwise(values, BINS, aggregate, **how)
    assert found is not None
    return found


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_two_copies_tie(aggregate) -> None:
    """A method and its copy differ by exactly nothing, and share every rank."""
    values = methods(1.0, 1.0, 3.0)
    values[:, 1] = values[:, 0]
    pairs = pairs_of(values, aggregate)
    assert (pairs.difference[0], pairs.low[0], pairs.high[0]) == (0, 0, 0)
    assert pairs.first_better.tolist() == [0.5, 1.0, 1.0]
    assert pairs.low[1:] == pytest.approx([pairs.low[1]] * 2, abs=0)
    best, worst = rank_intervals(pairs, 3)
    assert (best.tolist(), worst.tolist()) == ([1, 1, 3], [2, 2, 3])


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_the_difference_is_that_of_the_headlines(aggregate, grouped: bool) -> None:
    """First minus second, with an interval around it that swaps its ends with the methods."""
    values = methods(1.0, 1.05)
    values[3] = np.nan
    groups = np.arange(70) // 5 if grouped else None
    means = [np.nanmean(part, 0) for part in np.split(values, [40, 60])]
    expected = {
        "mean-of-bins": np.mean(means, 0),
        "mean-of-images": np.nanmean(values, 0),
        "median": np.nanmedian(values, 0),
    }[aggregate]
    pairs = pairs_of(values, aggregate, groups=groups)
    turned = pairs_of(values[:, ::-1], aggregate, groups=groups)
    assert pairs.difference[0] == pytest.approx(expected[0] - expected[1])
    assert pairs.low[0] < pairs.difference[0] < pairs.high[0]
    assert (turned.low[0], turned.high[0]) == pytest.approx((-pairs.high[0], -pairs.low[0]))
    assert turned.first_better[0] == pytest.approx(1 - pairs.first_better[0])


def test_the_ends_by_hand() -> None:
    """Symmetric: the 1,901st of 2,000 absolute roots, times the error, on either side."""
    values = methods(1.0, 1.1)
    gap = values[:, :1] - values[:, 1:]
    found = replicate(gap, BINS, "mean-of-bins")
    assert found is not None
    error = np.sqrt(sum(part.var(ddof=1) / len(part) for part in np.split(gap, [40, 60]))) / 3
    half = error * np.sort(np.abs(found.change / found.errors), axis=0)[1900, 0]
    pairs = pairs_of(values)
    middle = pairs.difference[0]
    assert (pairs.low[0], pairs.high[0]) == pytest.approx((middle - half, middle + half))


def test_what_is_hard_for_all_cancels() -> None:
    """Two methods are told apart though their own intervals overlap widely."""
    values = methods(1.0, 1.1, own=0.05)
    first, second = (headline_interval(column, BINS, "mean-of-bins") for column in values.T)
    assert first is not None
    assert second is not None
    assert second.low < first.high
    pairs = pairs_of(values)
    assert pairs.high[0] < 0
    assert pairs.high[0] - pairs.low[0] < (first.high - first.low) / 2


def test_more_methods_are_less_certain() -> None:
    """The interval of a pair is wider beside other pairs, since all have to hold at once."""
    values = methods(1.0, 1.02, 1.04, 1.06, 1.08)
    alone, together = pairs_of(values[:, :2]), pairs_of(values)
    assert together.high[0] - together.low[0] > 1.1 * (alone.high[0] - alone.low[0])


def test_a_constant_gap_is_certain() -> None:
    """A method that is worse by 0.01 on every image is worse."""
    values = methods(1.0)
    pairs = pairs_of(np.hstack([values, values + 0.01]))
    assert (pairs.low[0], pairs.high[0]) == pytest.approx((-0.01, -0.01))
    assert pairs.first_better[0] == 1
    assert rank_intervals(pairs, 2)[0].tolist() == [1, 2]


def test_ranks_by_hand() -> None:
    """A beats C, B may be anywhere between: 1-2, 1-3, 2-3."""
    first, second = np.array([0, 0, 1]), np.array([1, 2, 2])
    low, high = np.array([-1.0, -2.0, -1.0]), np.array([0.5, -0.5, 0.0])
    best, worst = rank_intervals(Pairs(first, second, low, low, high, low), 3)
    assert (best.tolist(), worst.tolist()) == ([1, 1, 2], [2, 3, 3])


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=10, max_size=10))
def test_ranks_against_a_count(outcomes: list[int]) -> None:
    """For any outcome of five methods: counted pair by pair, and room for each method."""
    first, second = np.array([*combinations(range(5), 2)]).T
    wins = np.array(outcomes)
    low, high = np.where(wins > 0, 0.1, -1.0), np.where(wins < 0, -0.1, 1.0)
    best, worst = rank_intervals(Pairs(first, second, low, low, high, low), 5)
    for method in range(5):
        won = [
            -o if method == a else o
            for o, a, b in zip(outcomes, first, second, strict=True)
            if method in (a, b)
        ]
        assert (best[method], worst[method]) == (1 + won.count(-1), 5 - won.count(1))
        assert best[method] <= worst[method]


def test_the_same_seed_the_same_digits() -> None:
    """Twice the same; another seed gives other ends, of the same difference."""
    values = methods(1.0, 1.1, 1.2)
    first, again, other = pairs_of(values), pairs_of(values), pairs_of(values, seed=1)
    for name, array in vars(first).items():
        np.testing.assert_array_equal(getattr(again, name), array)
    np.testing.assert_array_equal(other.difference, first.difference)
    assert (other.low != first.low).all()


def test_too_few_to_say() -> None:
    """A bin with one sample compares nothing; two samples leave every difference open."""
    assert pairwise(methods(1.0, 2.0)[:3], [0, 0, 1], "mean-of-bins") is None
    pairs = pairwise(np.array([[1.0, 2.0, 1.0], [3.0, 3.5, 3.0]]), [0, 0], "mean-of-images")
    assert pairs is not None
    assert pairs.low.tolist() == [-np.inf, 0, -np.inf]
    assert pairs.high.tolist() == [np.inf, 0, np.inf]


def test_kendall_tau() -> None:
    """By hand: one of three pairs turned is 1/3; all turned -1; nothing to rank NaN."""
    assert kendall_tau([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert kendall_tau([1, 2, 3], [9, 5, 1]) == pytest.approx(-1)
    assert kendall_tau([1, 2, np.nan, 3], [10, 20, 5, 30]) == pytest.approx(1)
    assert kendall_tau([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / np.sqrt(2 * 3))
    for pair in ([[1], [2]], [[1, 1], [1, 2]], [[1, np.nan], [1, 2]]):
        assert np.isnan(kendall_tau(*pair))


def test_misuse() -> None:
    """One method is no comparison, and a sample is missing for all or for none."""
    with pytest.raises(ValueError, match="2 or more"):
        pairwise(methods(1.0), BINS, "median")
    values = methods(1.0, 2.0)
    values[0, 1] = np.nan
    with pytest.raises(ValueError, match="all columns"):
        pairwise(values, BINS, "median")


def test_coverage() -> None:
    """All differences at once, and all ranks, hold in about 95 of 100 benchmarks or more."""
    world = World("small", (66, 19, 15))
    differences, ranks = rank_coverage(world, (1.0, 1.0, 1.05, 1.3), 200, resamples=400)
    assert 0.9 <= differences <= 0.99
    assert ranks >= differences
