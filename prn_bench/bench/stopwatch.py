"""Repeated timing: warm-up apart, the median, and how far it varies."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WARM_UP = 3


@dataclass(frozen=True)
class Timing:
    """How long one stage takes, in milliseconds an image.

    Attributes
    ----------
    stage, backend : str
        What is timed, and what carries it out.
    batch : int
        Images in one call.
    median_ms, low_ms, high_ms : float
        Of the calls, divided by the batch: median and quartiles; NaN where it was not timed.
    note : str
        Why it was not.
    """

    stage: str
    backend: str
    batch: int
    median_ms: float = np.nan
    low_ms: float = np.nan
    high_ms: float = np.nan
    note: str = ""


def measure(
    stage: str, backend: str, batch: int, work: Callable[[], object], *, repeats: int = 20
) -> Timing:
    """Time a call that handles ``batch`` images and returns when they are done.

    The first calls, in which caches fill and kernels are chosen, are left out.
    """
    for _ in range(WARM_UP):
        work()
    times_ms = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times_ms.append(1e3 * (time.perf_counter() - start) / batch)
    low, median, high = (float(value) for value in np.percentile(times_ms, (25, 50, 75)))
    return Timing(stage, backend, batch, median, low, high)
