"""Files are data and never programs, and nothing talks to a network: read from the sources, and watched.

What SECURITY.md promises is held here. Who may import whom is the business of ``test_imports.py``.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_imports import ROOT, all_imports, sources

PROGRAMS = "cloudpickle copyreg cPickle dill joblib marshal pickle shelve yaml"
NETWORK = (
    "aiohttp ftplib http httpx imaplib paramiko poplib requests smtplib socket socketserver ssl telnetlib"
    " urllib urllib3 webbrowser websockets xmlrpc"
)
SHELLS = "code commands pexpect pty runpy subprocess"
FORBIDDEN = {
    **dict.fromkeys(PROGRAMS.split(), "files are data, never programs"),
    **dict.fromkeys(NETWORK.split(), "nothing is fetched or sent"),
    **dict.fromkeys(SHELLS.split(), "nothing is handed to a shell or another program"),
}
#: The only door to a network: a Dask scheduler that the user names.
DOORS = {"distributed": "prn_bench.cli prn_bench.runner", "dask": ""}
BUILTINS = {"__import__", "compile", "eval", "exec"}
METHODS = {"extractall", "mktemp", "popen", "read_pickle", "system", "to_pickle", "unpack_archive"}
#: Keywords that must be there, with this value, in calls of these names.
WANTED = {
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "torch.load": ("weights_only", True),
    "Environment": ("autoescape", True),
}
#: Keywords that must never have another value, whatever is called.
ONLY = {"allow_pickle": False, "shell": False, "weights_only": True, "autoescape": True}


def import_faults(root: Path) -> Iterator[str]:
    """Imports of what runs data, opens connections or starts programs."""
    for one in all_imports(root):
        package = one.target.split(".")[0]
        if package in FORBIDDEN:
            yield f"{one}: {FORBIDDEN[package]}"
        if package in DOORS and not one.module.endswith(tuple(DOORS[package].split())):
            yield f"{one}, which only {DOORS[package] or 'nobody'} may"


def call_faults(root: Path) -> Iterator[str]:
    """Calls that could execute what a file contains, or hand text to a shell."""
    for module, tree in sources(root).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (why := call_fault(node)):
                yield f"{module}, line {node.lineno}: {why}"


def call_fault(call: ast.Call) -> str:
    """Why a call is not allowed, or nothing."""
    name = ast.unparse(call.func)
    if name in BUILTINS or name.startswith("builtins."):
        return f"calls {name}"
    if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
        return f"calls {name}"
    if re.match(r"os\.(exec|spawn|posix_spawn|startfile)", name):
        return f"calls {name}"
    given = {word.arg: word.value for word in call.keywords}
    for word, value in given.items():
        if word in ONLY and not is_constant(value, ONLY[word]):
            return f"passes {word}={ast.unparse(value)}"
    word, value = WANTED.get(name, ("", None))
    return f"{name} without {word}={value}" if word and word not in given else ""


def is_constant(node: ast.expr, value: bool) -> bool:
    """Whether an expression is this constant itself."""
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("faults", [import_faults, call_faults])
def test_sources_are_safe(faults) -> None:
    """Nothing in the product unpickles, evaluates, fetches or starts a shell."""
    assert list(faults(ROOT)) == []


SINS = """import pickle, yaml
from urllib import request
import distributed
import numpy as np, os, torch
def f(x, n):
    import subprocess
    eval(x), exec(x), compile(x, "", "exec"), __import__(x)
    os.system(x), os.popen(x), os.execvp(x, x), tempfile.mktemp(), archive.extractall(x)
    np.load(x), np.load(x, allow_pickle=n), torch.load(x), torch.load(x, weights_only=False)
    run(x, shell=True), Environment(loader=x), Environment(autoescape=n), frame.to_pickle(x)
"""
GOOD = """import numpy as np, torch
def f(x):
    model.eval()
    np.load(x, allow_pickle=False), torch.load(x, weights_only=True), Environment(autoescape=True)
"""


def test_each_sin_is_found(tmp_path: Path) -> None:
    """A module with every sin is caught at each of them; its virtuous brother is not."""
    (tmp_path / "prn_bench").mkdir()
    (tmp_path / "prn_bench" / "sins.py").write_text(SINS)
    (tmp_path / "prn_bench" / "good.py").write_text(GOOD)
    found = [*import_faults(tmp_path), *call_faults(tmp_path)]
    lines = [int(re.findall(r"prn_bench\.sins, line (\d+)", fault)[0]) for fault in found]
    assert lines == [1, 1, 2, 3, 6, *[7] * 4, *[8] * 5, *[9] * 4, *[10] * 4]


def test_templates_escape_all_but_our_own_files() -> None:
    """Text that comes from files is escaped: only our script and our style are put in as they are."""
    folder = ROOT / "prn_bench" / "site" / "templates"
    unescaped = re.compile(r"\{\{\s*([^}]*?)\|\s*safe|\bautoescape\b|\bMarkup\b")
    found = {m[1] for path in folder.glob("*.html") for m in unescaped.finditer(path.read_text())}
    assert {text.strip() for text in found} == {"style", "script"}
    scripts = [path.read_text() for path in (ROOT / "prn_bench" / "site" / "assets").glob("*.js")]
    writes = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|fetch\("
    assert len(scripts) > 1
    assert not any(re.search(writes, script) for script in scripts)


def test_what_make_and_ci_run_fetches_nothing_by_itself() -> None:
    """Only pip installs, from the index that the user has; nothing is piped into a shell or is root."""
    for name in ("Makefile", ".ci/run"):
        text = (ROOT / name).read_text()
        assert not re.search(r"\b(curl|wget|sudo|eval)\b|\|\s*(ba)?sh\b", text), name
        assert not re.search(r"http://", text), name


GUARD = """import os, sys

ALLOWED = {"AF_UNIX"}  # how worker processes are started


def watch(event, values):
    place = ""
    if event == "socket.connect" and values[0].family.name not in ALLOWED:
        place = str(values[1])
    elif event in ("socket.getaddrinfo", "socket.sendto", "urllib.Request", "os.system"):
        place = str(values[:2])
    elif event == "subprocess.Popen" and os.path.basename(str(values[0])) in ("sh", "bash"):
        place = str(values[1])
    if place:
        with open(os.environ["GUARD_LOG"], "a") as log:
            log.write(event + " " + place + "\\n")
        raise OSError("no network in this test: " + event)


sys.addaudithook(watch)
"""
CHAIN = """import sys
from pathlib import Path

from prn_bench.cli import main


def run(*words):
    sys.argv = ["prn-bench", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (words, end.code)


if __name__ == "__main__":
    from tests.small_leaderboard import write_facts

    run("demo", "--samples", "24", "--test-samples", "12", "--set", "epochs=1",
        "--set", "base_channels=1", "--set", "batch=4", "--set", "side_px=32")
    run("info", "demo/aflw2000-3d.h5")
    run("build", "aflw2000-3d", "demo/raw-aflw2000-3d", "--out", "again.h5", "--jobs", "2")
    run("score", "demo/planted.h5", "demo/aflw2000-3d.h5", "-p", "aflw2000/68/2d@all", "--jobs", "2",
        "--no-cache", "--out", "results", "--report", "report.html")
    run("compare", "demo/results", "-p", "aflw2000/68/2d@3ddfa-fit")
    write_facts(Path("board"))
    run("leaderboard", "build", "--data", "board", "--site", "site")
"""


def guarded(tmp_path: Path, program: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a program of which every process, workers included, is watched; and what was seen."""
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    (tmp_path / "program.py").write_text(program)
    log = tmp_path / "seen.txt"
    log.touch()
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": paths, "GUARD_LOG": str(log), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "program.py"]
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    return run, log.read_text()


def test_the_guard_sees_connections(tmp_path: Path) -> None:
    """A connection, a look-up of a name and a shell are each refused and noted."""
    program = """import os, socket, subprocess
for attempt in (
    lambda: socket.create_connection(("127.0.0.1", 9)),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: socket.socket().connect(("127.0.0.1", 9)),
    lambda: os.system("true"),
    lambda: subprocess.run("true", shell=True),
):
    try:
        attempt()
    except OSError as error:
        assert "no network in this test" in str(error)
    else:
        raise SystemExit("not stopped")
"""
    run, seen = guarded(tmp_path, program)
    assert run.returncode == 0, run.stderr
    assert len(seen.splitlines()) == 5


@pytest.mark.slow
def test_the_whole_chain_opens_no_connection(tmp_path: Path) -> None:
    """Demo, build, score, report, leaderboard and site, workers included, without network or shell."""
    pytest.importorskip("jinja2")
    pytest.importorskip("plotly")
    run, seen = guarded(tmp_path, CHAIN)
    assert seen == ""
    assert run.returncode == 0, run.stderr
    report = (tmp_path / "report.html").read_text("utf-8")
    assert "<h1" in report
    assert (tmp_path / "site" / "index.html").is_file()
    assert json.loads(next((tmp_path / "results").glob("*.json")).read_text())["method"]
