"""What a prediction lacks or adds beside a scan: a part of the face, or an expression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import Finding
from prn_bench.evaluate.case import Case, Values
from prn_bench.evaluate.reference import name_some
from prn_bench.nearest import nearest

REACH = 0.05  # of the diagonal of the scan's region: beyond the error of any method, below a hole
LEAST_COVERED = 0.8
LOOKED_AT = 2000  # points of the scan, evenly taken
OPEN = 0.1  # of the outer eye distance, some 9 mm; 2 % noise on the points opens a mouth by 0.05
INNER_LIPS = ((61, 67), (62, 66), (63, 65))
OUTER_EYES = (36, 45)


def covered_share(predicted: Values, reference: Values) -> float:
    """Share of the (m, 3) reference points that have one of the (n, 3) aligned points near them."""
    some = reference[:: max(1, len(reference) // LOOKED_AT)]
    reach = REACH * float(np.linalg.norm(np.ptp(reference, axis=0)))
    return float((nearest(some, predicted)[1] <= reach).mean())


def mouth_opening(landmarks: Values | None) -> float:
    """Distance of the inner lips of (68, 3) landmarks, in outer eye distances; NaN where unknown."""
    if landmarks is None:
        return float("nan")
    first, second = (landmarks[list(side)] for side in zip(*INNER_LIPS, strict=True))
    eyes = float(np.linalg.norm(landmarks[OUTER_EYES[0]] - landmarks[OUTER_EYES[1]]))
    opening = float(np.linalg.norm(first - second, axis=1).mean())
    return opening / eyes if eyes > 0 else float("nan")


def look_findings(case: Case, columns: Mapping[str, Values]) -> Iterator[Finding]:
    """Findings of the columns ``covered`` and ``mouth_opening``."""
    ids = case.dataset.sample_ids
    partly: NDArray[np.bool_] = columns["covered"] < LEAST_COVERED
    if partly.any():
        words = (
            f"{name_some(ids[partly])} predictions cover less than {100 * LEAST_COVERED:g} % of "
        )
        words += "the scan's region, or lie off it"
        remedy = (
            "A part that is not predicted costs nothing where distances go from the prediction "
        )
        remedy += "to the scan: score whole faces, or the other way: match=reference-to-predicted."
        yield Finding("warning", "partial-coverage", case.where, words, remedy)
    opening = columns["mouth_opening"]
    known, wide = np.isfinite(opening), opening > OPEN
    if 2 * wide.sum() > known.sum():
        words = f"the mouth is open wider than the scan's in {wide.sum()} of {known.sum()} predictions, "
        words += f"by {np.median(opening[known]):.2f} outer eye distances (median)"
        remedy = "The scans show one expression: predict it, or set the expression to neutral."
        yield Finding("warning", "expression", case.where, words, remedy)
