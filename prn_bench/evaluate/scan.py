"""Reconstruction errors against scans (Florence): clouds of different sizes, in no common order.

The scan's region is put into the image frame by the stored camera. Predicted meshes may have any
topology, or none; position maps count with the pixels of the face mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, Finding
from prn_bench.evaluate.case import Case, Scored, Values, refuse_missing, refuse_partly
from prn_bench.evaluate.clouds import PredictedClouds
from prn_bench.evaluate.digests import digest_of
from prn_bench.evaluate.findings import not_converged
from prn_bench.evaluate.reference import name_some, read_yaw
from prn_bench.evaluate.scan_look import look_findings, mouth_opening
from prn_bench.evaluate.scans import ScanClouds
from prn_bench.metrics import depth_origin
from prn_bench.normalizers import normalizer
from prn_bench.runner import run

if TYPE_CHECKING:
    from prn_bench.protocol_fields import Protocol


LOOKS = ("covered", "mouth_opening")


@dataclass(frozen=True)
class ScanWork:
    """What is done to every sample; small, so that it travels to workers."""

    protocol: Protocol
    scans: ScanClouds
    clouds: PredictedClouds

    def __call__(self, item: tuple[int, int]) -> Mapping[str, float]:
        """Score one sample: row of the dataset, row of the predictions."""
        from prn_bench.evaluate.scan_error import scan_error

        row, own_row = item
        predicted = self.clouds.points(row, own_row)
        if not len(predicted) or np.isnan(predicted).all():
            return {"missing": 1.0}
        if not np.isfinite(predicted).all():
            return {"partly": 1.0}
        cloud, landmarks = self.scans.cloud(row), self.clouds.landmarks(row, own_row)
        rule = normalizer(self.protocol.normalizer)
        measured = landmarks if rule.source == "predicted" else cloud.landmarks
        scale = np.nan if measured is None else float(rule.measure(measured[None])[0])
        reference = cloud.vertices
        if self.protocol.z_rule != "none":
            reference, predicted = reference.copy(), predicted.copy()
            for side in (reference, predicted):
                side[:, 2:] -= depth_origin(side[:, 2], self.protocol.z_rule)
        found = scan_error(predicted, reference, cloud, landmarks, self.protocol)
        opening = mouth_opening(landmarks) - mouth_opening(cloud.landmarks)
        return {"scale_px": scale, "mouth_opening": opening, **found}


def score_scans(case: Case) -> Scored:
    """Errors of every rendering.

    Raises
    ------
    BenchError
        ``dataset-lacks``, ``no-clouds``, ``no-landmarks``, ``missing-predictions``,
        ``partly-missing``, ``zero-normalizer``.
    """
    dataset, protocol, n = case.dataset, case.protocol, len(case.dataset)
    absent = np.ones(n, bool)
    absent[case.rows] = False
    refuse_missing(case, absent)
    scans = ScanClouds(dataset, protocol.region, with_triangles=protocol.target == "surface")
    clouds = PredictedClouds(case.predictions, dataset, case.inputs)
    if protocol.icp_start.startswith("landmarks") or protocol.normalizer.endswith("-predicted"):
        _need_landmarks(case)
    work = ScanWork(protocol, scans, clouds)
    items = list(enumerate(zip(case.rows.tolist(), case.own_rows.tolist(), strict=True)))
    found = dict(run(work, items, jobs=case.jobs, scheduler=case.scheduler))
    columns = _columns(case, [found[number] for number in range(len(items))])
    missing = absent | (columns.pop("missing") == 1)
    partly = columns.pop("partly") == 1
    failed = columns.pop("failed") == 1
    refuse_partly(case, np.flatnonzero(partly))
    refuse_missing(case, missing)
    refuse_missing(case, failed, "cannot be aligned")
    scale = columns.pop("scale_px")
    _refuse_unscaled(case, ~missing & ~(scale > 0))
    mean_px = columns.pop("mean_px")
    errors = mean_px if protocol.unit == "px" else 100 * mean_px / scale
    return Scored(
        errors,
        scale,
        read_yaw(dataset, protocol),
        missing | failed,
        digest_of(case),
        {name: values for name, values in columns.items() if np.isfinite(values).any()},
        findings=tuple(_findings(case, clouds, columns, failed)),
    )


def _need_landmarks(case: Case) -> None:
    found = case.predictions.arrays.get("landmarks")
    if found is None or found.shape[-1] != 3:
        raise BenchError(
            f"{case.protocol.id} starts from the 68 predicted landmarks with z",
            code="no-landmarks",
            where=case.predictions.path,
            found=", ".join(sorted(case.predictions.arrays)),
            remedy=f"Write them too, or start otherwise: {case.protocol.id}+icp_start=centroid.",
        )


def _columns(case: Case, found: list[Mapping[str, float]]) -> dict[str, Values]:
    names = ("mean_px", "scale_px", "scale", "rotation_deg", "iterations", "converged", *LOOKS)
    columns = {name: np.full(len(case.dataset), np.nan) for name in names}
    columns |= {name: np.zeros(len(case.dataset)) for name in ("missing", "partly", "failed")}
    for row, values in zip(case.rows, found, strict=True):
        for name, value in values.items():
            columns[name][row] = value
    columns["mean_px"][columns["failed"] == 1] = np.nan
    return columns


def _refuse_unscaled(case: Case, rows: NDArray[np.bool_]) -> None:
    if rows.any():
        raise BenchError(
            f"{case.protocol.normalizer} is unknown for "
            f"{name_some(case.dataset.sample_ids[rows])} samples: their scans have no landmarks",
            code="zero-normalizer",
            where=case.dataset.path,
            remedy="Put the .ljson landmark files beside the scans and build again "
            "(docs/florence.md), or score in pixels: +normalizer=none+unit=px.",
        )


def _findings(
    case: Case,
    clouds: PredictedClouds,
    columns: Mapping[str, Values],
    failed: NDArray[np.bool_],
) -> list[Finding]:
    found = [*clouds.findings(case.where), *look_findings(case, columns)]
    found += not_converged(case, columns["converged"])
    if failed.any():
        words = f"{name_some(case.dataset.sample_ids[failed])} samples cannot be aligned; "
        words += "they count as missing"
        found.append(Finding("warning", "alignment-failed", case.where, words))
    return found
