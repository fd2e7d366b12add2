"""The commands of README and docs are run, on small synthetic stand-ins under the names that pages use.

A page runs from top to bottom in one folder: Python, files, ``prn-bench`` and ``cp``, each as it stands
but for `SMALLER`. Not run: blocks behind ``<!-- not run: reason -->``, and `make` and `pip`.
"""

from __future__ import annotations

import glob
import shutil
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from tests.docs_stage import EXTRAS, make_stage
from tests.test_docs import PAGES, Block, blocks, console_commands, has_commands, is_script, page_id

#: What is added to a command, so that it takes seconds.
TINY = "--set epochs=1 --set base_channels=1 --set side_px=32 --set batch=4"
SMALLER = {
    "demo": f"--samples 24 --test-samples 12 {TINY}",
    "train": f"{TINY} --device cpu",
    "score": "--jobs 1",
    "compare": "--jobs 1",
    "sensitivity": "--jobs 1",
}
#: Words that stand for what a reader has and nobody else.
STANDS_FOR = {"BFM_FOLDER": "synthetic"}
FINDINGS_ARE_FINE = {"check", "doctor"}
NEEDS = {
    "README.md": "plotly",
    "florence.md": "open3d",
    "leaderboard.md": "plotly torch",
    "reference-model.md": "torch onnxruntime",
    "training.md": "torch onnxruntime",
}
WITH_COMMANDS = [page for page in PAGES if has_commands(page)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, world: Path, datasets: dict[str, Path]) -> Path:
    """The stand-ins, made once."""
    folder = tmp_path_factory.mktemp("stage")
    make_stage(folder, world, datasets)
    return folder


def small(words: list[str]) -> list[str]:
    """A command of a page with stand-ins, patterns opened as a shell does, and what makes it short."""
    words = [STANDS_FOR.get(word, word) for word in words]
    opened: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        found = (
            sorted(glob.glob(word)) if "*" in word and before not in ("-p", "--protocol") else []
        )
        opened += found or [word]
    at = opened.index("--jobs") if "--jobs" in opened else -1
    if at > 0:
        opened[at + 1] = "1"
    return opened + SMALLER.get(words[1], "").split()


def copy(words: list[str]) -> None:
    """What ``cp`` does with files."""
    *sources, target = words
    for source in sources:
        shutil.copy(source, target)


def write(block: Block) -> None:
    """The file that a block shows."""
    Path(block.file).parent.mkdir(parents=True, exist_ok=True)
    Path(block.file).write_text(block.code, "utf-8")


def run_commands(block: Block, run: Any) -> None:
    """What a reader would type, but for `make` and `pip`."""
    text = f"```console\n{block.code}```\n"
    for words in console_commands(text):
        if words[0] == "cp":
            copy(words[1:])
        elif words[0] == "prn-bench":
            code, out, err = run(*small(words)[1:])
            fine = {0, 1} if words[1] in FINDINGS_ARE_FINE else {0}
            assert code in fine, f"{' '.join(words)}\n{out}\n{err}"


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=page_id)
def test_a_page_runs(
    page: Path, stage: Path, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Python, files and commands, in this order, each with what the ones before have made."""
    for module in NEEDS.get(page.name, "").split():
        pytest.importorskip(module, reason=f"{page.name} needs an extra")
    folder = tmp_path / "stage"
    shutil.copytree(stage, folder)
    for add in EXTRAS.get(page.name, []):
        add(folder)
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    for block in blocks(page.read_text("utf-8")):
        if block.file:
            write(block)
        elif is_script(block):
            Path("block.py").write_text("\n" * (block.line - 1) + block.code, "utf-8")
            names = run_path("block.py", init_globals=names)
        elif block.language == "console" and block.runs:
            run_commands(block, run)
