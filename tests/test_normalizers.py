"""Each length against a hand value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.landmarks import GROUPS
from prn_bench.normalizers import NORMALIZERS, normalizer, normalizer_names


def face() -> np.ndarray:
    """One shape in a box of 30 x 40 x 120, eye centres and outer corners at known places."""
    points = np.full((1, 68, 3), 10.0)
    points[0, 0], points[0, 1] = (0, 0, -60), (30, 40, 60)
    points[0, list(GROUPS["right_eye"])] = (5, 5, 0)
    points[0, list(GROUPS["left_eye"])] = (11, 13, 0)
    points[0, 36], points[0, 45] = (2, 5, -42), (14, 10, 42)
    return points


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bbox-sqrt-wh", np.sqrt(1200)),
        ("bbox-diagonal", 50.0),
        ("bbox-diagonal-3d", 130.0),
        ("bbox-max", 40.0),
        ("bbox-mean", 35.0),
        ("interocular-2d", 13.0),
        ("interocular-3d", 85.0),
        # eye means: ((5 * 5 + 2) / 6, 5) and ((5 * 11 + 14) / 6, (5 * 13 + 10) / 6)
        ("interpupil", np.hypot(11.5 - 4.5, 12.5 - 5)),
        ("none", 1.0),
    ],
)
def test_hand_values(name: str, expected: float) -> None:
    """Boxes 30 x 40 x 120 and eyes at known places give the lengths to 1e-9."""
    assert normalizer(name).measure(face()) == pytest.approx([expected], abs=1e-9)


def test_roi_side() -> None:
    """The crop box gives the square root of its area, square or not."""
    boxes = np.array([[0, 0, 90, 90], [10, 20, 50, 110.0]])
    np.testing.assert_allclose(normalizer("roi-side").measure(boxes), [90, 60])


@given(st.floats(0.1, 10), st.integers(0, 2**32 - 1))
def test_lengths_scale_with_the_shape(factor: float, seed: int) -> None:
    """Every length but 1 px grows in proportion and ignores a shift."""
    points = np.random.default_rng(seed).normal(size=(3, 68, 3))
    for entry in NORMALIZERS:
        if entry.source == "landmarks":
            expected = entry.measure(points) * factor
            np.testing.assert_allclose(entry.measure(points * factor + 7), expected, rtol=1e-9)


def test_misuse() -> None:
    """Unknown names and shapes that lack a coordinate are the caller's mistakes."""
    with pytest.raises(ValueError, match="unknown normaliser 'bbox', known: bbox-sqrt-wh"):
        normalizer("bbox")
    with pytest.raises(ValueError, match="3 coordinates"):
        normalizer("interocular-3d").measure(np.zeros((2, 68, 2)))
    with pytest.raises(ValueError, match="axes"):
        normalizer("roi-side").measure(np.zeros((2, 68, 3)))
    assert len(set(normalizer_names())) == len(NORMALIZERS)
