"""Errors of head pose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.pose import euler_errors, frobenius_errors, geodesic_errors, wrap_deg

ANGLES = st.floats(-89, 89)
POSES = st.tuples(ANGLES, ANGLES, ANGLES)


def test_euler_errors_by_hand() -> None:
    """Plain differences, and differences with whole turns removed."""
    predicted, reference = [[10.0, -20.0, 5.0]], [[7.0, 340.0, 5.0]]
    np.testing.assert_allclose(euler_errors(predicted, reference, wrap=False), [[3, 360, 0]])
    np.testing.assert_allclose(euler_errors(predicted, reference, wrap=True), [[3, 0, 0]])


def test_wrap() -> None:
    """-180 stays, 180 becomes -180, whole turns vanish."""
    np.testing.assert_allclose(
        wrap_deg([-180.0, 180.0, 540.0, -351.2, 90.0]), [-180, -180, -180, 8.8, 90]
    )


@given(ANGLES)
def test_rotation_about_one_axis(angle: float) -> None:
    """The geodesic error of a pure yaw is that yaw; the Frobenius norm is 2 sqrt(2) sin(a / 2)."""
    predicted, reference = [[0.0, angle, 0.0]], [[0.0, 0.0, 0.0]]
    assert geodesic_errors(predicted, reference)[0] == pytest.approx(abs(angle), abs=1e-9)
    expected = 2 * np.sqrt(2) * abs(np.sin(np.radians(angle) / 2))
    assert frobenius_errors(predicted, reference)[0] == pytest.approx(expected, abs=1e-9)


@given(POSES, POSES)
def test_symmetry(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    """Which side is the prediction does not matter, and a pose is no distance from itself."""
    assert geodesic_errors([first], [second]) == pytest.approx(geodesic_errors([second], [first]))
    assert geodesic_errors([first], [first])[0] == pytest.approx(0, abs=1e-6)


def test_the_same_rotation_in_other_angles() -> None:
    """Angles beyond a quarter turn that mean the same rotation are no error."""
    same = geodesic_errors([[180.0, 180.0 - 20.0, 180.0]], [[0.0, 20.0, 0.0]])
    assert same[0] == pytest.approx(0, abs=1e-6)


def test_bad_shapes() -> None:
    """Anything but (n, 3) pairs is misuse."""
    with pytest.raises(ValueError, match="must be"):
        euler_errors([[1.0, 2.0]], [[1.0, 2.0]], wrap=False)
