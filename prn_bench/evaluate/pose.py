"""Errors of head pose: Euler angles as tables print them, or the angle between the rotations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.evaluate.case import Case, Scored, Values, chosen
from prn_bench.evaluate.digests import digest_of
from prn_bench.evaluate.landmarks import whole_rows_missing
from prn_bench.evaluate.reference import read_whole, read_yaw
from prn_bench.pose import euler_errors, frobenius_errors, geodesic_errors, wrap_deg

ANGLES = ("pitch", "yaw", "roll")


def score_pose(case: Case) -> Scored:
    """Errors in degrees (Frobenius: no unit) of predicted pitch, yaw, roll.

    Samples with an angle beyond ``pose_limit_deg`` are left out: they come out with a yaw of NaN, which
    no bin takes.

    Raises
    ------
    BenchError
        ``no-pose``, ``missing-predictions``, ``partly-missing``, ``dataset-lacks``.
    """
    dataset, protocol = case.dataset, case.protocol
    predicted = np.full((len(dataset), 3), np.nan)
    predicted[case.rows] = _predicted(case)
    missing = whole_rows_missing(case, predicted[:, None, :])
    reference = read_whole(dataset, "pose_deg")
    counted = _within(reference, protocol.pose_limit_deg)
    if protocol.wrap == "yes":
        reference = wrap_deg(reference)
    angles = euler_errors(predicted, reference, wrap=protocol.wrap == "yes")
    if protocol.pose_error == "euler":
        errors = angles.mean(1)
    elif protocol.pose_error == "geodesic":
        errors = geodesic_errors(predicted, reference)
    else:
        errors = frobenius_errors(predicted, reference)
    yaw = np.where(counted, read_yaw(dataset, protocol), np.nan)
    columns = {f"{name}_error_deg": angles[:, i] for i, name in enumerate(ANGLES)}
    ones = np.ones(len(dataset))
    return Scored(errors, ones, yaw, missing, digest_of(case), columns)


def _predicted(case: Case) -> Values:
    if "pose_deg" not in case.predictions.arrays:
        raise BenchError(
            "these predictions hold no head pose",
            code="no-pose",
            where=case.predictions.path,
            found=", ".join(sorted(case.predictions.arrays)),
            remedy="Write pose_deg (n, 3): pitch, yaw, roll in degrees, 3DDFA's convention.",
        )
    return np.asarray(chosen(case).arrays["pose_deg"], np.float64)


def _within(pose_deg: Values, limit_deg: float) -> NDArray[np.bool_]:
    if not limit_deg:
        return np.ones(len(pose_deg), bool)
    return np.asarray((np.abs(pose_deg) <= limit_deg).all(1))
