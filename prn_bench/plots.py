"""Figures for papers. The only module that imports matplotlib.

Figures are made without pyplot (no global state, no window) and saved without dates, so the same
results give the same bytes on one machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prn_bench.errors import BenchError
from prn_bench.store import atomic_path
from prn_bench.summary import ced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prn_bench.results import Result

#: Okabe and Ito's colours, told apart with any colour vision; lines differ in their dashes as well.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
SUFFIXES = (".png", ".pdf", ".svg")
WIDTH_INCH, HEIGHT_INCH, LINE_INCH, PNG_DPI = 4.8, 3.4, 0.17, 200
INSIDE = 6  # curves whose legend fits into the axes


def ced_figure(
    results: Result | Sequence[Result],
    *,
    out: str | Path | None = None,
    limit: float = 10.0,
    mixed: bool = False,
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
        Right end of the error axis, in the unit of the protocol.
    mixed : bool
        Allow results of different protocols in one figure; the legend then names the protocols.

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
    from matplotlib.figure import Figure

    several = [results] if not isinstance(results, Sequence) else list(results)
    _check(several, out, mixed=mixed)
    below = LINE_INCH * (len(several) + 1) if mixed or len(several) > INSIDE else 0.0
    figure = Figure((WIDTH_INCH, HEIGHT_INCH + below), layout="constrained")
    axes = figure.add_subplot()
    colors, dashes = cycle(COLORS), cycle(DASHES)
    for result, color, dash in zip(several, colors, dashes, strict=False):
        error, percent = _curve(result, limit)
        axes.step(error, percent, where="post", color=color, linestyle=dash, linewidth=1.6)
        axes.lines[-1].set_label(_label(result, mixed=mixed))
    _dress(axes, several, limit, mixed=mixed)
    if out is not None:
        _save(figure, Path(out))
    return figure


def _check(results: Sequence[Result], out: str | Path | None, *, mixed: bool) -> None:
    if not results:
        raise ValueError("a figure needs at least one result")
    names = {result.protocol.hash: result.protocol.id for result in results}
    if len(names) > 1 and not mixed:
        raise BenchError(
            "these results were scored under different protocols",
            code="mixed-protocols",
            found=", ".join(sorted(names.values())),
            remedy="Score all methods under one protocol.",
        )
    if out is not None and Path(out).suffix not in SUFFIXES:
        raise BenchError(
            "a figure is saved as .png, .pdf or .svg", code="unknown-suffix", where=out
        )


def _curve(result: Result, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Error and per cent of images, as steps from (0, 0) to the limit."""
    counted = result.samples.bins >= 0
    missing = result.samples.missing[counted]
    error, fraction = ced(np.where(missing, np.nan, result.samples.errors[counted]))
    shown = error <= limit
    percent = np.concatenate([[0.0], 100 * fraction[shown]])
    return np.concatenate([[0.0], error[shown], [limit]]), np.append(percent, percent[-1])


def _label(result: Result, *, mixed: bool) -> str:
    unit = " %" if result.protocol.unit == "percent" else " px"
    name = str(result.method["name"]).replace("$", r"\$")  # no formula
    text = f"{' ' * name.startswith('_')}{name}: {result.summary.mean_of_images:.3f}{unit}"
    if result.summary.n_missing:
        text += f" ({result.summary.n_missing} missing)"
    return f"{text}, {result.protocol.id}" if mixed else text


def _dress(axes: Any, results: Sequence[Result], limit: float, *, mixed: bool) -> None:
    protocol, n = results[0].protocol, {result.summary.n for result in results}
    unit = "NME (%)" if protocol.unit == "percent" else "mean distance (px)"
    axes.set(xlim=(0, limit), ylim=(0, 100), xlabel=unit, ylabel="images (%)")
    if not mixed:
        count = f"{n.pop():,} images" if len(n) == 1 else "different numbers of images"
        axes.set_title(f"{protocol.id}  ({count})", fontsize=8, color="0.3", loc="left")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    words: Any = {"title": "mean over images", "fontsize": 8, "title_fontsize": 8}
    if mixed or len(results) > INSIDE:
        axes.figure.legend(loc="outside lower center", frameon=False, **words)
    else:
        axes.legend(loc="lower right", **words)


def _save(figure: Figure, path: Path) -> None:
    """Write the file whole, without anything that changes from run to run."""
    import matplotlib

    empty: dict[str, dict[str, None]] = {
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None},
        ".svg": {"Date": None},
    }
    settings: Any = {"svg.hashsalt": "prn-bench", "pdf.fonttype": 42}
    with matplotlib.rc_context(settings), atomic_path(path) as part:
        figure.savefig(part, format=path.suffix[1:], dpi=PNG_DPI, metadata=dict(empty[path.suffix]))
