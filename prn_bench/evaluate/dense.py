"""Dense and reconstruction scores: blocks of samples, on this machine's cores or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, Finding
from prn_bench.evaluate.blocks import Block, BlockScore, DenseWork, dense_points, make_blocks
from prn_bench.evaluate.case import Case, Scored, Values, refuse_missing, refuse_partly
from prn_bench.evaluate.digests import digest_of
from prn_bench.evaluate.findings import not_converged
from prn_bench.evaluate.reference import name_some, read_yaw
from prn_bench.runner import run

BLOCK_POINTS = 6 << 20  # of one side of a block: 75 MB; each block reads the whole basis
ICP_SAMPLES = 4  # each takes tenths of a second, so that small blocks share the work well


def score_dense(case: Case) -> Scored:
    """Errors of every sample, by dense points in a known order.

    Raises
    ------
    BenchError
        Those of :class:`prn_bench.evaluate.dense_points.DensePoints`, ``missing-predictions``,
        ``partly-missing``, ``zero-normalizer``.
    """
    dataset, protocol = case.dataset, case.protocol
    n = len(dataset)
    absent = np.ones(n, bool)
    absent[case.rows] = False
    refuse_missing(case, absent)
    work = DenseWork(dataset, protocol, case.inputs)
    keep = work.keep(case.predictions)
    if not keep.any():
        what = "the methods have no point in common"
        raise BenchError(what, code="no-coverage", where=case.predictions.path)
    size = ICP_SAMPLES if protocol.uses_icp else max(1, BLOCK_POINTS // len(keep))
    blocks = make_blocks(case.predictions, case.rows, case.own_rows, size)
    if protocol.uses_icp:
        found = dict(run(work, list(enumerate(blocks)), jobs=case.jobs, scheduler=case.scheduler))
        return _gather(case, [found[number] for number in range(len(blocks))], absent, keep)
    return _gather(case, _on_threads(work, blocks, case.jobs), absent, keep)


def _on_threads(work: DenseWork, blocks: list[Block], jobs: int) -> list[BlockScore]:
    """Arrays this large are worked on outside Python's lock, so threads share them without copies."""
    from threadpoolctl import threadpool_limits

    if jobs == 1:
        return [work(block) for block in blocks]
    with threadpool_limits(1), ThreadPoolExecutor(jobs) as pool:  # a product on each thread
        return list(pool.map(work, blocks))


def _gather(
    case: Case, scores: list[BlockScore], missing: NDArray[np.bool_], keep: NDArray[np.bool_]
) -> Scored:
    protocol, n = case.protocol, len(case.dataset)
    mean_px, scale_px = np.full((2, n), np.nan)
    extra: dict[str, Values] = {}
    for score in scores:
        refuse_partly(case, score.rows[score.partly])
        missing[score.rows] = score.missing
        mean_px[score.rows], scale_px[score.rows] = score.mean_px, score.scale_px
        for name, values in score.extra.items():
            extra.setdefault(name, np.full(n, np.nan))[score.rows] = values
    failed = extra.pop("failed", np.zeros(n)) == 1
    refuse_missing(case, missing)
    refuse_missing(case, failed, "cannot be aligned")
    _refuse_zero(case, (~missing) & ~(scale_px > 0))
    errors = mean_px if protocol.unit == "px" else 100 * mean_px / scale_px
    findings = (*_alignment_findings(case, failed, extra), *_findings(case, scores, keep))
    return Scored(
        errors,
        scale_px,
        read_yaw(case.dataset, protocol),
        missing | failed,
        digest_of(case, keep),
        extra,
        coverage=float(keep.mean()),
        inputs=_inputs(case),
        findings=findings,
    )


def _refuse_zero(case: Case, rows: NDArray[np.bool_]) -> None:
    if rows.any():
        names = name_some(case.dataset.sample_ids[rows])
        raise BenchError(
            f"{case.protocol.normalizer} is not positive for {names} samples of the reference",
            code="zero-normalizer",
            where=case.dataset.path,
            remedy="Check the dataset with `prn-bench check`, or take another normaliser.",
        )


def _alignment_findings(
    case: Case, failed: NDArray[np.bool_], extra: dict[str, Values]
) -> Iterator[Finding]:
    if failed.any():
        words = (
            f"{name_some(case.dataset.sample_ids[failed])} samples cannot be aligned (the scale "
        )
        words += "collapses or the points have no extent); they count as missing"
        yield Finding("warning", "alignment-failed", case.where, words)
    if "converged" in extra:
        yield from not_converged(case, extra["converged"])


def _findings(case: Case, scores: list[BlockScore], keep: NDArray[np.bool_]) -> Iterator[Finding]:
    if not keep.all():
        words = f"{100 * keep.mean():.1f} % of the points are scored ({int(keep.sum())} of "
        words += f"{len(keep)}): the predicted mesh lacks the others"
        if case.inputs.common is not None:
            words = f"{100 * keep.mean():.1f} % of the points are scored ({int(keep.sum())} of "
            words += f"{len(keep)}): the region that all compared methods have"
        remedy = "Such a score is ranked only with scores over the same points."
        yield Finding("warning", "partial-coverage", case.where, words, remedy)
    alike = {score.first for score in scores}
    if len(case.rows) > 1 and len(alike) == 1 and b"" not in alike:
        words = f"all {len(case.rows)} predictions are the same points"
        yield Finding("warning", "constant-predictions", case.where, words, "Check the export.")


def _inputs(case: Case) -> dict[str, str]:
    """The further inputs that decided these numbers."""
    work = DenseWork(case.dataset, case.protocol, case.inputs)
    told: dict[str, str] = {}
    if case.inputs.model is not None:
        told["face_model"] = f"{case.inputs.model.name} {case.inputs.model.model_id}"
    chart = dense_points(work).index_map(case.predictions)
    if chart is not None:
        told[f"index_map {chart.name}"] = f"{chart.source} {chart.sha256}"
    return told
