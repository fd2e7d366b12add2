"""Every page of the leaderboard's site, as a template with its values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from prn_bench.leaderboard.boards import Disagreement
from prn_bench.leaderboard.data import Leaderboard
from prn_bench.leaderboard.filed import Filed
from prn_bench.leaderboard.odd import wrong_means
from prn_bench.leaderboard.ranks import ranks
from prn_bench.leaderboard.table import Table, make_tables
from prn_bench.protocol import protocols
from prn_bench.protocol_fields import Protocol
from prn_bench.results import Result
from prn_bench.site import charts, rows, wording
from prn_bench.site.example import mean_face_example
from prn_bench.site.result_pages import result_pages
from prn_bench.site.views import Cell, Chart, Grid, Page

UP = "../"


def all_pages(data: Leaderboard) -> Iterator[Page]:
    """The pages, each of which knows where it lies."""
    ranked = ranks(data.filed)
    tables = make_tables(data, ranked)
    families = _families()
    yield _index(data, tables, families)
    yield from (_board(table, data) for table in tables)
    yield from (_family(name, variants, data) for name, variants in families.items())
    yield from (_method(key, data, ranked) for key in data.methods)
    yield from result_pages(data, ranked)
    values = {"grid": rows.sources_grid(data.published)}
    yield Page("sources.html", "sources.html", "Published numbers and their sources", values)
    yield _methods(data)
    yield _example()


def _index(data: Leaderboard, tables: Sequence[Table], families: dict[str, list[Protocol]]) -> Page:
    groups: dict[str, list[Table]] = defaultdict(list)
    for table in tables:
        groups[table.board.group].append(table)
    return Page(
        "index.html",
        "index.html",
        "Leaderboards",
        {
            "groups": groups,
            "families": {name: len(variants) for name, variants in families.items()},
            "paths": {name: rows.family_path(name) for name in families},
            "n_published": len(data.published),
            "n_filed": len(data.filed),
            "n_methods": len(data.methods),
        },
    )


def _board(table: Table, data: Leaderboard) -> Page:
    board = table.board
    families = [wording.family_of(name) for name in board.protocols()]
    drawn: list[Chart | None] = []
    for at, name in enumerate(board.protocols()):
        found = _named(
            data,
            [
                f
                for f in data.filed
                if f.result.protocol.id == name and not f.stale and f.origin == board.origin
            ],
        )
        if found:
            drawn += [charts.ced_chart(f"ced-{at}", found), charts.yaw_chart(f"yaw-{at}", found)]
    return Page(
        f"boards/{board.key}.html",
        "board.html",
        board.title,
        {
            "board": board,
            "recomputed": rows.recomputed_grid(table, UP),
            "reported": rows.reported_grid(table, UP),
            "notes": table.notes(),
            "protocols": [
                (name, rows.family_path(wording.family_of(name))) for name in board.protocols()
            ],
            "charts": [chart for chart in drawn if chart is not None],
            "wrong_means": wrong_means(table),
            "disagreements": _disagreements(data, [*families, *board.families, board.key]),
        },
    )


def _family(name: str, variants: list[Protocol], data: Leaderboard) -> Page:
    default = wording.default_of(variants)
    grid, chart = _variants(name, variants, default, data)
    used = [
        board
        for board in data.boards
        if any(wording.family_of(used) == name for used in board.protocols())
    ]
    return Page(
        rows.family_path(name),
        "family.html",
        f"Protocols {name}",
        {
            "name": name,
            "default": default,
            "formula": wording.formula(default),
            "choices": wording.choices(default),
            "grid": grid,
            "charts": [chart] if chart else [],
            "variants": [(one, wording.changes(one, default)) for one in variants],
            "boards": used,
            "disagreements": _disagreements(data, [name]),
        },
    )


def _variants(
    name: str, variants: list[Protocol], default: Protocol, data: Leaderboard
) -> tuple[Grid, Chart | None]:
    """What each variant changes, and by how much for the methods scored under it."""
    by_place = {
        (f.result.protocol.id, f.method_key, f.variant): f for f in data.filed if not f.stale
    }
    used = [
        f for f in data.filed if not f.stale and wording.family_of(f.result.protocol.id) == name
    ]
    used = [f for f in used if f.origin == "real"] or used
    columns = sorted({(f.method_key, f.variant) for f in used}, key=lambda key: (key[1], key[0]))
    labels = [_label(data, by_place, name, key) for key in columns]
    lines = []
    ordered = [default, *(one for one in variants if one is not default)]
    for one in ordered:
        cells = [Cell(wording.variant_of(one.id), code=True, title=one.title)]
        cells += [Cell(wording.changes(one, default)), Cell(one.short_hash, code=True)]
        for key in columns:
            cells.append(_score(by_place.get((one.id, *key)), by_place.get((default.id, *key))))
        lines.append(cells)
    heads = ["variant", "what differs", "hash", *labels]
    grid = Grid("variants", "Variants", heads, lines, frozenset(labels))
    shown = [
        (wording.variant_of(one.id), by_place[one.id, *columns[0]].result)
        for one in ordered
        if columns and (one.id, *columns[0]) in by_place and one.unit == default.unit
    ]
    chart = charts.variants_chart("variants-chart", labels[0], shown) if len(shown) > 1 else None
    return grid, chart


def _label(
    data: Leaderboard, by_place: dict[tuple[str, str, str], Filed], name: str, key: tuple[str, str]
) -> str:
    scope = next(
        f.scope
        for (protocol_id, *place), f in by_place.items()
        if tuple(place) == key and wording.family_of(protocol_id) == name
    )
    label = data.methods[key[0]].name
    return f"{label} ({scope})" if scope else label


def _score(one: Filed | None, default: Filed | None) -> Cell:
    if one is None:
        return Cell("")
    value, protocol = one.result.summary.headline, one.result.protocol
    text = f"{value:.3f}"
    if protocol.unit != "percent":
        text += f" {wording.unit_words(protocol)}"
    elif default is not None and default is not one:
        text += f" ({value - default.result.summary.headline:+.3f})"
    return rows.number(text, href=UP + rows.result_path(one))


def _method(key: str, data: Leaderboard, ranked: dict[Path, str]) -> Page:
    method = data.methods[key]
    filed = [one for one in data.filed if one.method_key == key and not one.stale]
    return Page(
        rows.method_path(key),
        "method.html",
        method.name,
        {
            "method": method,
            "facts": rows.facts_of(method),
            "results": rows.results_grid(filed, ranked, UP),
            "numbers": rows.method_numbers(data, key, UP),
        },
    )


def _methods(data: Leaderboard) -> Page:
    lines = []
    for method in data.methods.values():
        n_published = sum(one.method_key == method.key for one in data.published)
        n_filed = sum(one.method_key == method.key for one in data.filed)
        cells = [Cell(method.name, href=rows.method_path(method.key))]
        cells += [Cell(str(method.year or "unknown")), Cell(method.licence)]
        cells += [Cell(method.trained_on), Cell(method.overlap)]
        lines.append([*cells, rows.number(str(n_published)), rows.number(str(n_filed))])
    columns = ["method", "year", "licence", "trained on", "overlap", "published", "recomputed"]
    numbers = frozenset(["published", "recomputed"])
    grid = Grid("methods", "Methods", columns, lines, numbers)
    return Page("methods.html", "methods.html", "Methods", {"grid": grid})


def _example() -> Page:
    found = mean_face_example()
    drawn = [
        charts.surface_chart("surface", found.surface),
        charts.uv_chart("uv", found.errors),
    ]
    return Page("example.html", "example.html", "Where on the face", {"charts": drawn})


def _families() -> dict[str, list[Protocol]]:
    found: dict[str, list[Protocol]] = defaultdict(list)
    for one in protocols():
        found[wording.family_of(one.id)].append(one)
    return dict(found)


def _named(data: Leaderboard, filed: Sequence[Filed]) -> list[tuple[str, Result]]:
    """Results of the whole benchmark with the names of their methods, else all of them with scope."""
    whole = [one for one in filed if not one.variant] or list(filed)
    return [
        (data.methods[one.method_key].name + (f" ({one.scope})" if one.scope else ""), one.result)
        for one in whole
    ]


def _disagreements(data: Leaderboard, families: Sequence[str]) -> list[tuple[Disagreement, list]]:
    """What concerns any of these families, with the published numbers that show it."""
    by_id = {one.id: one for one in data.published}
    return [
        (item, [by_id[name] for name in item.numbers])
        for item in data.disagreements
        if any(
            family.startswith(about) or about.startswith(family)
            for family in families
            for about in item.families
        )
    ]
