"""Commands that score: import, score, protocols, demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prn_bench.cli import score_tables, tables
from prn_bench.cli.data import Json, Out

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions
    from prn_bench.protocol import Protocol
    from prn_bench.results import Result


def import_predictions(
    reader: Annotated[str, typer.Argument(help="Whose output it is: npz or csv.")],
    path: Annotated[Path, typer.Argument(help="The file as the method wrote it.")],
    out: Out,
    frame: Annotated[
        str | None, typer.Option(help="Frame of its points: image (0-based, y down) or crop.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Match its ids to this dataset.", dir_okay=False)
    ] = None,
    method: Annotated[str | None, typer.Option(help="Name of the method.")] = None,
    json: Json = False,
) -> None:
    """Turn a method's own output into a prediction file."""
    from prn_bench import store
    from prn_bench.cli.show import _prediction_facts
    from prn_bench.dataset import open_dataset
    from prn_bench.predictions import SUFFIXES, write_predictions
    from prn_bench.predictions_structure import FORMAT
    from prn_bench.readers import find_reader

    store.refuse_overwriting_input(out, path, dataset)
    store.require_place(out, FORMAT, *SUFFIXES)
    read = find_reader(reader)
    found = read(path, frame=frame, dataset=None if dataset is None else open_dataset(dataset))
    card = found.method | ({"name": method} if method else {})
    write_predictions(
        out,
        found.sample_ids,
        frame=found.frame,
        method=card,
        topology=found.topology,
        **{name: found.arrays.get(name) for name in ("landmarks", "position_map", "vertices")},
    )
    facts = _prediction_facts(out)
    tables.print_json(facts) if json else tables.print_pairs(facts)


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
    json: Json = False,
) -> None:
    """Score predictions under named protocols; prints every choice that decides the number."""
    from prn_bench.dataset import open_dataset
    from prn_bench.predictions import open_predictions
    from prn_bench.results import make_folder, save

    folder = None if out is None else make_folder(out)  # before the work, not after it
    results, left_out = score_all(open_predictions(predictions), open_dataset(dataset), protocol)
    if folder is not None:
        for result in results:
            save(result, folder, replace=replace)
    if json:
        tables.print_json([result.as_dict() for result in results])
    else:
        score_tables.print_results(results)
    for line in _not_scored(left_out):
        typer.echo(line, err=json)  # standard output is the document
    if folder is not None and not json:
        typer.echo(f"{len(results)} results written to {folder}")


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
        tables.print_pairs(found[0].as_dict() | {"hash": found[0].hash})
    else:
        rows = [[p.id, p.title, p.short_hash] for p in found]
        tables.print_table(f"{len(found)} protocols", ["id", "what", "hash"], rows)


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for everything it makes.", file_okay=False)
    ] = Path("demo"),
    samples: Annotated[int, typer.Option(min=12, help="Pictures in each dataset.")] = 48,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Worker processes.")] = 2,
) -> None:
    """Show the whole way on synthetic faces: raw data, datasets, predictions, scores, report."""
    from prn_bench.demo import run_demo

    with tables.steps() as say:
        outcome = run_demo(out, n_samples=samples, jobs=jobs, say=say)
    score_tables.print_results(outcome.results)
    tables.print_table(
        "Errors that were planted, and what score found",
        ["yaw", "planted %", "found %"],
        [[label, f"{planted:.3f}", f"{found:.3f}"] for label, planted, found in outcome.planted],
        right=["planted %", "found %"],
    )
    typer.echo(f"Open {outcome.report} in a browser.")


def score_all(
    predictions: Predictions, dataset: Dataset, patterns: list[str] | None
) -> tuple[list[Result], list[tuple[str, str]]]:
    """Results, and the protocols of a pattern that this data cannot answer, each with the reason.

    A protocol that was named outright fails instead of being left out.

    Raises
    ------
    BenchError
        ``nothing-scored`` when all are left out, and those of :func:`prn_bench.evaluate.score`.
    """
    from prn_bench.errors import BenchError
    from prn_bench.evaluate import score as score_one

    results, left_out = [], []
    for protocol, asked in chosen_protocols(predictions, dataset, patterns):
        try:
            results.append(score_one(predictions, dataset, protocol))
        except BenchError as error:
            if asked or error.code not in CANNOT_ANSWER:
                raise
            left_out.append((protocol.id, f"{error.what}. {error.remedy or ''}".rstrip()))
    if not results:
        reasons = _not_scored(left_out, word="")
        raise BenchError(
            f"none of {len(left_out)} protocols can be scored with these two files",
            code="nothing-scored",
            where=predictions.path,
            found="; ".join(reasons[:REASONS_SHOWN]).rstrip("."),
            remedy="See `prn-bench protocols` for those of other datasets.",
        )
    return results, left_out


def _not_scored(left_out: list[tuple[str, str]], word: str = "not scored: ") -> list[str]:
    """A line for each reason, with the protocols that it keeps from being scored."""
    names: dict[str, list[str]] = {}
    for name, why in left_out:
        names.setdefault(why, []).append(name)
    return [f"{word}{', '.join(group)}: {why}" for why, group in names.items()]


#: What is scored when no protocol is named: the figures that papers report.
DEFAULTS = {
    "aflw2000-3d": (
        "aflw2000/68/2d@3ddfa-fit",
        "aflw2000/68/2d@3ddfa-aflw",
        "aflw2000/68/3d@z-mean",
    ),
}
#: Faults that mean «this data has no answer under this protocol», as opposed to bad data.
CANNOT_ANSWER = (
    "dataset-lacks",
    "no-depth",
    "no-landmarks",
    "nothing-to-score",
    "reference-2d",
    "reference-incomplete",
    "wrong-dataset",
)
REASONS_SHOWN = 2  # in an error; nothing was scored, so most often they are alike


def chosen_protocols(
    predictions: Predictions, dataset: Dataset, patterns: list[str] | None
) -> list[tuple[Protocol, bool]]:
    """The protocols to use, each with whether it was named outright."""
    from prn_bench.protocol import match_protocols

    recipe = str(dataset.attributes.get("recipe"))
    chosen: dict[str, tuple[Protocol, bool]] = {}
    for pattern in patterns or _defaults(recipe):
        named = bool(patterns) and not set(pattern) & set("*?[")
        for protocol in match_protocols(pattern):
            if named or protocol.id not in chosen:
                chosen[protocol.id] = (protocol, named)
    return list(chosen.values())


def _defaults(recipe: str) -> tuple[str, ...]:
    from prn_bench.errors import BenchError

    if recipe not in DEFAULTS:
        raise BenchError(
            f"no protocol is the usual one for the dataset {recipe!r}",
            code="no-default-protocol",
            remedy="Name one with --protocol (see `prn-bench protocols`).",
        )
    return DEFAULTS[recipe]
