"""What the documentation shows is run, or at least compared with what there is.

``python`` blocks of a page without commands run from top to bottom in one interpreter and an empty
folder; those with ``>>>`` are doctests. Pages with commands run in ``test_docs_commands.py``; here every
``prn-bench`` and ``make`` line must name words and options that exist. ``<!-- not run: reason -->``
before a block leaves it out; a block whose first line says ``file=NAME`` is a file.
"""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += sorted((ROOT / "docs").glob("**/*.md"))
LANGUAGES = {"python", "console", "text", "toml", "json", "csv", "bibtex", "make"}
FENCE = re.compile(
    r"^(?P<mark>```+)(?P<language>\S*)(?: file=(?P<file>\S+))?[^\n]*\n(?P<code>.*?)^(?P=mark)\s*$",
    re.M | re.S,
)
LINK = re.compile(r"\]\((?!\w+:|#)(?P<path>[^)#\s]+)|(?:src|href)=\"(?!\w+:|#)(?P<html>[^\"#]+)\"")
NOT_RUN = re.compile(r"<!-- not run: \S[^>]*-->\s*$")
OURS = ("make", "prn-bench", "cp")
SEPARATORS = {"|", "||", "&&", ";", "&"}


@dataclass(frozen=True)
class Block:
    """One fenced block: language, text, line of its first line, whether it counts, which file it is."""

    language: str
    code: str
    line: int
    runs: bool
    file: str = ""


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page."""
    return [
        Block(
            match["language"],
            match["code"],
            text.count("\n", 0, match.start("code")) + 1,
            NOT_RUN.search(text[: match.start()]) is None,
            match["file"] or "",
        )
        for match in FENCE.finditer(text)
    ]


def script(text: str) -> str:
    """The plain ``python`` blocks of a page, each on the line where the page has it."""
    lines = [""] * text.count("\n")
    for block in blocks(text):
        if is_script(block):
            code = block.code.splitlines()
            lines[block.line - 1 : block.line - 1 + len(code)] = code
    return "\n".join(lines)


def is_script(block: Block) -> bool:
    """Whether a block is Python to be run as it stands."""
    return block.language == "python" and block.runs and not block.file and ">>>" not in block.code


def console_commands(text: str) -> Iterator[list[str]]:
    """The words of each command behind a ``$`` that is ours, or ``cp``."""
    for block in blocks(text):
        if block.language != "console":
            continue
        joined = block.code.replace("\\\n", " ")
        for line in re.findall(r"^\$ (.*)$", joined, re.M):
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            yield from simple_commands(list(lexer))


def simple_commands(words: list[str]) -> Iterator[list[str]]:
    """The parts of a command line between pipes and semicolons, without ``NAME=value`` in front."""
    part: list[str] = []
    for word in [*words, ";"]:
        if word not in SEPARATORS:
            if part or not re.match(r"\w+=", word):
                part.append(word)
            continue
        if part and Path(part[0]).name in OURS:
            yield [Path(part[0]).name, *part[1:]]
        part = []


def command_fault(words: list[str], commands: dict[str, Any]) -> str:
    """What a ``make`` or ``prn-bench`` command line names that does not exist."""
    if words[0] == "cp":
        return ""
    if words[0] == "make":
        rules = (ROOT / "Makefile").read_text(encoding="utf-8")
        unknown = [w for w in words[1:] if "=" not in w and not re.search(rf"^{w}:", rules, re.M)]
        return f"no such make word: {unknown[0]}" if unknown else ""
    name, rest = "", words[1:]
    while rest and f"{name} {rest[0]}".strip() in commands:
        name, rest = f"{name} {rest[0]}".strip(), rest[1:]
    if getattr(commands[name], "commands", None) and rest and not rest[0].startswith("-"):
        return f"no such command: {shlex.join(words)}"
    known = {"--help", "-h"}
    for parameter in commands[name].params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    options = [word.split("=")[0] for word in rest if re.match(r"--?[A-Za-z]", word)]
    unknown = [option for option in options if option not in known]
    return f"no such option of `prn-bench {name}`: {unknown[0]}" if unknown else ""


def page_id(path: Path) -> str:
    """The page as a person would name it."""
    return str(path.relative_to(ROOT))


def has_commands(page: Path) -> bool:
    """Whether ``prn-bench`` is in its console blocks: then all of the page runs in one go, elsewhere."""
    return any(words[0] == "prn-bench" for words in console_commands(page.read_text("utf-8")))


pages = pytest.mark.parametrize("page", PAGES, ids=page_id)
WITHOUT_COMMANDS = [page for page in PAGES if not has_commands(page)]


@pytest.mark.parametrize("page", WITHOUT_COMMANDS, ids=page_id)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """The page's scripts end without an error, and its doctests print what they say."""
    text = page.read_text(encoding="utf-8")
    (tmp_path / page.name).with_suffix(".py").write_text(script(text), encoding="utf-8")
    command = [sys.executable, f"{page.stem}.py"]
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=paths, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pages
def test_the_doctests_of_a_page_print_what_they_say(page: Path) -> None:
    """Each ``>>>`` of a page."""
    text, names = page.read_text(encoding="utf-8"), dict[str, Any]()
    for block in blocks(text):
        if block.language == "python" and block.runs and ">>>" in block.code:
            example = doctest.DocTestParser().get_doctest(
                block.code, names, page.name, str(page), block.line - 1
            )
            assert doctest.DocTestRunner().run(example, clear_globs=False).failed == 0
            names.update(example.globs)


@pages
def test_the_commands_of_a_page_exist(page: Path, request: pytest.FixtureRequest) -> None:
    """Every command and option that the page shows is one of ours."""
    shown = list(console_commands(page.read_text(encoding="utf-8")))
    commands = request.getfixturevalue("commands") if any(w[0] != "make" for w in shown) else {}
    assert [fault for words in shown if (fault := command_fault(words, commands))] == []


@pages
def test_a_page_is_well_formed(page: Path) -> None:
    """Blocks name a language that is looked at, links lead somewhere, extras exist."""
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ") or page.name == "README.md"
    assert {block.language for block in blocks(text)} <= LANGUAGES
    links = [match["path"] or match["html"] for match in LINK.finditer(FENCE.sub("", text))]
    assert [link for link in links if not (page.parent / link).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [
        name for found in re.findall(r"prn-bench\[([\w,-]+)\]", text) for name in found.split(",")
    ]
    assert set(extras) <= set(project["optional-dependencies"])


def resolves(name: str) -> bool:
    """Whether a dotted name is something in a module, or a module."""
    home, _, last = name.rpartition(".")
    if hasattr(importlib.import_module(home), last):  # first: folders of data are no modules
        return True
    return importlib.util.find_spec(name) is not None


@pages
def test_names_in_the_text_exist(page: Path) -> None:
    """Dotted names of modules and functions, and paths of source files."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    names = set(re.findall(r"`((?:prn_bench|reference_model)(?:\.\w+)+)", text))
    groups = {"prn_bench.recipes", "prn_bench.readers"}  # of entry points, too
    assert [name for name in sorted(names - groups) if not resolves(name)] == []
    paths = re.findall(r"`((?:prn_bench|tests|reference_model|dataset_recipes)/[\w/.]+)`", text)
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


@pages
def test_what_is_not_run_says_why_and_what_runs_instead(page: Path) -> None:
    """A marker names the test that runs the same on a small scale; only installing has none."""
    for reason in re.findall(r"<!-- not run: (.*?) -->", page.read_text(encoding="utf-8")):
        tests = re.findall(r"tests/\w+\.py", reason)
        assert tests or reason == "installs packages", reason
        assert all((ROOT / name).is_file() for name in tests), reason


def test_the_examples_in_the_help_exist(commands: dict[str, Any]) -> None:
    """Every command of 80 columns below a help text is one of ours."""
    for words, command in commands.items():
        lines = re.sub(r"\[/?dim\]", "", command.epilog or "").splitlines()
        for line in filter(None, lines):
            assert len(line) <= 78, line
            shown = shlex.split(line.removeprefix("$ "), comments=False)
            assert shown[1] == words.partition(" ")[0] or not words, line
            assert command_fault(shown, commands) == "", line


def test_the_help_of_import_names_every_reader(commands: dict[str, Any]) -> None:
    """There is no other list of them on the command line."""
    from prn_bench.readers.registry import OWN

    assert set(OWN) <= set(re.findall(r"[\w-]+", commands["import"].help))


def with_examples() -> list[str]:
    """Modules of the library whose docstrings hold examples."""
    paths = [p for p in sorted((ROOT / "prn_bench").rglob("*.py")) if ">>>" in p.read_text("utf-8")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


def test_docstring_examples_print_what_they_say() -> None:
    """Every ``>>>`` in a docstring of the library is executed."""
    failed = {
        name: doctest.testmod(importlib.import_module(name)).failed for name in with_examples()
    }
    assert {name: count for name, count in failed.items() if count} == {}


PAGE = """# A page
```python
x = 1
```
<!-- not run: needs a licence -->
```python
boom()
```
```console
$ make test PYTHON=x && FOO=1 prn-bench score a.h5 --out \\
    r --jsn | less
$ .venv/bin/prn-bench skore
$ ls
```
"""


def test_the_reader_of_pages() -> None:
    """Scripts keep their line numbers, marked blocks are left out, commands are taken apart."""
    assert script(PAGE).splitlines()[2] == "x = 1"
    assert "boom" not in script(PAGE)
    shown = list(console_commands(PAGE))
    assert [words[:2] for words in shown] == [
        ["make", "test"],
        ["prn-bench", "score"],
        ["prn-bench", "skore"],
    ]
    assert command_fault(["make", "tset"], {}) == "no such make word: tset"


def test_a_wrong_command_is_found(commands: dict[str, Any]) -> None:
    """A misspelt command and a misspelt option are both reported."""
    assert command_fault(["prn-bench", "skore"], commands) == "no such command: prn-bench skore"
    assert command_fault(["prn-bench", "score", "--help"], commands) == ""
    found = command_fault(["prn-bench", "score", "a.h5", "--jsn"], commands)
    assert found == "no such option of `prn-bench score`: --jsn"
