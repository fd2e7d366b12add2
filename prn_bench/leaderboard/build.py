"""Writing the tables, and checking that they are what the data give."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

from prn_bench.errors import Finding
from prn_bench.leaderboard.csvtable import csv_text
from prn_bench.leaderboard.data import Leaderboard
from prn_bench.leaderboard.latex import latex
from prn_bench.leaderboard.markdown import WARNING, index, markdown, overview
from prn_bench.leaderboard.odd import odd_numbers
from prn_bench.leaderboard.ranks import ranks
from prn_bench.leaderboard.table import Table, make_tables
from prn_bench.store import atomic_path

WRITERS: dict[str, Callable[[Table], str]] = {".md": markdown, ".csv": csv_text, ".tex": latex}
BIB_KEY = re.compile(r"^@\w+\{\s*([^,\s]+)", re.M)
REMEDY = "Rebuild them: prn-bench leaderboard build."


def render(data: Leaderboard) -> dict[str, str]:
    """Every file under ``tables/`` by its name; the same data give the same text."""
    ranked = ranks(data.filed)
    tables = make_tables(data, ranked)
    files = {
        f"{table.board.key}{suffix}": write(table)
        for table in tables
        for suffix, write in WRITERS.items()
    }
    groups = list(dict.fromkeys(table.board.group for table in tables))
    names = {method.key: method.name for method in data.methods.values()}
    files["README.md"] = index(tables, groups)
    files["methods.bib"] = _bibtex(data)
    files["recomputed.md"] = overview(data.filed, names, ranked)
    return files


def build_tables(data: Leaderboard) -> list[Path]:
    """Write ``tables/``; files there that no board asks for are removed.

    Returns
    -------
    list of Path
        What was written or removed; nothing where all was as it should be.
    """
    folder = data.folder / "tables"
    folder.mkdir(exist_ok=True)
    changed = []
    files = render(data)
    for name, text in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != text.encode():
            with atomic_path(path) as part:
                part.write_bytes(text.encode())
            changed.append(path)
    for path in _strangers(folder, files):
        path.unlink()
        changed.append(path)
    return changed


def check_tables(data: Leaderboard) -> list[Finding]:
    """What of ``tables/`` is not what the data give: file, line and cell; stale results; odd numbers.

    Returns
    -------
    list of Finding
        Codes ``table-missing``, ``table-differs``, ``table-unknown``, ``stale-result``, and the notes
        of :func:`prn_bench.leaderboard.odd.odd_numbers`.
    """
    folder = data.folder / "tables"
    found, files = [], render(data)
    for name, text in files.items():
        path = folder / name
        if not path.is_file():
            found.append(Finding("error", "table-missing", str(path), "not there", REMEDY))
        elif (actual := path.read_bytes().decode("utf-8", "replace")) != text:
            words = first_difference(path.suffix, text, actual)
            found.append(Finding("error", "table-differs", str(path), words, REMEDY))
    for path in _strangers(folder, files):
        found.append(Finding("error", "table-unknown", str(path), "no board makes it", REMEDY))
    for one in (one for one in data.filed if one.stale):
        where, hash_ = str(data.folder / one.path), one.result.protocol.short_hash
        words = f"scored under {one.result.protocol.id} as it was ({hash_}); it is ranked no more"
        remedy = "Score the predictions again, and file the new result with --replace."
        found.append(Finding("warning", "stale-result", where, words, remedy))
    return [*found, *odd_numbers(data, make_tables(data, {}))]


def first_difference(suffix: str, expected: str, found: str) -> str:
    """Line, column and row of the first cell in which a table differs, with both texts."""
    head: list[str] = []
    pairs = zip_longest(expected.splitlines(), found.splitlines())
    for number, (ours, theirs) in enumerate(pairs, 1):
        if ours == theirs:
            head = _head(suffix, ours, head)
            continue
        if ours is None or theirs is None:
            return f"line {number}: " + ("a line too many" if ours is None else "lines are missing")
        return f"line {number}{_cell(head, _cells(suffix, ours), _cells(suffix, theirs))}"
    return "the line ends differ"


def _cell(head: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> str:
    if len(ours) != len(theirs) or len(ours) == 1:
        return f": expected {' '.join(ours)!r}, found {' '.join(theirs)!r}"
    at = next(i for i, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1])
    column = head[at] if len(head) == len(ours) and head[at] else f"number {at + 1}"
    named = dict(zip(head, ours, strict=False))
    row = next((cell for cell in ours if any(c.isalpha() for c in cell)), ours[0])
    if "method" in named:
        row = ", ".join(filter(None, (named["method"], named.get("column"))))
    return f", column {column}, row {row}: expected {ours[at]}, found {theirs[at]}"


def _cells(suffix: str, line: str) -> list[str]:
    if suffix == ".csv":
        return next(csv.reader(io.StringIO(line)), [""])
    if suffix == ".tex":
        return [part.strip() for part in line.removesuffix(r"\\").split(" & ")]
    return [part.strip() for part in line.strip("|").split(" | ")]


def _head(suffix: str, line: str, known: list[str]) -> list[str]:
    """The column names that hold from this line on."""
    cells = _cells(suffix, line)
    if suffix == ".csv":
        return known or cells
    begins = line.startswith("| ") if suffix == ".md" else " & " in line
    return cells if begins and not known else known if line.strip() else []


def _bibtex(data: Leaderboard) -> str:
    """The entries of all methods, each once, but for those in ``datasets.bib``.

    BibTeX stops at a key that it meets twice.
    """
    path = data.folder / "datasets.bib"
    others = (
        set(BIB_KEY.findall(path.read_text("utf-8", errors="replace"))) if path.is_file() else set()
    )
    given = dict.fromkeys(
        f"@{entry.strip()}"
        for method in data.methods.values()
        for entry in re.split(r"^@", method.bibtex, flags=re.M)
        if entry.strip()
    )
    entries = [entry for entry in given if not others & set(BIB_KEY.findall(entry))]
    left_out = sorted(key for entry in given for key in BIB_KEY.findall(entry) if key in others)
    where = f"% Keys of datasets.bib: {', '.join(left_out)}." if left_out else ""
    head = "\n".join(filter(None, ["% " + WARNING[5:-4].strip(), where]))
    return "\n\n".join([head, *entries, ""])


def _strangers(folder: Path, files: dict[str, str]) -> list[Path]:
    return (
        sorted(path for path in folder.glob("*") if path.name not in files)
        if folder.is_dir()
        else []
    )
