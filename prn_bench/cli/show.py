"""Commands that look at files: check, info."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prn_bench.cli import tables
from prn_bench.cli.data import Json, residual_lines, show_face_model

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.errors import BenchError

EXIT_FINDING = 1
RESULT_SUFFIXES = (".json", ".csv.gz")


def check(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files that prn-bench made; folders of results, raw data or outputs."),
    ],
    dataset: Annotated[
        Path | None, typer.Option(help="Compare predictions with this dataset.", dir_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Name every fault of a file at once, each with a remedy; exit code 1 when there is one."""
    from prn_bench.checks import check_file
    from prn_bench.dataset import open_dataset

    for file in files:
        _need(file)
    against = None if dataset is None else open_dataset(dataset)
    found = {str(path): check_file(path, dataset=against) for path in files}
    if json:
        tables.print_json({path: [asdict(f) for f in items] for path, items in found.items()})
    else:
        for path, items in found.items():
            n_errors = sum(finding.level == "error" for finding in items)
            typer.echo(f"{path}: {_count(n_errors, 'fault') if n_errors else 'good'}")
            tables.print_findings(items)
    if any(finding.level == "error" for items in found.values() for finding in items):
        raise typer.Exit(EXIT_FINDING)


def info(
    file: Annotated[Path, typer.Argument(help="Any file that prn-bench makes.")],
    json: Json = False,
    croissant: Annotated[
        bool, typer.Option("--croissant", help="Print a dataset's Croissant metadata (JSON-LD).")
    ] = False,
) -> None:
    """Say what a file holds: dataset, face model, predictions or result."""
    if croissant:
        from prn_bench.dataset import open_dataset
        from prn_bench.dataset.croissant import croissant as describe

        tables.print_json(describe(open_dataset(file)))
        return
    facts = _facts(file)
    tables.print_json(facts) if json else tables.print_pairs(
        {k: _line(v) for k, v in facts.items()}
    )


def _facts(path: Path) -> dict[str, Any]:
    from prn_bench.dataset import schema
    from prn_bench.facemodel import file as facemodel_file
    from prn_bench.formats import sniff
    from prn_bench.predictions import structure as predictions_structure

    _need(path)
    if path.name.endswith(RESULT_SUFFIXES):
        return _result_facts(path)
    readers = {
        facemodel_file.FORMAT: show_face_model,
        schema.DATASET_FORMAT: _dataset_facts,
        predictions_structure.FORMAT: _prediction_facts,
    }
    reader = readers.get(sniff.format_of(path) or "")
    if reader is None and sniff.describe(path) == "a zip (or npz) archive":
        reader = _prediction_facts  # says itself what an .npz without a format lacks
    if reader is None:
        raise _no_file_of_ours(path)
    return reader(path)


def _need(path: Path) -> None:
    from prn_bench.errors import BenchError

    if not path.exists():
        raise BenchError("there is no such file", code="no-such-file", where=path)


def _no_file_of_ours(path: Path) -> BenchError:
    """The error for a file that has no format of ours: damaged, a stranger's, or a folder."""
    from prn_bench import store
    from prn_bench.errors import BenchError
    from prn_bench.formats import sniff

    expected = "a dataset, face-model, prediction or result file"
    if path.is_file() and (code := sniff.kind_of(path).code) is not None:
        return sniff.fault(code, path, expected=expected)
    if sniff.describe(path) == "an HDF5 file":
        with store.open_file(path):  # damaged or unsafe: it says so itself
            pass
    return BenchError(
        "this is no file that prn-bench made",
        code="unknown-kind",
        where=path,
        expected=expected,
        found=sniff.describe(path),
        remedy="Raw data go through `prn-bench build`, a method's own output through "
        "`prn-bench import`.",
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _dataset_facts(path: Path) -> dict[str, Any]:
    from prn_bench.dataset import open_dataset
    from prn_bench.dataset.structure import read_report
    from prn_bench.errors import first_few

    dataset = open_dataset(path)
    attributes = dataset.attributes
    audit = read_report(attributes, path)
    return {
        "dataset": f"{attributes['title']} ({attributes['recipe']} v{attributes['recipe_version']}, "
        f"{attributes['origin']} data)",
        "file": f"{path}, {path.stat().st_size / 1e6:.1f} MB, "
        f"{path.stat().st_size / max(len(dataset), 1) / 1e3:.1f} kB a sample",
        "layout": f"{attributes['layout']}; {_size_words(dataset)}",
        "samples": f"{len(dataset):,}; audit: {audit['found']:,} found = {audit['read']:,} read + "
        f"{audit['warned']:,} warned + {audit['quarantined']:,} quarantined",
        **_audit_lines(audit["findings"]),
        "ids": first_few(dataset.sample_ids),
        "arrays": ", ".join(sorted(dataset.names)),
        "face model": attributes.get("face_model"),
        "UV layout": attributes.get("uv_layout"),
        **residual_lines(audit["residuals"]),
        "licence": attributes["licence"],
        "cite": attributes["citation"],
        "made by": attributes["created_with"],
        "fingerprint": attributes["fingerprint"],
    }


def _audit_lines(findings: list[dict[str, str]]) -> dict[str, str]:
    """Why samples were quarantined or warned of: a line for each code, with its first samples."""
    from prn_bench.errors import first_few

    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for finding in findings:
        groups.setdefault((finding["level"], finding["code"]), []).append(finding)
    return {
        f"  {level} {code}": f"{len(group):,} ({first_few([f['where'] for f in group])}): "
        f"{group[0]['message']}"
        for (level, code), group in sorted(groups.items())
        if level != "note"
    }


def _size_words(dataset: Dataset) -> str:
    sizes, n = dataset.sizes(), max(len(dataset), 1)
    each = ", ".join(f"{sizes[key] / n / 1e3:.2f} kB {key}" for key in ("images", "maps", "rows"))
    return f"a sample: {each}; shared by all: {sizes['shared'] / 1e6:.1f} MB"


def _prediction_facts(path: Path) -> dict[str, Any]:
    from prn_bench.predictions import open_predictions

    predictions = open_predictions(path)
    arrays = (f"{name} {values.shape}" for name, values in predictions.arrays.items())
    return {
        "predictions": predictions.method["name"],
        "file": f"{path}, {path.stat().st_size / 1e6:.1f} MB",
        "samples": f"{len(predictions.sample_ids):,}",
        "frame": predictions.frame,
        "arrays": ", ".join(arrays),
        **{f"method {k}": v for k, v in predictions.method.items() if k != "name"},
        "sha256": predictions.sha256,
    }


def _line(value: object) -> object:
    """What a method card says, in one line: sentences of a list after each other."""
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _result_facts(path: Path) -> dict[str, Any]:
    from prn_bench.results import load_result

    return dict(load_result(path).as_dict())
