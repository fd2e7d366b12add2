"""Commands that measure: bench."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prn_bench.cli import tables
from prn_bench.cli.data import Json

if TYPE_CHECKING:
    from prn_bench.bench.build import Row
    from prn_bench.bench.icp import IcpRow
    from prn_bench.bench.stopwatch import Timing

Say = Callable[[str], None]
BUILD_RECIPE, DENSE_RECIPE = "300w-lp", "aflw2000-3d"
NUMBERS = ["plain way", "of it rasterising", "prn-bench", "times faster", "at least"]


@dataclass(frozen=True)
class Job:
    """What is to be measured, and on what."""

    raw: Path | None
    face_model: Path | None
    samples: int
    repeats: int
    jobs: int
    folder: Path
    say: Say


def bench(
    raw: Annotated[
        Path | None,
        typer.Argument(
            help="Raw data (--build: 300W-LP, --dense: AFLW2000-3D); synthetic without it."
        ),
    ] = None,
    face_model: Annotated[
        Path | None, typer.Option(help="Face model, needed with RAW.", dir_okay=False)
    ] = None,
    build: Annotated[bool, typer.Option("--build", help="Builds and position maps.")] = False,
    dense: Annotated[bool, typer.Option("--dense", help="Dense scores.")] = False,
    icp: Annotated[bool, typer.Option("--icp", help="ICP of 43,000 points.")] = False,
    model: Annotated[bool, typer.Option("--model", help="The reference network.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="With --model: a trained network.", file_okay=False)
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, metavar="N", help="Samples to build and score.")
    ] = 2048,
    repeats: Annotated[
        int, typer.Option(min=1, metavar="N", help="Runs, of which the medians count.")
    ] = 3,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Workers.")] = 2,
    json: Json = False,
) -> None:
    """Measure our speed against the plain way, side by side in one run.

    Without --build, --dense, --icp or --model it measures builds.
    """
    from prn_bench.errors import BenchError

    if raw is not None and face_model is None:
        raise BenchError(
            "raw data need the face model they were fitted with",
            code="face-model-needed",
            where=raw,
            remedy="Give --face-model FM.h5.",
        )
    rows: list[Row] = []
    found: dict[str, list[Any]] = {"rows": rows}
    with tempfile.TemporaryDirectory() as folder, tables.steps() as say:
        job = Job(raw, face_model, samples, repeats, jobs, Path(folder), say)
        if build or not (dense or icp or model):
            rows += _builds(job)
        if dense:
            rows += _dense(job)
        if icp:
            found["icp"] = _icp(job)
        if model:
            found["model"] = _model(checkpoint, say)
    (_print_json if json else _print_tables)(found)


def _print_json(found: dict[str, list[Any]]) -> None:
    words = {name: [asdict(row) for row in rows] for name, rows in found.items()}
    for row, more in zip(found["rows"], words["rows"], strict=True):
        more |= {"ratio": row.ratio, "ratio_at_least": row.ratio_at_least}
    tables.print_json(words)


def _print_tables(found: dict[str, list[Any]]) -> None:
    if found["rows"]:
        _print_rows(found["rows"])
    if "icp" in found:
        _print_icp(found["icp"])
    if "model" in found:
        _print_model(found["model"])


def _builds(job: Job) -> list[Row]:
    from prn_bench.bench.build import bench_build, bench_maps
    from prn_bench.facemodel.file import load_face_model
    from prn_bench.recipes import find_recipe

    raw, face_model = _source(job, BUILD_RECIPE)
    job.say("position maps")
    rows = [bench_maps(load_face_model(face_model))]
    job.say("builds")
    recipe = find_recipe(BUILD_RECIPE)
    options = {"limit": job.samples, "jobs": job.jobs, "repeats": job.repeats}
    return rows + bench_build(recipe, raw, face_model, **options)


def _dense(job: Job) -> list[Row]:
    from prn_bench.bench.score import bench_dense
    from prn_bench.recipes import find_recipe

    raw, face_model = _source(job, DENSE_RECIPE)
    job.say("dense scores")
    recipe = find_recipe(DENSE_RECIPE)
    return bench_dense(recipe, raw, face_model, jobs=job.jobs, repeats=job.repeats)


def _icp(job: Job) -> list[IcpRow]:
    from prn_bench.bench.icp import bench_icp, face_pairs
    from prn_bench.facemodel.file import load_face_model

    job.say("ICP: some minutes, for the loops that are compared are slow")
    pairs = face_pairs(load_face_model(_face_model(job)), 2 * job.jobs)
    return bench_icp(pairs, jobs=job.jobs, repeats=job.repeats)


def _model(checkpoint: Path | None, say: Say) -> list[Timing]:
    from prn_bench.cli.training import torch_ready

    with torch_ready():
        from prn_bench.bench.torch_network import time_network
        from prn_bench.training.devices import choose_device
        from reference_model.network import PRN
        from reference_model.predict import network_input, predict_maps
        from reference_model.weights import load_checkpoint

        network, side_px = PRN().eval(), 256  # random weights take as long
        if checkpoint is not None:
            network, config = load_checkpoint(checkpoint)
            side_px = config.side_px
        predict = partial(predict_maps, network.to(choose_device()), side_px=side_px)
        return time_network(network, predict, partial(network_input, side_px=side_px), say=say)


def _source(job: Job, recipe: str) -> tuple[Path, Path]:
    """Raw data and their face model: the user's, or synthetic ones of a recipe."""
    from prn_bench.facemodel.file import load_face_model
    from prn_bench.recipes import find_recipe

    face_model = _face_model(job)
    if job.raw is not None:
        return job.raw, face_model
    job.say(f"making {job.samples} synthetic pictures")
    raw = job.folder / recipe
    find_recipe(recipe).write_synthetic(raw, load_face_model(face_model), job.samples)
    return raw, face_model


def _face_model(job: Job) -> Path:
    from prn_bench.bench.build import bfm_sized
    from prn_bench.facemodel.file import save_face_model
    from prn_bench.synthetic.face import synthetic_face_model

    path = job.folder / "face-model.h5" if job.face_model is None else job.face_model
    if not path.exists() and job.face_model is None:
        save_face_model(bfm_sized(synthetic_face_model()), path)
    return path


def _print_rows(rows: list[Row]) -> None:
    from prn_bench.bench.plain import warp_library

    tables.print_table(
        "Milliseconds a sample",
        ["what", *NUMBERS],
        [_cells(row) for row in rows],
        right=NUMBERS,
        caption=f"Of a build the plain way warps by {warp_library()} and rasterises each face anew, in a "
        "compiled loop; 'at least' leaves rasterising out. Fixed costs are in our figures: measure "
        "with thousands of samples.",
    )


def _cells(row: Row) -> list[str]:
    known = row.rasterising_ms is not None
    return [
        row.what,
        f"{row.plain_ms:.1f}",
        f"{row.rasterising_ms:.1f}" if known else "",
        f"{row.ours_ms:.2f}",
        f"{row.ratio:.1f}",
        f"{row.ratio_at_least:.1f}" if known else "",
    ]


def _print_icp(rows: list[IcpRow]) -> None:
    numbers = ["seconds an image", "times ours", "largest difference"]
    cells = [
        [row.what, f"{row.seconds:.3f}", f"{row.ratio:.1f}", f"{row.difference:.1e}"]
        for row in rows
    ]
    tables.print_table(
        "Rigid ICP",
        ["what", *numbers],
        cells,
        right=numbers,
        caption="The difference is that of the mean distance, relative to the fixed point of the "
        "plain algorithm.",
    )


def _print_model(rows: list[Timing]) -> None:
    tables.print_table(
        "Milliseconds an image",
        ["stage", "by", "batch", "median", "quartiles", "note"],
        [
            [row.stage, row.backend, str(row.batch), f"{row.median_ms:.2f}",
             f"{row.low_ms:.2f} - {row.high_ms:.2f}", row.note]
            for row in rows
        ],
        right=["batch", "median", "quartiles"],
        caption="Finding the face is not part of any stage; crop to geometry is what the paper's "
        "9.8 ms (GTX 1080) is.",
    )  # fmt: skip
