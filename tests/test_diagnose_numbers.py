"""The numbers behind `doctor`: offsets with their intervals, tests for luck, corrections."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.diagnose.corrections import (
    STAGES,
    axis_corrections,
    offset_correction,
    order_correction,
    order_corrections,
    unit_corrections,
)
from prn_bench.diagnose.estimate import name_offset
from prn_bench.diagnose.offset import convention_of, measure_offset
from prn_bench.diagnose.report import Mistake, ranked
from prn_bench.diagnose.search import improves


def offset_of(each):
    """The offset of samples whose mean offsets are (n, 2) ``each``."""
    reference = np.random.default_rng(0).normal(size=(len(each), 5, 2))
    return measure_offset(reference + np.asarray(each, float)[:, None], reference)


def test_the_median_of_pairs():
    """Hand-derived: pairs of 0, 1 and 5 have the means 0, 0.5, 1, 2.5, 3, 5."""
    offset = offset_of([[0, 0], [1, 0], [5, 0]])
    assert offset.estimate == pytest.approx((1.75, 0.0))
    assert offset.mean == pytest.approx((2.0, 0.0))
    assert (offset.low[0], offset.high[0]) == (-math.inf, math.inf)
    assert not offset.likely


def test_one_failed_face_moves_the_mean_only():
    """The estimate is robust."""
    each = np.tile([1.0, -1.0], (40, 1)) + np.random.default_rng(1).normal(0, 0.1, (40, 2))
    each[0] = 400
    offset = offset_of(each)
    assert offset.estimate == pytest.approx((1.0, -1.0), abs=0.1)
    assert offset.mean[0] > 10
    assert offset.proven


@pytest.mark.parametrize("n", [8, 12, 40])
def test_intervals_cover_the_truth(n):
    """Of 600 skew-free draws, 93 to 98 % of the 95 % intervals hold the truth."""
    rng = np.random.default_rng(n)
    each = rng.standard_t(3, (600, n)) + 0.3
    held = 0
    for row in each:
        offset = offset_of(np.stack([row, row], 1))
        held += offset.low[0] <= 0.3 <= offset.high[0]
    assert 0.93 <= held / 600 <= 0.98


def test_an_offset_by_luck_is_rare():
    """Of 500 files without an offset, at most 2 % are said to have one."""
    rng = np.random.default_rng(7)
    assert sum(offset_of(rng.normal(0, 3, (15, 2))).likely for _ in range(500)) <= 10


def test_nothing_to_measure():
    """No whole sample, no number."""
    offset = offset_of(np.full((3, 2), np.nan))
    assert offset.n == 0
    assert math.isnan(offset.estimate[0])


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [(1.1, 0.9, "1-based"), (0.45, 0.6, "corners"), (1.0, -1.1, "face3d"), (0.1, -0.1, None)],
)
def test_conventions(x, y, words):
    """The nearest one, where it comes near; beyond them the estimate itself is the correction."""
    spread = np.random.default_rng(0).normal(0, 0.1, (30, 2))
    known = convention_of(offset_of(spread + [x, y]))
    assert (known is None) if words is None else words in known[1]
    far = offset_of(spread + [7.25, -3.5])
    assert convention_of(far) is None
    assert name_offset(far).name.startswith("x - 7.2")
    wide = offset_of(np.random.default_rng(0).normal(0, 4, (9, 2)) + [1, 1])
    assert convention_of(wide) is None


def test_gains_by_luck_do_not_count():
    """Small gains need many samples, a gain must be 5 %, few samples must halve their errors."""
    rng = np.random.default_rng(0)
    before = rng.uniform(2, 5, 2000)
    assert not improves(before, before)
    assert not improves(before, 0.96 * before)  # sure, but too small
    assert improves(before, 0.9 * before)
    assert not improves(before[:5], 0.9 * before[:5])
    assert improves(before[:5], 0.4 * before[:5])
    assert not improves(before[:5], np.append(0.1 * before[:4], before[4]))
    mixed = np.where(np.arange(12) < 7, 0.5, 1.3)  # mean gain 17 %, five of twelve are worse
    assert not improves(np.full(12, 3.0), 3.0 * mixed)
    assert not improves(np.full(3, np.nan), np.ones(3))
    assert improves(np.append(before, np.nan), np.append(0.5 * before, 1.0))


points_and_sizes = st.integers(0, 10_000).map(
    lambda seed: (
        np.random.default_rng(seed).uniform(-50, 300, (3, 68, 3)),
        np.random.default_rng(seed + 1).integers(100, 500, (3, 1, 2)).astype(float),
    )
)


@given(points_and_sizes)
def test_axes_twice_are_nothing(pair):
    """Flips, mirrors and exchanges undo themselves, and move every point."""
    points, size = pair
    for part in axis_corrections(3):
        once = part.move(points, size)
        assert not np.allclose(once, points)
        assert np.allclose(part.move(once, size), points), part.name


@given(points_and_sizes)
def test_corrections_leave_their_input_alone(pair):
    """They are functions: new arrays of the same shape, in 2D and in 3D."""
    points, size = pair
    for dims in (2, 3):
        given_points = points[..., :dims].copy()
        for part in (*axis_corrections(dims), *unit_corrections("crop"), *order_corrections()):
            assert part.move(given_points, size).shape == given_points.shape
            assert part.stage in STAGES
        assert np.array_equal(given_points, points[..., :dims])


def test_hand_values_of_units_and_offsets():
    """On a picture of 200 x 100: fractions, per cent, -1 to 1, a 256 px copy, an offset."""
    size = np.array([[[200.0, 100.0]]])
    expected = np.array([[[50.0, 75.0, 10.0]]])
    given_points = {
        "x -> x w, y -> y h": [0.25, 0.75, 0.05],
        "x -> x w / 100, y -> y h / 100": [25, 75, 5],
        "x -> (x + 1) w / 2, y -> (y + 1) h / 2": [-0.5, 0.5, 0.1],
        "multiplying by w / 256": [64, 192, 12.8],
    }
    table = {part.name: part for part in unit_corrections("image")}
    for name, values in given_points.items():
        moved = table[name].move(np.array([[values]], float), size)
        assert np.allclose(moved, expected), name
    part = offset_correction(np.array([1.0, -2.0]), "", "", "")
    assert np.allclose(part.move(expected, size), [[[49.0, 77.0, 10.0]]])


def test_another_order_says_what_stands_where():
    """Two points exchanged."""
    order = np.arange(68)
    order[[3, 60]] = [60, 3]
    part = order_correction(order)
    assert "2 of 68" in part.cause
    assert "3 stands at 60" in part.cause
    moved = part.move(np.arange(68.0)[None, :, None] * np.ones(3), np.ones((1, 1, 2)))
    assert moved[0, 3, 0] == 60


def test_the_worst_comes_first():
    """Errors before warnings before notes, each in its own order."""
    found = [
        Mistake(level, name, "")
        for level, name in (("note", "a"), ("error", "b"), ("warning", "c"), ("error", "d"))
    ]
    assert [mistake.family for mistake in ranked(found)] == ["b", "d", "c", "a"]
