"""Yaw bins and balanced subsets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.subsets import balanced_draws, bin_labels, sdrn_subset, yaw_bins


def test_edges_belong_to_the_lower_bin() -> None:
    """Exactly 30 and 60 degrees, either sign, go to the lower bin, as in the 3DDFA script."""
    yaw = [0, 30, -30, 30.0001, 60, -60, 60.0001, 90]
    assert yaw_bins(yaw).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert yaw_bins(yaw, closed="left").tolist() == [0, 1, 1, 1, 2, 2, 2, 2]


def test_a_finite_last_edge() -> None:
    """With a last edge of 90, what lies beyond is in no bin; its own side follows ``closed``."""
    edges = (0, 30, 60, 90)
    assert yaw_bins([89, 90, 90.1, np.nan], edges=edges).tolist() == [2, 2, -1, -1]
    assert yaw_bins([89, 90], edges=edges, closed="left").tolist() == [2, -1]
    assert yaw_bins([5, 10, 20], edges=(10, 20), closed="right").tolist() == [-1, 0, 0]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("last", [-1, 0, 2, 2, 1, 2]),
        ("drop", [-1, 0, -1, -1, 1, -1]),
        ("wrap", [-1, 0, 0, 2, 1, 2]),
        ("fold", [-1, 0, 0, 0, 1, 2]),
        ("previous", [-1, 0, 0, 0, 1, 1]),
    ],
)
def test_yaw_beyond_90(rule: str, expected: list[int]) -> None:
    """-351.2 and 187.8 are the extremes of AFLW2000-3D; 103 is a face turned beyond profile."""
    yaw = [np.nan, 10, -351.2, 187.8, 40, 103]
    found = yaw_bins(yaw, over_90=rule)  # type: ignore[arg-type]
    assert found[0] == -1
    assert found[1:].tolist() == expected[1:]


def test_previous_before_any_sample() -> None:
    """A first image beyond 90 degrees has none before it, so it is in no bin."""
    assert yaw_bins([-100, 95, 40, 120], over_90="previous").tolist() == [-1, -1, 1, 1]


@given(st.lists(st.floats(-90, 90), min_size=1))
def test_mirrored_yaw(yaw: list[float]) -> None:
    """A mirrored face is in the same bin."""
    np.testing.assert_array_equal(yaw_bins(yaw), yaw_bins(np.negative(yaw)))


@given(st.lists(st.floats(-1000, 1000), min_size=1))
def test_bins_against_the_script(yaw: list[float]) -> None:
    """The three comparisons of the 3DDFA script, one image at a time."""
    expected = [0 if abs(y) <= 30 else 1 if abs(y) <= 60 else 2 for y in yaw]
    assert yaw_bins(yaw).tolist() == expected


def test_labels() -> None:
    """Labels say which end belongs to a bin."""
    edges = (0, 30, 60, np.inf)
    assert bin_labels(edges) == ("[0, 30]", "(30, 60]", "(60, inf)")
    assert bin_labels((0, 30, 60, 90), "left") == ("[0, 30)", "[30, 60)", "[60, 90)")


def test_draws_of_equal_errors() -> None:
    """When each bin has one value, every draw has the mean of the three."""
    bins = np.repeat([0, 1, 2], [50, 20, 7])
    means, size = balanced_draws(bins * 3.0, bins, n_bins=3, draws=600, seed=1)
    assert size == 7
    np.testing.assert_allclose(means, 3.0)
    assert means.shape == (600,)


def test_draws_are_seeded_and_unbiased() -> None:
    """One seed, one set of draws; their mean and spread are those of sampling without replacement."""
    rng = np.random.default_rng(0)
    errors, bins = rng.gamma(4, 1, 400), np.repeat([0, 1, 2], [200, 150, 50])
    means, size = balanced_draws(errors, bins, n_bins=3, draws=4000, seed=5)
    again, _ = balanced_draws(errors, bins, n_bins=3, draws=4000, seed=5)
    other, _ = balanced_draws(errors, bins, n_bins=3, draws=4000, seed=6)
    np.testing.assert_array_equal(means, again)
    assert not np.array_equal(means, other)
    parts = [errors[bins == i] for i in range(3)]
    exact = sum(p.var(ddof=1) / size * (1 - size / len(p)) for p in parts) / 9
    assert means.mean() == pytest.approx(np.mean([p.mean() for p in parts]), abs=0.01)
    assert means.std() == pytest.approx(np.sqrt(exact), rel=0.05)


def test_draws_leave_out_missing_samples() -> None:
    """A missing sample is never drawn; an empty bin leaves no mean."""
    bins = np.array([0, 0, 1, 1, 2, 2])
    errors = np.array([1, np.nan, 2, np.nan, 3, np.nan])
    means, size = balanced_draws(errors, bins, n_bins=3, draws=3, seed=0)
    assert (means.tolist(), size) == ([2, 2, 2], 1)
    means, size = balanced_draws(errors, bins, n_bins=4, draws=3, seed=0)
    assert np.isnan(means).all()
    assert size == 0


def test_sdrn_subset_is_their_shuffle() -> None:
    """SDRN's own lines: lists of errors shuffled one after the other from one seed."""
    rng = np.random.default_rng(2)
    bins = rng.choice([-1, 0, 1, 2], 300, p=[0.05, 0.5, 0.3, 0.15])
    errors = rng.normal(size=300)
    lists = [errors[bins == i] for i in range(3)]
    random = np.random.RandomState(0)
    for values in lists:
        random.shuffle(values)
    expected = np.concatenate([values[: len(lists[2])] for values in lists])
    rows = sdrn_subset(bins, n_bins=3)
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(np.sort(errors[rows]), np.sort(expected))


def test_misuse() -> None:
    """Edges that do not increase and unknown rules are the caller's mistakes."""
    with pytest.raises(ValueError, match="increase"):
        yaw_bins([0.0], edges=(0, 60, 30))
    with pytest.raises(ValueError, match="over_90='skip'"):
        yaw_bins([0.0], over_90="skip")  # type: ignore[arg-type]
