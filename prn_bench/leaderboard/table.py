"""From facts and results to tables, in one place for every format.

Reported and recomputed rows never share a ranking: reported ones have no rank, and the best of a column
is marked only among numbers of one source and one description, or of one ranking.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from prn_bench.intervals import Interval
from prn_bench.leaderboard.boards import Board, Column
from prn_bench.leaderboard.data import Leaderboard
from prn_bench.leaderboard.facts import Method, Published
from prn_bench.leaderboard.filed import Filed
from prn_bench.leaderboard.ranks import group_of, ranks
from prn_bench.summary import figure_text

DIGITS = 3  # of recomputed figures


@dataclass(frozen=True)
class Cell:
    """One number and where it comes from: either published or recomputed.

    Attributes
    ----------
    column : Column
    text : str
        As tables show it.
    number : Decimal
    unit : str
    published : Published or None
    filed : Filed or None
    interval : Interval or None
        Of a recomputed headline.
    rank : str
        Of a recomputed headline; empty where nothing else may be ranked with it.
    best : bool
        Whether nothing in its column that it may be compared with is better.
    """

    column: Column
    text: str
    number: Decimal
    unit: str
    published: Published | None = None
    filed: Filed | None = None
    interval: Interval | None = None
    rank: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    label : str
    method : Method
    cells : dict of Cell
        By name of the column; a column may have none.
    """

    label: str
    method: Method
    cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def filed(self) -> tuple[Filed, ...]:
        """The results it comes from, each once."""
        found = {cell.filed.path: cell.filed for cell in self.cells.values() if cell.filed}
        return tuple(found.values())

    @property
    def published(self) -> tuple[Published, ...]:
        """The published numbers it holds."""
        return tuple(cell.published for cell in self.cells.values() if cell.published)


@dataclass(frozen=True)
class Table:
    """A board with its rows."""

    board: Board
    reported: tuple[Row, ...]
    recomputed: tuple[Row, ...]

    def notes(self) -> list[str]:
        """Which face model stands behind which recomputed figures, where one was given to the score."""
        places: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in self.recomputed:
            models: dict[str, list[str]] = defaultdict(list)
            for name, cell in row.cells.items():
                if cell.filed and (given := cell.filed.result.inputs.get("face_model")):
                    models[given.rpartition(" ")[0]].append(name)
            for model, columns in models.items():
                places[model, "; ".join(columns)].append(row.method.name)
        return [
            f"{columns} ({', '.join(dict.fromkeys(names))}): the reference is made with the face model "
            f"{model}, and no figure with another reference may be compared."
            for (model, columns), names in places.items()
        ]


def make_tables(data: Leaderboard, ranked: dict[Path, str] | None = None) -> tuple[Table, ...]:
    """A table for every board, in their order; ``ranked`` where the ranks are known already."""
    ranked = ranks(data.filed) if ranked is None else ranked
    return tuple(
        Table(board, _reported(board, data), _recomputed(board, data, ranked))
        for board in data.boards
    )


def _reported(board: Board, data: Leaderboard) -> tuple[Row, ...]:
    columns = {column.name: column for column in board.columns}
    rows: dict[tuple[str, ...], Row] = {}
    for one in data.published:
        if one.board != board.key:
            continue
        label = f"{one.method} ({one.row})" if one.row else one.method
        key = (one.method, one.row, one.source)
        row = rows.setdefault(key, Row(label, data.methods[one.method_key]))
        column = columns[one.column]
        text = one.value if one.unit == column.unit else f"{one.value} {one.unit}"
        row.cells[one.column] = Cell(column, text, one.number, one.unit, published=one)
    return _with_best(rows.values(), board, _same_words)


def _recomputed(board: Board, data: Leaderboard, ranked: dict[Path, str]) -> tuple[Row, ...]:
    rows: dict[tuple[str, str], Row] = {}
    for column in board.columns:
        for one in data.filed:
            if one.result.protocol.id != column.protocol or one.stale:
                continue
            if one.origin != board.origin:
                continue
            value = column.value(one.result)
            if value is None or value != value:
                continue
            method = data.methods[one.method_key]
            label = f"{method.name} ({one.scope})" if one.scope else method.name
            row = rows.setdefault((one.method_key, one.variant), Row(label, method))
            headline = column.is_headline(one.result)
            text = figure_text(value, DIGITS)
            row.cells[column.name] = Cell(
                column,
                text,
                Decimal(text),
                column.unit,
                filed=one,
                interval=one.result.summary.interval if headline else None,
                rank=ranked.get(one.path, "") if headline else "",
            )
    found = _with_best(rows.values(), board, _same_ranking)
    return tuple(sorted(found, key=_order))


def _order(row: Row) -> tuple[str, Decimal, str]:
    """Whole benchmarks first, then by the first figure with an interval."""
    numbers = [cell.number for cell in row.cells.values() if cell.interval]
    return row.filed[0].variant, min(numbers[:1], default=Decimal(0)), row.label


def _same_words(cell: Cell) -> Any:
    one = cell.published
    return one and (one.protocol, one.source, one.unit, one.dataset, one.metric)


def _same_ranking(cell: Cell) -> Any:
    return cell.filed and group_of(cell.filed)


def _with_best(rows: Iterable[Row], board: Board, peers: Any) -> tuple[Row, ...]:
    """The rows with the best cells of each column marked, among cells that are peers."""
    found = list(rows)
    best: set[int] = set()
    for column in board.columns:
        if column.better == "neither":
            continue
        groups = defaultdict(list)
        for row in found:
            if (cell := row.cells.get(column.name)) is not None:
                groups[peers(cell)].append(cell)
        for cells in groups.values():
            best |= {id(cell) for cell in _best(cells, column)}
    return tuple(
        replace(row, cells={k: replace(c, best=id(c) in best) for k, c in _in_order(row, board)})
        for row in found
    )


def _best(cells: Sequence[Cell], column: Column) -> list[Cell]:
    """The best of two or more cells; all that share the first rank where there are ranks."""
    if len(cells) < 2:
        return []
    if all(cell.rank for cell in cells):
        return [cell for cell in cells if cell.rank.split("-")[0] == "1"]
    choose = min if column.better == "lower" else max
    number = choose(cell.number for cell in cells)
    return [cell for cell in cells if cell.number == number]


def _in_order(row: Row, board: Board) -> list[tuple[str, Cell]]:
    return [(c.name, row.cells[c.name]) for c in board.columns if c.name in row.cells]
