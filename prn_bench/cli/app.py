"""The Typer application: commands are declared here and imported from their modules."""

from __future__ import annotations

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

app = typer.Typer(
    name="prn-bench",
    help="Datasets, scores and curves for 3D face reconstruction with UV position maps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """Datasets, scores and curves for 3D face reconstruction with UV position maps."""
    if version:
        from prn_bench import __version__

        typer.echo(f"prn-bench {__version__}")
        raise typer.Exit


START, MAKE, TRAIN, SCORE, LOOK = "Start", "Make datasets", "Train", "Score", "Look"
PUBLISH = "Publish"
app.command(rich_help_panel=START)(training.demo)
app.command(rich_help_panel=MAKE)(data.recipes)
app.command("face-model", rich_help_panel=MAKE)(data.face_model)
app.command(rich_help_panel=MAKE)(data.build)
app.command(rich_help_panel=TRAIN)(training.train)
app.command(rich_help_panel=TRAIN)(training.predict)
app.command(rich_help_panel=TRAIN)(training.export)
app.command("import-tf", rich_help_panel=TRAIN)(training.import_tf)
app.command("import", rich_help_panel=SCORE)(scoring.import_predictions)
app.command(rich_help_panel=SCORE)(scoring.score)
app.command(rich_help_panel=SCORE)(scoring.aggregate)
app.command(rich_help_panel=SCORE)(comparing.compare)
app.command(rich_help_panel=SCORE)(comparing.sensitivity)
app.command(rich_help_panel=SCORE)(scoring.protocols)
app.command(rich_help_panel=SCORE)(diagnosing.doctor)
app.command(rich_help_panel=LOOK)(show.check)
app.command(rich_help_panel=LOOK)(show.info)
app.command(rich_help_panel=LOOK)(plotting.plot)
app.command(rich_help_panel=LOOK)(measure.bench)
app.add_typer(board.app, rich_help_panel=PUBLISH)
