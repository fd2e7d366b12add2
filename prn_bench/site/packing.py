"""Numbers inside pages: 16 bits each as base64, half the size of digits and as good to the eye."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

MISSING = 65535  # where there is no number
LEVELS = MISSING - 1


def packed(values: ArrayLike) -> dict[str, Any]:
    """Numbers between their smallest and largest, each to 1/131,068 of that range.

    Parameters
    ----------
    values : array_like of float
        Of any shape; NaN and infinity become «nothing there».

    Returns
    -------
    dict
        ``u16``: little-endian base64, row by row; ``start`` and ``step``: value = start + step * number;
        ``columns`` of a matrix.
    """
    numbers = np.asarray(values, np.float64)
    known = np.isfinite(numbers)
    low, high = (numbers[known].min(), numbers[known].max()) if known.any() else (0.0, 0.0)
    step = (high - low) / LEVELS or 1.0
    levels = np.full(numbers.shape, MISSING, "<u2")
    levels[known] = np.round((numbers[known] - low) / step)
    return _text(levels) | {"start": float(f"{low:.9g}"), "step": float(f"{step:.9g}")}


def packed_whole(values: ArrayLike) -> dict[str, Any]:
    """Whole numbers from 0 to 65,534, exactly; ValueError for others."""
    numbers = np.asarray(values)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < MISSING):
        raise ValueError(f"numbers from 0 to {LEVELS} can be packed")
    return _text(numbers.astype("<u2"))


def unpacked(data: dict[str, Any]) -> Sequence[float]:
    """What a page's script reads, NaN where nothing is."""
    levels = np.frombuffer(base64.b64decode(data["u16"]), "<u2")
    found = data.get("start", 0) + data.get("step", 1) * levels.astype(np.float64)
    return np.where(levels == MISSING, np.nan, found).tolist()


def _text(levels: np.ndarray) -> dict[str, Any]:
    text = {"u16": base64.b64encode(levels.tobytes()).decode()}
    return text | ({"columns": levels.shape[1]} if levels.ndim > 1 else {})
