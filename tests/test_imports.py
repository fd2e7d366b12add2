"""Who may import whom, and what costs time at import: read from the sources.

The table is the whole architecture: a module fails until it is in a group; groups are ordered.
"""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

import prn_bench
from tests.import_table import COMPILED, EVERYONE, GROUP_OF, HEAVY, MAY_IMPORT, ONLY_IN

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("prn_bench", "dataset_recipes", "reference_model")


@dataclass(frozen=True)
class Import:
    """One imported name: where it stands, and whether it runs when its module is imported."""

    module: str
    target: str
    line: int
    inside_function: bool
    for_types_only: bool

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}: imports {self.target}"


@lru_cache
def sources(root: Path) -> dict[str, ast.Module]:
    """Module name to syntax tree, for every source file of the three packages."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return found


def imports(module: str, tree: ast.Module, modules: set[str]) -> Iterator[Import]:
    """Every import of a module; ``from package import name`` names the module where it is one."""

    def visit(node: ast.AST, *, inside: bool, typing: bool) -> Iterator[Import]:
        for target in targets(node, modules):
            yield Import(module, target, node.lineno, inside, typing)
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        guarded = node.body if is_typing_guard(node) else []
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside=inside, typing=typing or child in guarded)

    yield from visit(tree, inside=False, typing=False)


def is_typing_guard(node: ast.AST) -> bool:
    """``if TYPE_CHECKING:``, in either spelling."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def targets(node: ast.AST, modules: set[str]) -> list[str]:
    """What one statement or ``import_module("...")`` call imports, as dotted names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            return ["a relative import"]
        full = [f"{node.module}.{alias.name}" for alias in node.names]
        keep = modules | EVERYONE
        return sorted({name if name in keep else str(node.module) for name in full})
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return [first.value]
    return []


@lru_cache
def all_imports(root: Path) -> list[Import]:
    """Every import of the three packages."""
    trees = sources(root)
    return [one for name, tree in trees.items() for one in imports(name, tree, set(trees))]


def group_faults(root: Path) -> list[str]:
    """Imports that the table does not allow, and modules that are in no group."""
    unlisted = {f"prn_bench.{path.stem}" for path in (root / "prn_bench").glob("*.py")}
    unlisted |= {f"prn_bench.{path.parent.name}" for path in (root / "prn_bench").glob("*/*.py")}
    known = {f"prn_bench.{name}" for name in [*GROUP_OF, "errors", "__init__"]}
    faults = [
        f"{name} is in no group: add it to GROUPS in tests/import_table.py"
        for name in sorted(unlisted - known)
    ]
    return faults + [str(one) for one in all_imports(root) if not allowed(one)]


def allowed(one: Import) -> bool:
    """Whether the table allows one import; third parties are another test's business."""
    home, target = one.module.split("."), one.target.split(".")
    if target[0] not in PACKAGES:
        return not one.target.startswith("a relative")
    if one.target in EVERYONE:
        return True
    if home[0] == "dataset_recipes":
        return target[:2] == home[:2] or is_library(target)
    if home[0] == "reference_model":
        return target[0] == "reference_model" or is_library(target)
    if target[0] != "prn_bench":  # what is built or trained is found by name, and only from the top
        return home[1:2] == ["cli"] and one.inside_function
    if len(target) == 1 or len(home) == 1:
        return len(home) == 1 and target[1:2] != ["cli"]
    if home[1] == target[1]:  # one folder
        return True
    group = GROUP_OF.get(home[1])  # a module in no group is one fault already
    return group is None or GROUP_OF.get(target[1]) in MAY_IMPORT[group]


def is_library(target: list[str]) -> bool:
    """Whether a dotted name is the installable library without its command line."""
    return target[0] == "prn_bench" and target[1:2] != ["cli"]


def heavy_faults(root: Path) -> list[str]:
    """Heavy packages imported at import time, and packages imported outside their one place."""
    faults = []
    for one in all_imports(root):
        package = one.target.split(".")[0]
        homes = ONLY_IN.get(package, "").split()
        if one.for_types_only:
            continue
        early = not one.inside_function and not one.module.startswith(COMPILED)
        heavy = package in HEAVY or one.target.startswith(COMPILED)  # which imports Numba
        if heavy and early and one.module.split(".")[0] not in homes:
            faults.append(f"{one} at import time: move it into the function that needs it")
        if homes and not any(f"{one.module}.".startswith(f"{home}.") for home in homes):
            faults.append(f"{one}, which only {' and '.join(homes)} may")
    return faults


def cycles(root: Path) -> list[str]:
    """Import cycles among the modules, counting what runs at import time only."""
    graph: dict[str, set[str]] = {}
    for one in all_imports(root):
        if not (one.inside_function or one.for_types_only) and one.target != one.module:
            graph.setdefault(one.module, set()).add(one.target)
    found, done = [], set()

    def walk(module: str, path: list[str]) -> None:
        if module in path:
            found.append(" -> ".join([*path[path.index(module) :], module]))
        elif module not in done:
            for target in sorted(graph.get(module, ())):
                walk(target, [*path, module])
            done.add(module)

    for module in sorted(graph):
        walk(module, [])
    return found


@pytest.mark.parametrize("faults", [group_faults, heavy_faults, cycles])
def test_sources_keep_the_rules(faults) -> None:
    """The import table, lightness and absence of cycles hold in the whole tree."""
    assert faults(ROOT) == []


SINS = {
    "prn_bench/geometry.py": "import json\nfrom prn_bench import store\nimport pandas\n",
    "prn_bench/newcomer.py": "",
    "prn_bench/compiled/loops.py": "import numba\n",
    "prn_bench/icp/__init__.py": "from prn_bench.compiled.loops import x\nimport numba\n",
    "prn_bench/store.py": "from prn_bench.formats.sniff import x\nimport torch\n",
    "prn_bench/formats/sniff.py": "import prn_bench.store\ndef f():\n    import prn_bench.cli\n",
    "prn_bench/cli/__init__.py": "",
    "prn_bench/cli/score.py": "import dataset_recipes.a\ndef f():\n    import reference_model\n",
    "dataset_recipes/a/recipe.py": "from dataset_recipes.b import recipe\nfrom .card import x\n",
    "dataset_recipes/b/recipe.py": "import prn_bench\nfrom prn_bench import cli\n",
}


def test_the_rules_can_fail(tmp_path: Path) -> None:
    """A tree with one of each sin is caught at each of them, and nowhere else."""
    for name, text in SINS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert {fault.split(":")[0] for fault in group_faults(tmp_path)} == {
        "prn_bench.newcomer is in no group",
        "prn_bench.geometry, line 2",
        "prn_bench.formats.sniff, line 3",
        "prn_bench.cli.score, line 1",
        "dataset_recipes.a.recipe, line 1",
        "dataset_recipes.a.recipe, line 2",
        "dataset_recipes.b.recipe, line 2",
    }
    assert [fault.split(":")[0] for fault in heavy_faults(tmp_path)] == [
        "prn_bench.geometry, line 3",
        "prn_bench.icp, line 1",
        "prn_bench.icp, line 2",
        "prn_bench.icp, line 2",
        "prn_bench.store, line 2",
        "prn_bench.store, line 2",
    ]
    assert cycles(tmp_path) == [
        "prn_bench.formats.sniff -> prn_bench.store -> prn_bench.formats.sniff"
    ]


def loaded_after(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after a statement."""
    code = f"import json, sys\n{statement}\nsys.stderr.write('\\n' + json.dumps([*sys.modules]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return {name.split(".")[0] for name in json.loads(run.stderr.splitlines()[-1])}


def library_modules() -> list[str]:
    """Every module of the installable library."""
    return [one.name for one in pkgutil.walk_packages(prn_bench.__path__, "prn_bench.")]


def test_the_bare_import_loads_nothing() -> None:
    """``import prn_bench`` brings in not even NumPy."""
    assert loaded_after("import prn_bench") & {*HEAVY, "numpy", "rich", "typer"} == set()


@pytest.mark.parametrize("what", ["all modules", "help"])
def test_nothing_heavy_is_loaded_early(what: str) -> None:
    """Neither importing every module nor asking for help loads a heavy package."""
    modules = [name for name in library_modules() if not name.startswith(COMPILED)]
    everything = "import " + ", ".join(modules)
    ask = "import prn_bench.cli\nsys.argv[1:] = ['--help']\n"
    ask += "try: prn_bench.cli.main()\nexcept SystemExit: pass"
    assert loaded_after(everything if what == "all modules" else ask) & HEAVY == set()
