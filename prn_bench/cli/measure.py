"""Commands that measure: bench."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prn_bench.cli import tables
from prn_bench.cli.data import Json

if TYPE_CHECKING:
    from prn_bench.bench import Row


def bench(
    raw: Annotated[
        Path | None, typer.Argument(help="Raw 300W-LP; without it, synthetic pictures are made.")
    ] = None,
    face_model: Annotated[
        Path | None, typer.Option(help="Its face model, needed with RAW.", dir_okay=False)
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples to build.")] = 2048,
    repeats: Annotated[int, typer.Option(min=1, help="Runs, of which the medians count.")] = 3,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Workers.")] = 2,
    json: Json = False,
) -> None:
    """Measure our speed against the plain way, side by side in one run, as ratios."""
    from prn_bench.bench import bench_build, bench_maps
    from prn_bench.bench_plain import warp_library
    from prn_bench.errors import BenchError
    from prn_bench.facemodel_file import load_face_model
    from prn_bench.recipes import find_recipe

    if raw is not None and face_model is None:
        raise BenchError(
            "raw data need the face model they were fitted with",
            code="face-model-needed",
            where=raw,
            remedy="Give --face-model FM.h5.",
        )
    with tempfile.TemporaryDirectory() as folder, tables.steps() as say:
        if raw is None or face_model is None:
            say(f"making {samples} synthetic pictures")
            raw, face_model = _synthetic(Path(folder), samples)
        say("position maps")
        rows = [bench_maps(load_face_model(face_model))]
        say("builds")
        recipe = find_recipe("300w-lp")
        options = {"limit": samples, "jobs": jobs, "repeats": repeats}
        rows += bench_build(recipe, raw, face_model, **options)
    if json:
        ratios = [{"ratio": row.ratio, "ratio_at_least": row.ratio_at_least} for row in rows]
        tables.print_json([asdict(row) | more for row, more in zip(rows, ratios, strict=True)])
        return
    numbers = ["plain way", "of it rasterising", "prn-bench", "times faster", "at least"]
    tables.print_table(
        "Milliseconds a sample",
        ["what", *numbers],
        [_cells(row) for row in rows],
        right=numbers,
        caption=f"The plain way warps by {warp_library()} and rasterises in NumPy; a compiled rasteriser "
        "is faster, so 'at least' leaves rasterising out. Fixed costs of a build are in its figure: "
        "measure with thousands of samples.",
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


def _synthetic(folder: Path, samples: int) -> tuple[Path, Path]:
    from prn_bench.bench import bfm_sized
    from prn_bench.facemodel_file import save_face_model
    from prn_bench.recipes import find_recipe
    from prn_bench.synthetic.face import synthetic_face_model

    model = bfm_sized(synthetic_face_model())
    save_face_model(model, folder / "face-model.h5")
    find_recipe("300w-lp").write_synthetic(folder / "raw", model, samples)
    return folder / "raw", folder / "face-model.h5"
