"""Tables as CSV: one line a number, with all that is known of it."""

from __future__ import annotations

import csv
import io
from typing import Any

from prn_bench.leaderboard.table import Cell, Row, Table

COLUMNS = (
    "board",
    "kind",
    "rank",
    "method_key",
    "method",
    "column",
    "value",
    "unit",
    "low",
    "high",
    "best",
    "n",
    "n_missing",
    "n_benchmark",
    "protocol",
    "protocol_hash",
    "reference_digest",
    "inputs",
    "trained_on",
    "overlap",
    "evidence",
    "source",
    "url",
    "id",
)


def csv_text(table: Table) -> str:
    """Every number of a table; ``source`` and ``url`` say where it can be read or recomputed from."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for kind, rows in (("recomputed", table.recomputed), ("reported", table.reported)):
        for row in rows:
            for name, cell in row.cells.items():
                facts = _common(table, row, cell, name) | {"kind": kind}
                writer.writerow(facts | (_filed(cell) if cell.filed else _published(cell)))
    return text.getvalue()


def _common(table: Table, row: Row, cell: Cell, name: str) -> dict[str, Any]:
    return {
        "board": table.board.key,
        "method_key": row.method.key,
        "method": row.label,
        "column": name,
        "value": cell.text.split(" ")[0],
        "unit": cell.unit,
        "best": int(cell.best),
        "trained_on": row.method.trained_on,
        "overlap": row.method.overlap,
    }


def _filed(cell: Cell) -> dict[str, Any]:
    if cell.filed is None:
        return {}
    result = cell.filed.result
    ends = cell.interval and {
        "low": f"{cell.interval.low:.3f}",
        "high": f"{cell.interval.high:.3f}",
    }
    return (ends or {}) | {
        "rank": cell.rank,
        "n": result.summary.n,
        "n_missing": result.summary.n_missing,
        "n_benchmark": result.protocol.expected_samples,
        "protocol": result.protocol.id,
        "protocol_hash": result.protocol.hash,
        "reference_digest": result.reference_digest,
        "inputs": "; ".join(f"{name}: {value}" for name, value in result.inputs.items()),
        "evidence": "recomputed",
        "source": f"predictions with the sha256 {result.predictions_sha256}",
        "url": cell.filed.path.as_posix(),
        "id": f"{cell.filed.path.parent.name}/{cell.filed.path.stem}",
    }


def _published(cell: Cell) -> dict[str, Any]:
    one = cell.published
    if one is None:
        return {}
    return {
        "protocol": one.protocol,
        "evidence": one.evidence,
        "source": one.source,
        "url": one.url,
        "id": one.id,
    }
