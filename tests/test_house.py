"""The house rules that can be measured: sizes, docstrings, the command line's manners."""

from __future__ import annotations

import ast
import os
import pkgutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import prn_bench

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("prn_bench", "dataset_recipes", "reference_model")
FILE_LINES = 300
FUNCTION_LINES = 40
TRACKED_BYTES = 2_000_000
HELP_COLUMNS = 80

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef


def python_files(root: Path = ROOT) -> list[Path]:
    """Every source and test file."""
    return [path for name in (*PACKAGES, "tests") for path in sorted((root / name).rglob("*.py"))]


def size_faults(path: Path) -> list[str]:
    """A file that is too long, and each function of it that is."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    faults = [f"{path}: {len(lines)} lines"] if len(lines) > FILE_LINES else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function) and (count := code_lines(node, lines)) > FUNCTION_LINES:
            faults.append(f"{path}: {node.name} has {count} lines of code")
    return faults


def code_lines(node: Function, lines: list[str]) -> int:
    """Lines of a function's body without its docstring, comments and blank lines."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if not body:
        return 0
    block = [line.strip() for line in lines[body[0].lineno - 1 : node.end_lineno]]
    return sum(bool(line) and not line.startswith("#") for line in block)


def docstring_faults(path: Path) -> list[str]:
    """What lacks a docstring: a module, its public definitions; of a test file, its tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [(path.name, tree), *((node.name, node) for node in public(tree))]
    if path.parent.name == "tests":
        nodes = [(name, node) for name, node in nodes if name.startswith("test_") and node != tree]
    return [f"{path}: {name} has no docstring" for name, node in nodes if not documented(node)]


def documented(node: ast.Module | Documented) -> bool:
    """Whether there is a docstring; an empty file needs none."""
    return bool(ast.get_docstring(node)) or not node.body


def public(node: ast.Module | ast.ClassDef) -> Iterator[Documented]:
    """Public definitions of a module, and of its public classes."""
    for child in node.body:
        if isinstance(child, Documented) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


def tracked_files() -> list[Path]:
    """Files that git holds or would take in; without git, everything outside hidden folders."""
    ask = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        run = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        shown = (path for path in ROOT.iterdir() if not path.name.startswith("."))
        return [file for path in shown for file in (path, *path.rglob("*")) if file.is_file()]
    return [ROOT / name for name in run.stdout.split("\0") if (ROOT / name).is_file()]


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_documented(path: Path) -> None:
    """Files and functions stay within the limits, and what is public says what it does."""
    assert size_faults(path) + docstring_faults(path) == []


def test_long_and_silent_code_is_found(tmp_path: Path) -> None:
    """The two rules above report a file that breaks each of them."""
    path = tmp_path / "long.py"
    path.write_text("def f():\n    'doc'\n" + "    x = 1\n\n    # why\n" * (FUNCTION_LINES + 1))
    assert size_faults(path) == [f"{path}: f has {FUNCTION_LINES + 1} lines of code"]
    path.write_text("class A:\n    def b(self): ...\n    def _c(self): ...\n" + "\n" * FILE_LINES)
    assert size_faults(path) == [f"{path}: {FILE_LINES + 3} lines"]
    assert [fault.split()[1] for fault in docstring_faults(path)] == ["long.py", "A", "b"]


def test_no_large_file_is_tracked() -> None:
    """Data stay outside: no file of the repository is over 2 MB."""
    files = tracked_files()
    assert ROOT / "pyproject.toml" in files
    assert [path for path in files if path.stat().st_size > TRACKED_BYTES] == []


def test_every_command_is_in_the_readme(commands: dict[str, Any]) -> None:
    """A command that the README does not name is not there for a newcomer."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [words for words in commands if f"prn-bench {words}".strip() not in readme] == []


def help_text(app: Any, words: str) -> str:
    """What ``--help`` prints on a terminal of 80 columns."""
    from typer.testing import CliRunner

    run = CliRunner(env={"COLUMNS": str(HELP_COLUMNS), "NO_COLOR": "1"})
    return run.invoke(app, [*words.split(), "--help"]).output


def test_help_fits_a_terminal(app: Any, commands: dict[str, Any]) -> None:
    """Every help text fits 80 columns, and says what its command is for."""
    for words, command in commands.items():
        text = help_text(app, words)
        assert "Usage:" in text, words
        assert max(map(len, text.splitlines())) <= HELP_COLUMNS, words
        assert command.help, f"`prn-bench {words}` does not say what it does"


def test_the_public_names_are_there() -> None:
    """Each public name is found in its module, and none is hidden by a module of the same name."""
    modules = {one.name for one in pkgutil.iter_modules(prn_bench.__path__)}
    assert not modules & set(prn_bench.__all__)
    for name in set(prn_bench.__all__) - {"__version__"}:
        assert callable(getattr(prn_bench, name)), name
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        prn_bench.scores  # noqa: B018


def test_the_ci_script_can_run() -> None:
    """CI starts ``.ci/run`` as a program and without a terminal."""
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)
