"""Commands that lay results beside each other: compare, sensitivity."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prn_bench.cli import compare_tables, tables
from prn_bench.cli.choosing import (
    DEFAULTS,
    FaceModelFile,
    IndexMaps,
    Jobs,
    LandmarkMapFile,
    Scheduler,
    Scoring,
    Subset,
    cache_folder,
    chosen_protocols,
    not_scored,
    read_inputs,
    score_all,
)
from prn_bench.cli.data import Json
from prn_bench.cli.score_tables import shared_notes
from prn_bench.errors import printable

if TYPE_CHECKING:
    from prn_bench.evaluate.inputs import ScoreInputs
    from prn_bench.results import Result

GLOB = set("*?[")


def compare(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Results (.json) made by score, or folders of them; prediction files with "
            "--common-region."
        ),
    ],
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", "-p", help="Only the results under this protocol."),
    ] = None,
    common_region: Annotated[
        bool,
        typer.Option("--common-region", help="Score prediction files on the points all have."),
    ] = False,
    dataset: Annotated[
        Path | None, typer.Option(help="For --common-region.", dir_okay=False)
    ] = None,
    subset: Subset = None,
    face_model: FaceModelFile = None,
    index_map: IndexMaps = None,
    jobs: Jobs = None,
    unpaired: Annotated[
        str,
        typer.Option(help="Samples that only some methods have an error for: refuse, or drop."),
    ] = "refuse",
    json: Json = False,
) -> None:
    """Compare methods on the same resamples: intervals, differences, ranks; ties are shown.

    Results under several protocols give a table for each.
    """
    from prn_bench.comparison import compare as compare_results
    from prn_bench.errors import BenchError

    if unpaired not in ("refuse", "drop"):
        what = f"--unpaired {unpaired} is no choice"
        raise BenchError(what, code="bad-option", expected="refuse or drop")
    if common_region:
        inputs = read_inputs(subset, face_model, index_map, None)
        found = _score_common(results, dataset, protocol, inputs, jobs or os.cpu_count() or 1)
    else:
        found = _load(results, protocol)
    groups, alone = _by_protocol(found)
    rule: Literal["drop", "refuse"] = "drop" if unpaired == "drop" else "refuse"
    comparisons = [compare_results(group, unpaired=rule) for group in groups]
    if common_region:  # one protocol, one region
        comparisons = [replace(one, common_region=found[0].coverage) for one in comparisons]
    if json:
        told = [comparison.as_dict() for comparison in comparisons]
        tables.print_json(told if len(told) > 1 else told[0])
        return
    for number, comparison in enumerate(comparisons):
        if number:
            typer.echo()
        compare_tables.print_comparison(comparison)
    for result in alone:
        words = f"not compared: {result.protocol.id}, with a result of {result.method['name']} only"
        typer.echo(printable(words))


def sensitivity(
    predictions: Annotated[
        list[Path], typer.Argument(help="Prediction files, one a method.", dir_okay=False)
    ],
    dataset: Annotated[Path, typer.Argument(help="Dataset file.", dir_okay=False)],
    family: Annotated[
        str | None,
        typer.Option(help="What their ids begin with, as aflw2000/68, or a pattern."),
    ] = None,
    subset: Subset = None,
    face_model: FaceModelFile = None,
    index_map: IndexMaps = None,
    landmark_map: LandmarkMapFile = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Score anew what was scored before.")
    ] = False,
    json: Json = False,
) -> None:
    """Score predictions under all variants of a protocol: how much does each choice matter."""
    from prn_bench.comparison.sensitivity import sensitivity as lay_out
    from prn_bench.dataset import open_dataset
    from prn_bench.predictions import open_predictions

    opened, methods = open_dataset(dataset), [open_predictions(path) for path in predictions]
    if family is None:
        family = chosen_protocols(methods[0], opened, None)[0][0].id.partition("@")[0]
    patterns = _patterns(family)
    how = Scoring(
        read_inputs(subset, face_model, index_map, landmark_map),
        jobs=jobs or os.cpu_count() or 1,
        scheduler=scheduler,
        cache=None if no_cache else cache_folder(),
    )
    scored: dict[str, list[Result]] = {}
    left_out: dict[tuple[str, str], None] = {}
    for method in methods:
        results, without = score_all(method, opened, patterns, how)
        scored[_unused(str(method.method["name"]), scored)] = results
        left_out |= dict.fromkeys(without)
    found = lay_out(scored, defaults=[name for names in DEFAULTS.values() for name in names])
    notes = shared_notes([result for results in scored.values() for result in results])
    warnings = [note for note in notes if note.level == "warning"]
    if json:
        reasons = [{"protocol": name, "reason": why} for name, why in left_out]
        told = {"findings": [asdict(note) for note in warnings], "not_scored": reasons}
        tables.print_json(found.as_dict() | told)
        return
    compare_tables.print_sensitivity(found)
    tables.print_findings(warnings)
    for line in not_scored([*left_out]):
        typer.echo(printable(line))


def _score_common(
    paths: list[Path], dataset: Path | None, protocol: str | None, inputs: ScoreInputs, jobs: int
) -> list[Result]:
    """Results of prediction files over the points that all of them have."""
    from prn_bench.dataset import open_dataset
    from prn_bench.errors import BenchError
    from prn_bench.evaluate import score
    from prn_bench.evaluate.common import common_inputs
    from prn_bench.predictions import open_predictions

    if dataset is None or protocol is None:
        raise BenchError(
            "--common-region scores prediction files anew",
            code="bad-option",
            expected="--dataset D.h5 and --protocol ID as well",
        )
    opened, methods = open_dataset(dataset), [open_predictions(path) for path in paths]
    shared = common_inputs(methods, opened, protocol, inputs)
    return [score(method, opened, protocol, inputs=shared, jobs=jobs) for method in methods]


def _by_protocol(found: list[Result]) -> tuple[list[list[Result]], list[Result]]:
    """Results to compare, a list a protocol, and those that stand alone under theirs.

    Where no two are under one protocol they stay together: what compares them says how they differ.
    """
    groups: dict[str, list[Result]] = {}
    for result in found:
        groups.setdefault(result.protocol.hash, []).append(result)
    several = [group for group in groups.values() if len(group) > 1]
    if not several:
        return [found], []
    return several, [group[0] for group in groups.values() if len(group) == 1]


def _load(paths: list[Path], protocol: str | None) -> list[Result]:
    """Results of files and of folders; with a protocol, those under its rules."""
    from prn_bench.errors import BenchError
    from prn_bench.protocol import protocol as find_protocol
    from prn_bench.results import load_result

    files = [file for path in paths for file in _files(path)]
    found = [load_result(file) for file in dict.fromkeys(files)]
    if protocol is None:
        return found
    wanted = find_protocol(protocol).hash
    kept = [result for result in found if result.protocol.hash == wanted]
    if not kept:
        raise BenchError(
            f"none of {len(found)} results is under {protocol}",
            code="no-results",
            where=paths[0],
            found=", ".join(sorted({result.protocol.id for result in found})),
        )
    return kept


def _files(path: Path) -> list[Path]:
    """The results that a path names: itself, or all in a folder."""
    from prn_bench.errors import BenchError

    if not path.is_dir():
        return [json_of(path)]
    found = sorted(file.with_name(f"{file.name[:-7]}.json") for file in path.glob("*.csv.gz"))
    if not found:
        raise BenchError(
            "this folder holds no result",
            code="no-results",
            where=path,
            expected="KEY.json beside KEY.csv.gz, as `prn-bench score --out` writes them",
        )
    return found


def json_of(path: Path) -> Path:
    """The summary of a result, of which either file may be named."""
    return path.with_name(path.name.removesuffix(".csv.gz").removesuffix(".json") + ".json")


def _patterns(family: str) -> list[str]:
    """Patterns that match the protocols of a family."""
    from prn_bench.errors import BenchError
    from prn_bench.protocol import protocols

    if set(family) & GLOB:
        return [family]
    known = [protocol.id for protocol in protocols()]
    heads = [
        head
        for head in (f"{family}@", f"{family}/")
        if any(name.startswith(head) for name in known)
    ]
    if not heads:
        raise BenchError(
            f"there is no protocol family {family!r}",
            code="unknown-family",
            expected=", ".join(sorted({name.partition("@")[0] for name in known})),
        )
    return [f"{head}*" for head in heads]


def _unused(name: str, taken: dict[str, list[Result]]) -> str:
    """The name, with a number where another file has it already."""
    number = 1 + sum(other == name or other.startswith(f"{name} (") for other in taken)
    return name if number == 1 else f"{name} ({number})"
