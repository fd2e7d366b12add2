"""Figures for papers. The only package that imports matplotlib.

Figures are made without pyplot (no global state, no window) and saved without dates, so the same
results give the same bytes on one machine. Only methods with per-sample errors are drawn: a published
mean has no curve.
"""

from prn_bench.plots.bins import bar_figure, yaw_figure
from prn_bench.plots.ced import ced_figure
from prn_bench.plots.frame import COLORS, DASHES, SUFFIXES
from prn_bench.plots.maps import uv_figure
from prn_bench.plots.samples import samples_figure
from prn_bench.plots.training import training_figure

__all__ = [
    "COLORS",
    "DASHES",
    "SUFFIXES",
    "bar_figure",
    "ced_figure",
    "samples_figure",
    "training_figure",
    "uv_figure",
    "yaw_figure",
]
