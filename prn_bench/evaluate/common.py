"""Scoring several methods over the points that all of them have, as PRNet's paper compared methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.evaluate.blocks import DenseWork
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.protocol import Protocol
from prn_bench.protocol import protocol as find_protocol

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions


def common_inputs(
    methods: Sequence[Predictions],
    dataset: Dataset,
    protocol: Protocol | str | Path,
    inputs: ScoreInputs | None = None,
) -> ScoreInputs:
    """The inputs of a score, restricted to the points that every method predicts.

    Parameters
    ----------
    methods : sequence of Predictions
    dataset : Dataset
    protocol : Protocol, or its id or file
        Of dense points.
    inputs : ScoreInputs, optional
        With the index maps of the methods' meshes.

    Returns
    -------
    ScoreInputs
        To score each method with; the results then have one reference digest.

    Raises
    ------
    BenchError
        ``no-common-region`` when nothing is shared, ``not-dense`` for a protocol of other points,
        and those of :class:`prn_bench.evaluate.dense_points.DensePoints`.
    """
    if not isinstance(protocol, Protocol):
        protocol = find_protocol(protocol)
    given = ScoreInputs() if inputs is None else inputs
    if protocol.point_set not in ("map", "mesh"):
        raise BenchError(
            f"{protocol.id} is not about dense points",
            code="not-dense",
            expected="a protocol such as aflw2000/dense/3d@prnet-mask",
        )
    work = DenseWork(dataset, protocol, given)
    masks: list[NDArray[np.bool_]] = [work.keep(method) for method in methods]
    common = np.asarray(np.logical_and.reduce(masks))
    if not common.any():
        raise BenchError(
            "these methods have no point in common",
            code="no-common-region",
            found=", ".join(str(method.topology) for method in methods),
        )
    return replace(given, common=common)
