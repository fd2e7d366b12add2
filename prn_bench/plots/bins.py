"""Errors by yaw, as lines and as bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.intervals import headline_interval
from prn_bench.plots import frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prn_bench.results import Result

Array = NDArray[np.float64]
LEGEND_COLUMNS = (4, 3, 2)
LEGEND_WIDTH, LEGEND_KEY = 72, 8  # characters of a row, and of the colour before a name
BARS_WIDTH = 0.8  # of the room between two groups of bars


def yaw_figure(results: Result | Sequence[Result], *, out: str | Path | None = None) -> Figure:
    """Mean error in each yaw bin as a line for each method, with 95 % intervals.

    Where the protocol has bin centres, as on Florence (figure 9 of PRNet), these are the x axis.

    Parameters
    ----------
    results : Result or sequence of Result
        Under one protocol.
    out : path, optional
        ``.png``, ``.pdf`` or ``.svg``.

    Raises
    ------
    BenchError
        ``mixed-protocols``, ``unknown-suffix``.
    """
    several = frame.as_list(results)
    frame.check(several, out)
    figure, axes = frame.new_figure()
    centres = several[0].protocol.bin_centres
    labels = [frame.yaw_words(part.label) for part in several[0].summary.bins]
    places = np.array(centres or range(len(labels)), np.float64)
    looks = zip(cycle(frame.COLORS), cycle(frame.DASHES), strict=False)
    for at, (result, (color, dash)) in enumerate(zip(several, looks, strict=False)):
        means, margins = _bins(result)
        apart = 0.03 * np.ptp(places) * (at - (len(several) - 1) / 2) / max(len(several), 2)
        axes.errorbar(
            places + apart,
            means,
            yerr=margins,
            color=color,
            linestyle=dash,
            marker="o",
            markersize=3.5,
            linewidth=1.6,
            elinewidth=1,
            capsize=2,
            label=frame.plain(str(result.method["name"])),
        )
    axes.set_xticks(places, [f"{centre:g}" for centre in centres] if centres else labels)
    axes.set(xlabel="yaw (degrees)", ylabel=frame.quantity(several[0]))
    axes.set_ylim(bottom=0)
    frame.dress(axes, f"{several[0].protocol.id}  ({frame.counted(several)})")
    _legend(figure, several)
    return frame.finish(figure, out)


def bar_figure(results: Result | Sequence[Result], *, out: str | Path | None = None) -> Figure:
    """Mean error in each yaw bin and the headline as groups of bars, with 95 % intervals.

    Parameters and errors as in :func:`yaw_figure`.
    """
    several = frame.as_list(results)
    frame.check(several, out)
    labels = [frame.yaw_words(part.label) for part in several[0].summary.bins]
    labels.append(frame.HEADLINES[several[0].protocol.aggregate])
    figure, axes = frame.new_figure(width=max(frame.WIDTH_INCH, 0.9 * len(labels)))
    width = BARS_WIDTH / len(several)
    for at, (result, color) in enumerate(zip(several, cycle(frame.COLORS), strict=False)):
        means, margins = _with_headline(result)
        left = np.arange(len(labels)) + (at - (len(several) - 1) / 2) * width
        axes.bar(
            left,
            means,
            width * 0.94,
            color=color,
            yerr=margins,
            capsize=2,
            error_kw={"elinewidth": 1, "ecolor": "0.25"},
            label=frame.plain(str(result.method["name"])),
        )
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlabel="yaw (degrees)", ylabel=frame.quantity(several[0]))
    frame.dress(axes, f"{several[0].protocol.id}  ({frame.counted(several)})")
    axes.grid(visible=False, axis="x")
    _legend(figure, several)
    return frame.finish(figure, out)


def _legend(figure: Figure, results: Sequence[Result]) -> None:
    """Below the axes, where it hides nothing; in rows of equal length, as long as the names allow."""
    widest = LEGEND_KEY + max(len(str(result.method["name"])) for result in results)
    fitting = (n for n in LEGEND_COLUMNS if len(results) % n == 0 and n * widest <= LEGEND_WIDTH)
    columns = next(fitting, 1)
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=8)


def _bins(result: Result) -> tuple[Array, Array]:
    """(b,) means of the bins, and (2, b) how far their intervals reach down and up."""
    parts = result.summary.bins
    means = np.array([part.mean for part in parts])
    margins = np.array([*_margins(result, means)]).T
    return means, margins


def _margins(result: Result, means: Array) -> Iterator[tuple[float, float]]:
    _, bins, groups = frame.failures(result)
    errors = result.samples.errors  # penalties count, as they do in the means
    for at, mean in enumerate(means):
        inside = np.where(bins == at, 0, -1)
        known = np.where(np.isnan(mean), False, (~np.isnan(errors[inside == 0])).any())
        found = (
            headline_interval(errors, inside, "mean-of-images", groups=groups) if known else None
        )
        yield _reach(found, float(mean))


def _with_headline(result: Result) -> tuple[Array, Array]:
    means, margins = _bins(result)
    summary = result.summary
    reach = np.array(_reach(summary.interval, summary.headline))
    return np.append(means, summary.headline), np.column_stack([margins, reach])


def _reach(interval: Any, value: float) -> tuple[float, float]:
    """How far an interval reaches below and above a value; NaN, which is not drawn, for none."""
    if interval is None:
        return nan, nan
    return max(value - interval.low, 0.0), max(interval.high - value, 0.0)
