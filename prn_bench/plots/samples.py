"""Two methods sample by sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.plots import frame
from prn_bench.ranking import Pairs, pairwise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prn_bench.results import Result

SIDE_INCH = 4.2
MARKERS = ("o", "s", "^", "D", "v", "P")


def samples_figure(first: Result, second: Result, *, out: str | Path | None = None) -> Figure:
    """Error of one method over that of another, a point a sample, coloured by yaw bin.

    Points below the diagonal are samples on which the second is better. The title gives the paired
    difference of the headlines with its interval.

    Raises
    ------
    BenchError
        ``mixed-protocols``, ``mixed-samples`` for other samples, ``unknown-suffix``.
    """
    frame.check([first, second], out)
    if not np.array_equal(first.samples.ids, second.samples.ids):
        raise BenchError(
            "these results are about different samples",
            code="mixed-samples",
            found=f"{len(first.samples.ids)} and {len(second.samples.ids)}",
            remedy="Score both with the same dataset file.",
        )
    errors = np.stack([frame.failures(result)[0] for result in (first, second)], 1)
    bins = first.samples.bins
    known = (bins >= 0) & ~np.isnan(errors).any(1)
    figure, axes = frame.new_figure(SIDE_INCH, SIDE_INCH)
    _points(axes, errors[known], bins[known], [part.label for part in first.summary.bins])
    names = [frame.plain(str(result.method["name"])) for result in (first, second)]
    unit = frame.UNITS[first.protocol.unit]
    axes.set(xlabel=f"{names[0]}, {unit}", ylabel=f"{names[1]}, {unit}")
    frame.dress(axes, _title(first, errors, known))
    return frame.finish(figure, out)


def _points(axes: Any, errors: NDArray[np.float64], bins: NDArray, labels: list[str]) -> None:
    axes.set(xscale="log", yscale="log", aspect="equal")
    for at, label in enumerate(labels):
        x, y = errors[bins == at].T
        look = {"color": frame.COLORS[at % len(frame.COLORS)], "marker": MARKERS[at % len(MARKERS)]}
        axes.scatter(x, y, s=7, alpha=0.45, linewidths=0, label=f"yaw {label}", **look)
    if len(errors):
        low, high = max(errors.min() / 1.2, 1e-3), max(errors.max() * 1.2, 1e-2)
        axes.plot([low, high], [low, high], color="0.4", linewidth=0.8)
        axes.set(xlim=(low, high), ylim=(low, high))
    from matplotlib.ticker import LogLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    axes.legend(fontsize=8, loc="upper left", markerscale=2)


def _title(first: Result, errors: NDArray[np.float64], known: NDArray[np.bool_]) -> str:
    shared = np.where(known[:, None], errors, np.nan)
    groups = frame.failures(first)[2]
    pairs = pairwise(shared, first.samples.bins, first.protocol.aggregate, groups=groups)
    better = 100 * (shared[known, 1] < shared[known, 0]).mean() if known.any() else np.nan
    words = (
        f"{first.protocol.id}\nerror upwards is lower for {better:.1f} % of {known.sum():,} images"
    )
    return words if pairs is None else f"{words}\n{_difference(pairs)}"


def _difference(pairs: Pairs) -> str:
    """The second method's headline minus the first's."""
    value, low, high = (-float(x[0]) for x in (pairs.difference, pairs.high, pairs.low))
    return f"upwards minus sideways: {value:+.3f} ({low:+.3f} to {high:+.3f})"
