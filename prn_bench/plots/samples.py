"""Two methods sample by sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.plots import frame
from prn_bench.ranking import pairwise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prn_bench.results import Result

SIDE_INCH = 4.2
AREA_PT2, FEW = 2400, (7, 36)  # of all markers together; least and largest area of one
SOLID = 200  # points that do not hide each other
MARKERS = ("o", "s", "^", "D", "v", "P")


def samples_figure(first: Result, second: Result, *, out: str | Path | None = None) -> Figure:
    """Error of one method over that of another, a point a sample, coloured by yaw bin.

    Points below the diagonal are samples on which the second is better. The title says on how many it
    is, and gives the paired difference of the headlines, with its interval where there are samples enough.

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
    frame.dress(axes, _title(first, names, errors, known))
    return frame.finish(figure, out)


def _points(axes: Any, errors: NDArray[np.float64], bins: NDArray, labels: list[str]) -> None:
    axes.set(xscale="log", yscale="log", aspect="equal")
    size = float(np.clip(AREA_PT2 / max(len(errors), 1), *FEW))
    alpha = 0.9 if len(errors) <= SOLID else 0.45
    for at, label in enumerate(labels):
        x, y = errors[bins == at].T
        look = {"color": frame.COLORS[at % len(frame.COLORS)], "marker": MARKERS[at % len(MARKERS)]}
        name = f"yaw {frame.yaw_words(label)}"
        axes.scatter(x, y, s=size, alpha=alpha, linewidths=0, label=name, **look)
    if len(errors):
        low, high = max(errors.min() / 1.2, 1e-3), max(errors.max() * 1.2, 1e-2)
        axes.plot([low, high], [low, high], color="0.4", linewidth=0.8)
        axes.set(xlim=(low, high), ylim=(low, high))
    from matplotlib.ticker import LogLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    axes.legend(fontsize=8, loc="upper left", markerscale=(28 / size) ** 0.5)


def _title(
    first: Result, names: list[str], errors: NDArray[np.float64], known: NDArray[np.bool_]
) -> str:
    shared = np.where(known[:, None], errors, np.nan)
    bins, aggregate = first.samples.bins, first.protocol.aggregate
    pairs = pairwise(shared, bins, aggregate, groups=frame.failures(first)[2])
    n_better = int((shared[known, 1] < shared[known, 0]).sum())
    if pairs is None:
        protocol, columns = first.protocol, shared.T
        one, two = (replace(first.samples, errors=x).summarize(protocol).headline for x in columns)
        found, interval = two - one, ""
    else:
        found, low, high = (-float(x[0]) for x in (pairs.difference, pairs.high, pairs.low))
        interval = f" ({low:+.3f} to {high:+.3f})"
    unit = frame.UNITS[first.protocol.unit]
    return (
        f"{first.protocol.id}\n{names[1]} is better on {n_better:,} of {known.sum():,} images\n"
        f"{names[1]} - {names[0]} = {found:+.3f} {unit}{interval}, {frame.HEADLINES[aggregate]}"
    )
