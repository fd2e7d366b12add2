"""Predictions put together in memory: what a training loop has, without a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench.predictions import Predictions, assemble

NAME = Path("predictions in memory")


def make_predictions(
    sample_ids: Sequence[str] | NDArray,
    *,
    frame: str,
    method: Mapping[str, Any] | str,
    topology: str | None = None,
    **arrays: ArrayLike,
) -> Predictions:
    """Predictions from arrays, checked as those of a file.

    Parameters
    ----------
    sample_ids : (n,) str
        The dataset's ids, in any order.
    frame : str
        ``image`` or ``crop``, see :func:`prn_bench.predictions.write_predictions`.
    method : dict or str
        The method card, or only its name.
    topology : str, optional
        Of ``vertices``.
    **arrays
        ``landmarks``, ``position_map``, ``vertices``, ``pose_deg``, ``runtime_ms``, ... as
        ``write_predictions`` has them; also tensors of torch on the CPU, through NumPy's array protocol.

    Returns
    -------
    Predictions

    Raises
    ------
    BenchError
        As :func:`prn_bench.predictions.open_predictions`.
    TypeError
        For an array of an unknown name.

    Examples
    --------
    >>> made = make_predictions(["a"], frame="image", method="M", landmarks=np.zeros((1, 68, 2)))
    >>> len(made)
    1
    """
    known = (
        *("landmarks", "position_map", "vertices", "vertex_start", "triangles", "triangle_start"),
        *("pose_deg", "runtime_ms"),
    )
    unknown = sorted(set(arrays) - set(known))
    if unknown:
        raise TypeError(f"unknown arrays {', '.join(unknown)}; known: {', '.join(known)}")
    card = {"name": method} if isinstance(method, str) else dict(method)
    content: dict[str, Any] = {name: np.asarray(values) for name, values in arrays.items()}
    content |= {"sample_id": np.asarray(sample_ids, object).astype(str), "frame": frame}
    content |= {"method": json.dumps(card)} | ({"topology": topology} if topology else {})
    return replace(assemble(NAME, content), path=None)
