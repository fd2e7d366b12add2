"""What docs/training.md shows from Python is run, where PyTorch is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import ROOT, blocks

pytest.importorskip("torch", reason="the reference network needs PyTorch")


def test_the_page_on_training_runs(tmp_path: Path) -> None:
    """All its Python, in the order of the page, one interpreter, an empty folder."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    code = [block.code for block in blocks(text) if block.language == "python"]
    assert len(code) == 4
    (tmp_path / "page.py").write_text("\n".join(code), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "epoch 2 of 2, error" in run.stdout
