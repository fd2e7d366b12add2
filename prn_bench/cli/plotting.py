"""The command that draws results: plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prn_bench.cli.choosing import FaceModelFile, IndexMaps, read_inputs
from prn_bench.cli.show import RESULT_SUFFIXES

if TYPE_CHECKING:
    from prn_bench.errors import BenchError
    from prn_bench.results import Result

KINDS = ("ced", "yaw", "bars", "samples", "uv")


def plot(
    kind: Annotated[str, typer.Argument(help="What to draw: ced, yaw, bars, samples or uv.")],
    files: Annotated[
        list[Path],
        typer.Argument(help="Results (.json) made by score; for uv: predictions, dataset."),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Figure: .png, .pdf or .svg.", dir_okay=False)
    ],
    limit: Annotated[
        float, typer.Option(min=0.01, metavar="X", help="ced: end of the error axis.")
    ] = 10.0,
    sorted_images: Annotated[
        bool, typer.Option("--sorted", help="ced: error over sorted images, as PRNet draws it.")
    ] = False,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="ced: allow different protocols, and name them.")
    ] = False,
    no_band: Annotated[
        bool, typer.Option("--no-band", help="ced: leave out the 95 % intervals.")
    ] = False,
    face_model: FaceModelFile = None,
    index_map: IndexMaps = None,
) -> None:
    """Draw results: error distributions, errors by yaw, two methods per sample, error over the face."""
    from prn_bench import plots
    from prn_bench.errors import BenchError

    if kind not in KINDS:
        what = f"there is no plot {kind!r}"
        raise BenchError(what, code="unknown-plot", expected=", ".join(KINDS))
    if kind == "uv":
        _plot_uv(files, out, face_model, index_map)
    elif kind == "samples":
        first, second = _results(_two(files, "two results"))
        plots.samples_figure(first, second, out=out)
    elif kind == "ced":
        plots.ced_figure(
            _results(files),
            out=out,
            limit=limit,
            mixed=mixed,
            band=not no_band,
            sorted_images=sorted_images,
        )
    else:
        draw = plots.yaw_figure if kind == "yaw" else plots.bar_figure
        draw(_results(files), out=out)
    typer.echo(f"wrote {out}")


def _plot_uv(
    files: list[Path], out: Path, face_model: Path | None, index_map: list[str] | None
) -> None:
    from prn_bench.dataset import open_dataset
    from prn_bench.evaluate.face_errors import RULES, error_map
    from prn_bench.plots import uv_figure
    from prn_bench.predictions import open_predictions
    from prn_bench.protocol import protocol

    first, second = _two(files, "predictions, and the dataset they are for")
    predictions, dataset = open_predictions(first), open_dataset(second)
    inputs = read_inputs(None, face_model, index_map, None)
    found = error_map(predictions, dataset, inputs=inputs)
    name, data = predictions.method["name"], dataset.attributes["title"]
    rules, places = protocol(RULES), "uv/landmark_pixels"
    title = f"{name} on {data}, {found.n_samples:,} samples\n"
    title += f"{rules.id} in the image frame,\n"
    title += f"% of {rules.normalizer} of the reference's dense points"
    landmarks = dataset.read(places) if places in dataset.names else None
    uv_figure(found.error, title=title, landmarks=landmarks, out=out)


def _results(paths: list[Path]) -> list[Result]:
    from prn_bench.cli.comparing import json_of
    from prn_bench.errors import BenchError
    from prn_bench.results import load_result

    for path in paths:
        if not path.exists():
            raise BenchError("there is no such file", code="no-such-file", where=path)
        if not path.name.endswith(RESULT_SUFFIXES):
            raise _no_result(path)
    return [load_result(path) for path in dict.fromkeys(map(json_of, paths))]  # a pair is one


def _two(files: list[Path], what: str) -> list[Path]:
    from prn_bench.errors import BenchError

    if len(files) != 2:
        raise BenchError(
            "this plot takes two files", code="bad-option", expected=what, found=f"{len(files)}"
        )
    return files


def _no_result(path: Path) -> BenchError:
    from prn_bench.errors import BenchError
    from prn_bench.formats import sniff

    return BenchError(
        "this is not a result",
        code="not-a-result",
        where=path,
        expected="a .json file made by `prn-bench score --out FOLDER`",
        found=sniff.format_of(path) or sniff.describe(path),
        remedy="Score predictions first, and name the result.",
    )
