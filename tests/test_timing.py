"""The stop watch, and the stages of the run-time table."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from prn_bench.bench.stopwatch import WARM_UP, measure


def test_median_and_quartiles_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of 10, 20, 30, 40 and 100 ms for two images; the slow first calls do not count."""
    steps = [10, 20, 30, 40, 100]
    ticks = itertools.chain.from_iterable((0.0, step / 1e3) for step in steps)
    calls = []
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    timing = measure("s", "b", 2, lambda: calls.append(1), repeats=len(steps))
    assert len(calls) == WARM_UP + len(steps)
    found = (timing.low_ms, timing.median_ms, timing.high_ms)
    np.testing.assert_allclose(found, (10, 15, 20))


def test_stages_do_the_work_they_name() -> None:
    """Decoding gives nothing back but is done, and geometry is 43,867 vertices and 68 landmarks."""
    from prn_bench.bench import model as bench_model

    vertices, landmarks = bench_model.geometry(np.random.default_rng(0).random((2, 3, 256, 256)))
    assert vertices.shape == (2, 43_867, 3)
    assert landmarks.shape == (2, 68, 3)
    assert len(np.unique(vertices[0, :, 0])) == 43_867
    bench_model.decoding(1)()
