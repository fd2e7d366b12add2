"""Per-sample values of a result, and their form as lines of text.

The same values give the same bytes: full precision, no dates.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prn_bench.intervals import subjects
from prn_bench.protocol_fields import Protocol
from prn_bench.subsets import bin_labels
from prn_bench.summary import Summary, summarize

COLUMNS = ("sample_id", "error", "normalizer_px", "yaw_deg", "bin", "missing")


@dataclass(frozen=True)
class Samples:
    """Per-sample values, in the order of the ids.

    Attributes
    ----------
    ids : (n,) str
    errors : (n,) float64
        In the unit of the protocol; NaN where missing, or the penalty.
    normalizer_px, yaw_deg : (n,) float64
    bins : (n,) int
        -1 for a sample that does not count.
    missing : (n,) bool
    extra : dict of (n,) float64
        Further columns by name, such as the scale that an alignment found; NaN where there is none.
    """

    ids: NDArray
    errors: NDArray[np.float64]
    normalizer_px: NDArray[np.float64]
    yaw_deg: NDArray[np.float64]
    bins: NDArray[np.intp]
    missing: NDArray[np.bool_]
    extra: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def summarize(self, protocol: Protocol) -> Summary:
        """The figures of these samples under a protocol."""
        return summarize(
            self.errors,
            self.bins,
            self.missing,
            labels=labels_of(protocol),
            aggregate=protocol.aggregate,
            draws=protocol.draws if protocol.subset == "balanced" else 0,
            seed=protocol.seed,
            percent=protocol.unit == "percent",
            groups=subjects(self.ids) if protocol.group == "subject" else None,
        )

    def columns(self) -> dict[str, float | None]:
        """Mean of every further column over the samples that count and have it."""
        means = {}
        for name, values in self.extra.items():
            known = values[(self.bins >= 0) & np.isfinite(values)]
            means[name] = float(known.mean()) if len(known) else None
        return means


def labels_of(protocol: Protocol) -> tuple[str, ...]:
    """Label of each bin of a protocol."""
    if protocol.bin_centres:
        return tuple(f"{centre:g}" for centre in protocol.bin_centres)
    return bin_labels(protocol.bin_edges, protocol.closed)


def csv_bytes(samples: Samples) -> bytes:
    """One line a sample under a header, further columns last; empty where a value is NaN."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *samples.extra])
    main = (samples.ids, samples.errors, samples.normalizer_px, samples.yaw_deg, samples.bins)
    columns = (*main, samples.missing, *samples.extra.values())
    for row in zip(*(values.tolist() for values in columns), strict=True):
        sample_id, *numbers, group, missing = row[: len(COLUMNS)]
        flags = [group if group >= 0 else "", int(missing)]
        writer.writerow([sample_id, *map(_number, numbers), *flags, *map(_number, row[6:])])
    return text.getvalue().encode()


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def read_csv(content: bytes) -> Samples:
    """The samples of :func:`csv_bytes`; ValueError, csv.Error and the like when it is none."""
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    if not rows or tuple(rows[0][: len(COLUMNS)]) != COLUMNS:
        raise ValueError(f"the columns do not begin with {', '.join(COLUMNS)}")
    columns = [*zip(*rows[1:], strict=True)] or [()] * len(rows[0])
    ids, *numbers, bins, missing = columns[: len(COLUMNS)]
    errors, lengths, yaws = map(_floats, numbers)
    groups = np.array([int(text or -1) for text in bins], np.intp)
    names, further = rows[0][len(COLUMNS) :], columns[len(COLUMNS) :]
    extra = {name: _floats(column) for name, column in zip(names, further, strict=True)}
    absent = np.array(missing) == "1"
    return Samples(np.array(ids, object), errors, lengths, yaws, groups, absent, extra)


def _floats(column: Sequence[str]) -> NDArray[np.float64]:
    return np.array([float(text or "nan") for text in column])
