"""Scoring: one prediction file, one dataset, one protocol, one result.

Rows are joined by sample id. Predictions are brought into the image frame (0-based pixels); the
reference is used in the frame that the protocol names. In the *stored* frame the 1-based reference
is compared with 0-based predictions as they are, because that is what the published scripts do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prn_bench.errors import BenchError
from prn_bench.evaluate.bins import sample_bins
from prn_bench.evaluate.case import Case, Scored, make_case
from prn_bench.evaluate.dense import score_dense
from prn_bench.evaluate.findings import findings_of
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.evaluate.landmarks import score_landmarks
from prn_bench.evaluate.named import score_named
from prn_bench.evaluate.pose import score_pose
from prn_bench.evaluate.runtime import score_runtime
from prn_bench.evaluate.scan import score_scans
from prn_bench.protocol import Protocol
from prn_bench.protocol import protocol as find_protocol
from prn_bench.results import Result
from prn_bench.results.samples import Samples
from prn_bench.summary import Summary

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

_BY_TASK: Mapping[str, Callable[[Case], Scored]] = {"pose": score_pose, "runtime": score_runtime}
_SCORERS: Mapping[str, Callable[[Case], Scored]] = {
    "landmarks": score_landmarks,
    "map": score_dense,
    "mesh": score_dense,
    "named": score_named,
    "scan": score_scans,
}


def score(
    predictions: Predictions,
    dataset: Dataset,
    protocol: Protocol | str | Path,
    *,
    inputs: ScoreInputs | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
) -> Result:
    """Score predictions under a protocol.

    Parameters
    ----------
    predictions : Predictions
        In any order; landmarks, position maps, vertices, head poses or times, as the protocol needs.
    dataset : Dataset
    protocol : Protocol, or its id or file
    inputs : ScoreInputs, optional
        Face model, index maps, landmark map, list of samples: what some protocols need.
    jobs : int
        Worker processes, for protocols that take time (ICP).
    scheduler : str, optional
        Address of a Dask scheduler instead.

    Returns
    -------
    Result

    Raises
    ------
    BenchError
        ``wrong-dataset``, ``dataset-lacks``, ``unknown-ids``, ``duplicate-ids``,
        ``missing-predictions`` (strict policy), ``partly-missing``, ``no-landmarks``, ``no-depth``,
        ``no-dense-points``, ``no-index-map``, ``no-clouds``, ``no-pose``, ``no-runtime``,
        ``bad-runtime``, ``landmark-map-needed``, ``face-model-needed``, ``reference-2d``,
        ``reference-incomplete``, ``zero-normalizer``,
        ``nothing-to-score``, ``unknown-frame`` and ``bad-method`` (predictions put together by
        hand), and those of :func:`prn_bench.protocol.protocol`.
    """
    if not isinstance(protocol, Protocol):
        protocol = find_protocol(protocol)
    given = ScoreInputs() if inputs is None else inputs
    case = make_case(predictions, dataset, protocol, given, jobs=jobs, scheduler=scheduler)
    scored, sha256 = _scored_and_digest(case)
    if protocol.missing == "penalise":
        scored = replace(scored, errors=np.where(scored.missing, protocol.penalty, scored.errors))
    samples = Samples(
        dataset.sample_ids,
        scored.errors,
        scored.scale_px,
        scored.yaw_deg,
        sample_bins(case, scored),
        scored.missing,
        dict(scored.extra),
    )
    summary = samples.summarize(protocol)
    _check_something_left(summary, case)
    return Result(
        protocol,
        summary,
        samples,
        dict(predictions.method),
        _about(dataset),
        scored.digest,
        sha256,
        tuple(findings_of(case, scored, samples, summary)),
        _tool_version(),
        coverage=scored.coverage,
        inputs=_named_inputs(case, scored),
    )


def _scored_and_digest(case: Case) -> tuple[Scored, str | None]:
    """Errors, and the digest of the predictions: of a gigabyte it takes as long as the errors."""
    protocol, predictions = case.protocol, case.predictions
    name = "runtime_sha256" if protocol.task == "runtime" else "sha256"
    scorer = _BY_TASK.get(protocol.task) or _SCORERS[protocol.point_set]
    # No thread may read HDF5 while workers are forked: they would inherit its lock, and wait for ever.
    if case.jobs == 1 or protocol.uses_icp or protocol.point_set == "scan":
        digest_first = getattr(predictions, name)
        return scorer(case), digest_first
    with ThreadPoolExecutor(1) as beside:
        digest = beside.submit(getattr, predictions, name)
        return scorer(case), digest.result()


def _named_inputs(case: Case, scored: Scored) -> dict[str, str]:
    told = dict(scored.inputs)
    if case.inputs.subset is not None:
        told["subset"] = f"{case.inputs.subset.name} {case.inputs.subset.sha256}"
    return told


def _check_something_left(summary: Summary, case: Case) -> None:
    if np.isnan(summary.mean_of_images):
        raise BenchError(
            "nothing is left to score: no sample that counts has an error",
            code="nothing-to-score",
            where=case.predictions.path,
            found=f"{summary.n} samples that count, {summary.n_missing} of them without a "
            f"prediction; {summary.n_left_out} in no bin or not in the subset",
            remedy=f"Give predictions for samples that {case.protocol.id} counts.",
        )


def _about(dataset: Dataset) -> dict[str, str | int | None]:
    keys = ("title", "recipe", "recipe_version", "recipe_variant", "fingerprint", "origin")
    return {**{key: dataset.attributes.get(key) for key in keys}, "n": len(dataset)}


def _tool_version() -> str:
    from prn_bench import __version__

    return __version__
