"""How a training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.plots.frame import COLORS, DASHES, HEIGHT_INCH, WIDTH_INCH, finish

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_figure(log: Sequence[Mapping[str, float]], *, out: str | Path | None = None) -> Figure:
    """Loss curve of a training, and its error on the held-out photographs where there are any.

    Parameters
    ----------
    log : sequence of dict
        Lines of its ``log.jsonl``: ``step`` with ``rms_px`` or with ``validation_nme_2d``, ``_3d``.
    out : path, optional
        Where to save it: ``.png``, ``.pdf`` or ``.svg``.
    """
    from matplotlib.figure import Figure

    panels = [("rms_px",), ("validation_nme_2d", "validation_nme_3d")]
    shown = [names for names in panels if any(names[0] in line for line in log)]
    figure = Figure((WIDTH_INCH * len(shown), HEIGHT_INCH), layout="constrained")
    for at, names in enumerate(shown):
        axes = figure.add_subplot(1, len(shown), at + 1)
        for name, color, dash in zip(names, COLORS, DASHES, strict=False):
            lines = [line for line in log if name in line]
            steps, values = ([line[key] for line in lines] for key in ("step", name))
            axes.plot(steps, values, color=color, linestyle=dash, linewidth=1.2, label=name[-2:])
        axes.set(xlabel="step", ylabel="held-out NME (%)" if at else "weighted RMS error (px)")
        axes.set(yscale="log")
        axes.grid(color="0.9", linewidth=0.6, which="both")
        axes.spines[["top", "right"]].set_visible(False)
        if at:
            axes.legend(frameon=False, fontsize=8)
    return finish(figure, out)
