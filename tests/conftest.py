"""Fixtures that more than one test module uses."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of research-only data, or a visible skip where it is not."""
    folder = os.environ.get("PRN_BENCH_REAL_DATA")
    if not folder:
        pytest.skip("PRN_BENCH_REAL_DATA is not set: real-data test skipped")
    if not Path(folder).is_dir():
        pytest.fail(f"PRN_BENCH_REAL_DATA is set, but {folder} is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def app() -> Any:
    """The Typer application behind ``prn-bench``."""
    return importlib.import_module("prn_bench.cli.app").app


@pytest.fixture(scope="session")
def commands(app: Any) -> dict[str, Any]:
    """Every command of ``prn-bench`` by its words, such as ``"plot ced"``; the root is ``""``."""
    root = importlib.import_module("typer.main").get_command(app)
    found = {"": root}
    waiting = [("", root)]
    while waiting:
        prefix, group = waiting.pop()
        for name, command in getattr(group, "commands", {}).items():
            words = f"{prefix} {name}".strip()
            found[words] = command
            waiting.append((words, command))
    return found
