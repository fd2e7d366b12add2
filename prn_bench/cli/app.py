"""The Typer application: commands are declared here and imported from their modules."""

from __future__ import annotations

from collections.abc import Callable

import typer

from prn_bench.cli import (
    board,
    comparing,
    data,
    diagnosing,
    measure,
    plotting,
    scoring,
    show,
    training,
)
from prn_bench.cli.help import Command, Group, example

SHORT = (
    "Datasets, scores and curves for 3D face alignment and reconstruction with UV position maps."
)
FIRST = example(
    "demo        (synthetic faces, minutes, nothing to download)",
    "import npz my_points.npz --frame image --dataset D.h5 -o mine.h5",
    "score mine.h5 D.h5 --out results --report mine.html",
)
app = typer.Typer(
    name="prn-bench",
    cls=Group,
    help=SHORT,
    epilog=FIRST,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """Datasets, scores and curves for 3D face alignment and reconstruction with UV position maps."""
    if version:
        from prn_bench import __version__

        typer.echo(f"prn-bench {__version__}")
        raise typer.Exit


START, MAKE, TRAIN, SCORE, LOOK = "Start", "Make datasets", "Train", "Score", "Look"
PUBLISH = "Publish"


def _add(panel: str, function: Callable[..., None], name: str | None = None, *lines: str) -> None:
    """One command, in its panel of the help, with examples below its own."""
    epilog = example(*lines) if lines else None
    app.command(name, cls=Command, rich_help_panel=panel, epilog=epilog)(function)


_add(START, training.demo, None, "demo", "demo --samples 200 --set epochs=3 --out quick")
_add(MAKE, data.recipes, None, "recipes ~/Downloads")
_add(MAKE, data.face_model, "face-model", "face-model synthetic --out fm.h5")
_add(
    MAKE,
    data.build,
    None,
    "build aflw2000-3d AFLW2000-3D.zip --no-images --out aflw.h5",
    "build 300w-lp 300W-LP.zip --face-model bfm.h5 --jobs 8 -o lp.h5",
)
_add(TRAIN, training.train, None, "train paper --data 300w_lp.h5 --out run")
_add(TRAIN, training.predict, None, "predict run/checkpoint aflw.h5 --out prn.h5")
_add(TRAIN, training.export, None, "export run/checkpoint --onnx prn.onnx")
_add(TRAIN, training.import_tf, "import-tf", "import-tf 256_256_resfcn256_weight.index --out prnet")
_add(
    SCORE,
    scoring.import_predictions,
    "import",
    "import npz points.npz --frame image --dataset aflw.h5 -o mine.h5",
    "import prnet results/ --dataset aflw.h5 --out prnet.h5",
)
_add(
    SCORE,
    scoring.score,
    None,
    "score mine.h5 aflw.h5 --out results --report mine.html",
    "score mine.h5 aflw.h5 -p 'aflw2000/68/*' --out results",
)
AGGREGATE = "aggregate a.csv -p aflw2000/68/2d@all --column nme --method theirs"
_add(SCORE, scoring.aggregate, None, AGGREGATE)
_add(SCORE, comparing.compare, None, "compare results")
_add(SCORE, comparing.sensitivity, None, "sensitivity mine.h5 prn.h5 aflw.h5 --family aflw2000/68")
_add(
    SCORE,
    scoring.protocols,
    None,
    "protocols 'aflw2000/68/*'",
    "protocols aflw2000/68/2d@3ddfa-fit",
)
_add(SCORE, diagnosing.doctor, None, "doctor mine.h5 aflw.h5")
_add(LOOK, show.check, None, "check aflw.h5", "check mine.h5 --dataset aflw.h5")
_add(LOOK, show.info, None, "info aflw.h5")
PLOT = "plot ced results/*2d@3ddfa-fit.json --out ced.pdf"
_add(LOOK, plotting.plot, None, PLOT, "plot uv mine.h5 aflw.h5 --out uv.png")
_add(LOOK, measure.bench, None, "bench --dense --samples 256")
app.add_typer(board.app, rich_help_panel=PUBLISH)
