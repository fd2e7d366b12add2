"""The same figures on one core and on two (docs/determinism.md: and with old and new libraries)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from prn_bench.metrics import depth_origin
from tests.determinism import differences, farthest

ROOT = Path(__file__).resolve().parents[1]
QUICK = ["--samples", "3", "--only", "aflw2000", "--protocols", "z-mean,uv-index,prnet-mask,corr"]
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")


def test_one_and_two_cores(tmp_path: Path) -> None:
    """Fingerprints, errors and figures of both layouts, with one and two workers and threads."""
    words = [sys.executable, "-m", "tests.determinism", "--inputs", str(tmp_path / "inputs")]
    found = []
    for n in ("1", "2"):
        out = tmp_path / f"{n}.json"
        threads = {f"{name}_NUM_THREADS": n for name in LIBRARIES}
        run = [*words, *QUICK, "--jobs", n, "--out", str(out)]
        subprocess.run(run, check=True, cwd=ROOT, env={**os.environ, **threads})
        found.append(json.loads(out.read_text())["figures"])
    assert len(found[0]) > 300
    assert not [name for name in found[0] if "/maps/aflw2000/dense" in name and "refused" in name]
    assert differences(*found) == []


def test_the_comparison_sees_a_difference() -> None:
    """Beyond the ninth digit, of a text, and of a figure that only one side has."""
    here = {"a": 1.0, "b": "x", "c": None, "d": 3.0}
    assert differences(here, {**here, "a": 1.0 + 1e-10}) == []
    assert len(differences(here, {"a": 1.0 + 1e-8, "b": "y", "c": 0.0})) == 4
    assert farthest(here, {"a": 1.5, "d": 3.0}) == 0.5


def test_mean_depth_is_summed_in_double() -> None:
    """Mean z of 45,000 float32 points does not hang on their order, to the last digit of a float32."""
    z = np.random.default_rng(0).uniform(90, 160, (3, 45_128)).astype(np.float32)
    forth, back = (np.asarray(depth_origin(side, "mean")) for side in (z, z[:, ::-1]))
    assert forth.dtype == np.float64
    np.testing.assert_allclose(forth, back, rtol=1e-13)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(np.cumsum(z, 1)[:, -1:] / z.shape[1], forth, rtol=1e-9)
