"""Errors over the face, in UV space."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.landmarks import GROUPS
from prn_bench.plots import frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLOSED = {"right_eye", "left_eye", "outer_lips", "inner_lips"}


def uv_figure(
    error: NDArray[np.floating],
    *,
    title: str = "",
    unit: str = "%",
    landmarks: NDArray[np.integer] | None = None,
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
    landmarks : (68, 2) int, optional
        Row and column of each landmark, as datasets hold them in ``uv/landmark_pixels``: drawn as the
        outlines of jaw, brows, nose, eyes and lips.
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
    if landmarks is not None:
        _outlines(axes, np.asarray(landmarks))
    axes.set_axis_off()
    axes.set_title(title, fontsize=8, color="0.3", loc="left")
    figure.colorbar(shown, ax=axes, shrink=0.85, label=f"mean error ({unit})")
    return frame.finish(figure, out)


def _outlines(axes: Any, landmarks: NDArray[np.integer]) -> None:
    """A line for each group of the 68 landmarks."""
    for name, group in GROUPS.items():
        rows = [*group, group[0]] if name in CLOSED else [*group]
        y, x = landmarks[rows].T
        look = {"color": "white", "linewidth": 0.8, "marker": "o", "markersize": 1.6}
        axes.plot(x, y, alpha=0.9, **look)
