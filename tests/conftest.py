"""Fixtures that more than one test module uses."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_of_results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """No test reads or fills the user's own cache of results."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRN_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


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


@pytest.fixture(scope="session")
def face_model() -> Any:
    """The synthetic face model, built once."""
    return importlib.import_module("prn_bench.synthetic.face").synthetic_face_model()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, face_model: Any) -> Path:
    """A folder with ``face-model.h5`` and ``raw-NAME`` for every recipe, a dozen pictures each."""
    from prn_bench.facemodel.file import save_face_model
    from prn_bench.recipes import available_recipes

    root = tmp_path_factory.mktemp("world")
    save_face_model(face_model, root / "face-model.h5")
    for name, recipe in available_recipes().items():
        recipe.write_synthetic(root / f"raw-{name}", face_model, 12, seed=3)
    return root


@pytest.fixture(scope="session")
def datasets(world: Path) -> dict[str, Path]:
    """A dataset file of every recipe, built from the synthetic raw data."""
    from prn_bench.build import build
    from prn_bench.recipes import available_recipes

    files = {}
    for name, recipe in available_recipes().items():
        files[name] = world / f"{name}.h5"
        build(recipe, world / f"raw-{name}", files[name], face_model=world / "face-model.h5")
    return files


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run ``prn-bench`` in 80 columns; gives exit code, standard output, standard error."""
    from prn_bench.cli import main

    monkeypatch.setenv("COLUMNS", "80")

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["prn-bench", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture(scope="session")
def dataset(datasets: dict[str, Path]) -> Any:
    """The synthetic AFLW2000-3D."""
    return importlib.import_module("prn_bench.dataset").open_dataset(datasets["aflw2000-3d"])


@pytest.fixture
def faces(dataset: Any) -> Any:
    """Good predictions: the reference, a pixel to the right."""
    return dataset.read("landmarks").astype(float) + (1.0, 0.0, 0.0)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes by their length: some begin with a date, and all workers of a run must agree on names."""
    return f"{argname}-{len(val)}" if isinstance(val, bytes) else None
