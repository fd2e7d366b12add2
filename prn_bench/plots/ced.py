"""Cumulative error distributions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.intervals import ced_band
from prn_bench.plots import frame
from prn_bench.summary import ced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prn_bench.results import Result

STEPS = 200  # thresholds at which a band is drawn
BAND_ALPHA = 0.16


def ced_figure(
    results: Result | Sequence[Result],
    *,
    out: str | Path | None = None,
    limit: float = 10.0,
    mixed: bool = False,
    band: bool = True,
    sorted_images: bool = False,
) -> Figure:
    """Cumulative error distribution of one or more results.

    Parameters
    ----------
    results : Result or sequence of Result
        Curves in the order given. Samples without a prediction count as failures, so such a curve
        ends below 100 %.
    out : path, optional
        Where to save it: ``.png``, ``.pdf`` or ``.svg``.
    limit : float
        End of the error axis, in the unit of the protocol.
    mixed : bool
        Allow results of different protocols in one figure; the legend then names the protocols.
    band : bool
        Draw the 95 % interval of each curve, which holds at one error at a time.
    sorted_images : bool
        Error over the share of images, sorted, as figures 5, 7 and 8 of PRNet draw it.

    Returns
    -------
    matplotlib.figure.Figure
        To be changed and saved by the caller at will.

    Raises
    ------
    BenchError
        ``mixed-protocols`` for results that are not comparable, ``unknown-suffix``.
    ValueError
        Without any result.
    """
    several = frame.as_list(results)
    frame.check(several, out, mixed=mixed)
    outside = mixed or len(several) > frame.INSIDE
    below = frame.LINE_INCH * (len(several) + 1) if outside else 0.0
    figure, axes = frame.new_figure(height=frame.HEIGHT_INCH + below)
    unequal = len({result.summary.n for result in several}) > 1
    both = any(result.protocol.aggregate != "mean-of-images" for result in several)
    looks = zip(cycle(frame.COLORS), cycle(frame.DASHES), strict=False)
    for result, (color, dash) in zip(several, looks, strict=False):
        error, percent = _curve(result, limit)
        x, y = (percent, error) if sorted_images else (error, percent)
        where = "pre" if sorted_images else "post"
        axes.step(x, y, where=where, color=color, linestyle=dash, linewidth=1.6)
        axes.lines[-1].set_label(_label(result, mixed=mixed, counts=unequal, both=both))
        if band:
            _band(axes, result, limit, color, sorted_images=sorted_images)
    frame.dress(axes, "" if mixed else f"{several[0].protocol.id}  ({frame.counted(several)})")
    _scale(axes, several[0], limit, sorted_images=sorted_images)
    words: Any = {"title": _figures(several), "fontsize": 8, "title_fontsize": 8}
    if outside:
        figure.legend(loc="outside lower center", frameon=False, **words)
    else:
        axes.legend(loc="upper left" if sorted_images else "lower right", **words)
    return frame.finish(figure, out)


def _curve(result: Result, limit: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Error and per cent of images, as steps from (0, 0) to the limit."""
    errors, bins, _ = frame.failures(result)
    error, fraction = ced(errors[bins >= 0])
    shown = error <= limit
    percent = np.concatenate([[0.0], 100 * fraction[shown]])
    return np.concatenate([[0.0], error[shown], [limit]]), np.append(percent, percent[-1])


def _band(axes: Any, result: Result, limit: float, color: str, *, sorted_images: bool) -> None:
    at = np.linspace(0, limit, STEPS + 1)
    errors, bins, groups = frame.failures(result)
    _, low, high = ced_band(errors, bins, at, groups=groups)
    fill = axes.fill_betweenx if sorted_images else axes.fill_between
    fill(at, 100 * low, 100 * high, color=color, alpha=BAND_ALPHA, linewidth=0)


def _figures(results: Sequence[Result]) -> str:
    """What the figures beside the names are: the protocol's own, and the mean that the curve has."""
    names = {result.protocol.aggregate for result in results}
    own = frame.HEADLINES[names.pop()] if len(names) == 1 else "protocol's figure"
    return "mean over images" if own == "all images" else f"{own} (mean over images)"


def _label(result: Result, *, mixed: bool, counts: bool, both: bool) -> str:
    summary, unit = result.summary, frame.UNITS[result.protocol.unit]
    text = f"{frame.plain(str(result.method['name']))}: {summary.headline:.3f} {unit}"
    if both:
        text += f" ({summary.mean_of_images:.3f} {unit})"
    if counts:
        text += f", {summary.n:,} images"
    if summary.n_missing:
        text += f", {summary.n_missing} missing"
    return f"{text}, {result.protocol.id}" if mixed else text


def _scale(axes: Any, result: Result, limit: float, *, sorted_images: bool) -> None:
    error, share = frame.quantity(result), "images (%)"
    if sorted_images:
        axes.set(xlim=(0, 100), ylim=(0, limit), xlabel=share, ylabel=error)
    else:
        axes.set(xlim=(0, limit), ylim=(0, 100), xlabel=error, ylabel=share)
