"""What a release holds: one version everywhere, a citation that is valid, a wheel with all its files."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from datetime import date
from pathlib import Path

import pytest

import prn_bench

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("prn_bench", "dataset_recipes", "reference_model")
#: Files beside the modules that the installed programs read.
DATA = (".toml", ".html", ".js", ".css", ".typed")
CFF_NEEDED = {"cff-version", "message", "title", "authors"}


def version() -> str:
    """That of ``pyproject.toml``."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def test_one_version_everywhere() -> None:
    """The project file, the package, the citation and the top of the changelog agree."""
    assert prn_bench.__version__ in (version(), "0+unknown")
    assert f"\nversion: {version()}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    sections = (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")
    assert sections[1].startswith(version())
    assert all("\n### Scores that changed\n" in section for section in sections[1:])


def test_the_citation_has_what_its_format_wants() -> None:
    """Version 1.2.0 of the Citation File Format: the needed keys, a known type, a date that is one."""
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    keys = dict(re.findall(r"^([\w-]+):[ ]?(.*)$", text, re.M))
    assert keys.keys() >= CFF_NEEDED
    assert keys["cff-version"] == "1.2.0"
    assert keys["type"] in ("software", "dataset")
    assert "date-released" not in keys or date.fromisoformat(keys["date-released"].strip('"'))
    assert "\t" not in text


def wanted() -> set[str]:
    """Modules and data files of the three packages, as they lie in the tree."""
    return {
        str(path.relative_to(ROOT))
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.suffix in (".py", *DATA)
    }


def test_package_data_names_all_files() -> None:
    """Every file that is no module is under a pattern of ``package-data``."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    covered = set()
    for package, patterns in tools["package-data"].items():
        homes = (
            [ROOT / package]
            if package != "*"
            else [init.parent for name in PACKAGES for init in (ROOT / name).rglob("__init__.py")]
        )
        found = (path for home in homes for one in patterns for path in home.glob(one))
        covered |= {str(path.relative_to(ROOT)) for path in found}
    lacking = {name for name in wanted() if not name.endswith(".py")} - covered
    assert lacking == set()


@pytest.mark.slow
def test_the_wheel_holds_every_file(tmp_path: Path) -> None:
    """Built from a copy of the sources: all modules and data, and nothing else but its own papers."""
    pytest.importorskip("setuptools", minversion="77", reason="the wheel needs setuptools to build")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    source = copy_sources(tmp_path / "source")
    run = subprocess.run(
        [*command, "-w", str(tmp_path), str(source)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    papers = {name for name in names if name.startswith(f"prn_bench-{version()}.dist-info/")}
    assert names - papers == wanted()
    assert any(name.endswith("licenses/LICENSE") for name in papers)


def copy_sources(folder: Path) -> Path:
    """What a build reads."""
    import shutil

    folder.mkdir()
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, folder)
    return folder
