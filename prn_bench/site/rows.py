"""Tables of the leaderboard as grids of cells with links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prn_bench.leaderboard.data import Leaderboard
from prn_bench.leaderboard.facts import EVIDENCE, Method, Published
from prn_bench.leaderboard.filed import Filed
from prn_bench.leaderboard.markdown import counts_of, interval_text, ranks_of, unit_of
from prn_bench.leaderboard.table import Row, Table
from prn_bench.results import Result
from prn_bench.site.views import Cell, Grid
from prn_bench.site.wording import family_of, unit_words, variant_of
from prn_bench.summary import figure_text

WORST = 20


def method_path(key: str) -> str:
    """Page of a method."""
    return f"methods/{key}.html"


def result_page(filed: Filed) -> str:
    """Page of a method's results under a family of protocols."""
    family = family_of(filed.result.protocol.id).replace("/", "-")
    return f"results/{family}.{filed.method_key}.html"


def result_anchor(filed: Filed) -> str:
    """Where on that page a result stands."""
    return "-".join(filter(None, ("r", variant_of(filed.result.protocol.id), filed.variant)))


def result_path(filed: Filed) -> str:
    """Where a result stands."""
    return f"{result_page(filed)}#{result_anchor(filed)}"


def variant_label(filed: Filed) -> str:
    """Its variant, and its scope where that is not the whole benchmark."""
    name = variant_of(filed.result.protocol.id)
    return f"{name} ({filed.scope})" if filed.scope else name


def family_path(family: str) -> str:
    """Page of a family of protocols."""
    return f"protocols/{family.replace('/', '-')}.html"


def source_path(published: Published) -> str:
    """Where a published number is told in full."""
    return f"sources.html#{published.id}"


def number(text: str, **more: Any) -> Cell:
    """A cell that is sorted as a number."""
    plain = text.strip().removeprefix("~").split(" ")[0].replace(",", "")
    return Cell(text, sort=plain, **more)


def recomputed_grid(table: Table, root: str) -> Grid:
    """Recomputed rows of a board: each figure leads to its result."""
    names = [column.name for column in table.board.columns if column.protocol]
    rows = []
    for row in table.recomputed:
        cells = [Cell(ranks_of(row)), _method(row, root)]
        cells += [_figure(row, name, root) for name in names]
        cells += [number(counts_of(row)), Cell(row.method.trained_on)]
        rows.append([*cells, Cell(row.method.overlap)])
    columns = ["rank", "method", *names, "n", "trained on", "overlap"]
    caption = "Recomputed from predictions, with 95 % intervals"
    return Grid("recomputed", caption, columns, rows, frozenset([*names, "n"]))


def reported_grid(table: Table, root: str) -> Grid:
    """Reported rows of a board: each figure leads to its source."""
    names = [
        column.name
        for column in table.board.columns
        if any(column.name in row.cells for row in table.reported)
    ]
    rows = []
    for row in table.reported:
        first = row.published[0]
        cells = [_method(row, root), *(_figure(row, name, root) for name in names)]
        words = "; ".join(dict.fromkeys(one.protocol for one in row.published))
        evidence = Cell(first.evidence, title=EVIDENCE[first.evidence])
        source = Cell(first.source, href=root + source_path(first))
        rows.append([*cells, Cell(words), evidence, source, Cell(row.method.overlap)])
    columns = ["method", *names, "how, in the source's words", "evidence", "source", "overlap"]
    return Grid("reported", "Reported by others, not ranked", columns, rows, frozenset(names))


def sources_grid(published: Sequence[Published]) -> Grid:
    """All published numbers, with what is known of each."""
    rows = []
    for one in published:
        board = Cell(one.board, href=f"boards/{one.board}.html")
        where = " ".join(filter(None, (one.row, one.column)))
        rows.append(
            [
                Cell(one.id, code=True),
                Cell(one.method, href=method_path(one.method_key)),
                number(one.value),
                Cell(one.unit),
                Cell(one.source, href=one.url),
                board,
                Cell(where),
                Cell(one.protocol),
                Cell(one.how_known),
                Cell(one.evidence, title=EVIDENCE[one.evidence]),
            ]
        )
    columns = ["id", "method", "value", "unit", "source", "table", "column", "how", "read in"]
    anchors = [one.id for one in published]
    columns.append("evidence")
    return Grid("sources", "Published numbers", columns, rows, frozenset(["value"]), anchors)


def method_numbers(data: Leaderboard, key: str, root: str) -> Grid:
    """Everything that is published about a method."""
    rows = []
    for one in (one for one in data.published if one.method_key == key):
        source = Cell(one.source, href=root + source_path(one))
        board = Cell(one.board, href=f"{root}boards/{one.board}.html")
        cells = [Cell(one.method), Cell(one.dataset), Cell(one.metric), Cell(one.subset)]
        rows.append([*cells, number(one.value), Cell(one.unit), board, source])
    columns = ["named", "dataset", "what", "subset", "value", "unit", "table", "source"]
    return Grid("numbers", "Published numbers", columns, rows, frozenset(["value"]))


def results_grid(filed: Sequence[Filed], ranked: dict[Any, str], root: str) -> Grid:
    """Recomputed results with their intervals."""
    rows = []
    for one in filed:
        result, summary = one.result, one.result.summary
        rows.append(
            [
                Cell(result.protocol.id, href=root + result_path(one), code=True),
                Cell(one.scope or "whole benchmark"),
                number(figure_text(summary.headline)),
                Cell(unit_of(one)),
                Cell(interval_text(summary.interval)),
                Cell(ranked.get(one.path) or "-"),
                number(f"{summary.n:,}"),
                Cell(result.protocol.short_hash, code=True),
            ]
        )
    columns = ["protocol", "scope", "score", "unit", "95 % interval", "rank", "n", "hash"]
    return Grid("results", "Recomputed results", columns, rows, frozenset(["score", "n"]))


def worst_rows(result: Result) -> Grid:
    """The samples with the largest errors."""
    samples, labels = result.samples, [part.label for part in result.summary.bins]
    errors = np.where(samples.bins >= 0, samples.errors, np.nan)
    order = np.argsort(-np.nan_to_num(errors, nan=-np.inf), kind="stable")[:WORST]
    names = [
        "sample",
        f"error ({unit_words(result.protocol)})",
        "yaw (degrees)",
        "bin",
        "normaliser (px)",
    ]
    columns = names if result.protocol.normalizer != "none" else names[:-1]
    rows = [
        [
            Cell(str(samples.ids[at]), code=True),
            number(figure_text(errors[at])),
            number(figure_text(samples.yaw_deg[at], 1)),
            Cell(labels[samples.bins[at]]),
            number(figure_text(samples.normalizer_px[at], 1)),
        ][: len(columns)]
        for at in order
        if np.isfinite(errors[at])
    ]
    numbers = frozenset(columns) - {"sample", "bin"}
    return Grid("worst", f"The {len(rows)} worst samples", columns, rows, numbers)


def facts_of(method: Method) -> list[tuple[str, Cell]]:
    """What is known of a method, name by name."""
    return [
        ("year", Cell(str(method.year or "unknown"))),
        ("paper", _linked(method.paper)),
        ("code", _linked(method.code)),
        ("licence", Cell(method.licence)),
        ("trained on", Cell(method.trained_on)),
        ("overlap with the test sets", Cell(method.overlap)),
        *([("predictions", Cell(method.predictions))] if method.predictions else []),
        ("these facts were read in", Cell("; ".join(method.sources))),
    ]


def _linked(text: str) -> Cell:
    return Cell(text, href=text if text.startswith("https://") and " " not in text else "")


def _method(row: Row, root: str) -> Cell:
    return Cell(row.label, href=root + method_path(row.method.key))


def _figure(row: Row, name: str, root: str) -> Cell:
    cell = row.cells.get(name)
    if cell is None:
        return Cell("")
    target = ""
    if cell.filed is not None:
        target = root + result_path(cell.filed)
    elif cell.published is not None:
        target = root + source_path(cell.published)
    note = "" if cell.interval is None else interval_text(cell.interval)
    return number(cell.text, href=target, strong=cell.best, note=note)
