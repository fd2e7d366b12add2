"""Intervals of shares: by hand, against sums of probabilities, and by how often they hold the truth."""

from __future__ import annotations

from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from prn_bench.intervals import ced_band, failure_interval
from prn_bench.shares import share_interval, worth_of_groups
from tests.interval_coverage import WORLDS, coverage, share_coverage

Z = 1.959964


def ends(count: float, n: float) -> tuple[float, float]:
    """Interval of one share."""
    low, high = share_interval(np.array([count / n]), np.array([float(n)]), 0.95)
    return float(low[0]), float(high[0])


def mid_p(count: int, n: int, rate: float) -> float:
    """Probability of fewer than ``count`` of n, and half of that of as many."""
    terms = [comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(count + 1)]
    return sum(terms) - terms[-1] / 2


def test_wilson_by_hand() -> None:
    """Without a failure Wilson reaches further, z^2 / (n + z^2); mid-p ends at 1 - 0.05^(1/n)."""
    assert ends(0, 10) == pytest.approx((0.0, Z**2 / (10 + Z**2)), abs=1e-6)
    assert ends(0, 10)[1] > 1 - 0.05 ** (1 / 10)
    assert ends(10, 10) == pytest.approx((10 / (10 + Z**2), 1.0), abs=1e-6)
    half = Z * sqrt(0.04 * 0.96 / 200 + (Z / 400) ** 2) / (1 + Z**2 / 200)
    middle = (0.04 + Z**2 / 400) / (1 + Z**2 / 200)
    assert ends(8, 200)[1] == pytest.approx(middle + half, abs=1e-6)


@pytest.mark.parametrize(("count", "n"), [(1, 10), (5, 10), (1, 60), (2, 60), (8, 200)])
def test_mid_p_against_sums(count: int, n: int) -> None:
    """The low end is where as many failures, half counted, or more have a probability of 2.5 %."""
    assert 1 - mid_p(count, n, ends(count, n)[0]) == pytest.approx(0.025)


def test_one_failure_in_sixty() -> None:
    """Wilson would rule out a rate of 0.29 %, though one failure is then no surprise (16 %)."""
    low = ends(1, 60)[0]
    assert low == pytest.approx(0.00083, abs=1e-5)
    assert 1 - (1 - 0.0029) ** 60 > 0.15


@given(st.integers(0, 50), st.integers(1, 50), st.floats(0.05, 1))
def test_the_ends_are_in_order(count: int, others: int, worth: float) -> None:
    """For any count and any worth: around the share, mirrored, and wider with fewer images."""
    n = count + others
    share = np.array([count / n])
    low, high = share_interval(share, np.array([n * worth]), 0.95)
    assert 0 <= low[0] <= share[0] <= high[0] <= 1
    turned = share_interval(1 - share, np.array([n * worth]), 0.95)
    assert (1 - turned[1][0], 1 - turned[0][0]) == pytest.approx((low[0], high[0]), abs=1e-9)
    assert ends(count, n)[1] <= high[0] + 1e-12
    assert ends(count, n)[0] >= low[0] - 1e-12


def test_worth_of_groups_by_hand() -> None:
    """Failing: 2 of 3 images of a subject, 0 of 2, 0 of 1.

    Half of the failing images' partners fail, (1 + 2) / (2 + 2) with the two that are added, at a
    rate of 1/3; r = 3/2 (3/4 - 1/3) / (2/3) = 15/16, an image meets a subject of 14/6 on average.
    """
    within = np.array([[True], [False], [False], [True], [True], [True]])
    expected = 6 / (1 + (14 / 6 - 1) * 15 / 16) * (Z / 4.302653) ** 2
    for one in (within, ~within):
        found = worth_of_groups(one, np.array([0, 0, 0, 1, 1, 2]), 0.95)
        assert found == pytest.approx([expected], rel=1e-6)


def test_worth_of_groups_at_its_ends() -> None:
    """Copies, or no failure: one image a subject. Subjects of one image: as many. Even: the most."""
    groups = np.repeat(np.arange(4), 5)
    within = np.stack([groups < 2, groups < 4, np.arange(20) % 5 < 2], 1)
    few = (Z / 3.182446) ** 2
    copies, never, even = worth_of_groups(within, groups, 0.95) / few
    assert (copies, never) == pytest.approx((4, 4), rel=1e-6)
    assert even == pytest.approx(20)
    alone = worth_of_groups(within, np.arange(20), 0.95) / (Z / 2.093024) ** 2
    assert alone == pytest.approx([20] * 3, rel=1e-6)


def test_a_share_of_groups_by_hand() -> None:
    """Half of four subjects: I(a, a + 1) + I(a + 1, a) = 2 I(a, a), quantiles of a beta."""
    errors, groups = np.repeat([1.0, 2.0, 3.0, 4.0], 5), np.repeat(np.arange(4), 5)
    _, low, high = ced_band(errors, [0] * 20, [2.0], groups=groups)
    a = 4 * (Z / 3.182446) ** 2 / 2
    assert low[0] == pytest.approx(stats.beta.ppf(0.025, a, a), abs=1e-6)
    assert high[0] == pytest.approx(1 - low[0])
    _, low, high = ced_band(errors, [0] * 20, [9.0], groups=["one"] * 20)
    assert high[0] == 1
    assert low[0] < 0.05


def test_failures_are_what_the_curve_leaves() -> None:
    """The failure rate and the CED at its limit have one interval, with subjects and without."""
    errors, bins = np.random.default_rng(0).gamma(3, 1, 90), np.zeros(90, int)
    for groups in (None, np.arange(90) // 6):
        _, low, high = ced_band(errors, bins, [4.0], groups=groups)
        found = failure_interval(errors, bins, 4.0, groups=groups)
        assert found is not None
        assert (found.low, found.high) == (1 - high[0], 1 - low[0])


@pytest.mark.parametrize(("n", "least"), [(10, 0.925), (20, 0.925), (60, 0.935), (2000, 0.94)])
def test_coverage_at_every_rate(n: int, least: float) -> None:
    """Exact sums, no simulation: Wilson's interval alone falls to 84 %, mid-p alone to 92 %."""
    rates = np.geomspace(0.02 / n, 0.5, 1500)
    found = share_coverage(n, rates)
    assert found.min() >= least
    assert n <= 20 or found[n * rates > 10].mean() < 0.96


@pytest.mark.parametrize("name", ["33 subjects, clustered", "10 subjects, clustered, worse"])
def test_coverage_of_clustered_failures(name: str) -> None:
    """The variance among subjects, alone, covers 82 and 85 %."""
    world = next(world for world in WORLDS if world.name == name)
    assert coverage(world, 500, only=("failure-rate",))["failure-rate"] >= 0.94


def test_coverage_of_the_median_of_few_subjects() -> None:
    """Percentiles that are not expanded cover 86 %."""
    world = next(world for world in WORLDS if world.name == "6 subjects")
    assert coverage(world, 500, resamples=1000, only=("median",))["median"] >= 0.925
