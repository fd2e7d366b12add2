"""Run time: nothing is measured here, but what a method measured is counted and summed up alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from prn_bench.checks.prediction_values import runtime_findings
from prn_bench.errors import BenchError, Finding
from prn_bench.evaluate.case import Case, Scored, Values, refuse_missing
from prn_bench.evaluate.digests import digest_of
from prn_bench.evaluate.reference import read_yaw
from prn_bench.predictions.arrays import RUNTIME

CONDITIONS = ("hardware", "batch")
ONE = ("1", "1.0")


def score_runtime(case: Case) -> Scored:
    """Milliseconds of every sample; one of unknown time is missing.

    Raises
    ------
    BenchError
        ``no-runtime``, ``bad-runtime``, ``missing-predictions`` (strict policy).
    """
    n = len(case.dataset)
    times, found = np.full(n, np.nan), _times(case)
    times[case.rows] = found
    missing = np.isnan(times)
    refuse_missing(case, missing, "have no time")
    looked = list(runtime_findings(found, case.dataset.sample_ids[case.rows], case.where))
    for finding in looked:
        if finding.level == "error":
            raise BenchError(
                finding.message, code=finding.code, where=finding.where, remedy=finding.remedy
            )
    return Scored(
        times,
        np.ones(n),
        read_yaw(case.dataset, case.protocol),
        missing,
        digest_of(case),
        inputs=_conditions(case),
        findings=(*looked, *_condition_findings(case)),
    )


def _times(case: Case) -> Values:
    """(m,) of the joined samples."""
    arrays = case.predictions.arrays
    if RUNTIME not in arrays:
        raise BenchError(
            "these predictions do not say how long they took",
            code="no-runtime",
            where=case.predictions.path,
            found=", ".join(sorted(arrays)),
            remedy=f"Write {RUNTIME} (n,) beside them, the milliseconds of each image, one at a time "
            "and warm, and hardware and batch in the method card (docs/protocols.md).",
        )
    return np.asarray(arrays[RUNTIME], np.float64)[case.own_rows]


def _conditions(case: Case) -> dict[str, str]:
    """What the method card says of how times were taken."""
    card = case.predictions.method
    return {name: str(card[name]).strip() for name in CONDITIONS if card.get(name) is not None}


def _condition_findings(case: Case) -> Iterator[Finding]:
    told = _conditions(case)
    silent = [name for name in CONDITIONS if not told.get(name)]
    if silent:
        words = (
            f"the method card names no {' and no '.join(silent)}, so nobody can compare these times"
        )
        remedy = 'method={"name": ..., "hardware": "GTX 1080, Xeon E5-2640 v4", "batch": 1}'
        yield Finding("warning", "unknown-conditions", case.where, words, remedy)
    if told.get("batch", "1") not in ONE:
        words = f"timed in batches of {told['batch']}, and this protocol is about single images"
        remedy = "Time one image at a time; the share of a batch is another figure."
        yield Finding("warning", "other-batch", case.where, words, remedy)
    if told.get("hardware"):
        words = f"on {told['hardware']}; times of other hardware say nothing about these"
        yield Finding("note", "hardware", case.where, words)
