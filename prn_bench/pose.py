"""Errors of head pose, per sample.

Conventions: angles are (n, 3) degrees in the order pitch, yaw, roll of 3DDFA's ``Pose_Para``; rotations
follow from them by :func:`prn_bench.geometry.rotation_matrix`. NaN stays NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench.geometry import rotation_matrix

Array = NDArray[np.float64]


def wrap_deg(angles_deg: ArrayLike) -> Array:
    """Angles of any shape, brought to [-180, 180)."""
    return np.asarray(np.remainder(np.asarray(angles_deg, np.float64) + 180.0, 360.0) - 180.0)


def euler_errors(predicted_deg: ArrayLike, reference_deg: ArrayLike, *, wrap: bool) -> Array:
    """Absolute difference of each angle.

    Parameters
    ----------
    predicted_deg, reference_deg : (n, 3) float
    wrap : bool
        Whether differences of whole turns are none.

    Returns
    -------
    (n, 3) float64, degrees

    References
    ----------
    Hopenet and FSA-Net test scripts: mean absolute error of yaw, pitch and roll, and their mean.
    """
    predicted, reference = _pair(predicted_deg, reference_deg)
    difference = predicted - reference
    return np.abs(wrap_deg(difference) if wrap else difference)


def geodesic_errors(predicted_deg: ArrayLike, reference_deg: ArrayLike) -> Array:
    """(n,) degrees: angle of the rotation between the two poses; see :func:`euler_errors`."""
    between = _between(predicted_deg, reference_deg)
    # From sine and cosine: the arc cosine alone loses half the digits of small angles.
    axis = between - np.swapaxes(between, -1, -2)
    sine = np.sqrt((axis**2).sum((-1, -2))) / (2 * np.sqrt(2))
    cosine = (np.trace(between, axis1=-2, axis2=-1) - 1) / 2
    return np.asarray(np.degrees(np.arctan2(sine, cosine)))


def frobenius_errors(predicted_deg: ArrayLike, reference_deg: ArrayLike) -> Array:
    """(n,) Frobenius norm of I - R_p R_g^T, from 0 to 2 sqrt(2), as DAD-3DHeads measures pose."""
    between = _between(predicted_deg, reference_deg)
    return np.asarray(np.sqrt(((np.eye(3) - between) ** 2).sum((-1, -2))))


def _between(predicted_deg: ArrayLike, reference_deg: ArrayLike) -> Array:
    predicted, reference = (
        rotation_matrix(*np.radians(side).T) for side in _pair(predicted_deg, reference_deg)
    )
    return np.asarray(predicted @ np.swapaxes(reference, -1, -2))


def _pair(predicted_deg: ArrayLike, reference_deg: ArrayLike) -> tuple[Array, Array]:
    predicted, reference = (np.asarray(x, np.float64) for x in (predicted_deg, reference_deg))
    if predicted.shape != reference.shape or predicted.ndim != 2 or predicted.shape[1] != 3:
        raise ValueError(f"angles must be (n, 3), got {predicted.shape}, {reference.shape}")
    return predicted, reference
