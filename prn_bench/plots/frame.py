"""What all figures share: colours, checks of what is drawn together, and saving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.intervals import subjects
from prn_bench.store import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prn_bench.results import Result

#: Okabe and Ito's colours, told apart with any colour vision; lines differ in their dashes as well.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
SUFFIXES = (".png", ".pdf", ".svg")
HEADLINES = {"mean-of-bins": "mean of bins", "mean-of-images": "all images", "median": "median"}
UNITS = {"percent": "%", "px": "px", "deg": "degrees", "ms": "ms", "none": "no unit"}
WIDTH_INCH, HEIGHT_INCH, LINE_INCH, PNG_DPI = 4.8, 3.4, 0.17, 200
INSIDE = 6  # curves whose legend fits into the axes


def as_list(results: Result | Sequence[Result]) -> list[Result]:
    """One result or several, as a list; ValueError for none."""
    several = list(results) if isinstance(results, Sequence) else [results]
    if not several:
        raise ValueError("a figure needs at least one result")
    return several


def check(results: Sequence[Result], out: str | Path | None, *, mixed: bool = False) -> None:
    """Refuse what does not belong into one figure, or a file type that is not offered.

    Raises
    ------
    BenchError
        ``mixed-protocols``, ``unknown-suffix``.
    """
    names = {result.protocol.hash: result.protocol.id for result in results}
    if len(names) > 1 and not mixed:
        raise BenchError(
            "these results were scored under different protocols",
            code="mixed-protocols",
            found=", ".join(sorted(names.values())),
            remedy="Score all methods under one protocol.",
        )
    check_suffix(out)


def check_suffix(out: str | Path | None) -> None:
    """Refuse a file type that is not offered: BenchError ``unknown-suffix``."""
    if out is not None and Path(out).suffix not in SUFFIXES:
        raise BenchError(
            "a figure is saved as .png, .pdf or .svg", code="unknown-suffix", where=out
        )


def failures(result: Result) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray | None]:
    """Errors with NaN where there is no prediction, bins, and groups that intervals draw whole."""
    samples = result.samples
    errors = np.where(samples.missing, np.nan, samples.errors)
    groups = subjects(samples.ids) if result.protocol.group == "subject" else None
    return errors, samples.bins, groups


def quantity(result: Result) -> str:
    """What is measured, with its unit, as the title of an axis."""
    protocol = result.protocol
    if protocol.unit == "percent":
        return "NME (%)" if protocol.task == "nme" else "mean distance (% of eye distance)"
    words = {"px": "mean distance (px)", "deg": "angle (degrees)", "ms": "time (ms)"}
    words["none"] = "Frobenius distance of rotations (no unit)"
    return words[protocol.unit]


def yaw_words(label: str) -> str:
    """The label of a yaw bin, one without an end in words: ``(60, inf)`` as ``> 60``."""
    low, _, high = label[1:-1].partition(", ")
    if high != "inf":
        return label
    return f"{'>' if label.startswith('(') else '≥'} {low}"


def plain(name: str) -> str:
    """A name that matplotlib neither reads as a formula nor hides from a legend."""
    return f"{' ' * name.startswith('_')}{name}".replace("$", r"\$")


def counted(results: Sequence[Result]) -> str:
    """Number of images, for a title."""
    n = {result.summary.n for result in results}
    return f"{n.pop():,} images" if len(n) == 1 else "different numbers of images"


def new_figure(width: float = WIDTH_INCH, height: float = HEIGHT_INCH) -> tuple[Figure, Any]:
    """A figure with one pair of axes."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    return figure, figure.add_subplot()


def dress(axes: Any, title: str = "") -> None:
    """The look of all axes: light grid, no frame above and to the right, small figures."""
    axes.set_title(title, fontsize=8, color="0.3", loc="left")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def finish(figure: Figure, out: str | Path | None) -> Figure:
    """Save the figure where it is wanted, whole, without anything that changes from run to run."""
    if out is None:
        return figure
    import matplotlib

    path = Path(out)
    empty: dict[str, dict[str, None]] = {
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None},
        ".svg": {"Date": None},
    }
    settings: Any = {"svg.hashsalt": "prn-bench", "pdf.fonttype": 42}
    with matplotlib.rc_context(settings), atomic_path(path) as part:
        figure.savefig(part, format=path.suffix[1:], dpi=PNG_DPI, metadata=dict(empty[path.suffix]))
    return figure
