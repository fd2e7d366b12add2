"""Raw files in the layout of 300W-LP and AFLW2000-3D, byte for byte repeatable."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.recipes.annotation import Fit

HEADER = b"MATLAB 5.0 MAT-file, made by prn-bench".ljust(
    116
)  # SciPy would put the time of day here


def write_mat(path: Path, fields: Mapping[str, NDArray]) -> None:
    """A compressed MATLAB v7 file whose bytes depend on its content alone."""
    from scipy.io import savemat

    stream: Any = io.BytesIO()
    savemat(stream, dict(fields), do_compression=True)
    path.write_bytes(HEADER + stream.getvalue()[len(HEADER) :])


def fit_fields(fit: Fit, rng: np.random.Generator) -> dict[str, NDArray]:
    """The fields that both datasets share: pose, shape, expression, and texture and light nobody reads.

    As in the real files, MATLAB's habit of packing whole numbers is kept: an expression of zeros is
    stored as uint8.
    """
    expression: NDArray = fit.expression[:, None]
    if not expression.any():
        expression = expression.astype(np.uint8)
    return {
        "Illum_Para": rng.uniform(0, 1, (1, 10)),
        "Color_Para": rng.uniform(0, 1, (1, 7)).astype(np.float32),
        "Tex_Para": rng.normal(0, 1000, (199, 1)),
        "Shape_Para": fit.identity[:, None],
        "Exp_Para": expression,
        "Pose_Para": fit.pose[None].astype(np.float32),
        "roi": np.array([[1, 1, 450, 450]], np.int16),
    }
