"""Tables of landmarks (.csv): every cell checked, every fault named by its line and column."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats.sniff import read_bytes

N_POINTS = 68
MAX_BYTES = 1 << 26  # 64 MiB: 68 points of 30,000 faces, which take ten times that in memory
NO_VALUE = ("", "nan", "na", "none", "null")


class Table:
    """The cells of a csv file, all rows of one length.

    Parameters
    ----------
    path : Path
    id_names : tuple of str
        Names that the column of sample ids may have, in lower case, the best first.

    Raises
    ------
    BenchError
        ``not-a-csv``, ``ragged-csv``, ``unreadable``, ``too-large``.
    """

    def __init__(self, path: Path, id_names: tuple[str, ...]) -> None:
        self.path = path
        try:
            text = read_bytes(path, path, MAX_BYTES).decode("utf-8-sig")
            with io.StringIO(text, newline="") as stream:
                first = stream.readline()
                stream.seek(0)
                lines = csv.reader(stream, delimiter=max(",;\t", key=first.count))
                rows = [(lines.line_num, cells) for cells in lines if cells]
        except (UnicodeDecodeError, csv.Error):
            rows = []
        self.header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
        self.rows = rows[1:]
        self.id_name = next((name for name in id_names if name in self.header), "")
        if not self.id_name or len(set(self.header)) < len(self.header):
            self._refuse_header()
        for line, cells in self.rows:
            if len(cells) != len(self.header):
                raise BenchError(
                    "the rows have different lengths",
                    code="ragged-csv",
                    where=f"{path}, line {line}",
                    expected=f"{len(self.header)} fields, as in the header",
                    found=str(len(cells)),
                )

    def _refuse_header(self) -> None:
        from prn_bench.formats.sniff import describe

        raise BenchError(
            "this is not a table of landmarks",
            code="not-a-csv",
            where=self.path,
            expected="a header line sample_id,x0,y0,... or sample_id,point,x,y[,z], each name once",
            found=", ".join(self.header)[:120] or describe(self.path),
        )

    def texts(self, name: str) -> list[str]:
        """One column."""
        place = self.header.index(name)
        return [cells[place].strip() for _, cells in self.rows]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """One column; an empty field is NaN.

        Raises
        ------
        BenchError
            ``not-a-number``.
        """
        values = np.full(len(self.rows), np.nan)
        for row, text in enumerate(self.texts(name)):
            if text.lower() in NO_VALUE:
                continue
            try:
                values[row] = float(text)
            except ValueError:
                raise BenchError(
                    "a field is not a number",
                    code="not-a-number",
                    where=f"{self.path}, line {self.rows[row][0]}, column {name}",
                    found=repr(text[:40]),
                ) from None
        return values


def wide_points(table: Table) -> tuple[list[str], NDArray[np.float64], list[str]]:
    """Ids, (n, 68, 2|3) points and notes from one row a sample: ``x0, y0[, z0], x1, ...``."""
    matches = [re.fullmatch(r"([xyz])_?(\d{1,4})", name) for name in table.header]
    columns = {(m[1], int(m[2])): m[0] for m in matches if m}
    axes = [axis for axis in "xyz" if any(key[0] == axis for key in columns)]
    start = min((number for _, number in columns), default=0)
    wanted = [(axis, start + i) for i in range(N_POINTS) for axis in axes or "xy"]
    missing = [f"{axis}{number}" for axis, number in wanted if (axis, number) not in columns]
    if missing or len(axes) < 2 or start > 1 or len(columns) != len(wanted):
        raise _missing(table, f"{len(columns)} columns of points", missing)
    flat = np.stack([table.numbers(columns[key]) for key in wanted], 1)
    points = flat.reshape(len(flat), N_POINTS, len(axes))
    return table.texts(table.id_name), points, _numbering(start)


def long_points(table: Table) -> tuple[list[str], NDArray[np.float64], list[str]]:
    """Ids, (n, 68, 2|3) points and notes from one row a point: ``point, x, y[, z]``."""
    names, number = table.texts(table.id_name), table.numbers("point")
    ids = list(dict.fromkeys(names))
    row_of = {name: row for row, name in enumerate(ids)}
    rows = np.array([row_of[name] for name in names], np.intp)
    start = 0 if (number == 0).any() else 1
    place = number - start
    odd = np.flatnonzero(~np.isin(place, np.arange(N_POINTS)))
    if len(odd):
        raise _missing(table, f"point {number[odd[0]]:g} of {names[odd[0]]}", [])
    count = np.zeros((len(ids), N_POINTS), int)
    np.add.at(count, (rows, place.astype(int)), 1)
    for row, point in np.argwhere(count != 1)[:1]:
        where = f"point {point + start} of {ids[row]}"
        if count[row, point] == 0:
            raise _missing(table, f"no {where}", [])
        raise BenchError(f"{where} occurs twice", code="duplicate-points", where=table.path)
    axes = [axis for axis in "xyz" if axis in table.header]
    points = np.full((len(ids), N_POINTS, len(axes)), np.nan)
    points[rows, place.astype(int)] = np.stack([table.numbers(axis) for axis in axes], 1)
    return ids, points, _numbering(start)


def _numbering(start: int) -> list[str]:
    return [f"points counted from {start}"] if start else []


def _missing(table: Table, found: str, names: list[str]) -> BenchError:
    return BenchError(
        "the table does not give the 68 points",
        code="missing-points",
        where=table.path,
        expected=f"points 0 to 67, or 1 to 68, each with x, y and perhaps z{_without(names)}",
        found=found,
    )


def _without(names: list[str]) -> str:
    more = ", ..." if len(names) > 5 else ""
    return f" (missing: {', '.join(names[:5])}{more})" if names else ""
