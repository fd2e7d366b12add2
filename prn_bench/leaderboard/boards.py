"""Boards: what a table shows (``boards/KEY.toml``), and what is known to be disputed about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prn_bench.leaderboard.facts import bad, from_table, read_toml, tables_of
from prn_bench.leaderboard.filed import is_published
from prn_bench.results import Result

FIGURES = ("headline", "median", "mean_of_bins", "std_of_bins", "mean_of_images")
BETTER = ("lower", "higher", "neither")
ORIGINS = ("real", "synthetic")


@dataclass(frozen=True)
class Column:
    """One column: published numbers by its name, recomputed ones by protocol and figure.

    Attributes
    ----------
    name : str
    protocol : str
        Id; empty where nothing is recomputed.
    figure : str
        One of ``FIGURES``, ``bin LABEL`` (``bin [0, 30]``), or ``mean NAME`` of a further column.
    better : str
        ``lower``, ``higher`` or ``neither``.
    unit : str
        Of the recomputed figure, and of published ones that do not say otherwise.
    mean_of : tuple of str
        Columns whose mean it is, for checking what sources print.
    """

    name: str
    protocol: str = ""
    figure: str = "headline"
    better: str = "lower"
    unit: str = ""
    mean_of: tuple[str, ...] = ()

    def value(self, result: Result) -> float | None:
        """The recomputed figure of this column; None where the result has none."""
        if self.figure in FIGURES:
            return float(getattr(result.summary, self.figure))
        kind, _, label = self.figure.partition(" ")
        if kind == "mean":
            return result.samples.columns().get(label)
        bins = {part.label: part.mean for part in result.summary.bins}
        return bins.get(label)

    def is_headline(self, result: Result) -> bool:
        """Whether its figure is what the protocol reports, so that its interval and rank belong here."""
        return self.figure in ("headline", result.summary.aggregate.replace("-", "_"))


@dataclass(frozen=True)
class Board:
    """One table.

    Attributes
    ----------
    key : str
        Name of the file, and of the tables made from it.
    order : int
        Boards are listed by it.
    group, title, about : str
        Heading it stands under, its own title, and what a reader must know.
    unit : str
        Of columns that name none.
    families : tuple of str
        What the ids of the protocols begin with that it is about.
    columns : tuple of Column
    origin : str
        Of the samples its recomputed rows were scored on: ``real``, or ``synthetic``; the two never share
        a board.
    """

    key: str
    order: int
    group: str
    title: str
    about: str
    unit: str
    families: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    origin: str = "real"

    def protocols(self) -> tuple[str, ...]:
        """Ids of the protocols of its columns, each once, in their order."""
        return tuple(dict.fromkeys(c.protocol for c in self.columns if c.protocol))


@dataclass(frozen=True)
class Disagreement:
    """Something about which sources differ, or which none of them says.

    Attributes
    ----------
    text : str
    families : tuple of str
        Protocols that it is about, by the beginning of their ids, or boards by their keys.
    numbers : tuple of str
        Published numbers (their ids) that show it.
    """

    text: str
    families: tuple[str, ...]
    numbers: tuple[str, ...] = ()


def read_boards(folder: Path) -> tuple[Board, ...]:
    """All boards of a folder, in their order; BenchError ``bad-fact`` and those of protocols."""
    boards = [_board(path) for path in sorted(folder.glob("*.toml"))]
    return tuple(sorted(boards, key=lambda board: (board.order, board.key)))


def read_disagreements(path: Path) -> tuple[Disagreement, ...]:
    """The list of disagreements; BenchError ``bad-fact``."""
    items = tables_of(read_toml(path), "disagreement", path)
    return tuple(
        from_table(Disagreement, item, f"{path}, number {at}") for at, item in enumerate(items, 1)
    )


def _board(path: Path) -> Board:
    table = read_toml(path)
    columns = tables_of(table, "columns", path)
    del table["columns"]
    board = from_table(Board, {"key": path.stem, **table}, path)
    if board.origin not in ORIGINS:
        raise bad(path, f"origin = {' or '.join(ORIGINS)}", board.origin)
    found = tuple(_column(board, item, path) for item in columns)
    if len({column.name for column in found}) < len(found):
        raise bad(path, "columns of different names", ", ".join(c.name for c in found))
    return replace(board, columns=found)


def _column(board: Board, item: dict[str, Any], path: Path) -> Column:
    column = from_table(Column, item, path)
    if column.better not in BETTER:
        raise bad(path, f"better = {' or '.join(BETTER)}", column.better)
    if column.figure not in FIGURES and column.figure.split(" ")[0] not in ("bin", "mean"):
        raise bad(path, f"figure = {', '.join(FIGURES)}, bin LABEL, mean NAME", column.figure)
    if column.protocol and not is_published(column.protocol):
        raise bad(path, "a published protocol", column.protocol)
    return replace(column, unit=column.unit or board.unit)
