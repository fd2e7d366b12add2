"""Errors of named points that only some samples show, such as AFLW-LFPA's 34."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.evaluate.case import Case, Scored, Values, chosen
from prn_bench.evaluate.digests import digest_of
from prn_bench.evaluate.landmarks import whole_rows_missing
from prn_bench.evaluate.reference import need, predicted_landmarks, read_whole, read_yaw
from prn_bench.landmark_map import LandmarkMap, built_in_landmark_maps
from prn_bench.landmarks import N_LANDMARKS
from prn_bench.metrics import point_errors
from prn_bench.normalizers import normalizer

DEFAULT_MAP = "aflw21-3ddfa"


def score_named(case: Case) -> Scored:
    """Mean error over the visible points of every sample.

    The predicted points are those of the landmark map; without one the built-in map serves, which
    knows the first 21 points of AFLW-LFPA only. A sample that shows none of the points is left out.

    Raises
    ------
    BenchError
        ``landmark-map-needed``, ``wrong-landmark-map``, ``no-landmarks``, ``dataset-lacks``,
        ``missing-predictions``, ``partly-missing``.
    """
    dataset, protocol = case.dataset, case.protocol
    target, visible = _reference(case)
    chart = case.inputs.landmark_map or built_in_landmark_maps()[DEFAULT_MAP]
    _check_map(case, chart)
    predicted = np.full(target.shape, np.nan)
    landmarks = predicted_landmarks(chosen(case), dataset, case.rows)
    predicted[case.rows] = chart.apply(landmarks)[:, : protocol.points, : protocol.dims]
    missing = whole_rows_missing(case, predicted)
    distance = point_errors(predicted, np.where(visible[..., None], target, 0.0))
    shown = visible.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_px = np.where(visible, distance, 0.0).sum(1) / shown
    scale = _scale(case)
    errors = mean_px if protocol.unit == "px" else 100 * mean_px / scale
    yaw = np.where(shown > 0, read_yaw(dataset, protocol), np.nan)
    columns = {"points": shown.astype(np.float64)}
    told = {"landmark_map": f"{chart.name} {chart.sha256}"}
    return Scored(errors, scale, yaw, missing, digest_of(case), columns, inputs=told)


def _reference(case: Case) -> tuple[Values, NDArray[np.bool_]]:
    dataset, protocol = case.dataset, case.protocol
    name = f"points/{protocol.annotation}"
    points = np.asarray(need(dataset, name).read(name), np.float64)[:, : protocol.points]
    seen = f"points_visible/{protocol.annotation}"
    visible = np.asarray(np.isfinite(points).all(-1))
    if seen in dataset.names:
        visible &= dataset.read(seen)[:, : protocol.points]
    if protocol.reference_frame == "stored":
        points = points + dataset.stored_offset(name)[: points.shape[-1]]
    return points[..., : protocol.dims], visible


def _scale(case: Case) -> Values:
    rule = normalizer(case.protocol.normalizer)
    if rule.source == "annotated_box":
        return rule.measure(read_whole(case.dataset, "boxes/annotated"))
    return np.ones(len(case.dataset))


def _check_map(case: Case, chart: LandmarkMap) -> None:
    if chart.from_size != N_LANDMARKS:
        raise BenchError(
            f"the landmark map {chart.name} starts from {chart.from_set}",
            code="wrong-landmark-map",
            expected="a map from the 68 landmarks",
        )
    unknown = np.flatnonzero(~chart.known[: case.protocol.points])
    if len(chart.groups) < case.protocol.points or len(unknown):
        raise BenchError(
            f"the landmark map {chart.name} does not know all {case.protocol.points} points",
            code="landmark-map-needed",
            found=f"{len(unknown)} unknown, the first of them number {(*unknown, 0)[0]}",
            remedy="No map is published. Give yours with --landmark-map FILE (docs/aflw-lfpa.md), "
            "or score the 21 known points: aflw-lfpa/21@3ddfa-map.",
        )
