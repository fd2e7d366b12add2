"""Position maps of the coefficient layout as one matrix product: what a device needs to make them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.dataset import Dataset, derive
from prn_bench.errors import BenchError, first_few


def linear_maps(
    dataset: Dataset, rows: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The terms of position maps that are linear in the coefficients, then affine.

    Returns
    -------
    basis : (1 + k, 3, n, n) float32
        The mean map and one map a coefficient, face-model frame.
    weights : (b, k) float32
        Coefficients of the rows.
    affine : (b, 3, 4) float32
        Face model to crop pixels.

    Raises
    ------
    BenchError
        ``not-finite`` for a row whose map is not all numbers, ``dataset-lacks``.
    """
    mean, identity, expression = (
        dataset.read(f"uv_basis/{name}") for name in ("mean", "identity", "expression")
    )
    basis = np.concatenate([mean[None], identity, expression])
    given = [dataset.read(f"coefficients/{name}", rows) for name in ("identity", "expression")]
    weights = derive.coefficient_rows(given[0], given[1], len(basis) - 1, len(identity))
    affine = derive.map_affine(lambda name: dataset.read(name, rows))
    bad = ~(np.isfinite(weights).all(1) & np.isfinite(affine).all((1, 2)))
    if bad.any():
        what = f"the fit is not all numbers: {first_few(dataset.sample_ids[rows[bad]])}"
        remedy = "Build the dataset again; `prn-bench check` lists such samples."
        raise BenchError(what, code="not-finite", where=dataset.path, remedy=remedy)
    return basis, weights, affine
