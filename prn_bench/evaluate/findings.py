"""What a reader of a result's figures should know."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import Finding
from prn_bench.evaluate.case import Case, Scored
from prn_bench.evaluate.reference import name_some
from prn_bench.icp import MOST_STEPS
from prn_bench.results.samples import Samples
from prn_bench.subsets import PROFILE_DEG
from prn_bench.summary import Summary


def findings_of(
    case: Case, scored: Scored, samples: Samples, summary: Summary
) -> Iterator[Finding]:
    """Findings of joining, counting, scoring and binning, in that order."""
    yield from case.findings
    yield from _count_findings(case, samples)
    yield from scored.findings
    yield from _bin_findings(case, samples, summary)


def not_converged(case: Case, converged: NDArray[np.float64]) -> Iterator[Finding]:
    """The finding for (n,) 0 where an ICP that goes on until it converges ran out of steps."""
    short = converged == 0
    if (
        short.any()
        and not case.protocol.icp_iterations
        and case.protocol.alignment != "icp-sadrnet"
    ):
        words = (
            f"ICP did not converge for {name_some(case.dataset.sample_ids[short])} samples within "
        )
        words += f"{MOST_STEPS} steps; their errors are those of the last step"
        yield Finding("warning", "not-converged", case.where, words)


def _count_findings(case: Case, samples: Samples) -> Iterator[Finding]:
    protocol, dataset = case.protocol, case.dataset
    missing, n_expected = samples.missing & case.wanted, protocol.expected_samples
    n, n_missing = int(case.wanted.sum()), int(missing.sum())
    if n_expected not in (0, n):
        words = f"{n} samples, where the benchmark has {n_expected}: these figures are not its own"
        yield Finding("warning", "partial-dataset", dataset.path.name, words)
    if n_missing:
        fate = "left out of the means" if protocol.missing == "drop" else "counted at the penalty"
        what = "time" if protocol.task == "runtime" else "prediction"
        words = f"{n_missing} of {n} samples have no {what} and are {fate}"
        yield Finding("warning", f"missing-{what}s", case.where, words)


def _bin_findings(case: Case, samples: Samples, summary: Summary) -> Iterator[Finding]:
    protocol = case.protocol
    where = case.dataset.path.name  # not the whole path: results must not depend on the machine
    n_beyond = int((np.abs(samples.yaw_deg[case.wanted]) > PROFILE_DEG).sum())
    if n_beyond and not protocol.bin_centres:
        have = "samples have" if n_beyond != 1 else "sample has"
        words = f"{n_beyond} {have} a yaw beyond 90 degrees; over_90 = {protocol.over_90}"
        yield Finding("note", "yaw-beyond-90", where, words)
    if summary.n_left_out:
        words = f"{summary.n_left_out} samples are in no bin or not in the subset"
        yield Finding("note", "left-out", where, words)
    empty = [part.label for part in summary.bins if np.isnan(part.mean)]
    if empty:
        words = f"no error in {', '.join(empty)}, so there is no mean of bins"
        yield Finding("warning", "empty-bin", where, words)
