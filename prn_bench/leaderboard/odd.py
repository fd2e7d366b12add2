"""Published numbers that a reader should look at twice: inexact, in another unit, at odds with others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from prn_bench.errors import Finding
from prn_bench.leaderboard.data import Leaderboard
from prn_bench.leaderboard.facts import Published
from prn_bench.leaderboard.table import Cell, Row, Table


def odd_numbers(data: Leaderboard, tables: Sequence[Table]) -> list[Finding]:
    """Notes on published numbers; none of them is a fault of ours.

    Returns
    -------
    list of Finding
        Codes ``mean-disagrees`` (a printed mean is not that of its printed parts), ``other-unit``
        and ``about`` (printed with a tilde).
    """
    where = str(data.folder / "published.csv")
    return [
        Finding("note", code, f"{where}, {one.id}", words)
        for table in tables
        for code, one, words in _notes(table)
    ]


def wrong_means(table: Table) -> list[tuple[Row, Published, Decimal]]:
    """Rows whose printed mean is not the mean of the printed parts, with that mean."""
    return [
        (row, cell.published, expected)
        for row in table.reported
        for column in table.board.columns
        if column.mean_of
        and (cell := row.cells.get(column.name)) is not None
        and cell.published is not None
        and (expected := _mean(row, column.mean_of)) is not None
        and abs(expected - cell.number) > _tolerance(row, (*column.mean_of, column.name))
    ]


def _notes(table: Table) -> Iterator[tuple[str, Published, str]]:
    for row, mean, expected in wrong_means(table):
        words = f"{row.label}: prints {mean.value}, and its parts have the mean {expected:.3f}"
        yield "mean-disagrees", mean, words
    for cell in (cell for row in table.reported for cell in row.cells.values()):
        if (one := cell.published) is not None:
            yield from _odd(table, cell, one)


def _odd(table: Table, cell: Cell, one: Published) -> Iterator[tuple[str, Published, str]]:
    if one.unit != cell.column.unit and table.board.unit in ("%", "fraction"):
        yield "other-unit", one, f"{one.method}: {one.value} {one.unit}"
    if one.value.startswith("~"):
        yield "about", one, f"{one.method}: {one.value} {one.unit}"


def _mean(row: Row, names: Sequence[str]) -> Decimal | None:
    """Mean of the printed parts; None where one is not there."""
    if not all(name in row.cells for name in names):
        return None
    parts = [row.cells[name].number for name in names]
    return sum(parts, Decimal(0)) / len(parts)


def _tolerance(row: Row, names: Sequence[str]) -> Decimal:
    """What rounding explains: half a last digit of the mean and of a part.

    In a row that has numbers with two digits, 3.3 was printed as 3.30.
    """
    exponents = [row.cells[name].number.as_tuple().exponent for name in names]
    return Decimal(1).scaleb(min(int(exponent) for exponent in exponents))
