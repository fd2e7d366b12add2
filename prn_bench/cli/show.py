"""Commands that look at files: check, info, plot."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from prn_bench.cli import tables
from prn_bench.cli.data import Json, Out, residual_lines, show_face_model

EXIT_FINDING = 1
SMALL_FIGURES = 25  # names in a message


def check(
    files: Annotated[list[Path], typer.Argument(help="Dataset, predictions or result files.")],
    dataset: Annotated[
        Path | None, typer.Option(help="Check predictions against this dataset.", dir_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Name every fault of a file at once, each with a code and a remedy. Exit 1 when there is one."""
    from prn_bench.checks import check_file

    found = {str(path): check_file(path, dataset=dataset) for path in files}
    if json:
        tables.print_json({path: [asdict(f) for f in items] for path, items in found.items()})
    else:
        for path, items in found.items():
            n_errors = sum(finding.level == "error" for finding in items)
            typer.echo(f"{path}: {'good' if not n_errors else f'{n_errors} faults'}")
            tables.print_findings(items)
    if any(finding.level == "error" for items in found.values() for finding in items):
        raise typer.Exit(EXIT_FINDING)


def info(
    file: Annotated[Path, typer.Argument(help="Any file that prn-bench makes.")], json: Json = False
) -> None:
    """Say what a file holds: dataset, face model, predictions or result."""
    facts = _facts(file)
    tables.print_json(facts) if json else tables.print_pairs(facts)


def plot(
    kind: Annotated[str, typer.Argument(help="What to draw: ced.")],
    results: Annotated[list[Path], typer.Argument(help="Result files (.json) made by score.")],
    out: Out,
) -> None:
    """Draw results: a CED figure as .png, .pdf or .svg."""
    from prn_bench.errors import BenchError
    from prn_bench.plots import ced_figure
    from prn_bench.results import load_result

    if kind != "ced":
        raise BenchError(f"there is no plot {kind!r}", code="unknown-plot", expected="ced")
    ced_figure([load_result(path) for path in results], out=out)
    typer.echo(f"wrote {out}")


def _facts(path: Path) -> dict[str, Any]:
    if path.suffix == ".json":
        return _result_facts(path)
    kind = _kind(path)
    if kind == "prn-bench/face-model":
        return show_face_model(path)
    return _dataset_facts(path) if kind == "prn-bench/dataset" else _prediction_facts(path)


def _kind(path: Path) -> str:
    from prn_bench import store

    if path.suffix == ".npz":
        return "prn-bench/predictions"
    with store.open_file(path) as file:
        return str(store.read_attributes(file).get("format"))


def _dataset_facts(path: Path) -> dict[str, Any]:
    from prn_bench.dataset import open_dataset

    dataset = open_dataset(path)
    attributes = dataset.attributes
    audit = jsonlib.loads(attributes["report"])
    return {
        "dataset": f"{attributes['title']} ({attributes['recipe']} v{attributes['recipe_version']}, "
        f"{attributes['origin']} data)",
        "file": f"{path}, {path.stat().st_size / 1e6:.1f} MB, "
        f"{path.stat().st_size / len(dataset) / 1e3:.1f} kB a sample",
        "samples": f"{len(dataset):,}; audit: {audit['found']:,} found = {audit['read']:,} read + "
        f"{audit['warned']:,} warned + {audit['quarantined']:,} quarantined",
        "arrays": ", ".join(sorted(dataset.names)),
        "face model": attributes.get("face_model"),
        "UV layout": attributes.get("uv_layout"),
        **residual_lines(audit["residuals"]),
        "licence": attributes["licence"],
        "cite": attributes["citation"],
        "made by": attributes["created_with"],
        "fingerprint": attributes["fingerprint"],
    }


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


def _result_facts(path: Path) -> dict[str, Any]:
    from prn_bench.results import load_result

    return dict(load_result(path).as_dict())
