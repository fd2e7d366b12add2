"""Errors of the 68 landmarks; they are few, so the whole dataset is one block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import Finding
from prn_bench.evaluate.case import Case, Scored, Values, chosen, refuse_missing, refuse_partly
from prn_bench.evaluate.dense_points import DensePoints
from prn_bench.evaluate.reference import MAP_BLOCK, Reference, image_points, read_reference
from prn_bench.metrics import align_depth, nme, point_errors
from prn_bench.protocol_fields import Protocol


def score_landmarks(case: Case) -> Scored:
    """Errors of every sample of the dataset.

    Raises
    ------
    BenchError
        Those of :mod:`prn_bench.evaluate.reference`, ``missing-predictions``, ``partly-missing``.
    """
    dataset, protocol = case.dataset, case.protocol
    predicted = np.full((len(dataset), protocol.points, protocol.dims), np.nan)
    predicted[case.rows] = image_points(chosen(case), dataset, case.rows, protocol)
    missing = whole_rows_missing(case, predicted)
    if protocol.z_rule == "mixed-sdrn":
        predicted[case.rows, :, 2] -= _mean_face_depth(case)[:, None]
    reference = read_reference(dataset, protocol)
    errors = np.full(len(dataset), np.nan)
    errors[~missing] = _errors(predicted, reference, ~missing, protocol)
    return Scored(
        errors,
        reference.scale_px,
        reference.yaw_deg,
        missing,
        reference.digest(dataset.sample_ids),
        findings=tuple(_findings(case, predicted[~missing])),
    )


def _mean_face_depth(case: Case) -> Values:
    """(m,) mean z of each predicted face over the face mask, image frame."""
    points = DensePoints(case.dataset, case.inputs)
    keep = points.covered(case.predictions)
    means = np.full(len(case.rows), np.nan)
    for start in range(0, len(case.rows), MAP_BLOCK):
        some = slice(start, start + MAP_BLOCK)
        rows, own_rows = case.rows[some], case.own_rows[some]
        means[some] = points.predicted(case.predictions, rows, own_rows)[:, 2, keep].mean(
            1, dtype=float
        )
    return means


def whole_rows_missing(case: Case, predicted: Values) -> NDArray[np.bool_]:
    """(n,) bool: samples without a prediction, of (n, p, d) points with NaN where there is none."""
    missing = np.asarray(np.isnan(predicted).all((1, 2)))
    refuse_partly(case, np.flatnonzero(~missing & ~np.isfinite(predicted).all((1, 2))))
    refuse_missing(case, missing)
    return missing


def _errors(
    predicted: Values, reference: Reference, rows: NDArray[np.bool_], protocol: Protocol
) -> Values:
    points, target = predicted[rows], reference.points[rows]
    if protocol.dims == 3:
        mesh_min = None if reference.mesh_min is None else reference.mesh_min[rows]
        points, target = align_depth(points, target, protocol.z_rule, mesh_min=mesh_min)
    if protocol.unit == "px":
        return np.asarray(point_errors(points, target).mean(-1))
    return nme(points, target, scale=reference.scale_px[rows])


def _findings(case: Case, present: Values) -> Iterator[Finding]:
    predictions, protocol = case.predictions, case.protocol
    if len(present) > 1 and (present == present[0]).all():
        words = f"all {len(present)} predictions are the same points"
        yield Finding("warning", "constant-predictions", case.where, words, "Check the export.")
    untouched = protocol.dims == 3 and protocol.z_rule == "none" and predictions.frame == "crop"
    if untouched and "z_shift" not in case.dataset.names:
        words = "the dataset has no z_shift, so crop z was only scaled, not moved"
        yield Finding("warning", "unknown-z-shift", case.where, words)
    if protocol.z_rule == "min-mesh" and predictions.frame == "image":
        behind = int((present[..., 2] < 0).any(1).sum())
        words = "min-mesh takes predicted z as it comes, so in an image-frame file it must be 0 at "
        words += "the rearmost vertex of the mesh, as PRNet writes it (crop z / crop scale)"
        words += f"; {behind} of {len(present)} samples have landmarks behind that" * (behind > 0)
        remedy = "Score the crop-frame output, or take a rule for both sides such as z_rule=mean."
        yield Finding("warning", "depth-origin", case.where, words, remedy)
