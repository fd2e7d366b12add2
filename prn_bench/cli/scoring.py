"""Commands that score: import, score, protocols."""

from __future__ import annotations

import os
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prn_bench.cli import score_tables, tables
from prn_bench.cli.choosing import (
    FaceModelFile,
    IndexMaps,
    Jobs,
    LandmarkMapFile,
    Scheduler,
    Scoring,
    Subset,
    cache_folder,
    not_scored,
    read_inputs,
    score_all,
)
from prn_bench.cli.data import Json, Out
from prn_bench.errors import printable

if TYPE_CHECKING:
    from prn_bench.protocol import Protocol


def import_predictions(
    reader: Annotated[str, typer.Argument(help="Whose output it is; see above.")],
    path: Annotated[Path, typer.Argument(help="The file, folder or .zip that the method wrote.")],
    out: Out,
    frame: Annotated[
        str | None,
        typer.Option(help="Frame of npz, csv, obj: image (0-based, y down) or crop."),
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Match file names to its samples.", dir_okay=False)
    ] = None,
    method: Annotated[str | None, typer.Option(help="Name of the method.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="Option of the reader, such as scale=280; may be repeated."),
    ] = None,
    json: Json = False,
) -> None:
    """Turn a method's own output into a prediction file.

    Readers of methods: prnet, 3ddfa, 2dasl, synergynet, 3ddfa-v2, 3d-fan, vrn,
    sadrnet. For any other method: npz, csv, obj, position-map.
    """
    from prn_bench import store
    from prn_bench.cli.show import _prediction_facts
    from prn_bench.dataset import open_dataset
    from prn_bench.predictions import write_predictions
    from prn_bench.predictions.structure import FORMAT
    from prn_bench.predictions.writer import SUFFIXES
    from prn_bench.readers import find_reader, reader_options

    store.refuse_overwriting_input(out, path, dataset)
    store.require_place(out, FORMAT, *SUFFIXES)
    read = find_reader(reader)
    options = reader_options(read, option or ())
    known = None if dataset is None else open_dataset(dataset)
    found = read(path, frame=frame, dataset=known, **options)
    write_predictions(
        out,
        found.sample_ids,
        frame=found.frame,
        method=found.method | ({"name": method} if method else {}),
        topology=found.topology,
        **found.arrays,
    )
    facts = _prediction_facts(out)
    if json:
        tables.print_json(facts)
        return
    notes = facts.pop("method notes", [])
    tables.print_pairs(facts)
    for note in [notes] if isinstance(notes, str) else notes:
        typer.echo(printable(f"  {note}"))


def score(
    predictions: Annotated[Path, typer.Argument(help="Prediction file.", dir_okay=False)],
    dataset: Annotated[Path, typer.Argument(help="Dataset file.", dir_okay=False)],
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            "-p",
            help="Protocol id, pattern (aflw2000/68/*) or .toml; may be repeated. "
            "id+field=value changes a field.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for result files.", file_okay=False)
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Write over a result that this method had from other predictions."
        ),
    ] = False,
    subset: Subset = None,
    face_model: FaceModelFile = None,
    index_map: IndexMaps = None,
    landmark_map: LandmarkMapFile = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Score anew what was scored before.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Also write a page (.html) with curves, worst samples and surfaces.",
            dir_okay=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Score predictions under named protocols; prints every choice that decides the number."""
    from prn_bench.dataset import open_dataset
    from prn_bench.predictions import open_predictions
    from prn_bench.results import make_folder, save

    _need_report_place(report, predictions, dataset)  # before the work, not after it
    folder = None if out is None else make_folder(out)
    how = Scoring(
        read_inputs(subset, face_model, index_map, landmark_map),
        jobs=jobs or os.cpu_count() or 1,
        scheduler=scheduler,
        cache=None if no_cache else cache_folder(),
    )
    opened, known = open_predictions(predictions), open_dataset(dataset)
    results, left_out = score_all(opened, known, protocol, how)
    if scheduler is not None and not any(result.protocol.uses_icp for result in results):
        words = "the scheduler was not asked: only ICP is worth a cluster, and no protocol here runs one"
        typer.echo(tables.wrapped(f"note  {words}"), err=True)
    if folder is not None:
        for result in results:
            save(result, folder, replace=replace)
    if report is not None:
        from prn_bench.site.report import write_report

        write_report(results, known, opened, report, inputs=how.inputs)
    if json:
        tables.print_json([result.as_dict() for result in results])
    else:
        score_tables.print_results(results)
    for line in not_scored(left_out):
        typer.echo(tables.wrapped(line), err=json)  # standard output is the document
    if folder is not None and not json:
        typer.echo(f"{len(results)} results written to {folder}")
    if report is not None and not json:
        typer.echo(f"Open {report} in a browser.")


def _need_report_place(report: Path | None, predictions: Path, dataset: Path) -> None:
    """Refuse a report that could not be written, before anything is scored."""
    if report is None:
        return
    from prn_bench.outfile import refuse_overwriting_input, require_place
    from prn_bench.site.build import require_parts

    refuse_overwriting_input(report, predictions, dataset)
    require_place(report, None, ".html")
    require_parts()


def aggregate(
    errors: Annotated[Path, typer.Argument(help="CSV with a line a sample.", dir_okay=False)],
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="Whose bins and averages.")],
    column: Annotated[str, typer.Option(help="Column with the errors.")],
    method: Annotated[str, typer.Option(help="Name of the method.")],
    fraction: Annotated[
        bool, typer.Option("--fraction", help="The errors are fractions, not per cent.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the result.", file_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Average per-sample errors that somebody published, by a protocol's rules."""
    from prn_bench.evaluate.aggregate import aggregate as average
    from prn_bench.results import make_folder, save

    folder = None if out is None else make_folder(out)
    result = average(errors, protocol, column=column, method=method, fraction=fraction)
    if folder is not None:
        save(result, folder)
    if json:
        tables.print_json(result.as_dict())
    else:
        score_tables.print_results([result])


def protocols(
    pattern: Annotated[str, typer.Argument(help="Id, pattern or .toml file.")] = "*",
    json: Json = False,
) -> None:
    """List protocols; with one id, every choice it makes."""
    from prn_bench.protocol import match_protocols

    found = match_protocols(pattern)
    if json:
        tables.print_json([p.as_dict() | {"hash": p.hash} for p in found])
    elif len(found) == 1:
        tables.print_pairs(_choices(found[0]) | {"hash": found[0].hash})
    else:
        rows = [[p.id, p.title] for p in found]
        caption = "every choice of one, and its hash: prn-bench protocols ID"
        tables.print_table(f"{len(found)} protocols", ["id", "what"], rows, caption=caption)


def _choices(protocol: Protocol) -> dict[str, object]:
    """Its fields, without those of other kinds of score, which have their neutral value."""
    neutral = {one.name: one.default for one in fields(protocol) if one.default is not MISSING}
    told = protocol.as_dict()
    unused = [name for name, value in neutral.items() if getattr(protocol, name) == value]
    kept: dict[str, object] = {name: told[name] for name in told if name not in unused}
    return kept | {"neutral": ", ".join(unused)}
