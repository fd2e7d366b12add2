"""The command that looks for mistakes in predictions: doctor."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prn_bench.cli import tables
from prn_bench.cli.data import Json

if TYPE_CHECKING:
    from prn_bench.diagnose import Diagnosis, Mistake
    from prn_bench.diagnose.offset import Offset

EXIT_FINDING = 1
NEARLY = 1.2  # times the best figure
FEW_SAMPLES = 8


def doctor(
    predictions: Annotated[Path, typer.Argument(help="Prediction file.", dir_okay=False)],
    dataset: Annotated[Path, typer.Argument(help="Dataset file.", dir_okay=False)],
    protocol: Annotated[
        str,
        typer.Option("--protocol", "-p", help="Of 68 landmarks: whose figure is said to change."),
    ] = "aflw2000/68/2d@3ddfa-fit",
    json: Json = False,
) -> None:
    """Name the mistake behind a bad score: flipped, mirrored, shifted, other frame, unit or order.

    Nothing is changed, neither file nor score. Exit code 1 when something should be corrected.
    """
    from prn_bench.dataset import open_dataset
    from prn_bench.diagnose import diagnose
    from prn_bench.predictions import open_predictions

    found = diagnose(open_predictions(predictions), open_dataset(dataset), protocol)
    if json:
        tables.print_json(found.as_dict())
    else:
        _print(found)
    if not found.good:
        raise typer.Exit(EXIT_FINDING)


def _print(found: Diagnosis) -> None:
    what = f"{found.n_given:,} of {found.n:,} samples, {found.frame} frame"
    facts: dict[str, object] = {"predictions": f"{found.method}: {what}"}
    if found.figure is not None:
        figure = f"{found.figure.before:.2f} {found.figure.unit}, {found.protocol}"
        facts[found.figure.what] = figure
    tables.print_pairs(facts)
    typer.echo()
    _print_offset(found)
    for mistake in found.mistakes:
        _print_mistake(mistake)
    if not found.mistakes:
        typer.echo("Nothing that is tried here improves these predictions.")
    if found.n_given < FEW_SAMPLES:
        typer.echo(f"With fewer than {FEW_SAMPLES} samples, only gross mistakes can be told.")


def _print_mistake(mistake: Mistake) -> None:
    from rich.padding import Padding

    out = tables.console()
    style = tables.LEVEL_STYLE[mistake.level]
    out.print(f"{mistake.level} {mistake.family}", style=style)
    lines = [mistake.sentence, f"-> {mistake.remedy}" if mistake.remedy else "", _others(mistake)]
    for line in filter(None, lines):
        out.print(Padding(tables.plain(line), (0, 0, 0, 2)))


def _others(mistake: Mistake) -> str:
    """Corrections that do nearly as well: which of them is right, the error cannot say."""
    if not mistake.changes:
        return ""
    limit = NEARLY * mistake.changes[0].after
    near = [other.correction for other in mistake.others if other.after <= limit]
    return f"Nearly as well: {'; '.join(near)}." if near else ""


def _print_offset(found: Diagnosis) -> None:
    """The offset from 0-based points and from those of the protocol, with 95 % intervals."""
    from prn_bench.diagnose.offset import convention_of

    offset, stored = found.offset, found.stored_offset
    if offset is None:
        return
    rows = [["0-based points", *_offset_cells(offset, (0.0, 0.0))]]
    caption = ""
    if any(stored):
        x, y = (f"{-value:+g}" for value in stored)
        rows.append(["stored points", *_offset_cells(offset, stored)])
        caption = f"Stored points are 1-based: correct predictions lie at ({x}, {y}) from them."
    columns = ["from", "x", "y", "plain mean"]
    title = "Offset of all points, px, with 95 % intervals"
    known = None if _holds_zero(offset) else convention_of(offset)
    if known and not any("offset" in mistake.family for mistake in found.mistakes):
        place, cause = known
        caption += f"\n({place[0]:g}, {place[1]:g}) from 0-based points is what {cause} would give."
    title += ", after the correction" if found.moved else ""
    tables.print_table(title, columns, rows, right=columns[1:], caption=caption)


def _holds_zero(offset: Offset) -> bool:
    return all(low <= 0 <= high for low, high in zip(offset.low, offset.high, strict=True))


def _offset_cells(offset: Offset, stored: tuple[float, float]) -> list[str]:
    cells = []
    for axis in range(2):
        values = (offset.estimate[axis], offset.low[axis], offset.high[axis])
        middle, low, high = (f"{value - stored[axis]:+.2f}" for value in values)
        cells.append(f"{middle} [{low}, {high}]" if math.isfinite(values[1]) else middle)
    x, y = (value - shift for value, shift in zip(offset.mean, stored, strict=True))
    return [*cells, f"{x:+.2f}, {y:+.2f}"]
