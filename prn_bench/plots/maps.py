"""Errors over the face, in UV space."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.plots import frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def uv_figure(
    error: NDArray[np.floating],
    *,
    title: str = "",
    unit: str = "%",
    out: str | Path | None = None,
) -> Figure:
    """Mean error at every pixel of the UV map.

    Parameters
    ----------
    error : (h, w) float
        NaN where the map is no face.
    title : str
    unit : str
        Beside the colour scale.
    out : path, optional
        ``.png``, ``.pdf`` or ``.svg``.

    Raises
    ------
    BenchError
        ``unknown-suffix``.
    ValueError
        Without any error that is known.
    """
    frame.check_suffix(out)
    if not np.isfinite(error).any():
        raise ValueError("a map needs at least one pixel with an error")
    figure, axes = frame.new_figure(4.4, 3.8)
    shown = axes.imshow(error, cmap="viridis", vmin=0, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=8, color="0.3", loc="left")
    figure.colorbar(shown, ax=axes, shrink=0.85, label=f"mean error ({unit})")
    return frame.finish(figure, out)
