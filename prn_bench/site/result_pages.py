"""Pages of recomputed results: one for a method and a family of protocols, a line for each result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from prn_bench.errors import Finding
from prn_bench.leaderboard.data import Leaderboard
from prn_bench.leaderboard.filed import Filed
from prn_bench.leaderboard.markdown import STALE, interval_text, unit_of
from prn_bench.site import charts, rows, wording
from prn_bench.site.views import Cell, Chart, Grid, Page
from prn_bench.summary import figure_text

UP = "../"


def result_pages(data: Leaderboard, ranked: dict[Path, str]) -> Iterator[Page]:
    """A page for every method under every family that it was scored under."""
    groups: dict[tuple[str, str], list[Filed]] = {}
    for one in data.filed:
        family = wording.family_of(one.result.protocol.id)
        groups.setdefault((one.method_key, family), []).append(one)
    for (key, family), filed in groups.items():
        yield _page(data, key, family, in_order(filed), ranked)


def in_order(filed: Sequence[Filed]) -> list[Filed]:
    """Whole benchmarks before parts of them, current before stale, the default variant first."""
    default = wording.default_of([one.result.protocol for one in filed])
    return sorted(
        filed,
        key=lambda one: (
            one.variant,
            one.stale,
            one.result.protocol.id != default.id,
            one.result.protocol.id,
        ),
    )


def _page(
    data: Leaderboard, key: str, family: str, filed: list[Filed], ranked: dict[Path, str]
) -> Page:
    method, first = data.methods[key], filed[0]
    result = first.result
    drawn = [_curves(filed), charts.yaw_chart("yaw", [(rows.variant_label(first), result)])]
    return Page(
        rows.result_page(first),
        "result.html",
        f"{method.name} under {family}",
        {
            "method": method,
            "family": family,
            "family_path": rows.family_path(family),
            "first": first,
            "unit": wording.unit_words(result.protocol),
            "scores": _scores(filed, ranked),
            "charts": [chart for chart in drawn if chart is not None],
            "worst": rows.worst_rows(result),
            "formula": wording.formula(result.protocol),
            "origins": _origins(filed),
            "findings": _findings(filed),
        },
    )


def _scores(filed: Sequence[Filed], ranked: dict[Path, str]) -> Grid:
    """The headline of every variant, with its id as anchor."""
    lines = []
    for one in filed:
        result, summary = one.result, one.result.summary
        href = f"{UP}{rows.family_path(wording.family_of(result.protocol.id))}"
        name = wording.variant_of(result.protocol.id)
        note = Cell(STALE) if one.stale else Cell(one.scope or "whole benchmark")
        lines.append(
            [
                Cell(name, href=f"{href}#{name}", title=result.protocol.title, code=True),
                rows.number(figure_text(summary.headline)),
                Cell(unit_of(one)),
                Cell(interval_text(summary.interval)),
                Cell(ranked.get(one.path) or "-"),
                rows.number(f"{summary.n:,}"),
                rows.number(f"{summary.n_missing}"),
                note,
            ]
        )
    columns = ["variant", "score", "unit", "95 % interval", "rank", "n", "missing", "scope"]
    numbers = frozenset(["score", "n", "missing"])
    anchors = [rows.result_anchor(one) for one in filed]
    return Grid("scores", "Score under every variant", columns, lines, numbers, anchors)


def _origins(filed: Sequence[Filed]) -> Grid:
    """What each score was made from, as digests that can be compared."""
    lines = []
    for one in filed:
        result = one.result
        given = "; ".join(f"{name}: {value}" for name, value in result.inputs.items())
        digests = (result.predictions_sha256, result.dataset.get("fingerprint"))
        lines.append(
            [
                Cell(rows.variant_label(one), code=True),
                *(Cell(str(digest), code=True) for digest in digests),
                Cell(str(result.reference_digest), code=True),
                Cell(result.protocol.hash, code=True),
                Cell(given or "none"),
                Cell(f"leaderboards/{one.path.as_posix()}", code=True),
            ]
        )
    columns = ["variant", "predictions", "dataset", "reference", "protocol", "further inputs"]
    caption = "Digests (sha256) of everything that a score was made from"
    return Grid("origins", caption, [*columns, "file"], lines)


def _curves(filed: Sequence[Filed]) -> Chart:
    """Error distributions under all variants of the first one's unit; only the first is shown at once."""
    unit, scope = filed[0].result.protocol.unit, filed[0].variant
    alike = [
        one
        for one in filed
        if one.result.protocol.unit == unit and one.variant == scope and not one.stale
    ]
    named = [(wording.variant_of(one.result.protocol.id), one.result) for one in alike or filed[:1]]
    return charts.ced_chart("ced", named, only_first=True)


def _findings(filed: Sequence[Filed]) -> list[tuple[Finding, str]]:
    """What is to be known, each once, with the variants that it is about unless that is all of them."""
    found: dict[tuple[str, str], tuple[Finding, list[str]]] = {}
    for one in filed:
        for finding in one.result.findings:
            place = found.setdefault((finding.code, finding.message), (finding, []))
            place[1].append(rows.variant_label(one))
    return [
        (finding, "" if len(names) == len(filed) else ", ".join(names))
        for finding, names in found.values()
    ]
