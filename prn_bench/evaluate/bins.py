"""Which bin each sample counts in, and which samples do not count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.evaluate.case import Case, Scored
from prn_bench.subsets import NO_BIN, nearest_bins, sdrn_subset, yaw_bins


def sample_bins(case: Case, scored: Scored) -> NDArray[np.intp]:
    """(n,) bin of every sample; -1 where the protocol or the user's list leaves it out."""
    protocol, yaw_deg = case.protocol, scored.yaw_deg
    if protocol.bin_centres:
        bins = nearest_bins(yaw_deg, protocol.bin_centres)
    else:
        edges, over_90 = protocol.bin_edges, protocol.over_90
        bins = yaw_bins(yaw_deg, edges=edges, closed=protocol.closed, over_90=over_90)
    if protocol.subset == "balanced-sdrn":
        kept = np.full(len(bins), NO_BIN)
        rows = sdrn_subset(bins, n_bins=len(protocol.bin_edges) - 1, seed=protocol.seed)
        kept[rows] = bins[rows]
        bins = kept
    bins[~case.wanted] = NO_BIN
    return bins
