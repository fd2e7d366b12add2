"""Per-sample errors: hand values, invariances, and a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.metrics import Z_RULES, align_depth, nme, nme_68, point_errors

seeds = st.integers(0, 2**32 - 1)


def shapes(seed: int, n: int = 4, dims: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Two random point sets of the landmark kind."""
    rng = np.random.default_rng(seed)
    reference = rng.uniform(0, 200, (n, 68, dims))
    return reference + rng.normal(0, 5, reference.shape), reference


def square(side: float = 100.0) -> np.ndarray:
    """One shape whose landmark box is a square."""
    points = np.full((1, 68, 3), 50.0)
    points[0, :2, :2] = [[0, 0], [side, side]]
    return points


def test_a_shift_in_a_known_box() -> None:
    """Every point moved by (3, 4) px in a 100 x 100 box is 5 per cent."""
    reference = square()[..., :2]
    moved = np.add(reference, [3, 4])
    np.testing.assert_allclose(point_errors(moved, reference), np.full((1, 68), 5.0))
    np.testing.assert_allclose(nme(moved, reference, scale=100), [5.0])
    np.testing.assert_allclose(nme_68(moved, reference), [5.0])


def test_depth_counts_in_3d_only() -> None:
    """Half of the points 24 px too near, with (3, 4): 2D ignores it, 3D adds it after centring."""
    reference = square()
    moved = np.add(reference, [3, 4, 0])
    moved[:, ::2, 2] += 24
    np.testing.assert_allclose(nme_68(moved, reference), [5.0])
    np.testing.assert_allclose(nme_68(moved, reference, dims=3), [13.0])  # z off by 12 each
    expected = (math.hypot(5, 24) + 5) / 2
    np.testing.assert_allclose(nme_68(moved, reference, dims=3, z_rule="none"), [expected])
    np.testing.assert_allclose(nme_68(moved, reference, dims=3, z_rule="min"), [expected])


def test_against_a_plain_loop() -> None:
    """The vectorised NME is the textbook double loop."""
    predicted, reference = shapes(3)
    found = nme_68(predicted, reference, dims=3)
    for p, g, value in zip(predicted, reference, found, strict=True):
        p, g = p - [0, 0, p[:, 2].mean()], g - [0, 0, g[:, 2].mean()]
        distances = [math.dist(a, b) for a, b in zip(p, g, strict=True)]
        width, height = np.ptp(g[:, 0]), np.ptp(g[:, 1])
        expected = 100 * sum(distances) / 68 / math.sqrt(width * height)
        assert value == pytest.approx(expected, rel=1e-12)


@given(seeds, st.floats(0.01, 100), st.sampled_from(["min", "median", "mean", "none"]))
def test_scale_invariance(seed: int, factor: float, rule: str) -> None:
    """Scaling both sides, z included, changes nothing."""
    predicted, reference = shapes(seed)
    found = nme_68(predicted * factor, reference * factor, dims=3, z_rule=rule)
    expected = nme_68(predicted, reference, dims=3, z_rule=rule)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(seeds, st.floats(-500, 500), st.sampled_from(["min", "median", "mean"]))
def test_z_shift_invariance(seed: int, shift: float, rule: str) -> None:
    """A constant added to all predicted z changes nothing after alignment."""
    predicted, reference = shapes(seed)
    expected = nme_68(predicted, reference, dims=3, z_rule=rule)
    found = nme_68(np.add(predicted, [0, 0, shift]), reference, dims=3, z_rule=rule)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(st.floats(-500, 500))
def test_raw_z_follows_the_closed_form(shift: float) -> None:
    """Without a z rule a perfect prediction moved by c along z errs by |c| / d."""
    reference = square()
    found = nme_68(np.add(reference, [0, 0, shift]), reference, dims=3, z_rule="none")
    np.testing.assert_allclose(found, [abs(shift)], atol=1e-9)


@given(seeds)
def test_samples_are_independent(seed: int) -> None:
    """Permuting the samples permutes the errors."""
    predicted, reference = shapes(seed, n=6)
    order = np.random.default_rng(seed).permutation(6)
    expected = nme_68(predicted, reference, dims=3)[order]
    np.testing.assert_array_equal(nme_68(predicted[order], reference[order], dims=3), expected)


def test_min_mesh_moves_the_reference_only() -> None:
    """PRNet-keras: the mesh's minimum leaves the reference z, the prediction stays as it comes."""
    predicted, reference = shapes(1, n=2)
    p, g = align_depth(predicted, reference, "min-mesh", mesh_min=[-30, 10])
    np.testing.assert_array_equal(p, predicted)
    np.testing.assert_allclose(g[..., 2], reference[..., 2] - [[-30], [10]])


def test_inputs_are_not_changed() -> None:
    """No rule writes into the arrays it was given (the 3DDFA script's trap)."""
    predicted, reference = shapes(2)
    before = predicted.copy(), reference.copy()
    for rule in Z_RULES:
        align_depth(predicted, reference, rule, mesh_min=np.zeros(4))
    np.testing.assert_array_equal(predicted, before[0])
    np.testing.assert_array_equal(reference, before[1])


def test_missing_stays_nan() -> None:
    """A NaN row gives NaN and leaves the others alone."""
    predicted, reference = shapes(4)
    expected = nme_68(predicted, reference)
    predicted[1] = np.nan
    found = nme_68(predicted, reference)
    assert np.isnan(found[1])
    np.testing.assert_array_equal(found[[0, 2, 3]], expected[[0, 2, 3]])


def test_one_sample_and_single_precision() -> None:
    """A single shape is one sample; float32 comes out as float64."""
    predicted, reference = shapes(5)
    found = nme_68(predicted[0].astype(np.float32), reference[0].astype(np.float32))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, nme_68(predicted, reference)[:1], rtol=1e-5)


def test_misuse() -> None:
    """Shapes that differ, unknown rules and a zero normaliser are the caller's mistakes."""
    predicted, reference = shapes(6)
    with pytest.raises(ValueError, match="one shape"):
        point_errors(predicted, reference[..., :2])
    with pytest.raises(ValueError, match="unknown z rule 'max'"):
        align_depth(predicted, reference, "max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs points with z"):
        align_depth(predicted[..., :2], reference[..., :2], "mean")
    with pytest.raises(ValueError, match="mesh_min"):
        align_depth(predicted, reference, "min-mesh")
    with pytest.raises(ValueError, match="positive"):
        nme(predicted, reference, scale=[1, 0, 1, 1])
    with pytest.raises(ValueError, match="68"):
        nme_68(predicted[:, :21], reference[:, :21])
    with pytest.raises(ValueError, match="3 or 3"):
        nme_68(predicted[..., :2], reference, dims=3)
