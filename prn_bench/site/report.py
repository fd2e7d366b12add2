"""The report of one run: the views of the site for a single prediction file, in one page of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.errors import BenchError, Finding
from prn_bench.evaluate.face_errors import error_map, surface_of
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.leaderboard.markdown import interval_text
from prn_bench.results import Result
from prn_bench.site import charts, wording
from prn_bench.site.build import plotly_script
from prn_bench.site.embed import asset, write_page
from prn_bench.site.pictures import worst_first, worst_pictures
from prn_bench.site.rows import number, worst_rows
from prn_bench.site.views import Cell, Chart, Grid, Page
from prn_bench.summary import figure_text

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

NO_INPUTS = ScoreInputs()
PICTURES = 12  # worst samples that are shown, where the dataset has images
CHARTS = 6  # results whose curves are drawn: the first of each family
SURFACE_STEP = 3
DENSE = ("position_map", "vertices")
#: Faults that mean «these predictions cannot be shown as a surface», as opposed to bad data.
NO_SURFACE = (
    "face-model-needed",
    "no-coverage",
    "no-dense-points",
    "no-index-map",
    "wrong-face-model",
)


def write_report(
    results: Sequence[Result],
    dataset: Dataset,
    predictions: Predictions,
    path: str | Path,
    *,
    inputs: ScoreInputs = NO_INPUTS,
) -> Path:
    """Write the report of a prediction file.

    Parameters
    ----------
    results : sequence of Result
        Its scores, one a protocol; the first of each family is drawn.
    dataset : Dataset
        With images, the worst samples are shown: such a report holds pictures of the dataset.
    predictions : Predictions
        Dense ones are shown as error map and surface as well.
    path : path
        An .html file; it appears under its name only when whole.
    inputs : ScoreInputs, optional
        Of the scores.

    Returns
    -------
    Path

    Raises
    ------
    BenchError
        ``unknown-suffix``, ``site-parts-missing``, ``cannot-write``.
    ValueError
        Without any result.
    """
    if not results:
        raise ValueError("a report needs at least one result")
    target = Path(path)
    if target.suffix != ".html":
        raise BenchError("a report is saved as .html", code="unknown-suffix", where=path)
    title = f"{predictions.method['name']} on {dataset.attributes.get('title', 'a dataset')}"
    plotly = plotly_script().replace("</script", "<\\/script")
    values = {
        "scores": _scores(results),
        "charts": list(_charts(results, dataset, predictions, inputs)),
        "worst": worst_rows(results[0]),
        "pictures": worst_pictures(results[0], dataset, predictions, inputs, PICTURES),
        "licence": dataset.attributes.get("licence", ""),
        "real": dataset.attributes.get("origin") != "synthetic",
        "findings": _findings(results),
        "protocols": [(r.protocol, wording.formula(r.protocol)) for r in results],
        "first": results[0],
        "sha256": predictions.sha256 or "",
    }
    page = Page(target.name, "report.html", title, values)
    write_page(target, page, [asset("site.js"), plotly, asset("charts.js")])
    return target


def _scores(results: Sequence[Result]) -> Grid:
    """A row a result: bins where all have the same ones, else only the score."""
    labels = [part.label for part in results[0].summary.bins]
    same = all([part.label for part in r.summary.bins] == labels for r in results)
    shown = labels if same and len(labels) > 1 else []
    columns = ["protocol", *shown, "score", "unit", "95 % interval", "n", "missing", "hash"]
    rows = []
    for result in results:
        summary = result.summary
        bins = {part.label: figure_text(part.mean) for part in summary.bins}
        rows.append(
            [
                Cell(result.protocol.id, title=result.protocol.title, code=True),
                *(number(bins[label]) for label in shown),
                number(figure_text(summary.headline), strong=True),
                Cell(wording.unit_words(result.protocol)),
                Cell(interval_text(summary.interval)),
                number(f"{summary.n:,}"),
                number(str(summary.n_missing)),
                Cell(result.protocol.short_hash, code=True),
            ]
        )
    numbers = frozenset([*shown, "score", "n", "missing"])
    return Grid("scores", "Scores", columns, rows, numbers)


def _charts(
    results: Sequence[Result], dataset: Dataset, predictions: Predictions, inputs: ScoreInputs
) -> Iterator[Chart]:
    firsts: dict[str, Result] = {}
    for result in results:
        firsts.setdefault(wording.family_of(result.protocol.id), result)
    for at, result in enumerate([*firsts.values()][:CHARTS]):
        named = [(str(result.method["name"]), result)]
        yield charts.ced_chart(f"ced-{at}", named)
        if (lines := charts.yaw_chart(f"yaw-{at}", named)) is not None:
            yield lines
    if set(DENSE) & set(predictions.arrays):
        try:
            yield from _surfaces(results[0], dataset, predictions, inputs)
        except BenchError as error:
            if error.code not in NO_SURFACE:
                raise


def _surfaces(
    result: Result, dataset: Dataset, predictions: Predictions, inputs: ScoreInputs
) -> Iterator[Chart]:
    """The mean error over the face, and the surfaces of the middle and the worst sample."""
    found = error_map(predictions, dataset, inputs=inputs)
    order = [str(dataset.sample_ids[row]) for row in worst_first(result, dataset)]
    if not (found.n_samples and order):
        return
    yield charts.uv_chart("uv", found)
    for name, sample in (("middle", order[len(order) // 2]), ("worst", order[0])):
        surface = surface_of(predictions, dataset, sample, inputs=inputs, step=SURFACE_STEP)
        if surface is not None:
            yield charts.surface_chart(f"surface-{name}", surface)


def _findings(results: Sequence[Result]) -> list[Finding]:
    """What is to be known, each once."""
    return list({(f.code, f.message): f for r in results for f in r.findings}.values())
