"""What became of every candidate of a build."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import Finding

MAX_FINDINGS = 10_000  # in the file; the counts are always complete


@dataclass
class Audit:
    """Read clean, read with a warning, or quarantined: the three add up to ``found``.

    ``residuals`` says how far the projected fits lie from the points that the raw files store, in px.
    """

    found: int = 0
    read: int = 0
    warned: int = 0
    quarantined: int = 0
    findings: list[Finding] = field(default_factory=list)
    residuals: dict[str, dict[str, float]] = field(default_factory=dict)

    def count(self, n_candidates: int, n_rows: int, findings: list[Finding]) -> None:
        """Add a batch."""
        warned = {finding.where for finding in findings if finding.level == "warning"}
        self.quarantined += n_candidates - n_rows
        self.warned += len(warned)
        self.read += n_rows - len(warned)
        self.findings += findings

    def summarise(self, residuals: dict[str, NDArray[np.float64]]) -> None:
        """Keep count, median and largest of each kind of residual; NaN where a sample has none."""
        for name, values in residuals.items():
            known = values[np.isfinite(values)]
            if len(known):
                self.residuals[name] = {
                    "n": len(known),
                    "median_px": float(np.median(known)),
                    "max_px": float(known.max()),
                }

    def to_json(self) -> str:
        """The ``report`` attribute of the dataset file."""
        content = asdict(self) | {"findings": [asdict(f) for f in self.findings[:MAX_FINDINGS]]}
        content["findings_left_out"] = max(0, len(self.findings) - MAX_FINDINGS)
        return json.dumps(content, sort_keys=True)
