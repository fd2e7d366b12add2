"""Commands that measure: bench."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from prn_bench.cli import tables
from prn_bench.cli.data import Json


def bench(
    raw: Annotated[
        Path | None, typer.Argument(help="Raw 300W-LP; without it, synthetic pictures are made.")
    ] = None,
    face_model: Annotated[
        Path | None, typer.Option(help="Its face model, needed with RAW.", dir_okay=False)
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples to build.")] = 256,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Workers.")] = 2,
    json: Json = False,
) -> None:
    """Measure our speed against the plain way, side by side in one run, as ratios."""
    from prn_bench.bench import bench_build, bench_maps
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
        rows += bench_build(recipe, raw, face_model, limit=samples, jobs=jobs)
    if json:
        tables.print_json([asdict(row) | {"ratio": row.ratio} for row in rows])
        return
    tables.print_table(
        "Milliseconds a sample",
        ["what", "plain way", "prn-bench", "times faster"],
        [[r.what, f"{r.plain_ms:.1f}", f"{r.ours_ms:.2f}", f"{r.ratio:.1f}"] for r in rows],
        right=["plain way", "prn-bench", "times faster"],
        caption="Fixed costs of a build are in its figure: measure with thousands of samples.",
    )


def _synthetic(folder: Path, samples: int) -> tuple[Path, Path]:
    from prn_bench.facemodel_file import save_face_model
    from prn_bench.recipes import find_recipe
    from prn_bench.synthetic.face import synthetic_face_model

    model = synthetic_face_model()
    save_face_model(model, folder / "face-model.h5")
    find_recipe("300w-lp").write_synthetic(folder / "raw", model, samples)
    return folder / "raw", folder / "face-model.h5"
