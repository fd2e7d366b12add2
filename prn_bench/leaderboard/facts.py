"""Facts that people write by hand: TOML tables and the CSV of published numbers, checked field by field.

A fact that nobody could find is written as ``unknown``; an empty field is a fault.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from prn_bench.errors import BenchError
from prn_bench.formats.texts import parse_toml

T = TypeVar("T")

UNKNOWN = "unknown"
EVIDENCE = {
    "paper": "printed in a paper or thesis",
    "readme": "printed in the readme of a code release",
    "thread": "told in an issue thread",
    "derived": "computed from numbers that the source gives",
    "digitised": "read off a plot, to about 0.05",
    "aggregator": "listed by a page that collects numbers of others",
}
UNITS = ("%", "fraction", "mm", "deg", "rad", "ms", "MB", "GB")
_KEY = re.compile(r"[a-z0-9][a-z0-9.-]*")
_VALUE = re.compile(r"~?\d+(\.\d+)?")


@dataclass(frozen=True)
class Method:
    """What is known of a method (``methods/KEY.toml``).

    Attributes
    ----------
    key : str
        Name of the file.
    name, paper, code, licence, trained_on : str
        ``unknown`` where nobody said; ``licence`` is that of the code or weights, as its text says.
    year : int
        Of the paper; 0 when unknown.
    overlap : str
        What training shares with the test sets: images, or the choice of the checkpoint.
    sources : tuple of str
        Where these facts were read.
    bibtex : str
        Empty where no entry was found.
    predictions : str
        For recomputed rows: who made the predictions, with which weights and boxes.
    names : tuple of str
        Names by which its prediction files go.
    """

    key: str
    name: str
    year: int
    paper: str
    code: str
    licence: str
    trained_on: str
    overlap: str
    sources: tuple[str, ...]
    bibtex: str = ""
    predictions: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Published:
    """One published number (a line of ``published.csv``).

    Attributes
    ----------
    id : str
        Stable name of the line.
    board, row, column : str
        Its cell: a table, what tells its row from others of that method and source, the column.
    method_key, method : str
        The method, and how the source calls it.
    value, unit : str
        As printed; a tilde says "about".
    dataset, protocol, metric, subset : str
        In the words of the source.
    year : int
    source, url : str
        Who says so, and where it can be read.
    evidence : str
        A key of ``EVIDENCE``.
    how_known : str
        The file that was read.
    """

    id: str
    board: str
    row: str
    column: str
    method_key: str
    method: str
    value: str
    unit: str
    dataset: str
    protocol: str
    metric: str
    subset: str
    year: int
    source: str
    url: str
    evidence: str
    how_known: str

    @property
    def number(self) -> Decimal:
        """The value as an exact number."""
        return Decimal(self.value.removeprefix("~"))


def read_methods(folder: Path) -> dict[str, Method]:
    """All method files of a folder, by key; BenchError ``method-file``."""
    found = {}
    for path in sorted(folder.glob("*.toml")):
        method = from_table(Method, {"key": path.stem, **read_toml(path)}, path)
        if not _KEY.fullmatch(path.stem):
            raise bad(path, "a file name of small letters, digits, dots and dashes", path.name)
        empty = [f.name for f in fields(Method)[:9] if getattr(method, f.name) in ("", ())]
        if empty:
            raise bad(path, f"{empty[0]}, or {UNKNOWN!r}", "nothing")
        if method.bibtex and not _looks_like_bibtex(method.bibtex):
            raise bad(path, "one or more whole BibTeX entries", method.bibtex[:40])
        found[method.key] = method
    return found


def read_published(path: Path) -> tuple[Published, ...]:
    """Every line of ``published.csv``; BenchError ``bad-fact`` naming line and field."""
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path))))
    except csv.Error as error:
        raise bad(path, "a CSV", str(error)) from None
    names = [field.name for field in fields(Published)]
    header = [] if not rows else [name for name in rows[0] if name is not None]
    if header != names:
        raise bad(path, f"the columns {', '.join(names)}", ", ".join(header) or "none")
    found = tuple(_published(row, f"{path}, line {at}") for at, row in enumerate(rows, 2))
    seen: dict[tuple[str, ...], str] = {}
    for one in found:
        for place in ((one.id,), (one.board, one.row, one.column, one.method, one.source)):
            if place in seen:
                raise bad(path, "one line a number", f"{seen[place]} and {one.id} at {place}")
            seen[place] = one.id
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file; BenchError ``bad-fact``."""
    try:
        return parse_toml(read_text(path))
    except ValueError as error:
        raise bad(path, "TOML", str(error)) from None


def tables_of(table: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    """The ``[[key]]`` tables of a TOML file, at least one; BenchError ``bad-fact``."""
    items = table.get(key)
    if not (isinstance(items, list) and items and all(isinstance(one, dict) for one in items)):
        raise bad(path, f"[[{key}]] tables", "none" if not items else repr(items)[:60])
    return items


def read_text(path: Path) -> str:
    """A text file; BenchError ``bad-fact``."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise bad(path, "a text file in utf-8", str(error)) from None


def from_table(cls: type[T], table: dict[str, Any], where: object) -> T:
    """A dataclass of texts, numbers and lists of texts from a table; BenchError ``bad-fact``."""
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    wrong = [f"no field {name!r}" for name in table.keys() - known.keys()]
    wrong += [
        f"a field {name!r}"
        for name, field in known.items()
        if name not in table and field.default is MISSING
    ]
    if wrong:
        raise bad(where, "; ".join(sorted(wrong)), ", ".join(table))
    hints = get_type_hints(cls)
    return cls(**{name: _typed(hints[name], name, raw, where) for name, raw in table.items()})


def bad(where: object, expected: str, found: str) -> BenchError:
    """The error for a fact that cannot be used."""
    return BenchError(
        "this is not how leaderboard facts are written",
        code="bad-fact",
        where=str(where),
        expected=expected,
        found=found,
        remedy="docs/leaderboard.md describes the files.",
    )


def _typed(hint: Any, name: str, raw: Any, where: object) -> Any:
    if hint in (str, int) and type(raw) is hint:
        return raw.strip() if hint is str else raw
    if hint == tuple[str, ...] and isinstance(raw, list) and all(type(x) is str for x in raw):
        return tuple(raw)
    raise bad(where, f"{name} of the type {hint}", repr(raw))


def _published(row: dict[str, str], where: str) -> Published:
    for name, problem in _problems(row):
        raise bad(where, f"{name}: {problem}", repr(row[name]))
    return Published(**{**row, "year": int(row["year"])})  # type: ignore[arg-type]


def _problems(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    if None in row or None in row.values():
        yield "id", "as many fields as the header has"
        return
    for name in set(row) - {"row"}:
        if not row[name].strip():
            yield name, "not empty"
    if not re.fullmatch(r"p\d{3,}", row["id"]):
        yield "id", "p and digits"
    if not _VALUE.fullmatch(row["value"]):
        yield "value", "a number as printed"
    if row["unit"] not in UNITS:
        yield "unit", f"one of {', '.join(UNITS)}"
    if row["evidence"] not in EVIDENCE:
        yield "evidence", f"one of {', '.join(EVIDENCE)}"
    if not re.fullmatch(r"(19|20)\d\d", row["year"]):
        yield "year", "a year"
    if not re.fullmatch(r"https://\S+", row["url"]):
        yield "url", "an https address"


def _looks_like_bibtex(text: str) -> bool:
    return text.lstrip().startswith("@") and text.count("{") == text.count("}") > 0
