"""Commands around the reference network: demo, train, predict, export, import-tf."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from prn_bench.cli import tables
from prn_bench.cli.data import Out

Checkpoint = Annotated[Path, typer.Argument(help="Checkpoint folder.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for everything it makes.", file_okay=False)
    ] = Path("demo"),
    samples: Annotated[int, typer.Option(min=12, metavar="N", help="Pictures to train on.")] = 3200,
    test_samples: Annotated[
        int, typer.Option(min=12, metavar="N", help="Pictures to test on.")
    ] = 96,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the training as key=value.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Worker processes.")
    ] = 2,
) -> None:
    """Show the whole way on synthetic faces: raw data, datasets, training, scores, report."""
    from prn_bench.demo import run_demo
    from prn_bench.training import folder as training_folder

    with tables.steps() as say:

        def train_small(data: Path, folder: Path, test: Path, predictions: Path) -> None:
            from reference_model.config import load_config
            from reference_model.predict import predict as predict_dataset
            from reference_model.train import train as train_network

            training_folder.clear(folder)  # an earlier demo is not carried on
            config = load_config("demo", changes or ())
            predict_dataset(train_network(config, data, folder, say=say), test, predictions)

        with torch_ready():
            outcome = run_demo(
                out,
                n_samples=samples,
                n_test=test_samples,
                jobs=jobs,
                say=say,
                train=train_small if find_spec("torch") else None,
            )
    tables.print_table(
        "NME on the test pictures, mean over images",
        ["method", "2D %", "3D %"],
        [
            [name, *(f"{group[i].summary.mean_of_images:.3f}" for i in (0, -1))]
            for name, group in outcome.results.items()
        ],
        right=["2D %", "3D %"],
    )
    tables.print_table(
        "Errors that were planted, and what score found",
        ["yaw", "planted %", "found %"],
        [[label, f"{planted:.3f}", f"{found:.3f}"] for label, planted, found in outcome.planted],
        right=["planted %", "found %"],
    )
    if not outcome.training_s:
        typer.echo("No network was trained: that needs pip install 'prn-bench[train]'.")
    typer.echo(f"Open {outcome.report} in a browser.")


def train(
    config: Annotated[str, typer.Argument(help="Preset (paper, fast, demo) or a TOML file.")],
    data: Annotated[Path, typer.Option(help="Dataset file to train on.", dir_okay=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for checkpoint and log.", file_okay=False)
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting as key=value; may be repeated."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Train the reference network, or carry on with an interrupted training.

    On several GPUs: torchrun --nproc-per-node 8 --no-python prn-bench train fast --data D.h5 -o DIR
    """
    with torch_ready():
        from reference_model.config import load_config
        from reference_model.train import train as train_network

        settings = load_config(config, changes or ())
        with tables.steps() as say:
            checkpoint = train_network(settings, data, out, device=device, say=say)
    if not int(os.environ.get("RANK", 0)):  # one of several processes speaks
        typer.echo(f"Wrote {checkpoint}; `prn-bench predict {checkpoint} D.h5 --out P.h5` uses it.")


def predict(
    checkpoint: Checkpoint,
    dataset: Annotated[Path, typer.Argument(help="Dataset file.", dir_okay=False)],
    out: Out,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Images at once.")] = 16,
    device: Device = "auto",
) -> None:
    """Run a checkpoint on a dataset: a prediction file like any method's."""
    with torch_ready():
        from reference_model.predict import predict as predict_dataset

        with tables.progress("predicting") as progress:
            predict_dataset(checkpoint, dataset, out, batch=batch, device=device, progress=progress)
    typer.echo(f"Wrote {out}; `prn-bench score {out} {dataset}` scores it.")


def export(
    checkpoint: Checkpoint,
    onnx: Annotated[
        Path | None, typer.Option(help="The .onnx file to make.", dir_okay=False)
    ] = None,
    half: Annotated[
        Path | None,
        typer.Option(help="Folder for a checkpoint of half the size.", file_okay=False),
    ] = None,
) -> None:
    """Write a checkpoint as ONNX or in half precision, and how much either differs from it."""
    from prn_bench.errors import BenchError

    if onnx is None and half is None:
        what = "there is nothing to write"
        raise BenchError(what, code="no-output", remedy="Give --onnx FILE or --half FOLDER.")
    with torch_ready():
        from reference_model.weights import export_half, export_onnx

        for out, write in ((onnx, export_onnx), (half, export_half)):
            if out is not None:
                difference = write(checkpoint, out)
                typer.echo(f"Wrote {out}; it differs by {difference:.1e} px at most.")


def import_tf(
    index: Annotated[Path, typer.Argument(help="The .index of PRNet's checkpoint.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Checkpoint folder to make.", file_okay=False)
    ],
) -> None:
    """Turn PRNet's released TensorFlow weights into a checkpoint; TensorFlow is not needed."""
    with torch_ready():
        from reference_model.weights import import_tf as import_checkpoint

        import_checkpoint(index, out)
    typer.echo(f"Wrote {out}; `prn-bench predict {out} D.h5 --out P.h5` uses it.")


@contextmanager
def torch_ready() -> Iterator[None]:
    """Say what to install where PyTorch is missing; let its threads spin but shortly while they wait.

    For ever, as by default, makes two of them on two cores that something else uses too ten times slower
    than one; not at all makes a small network train at a third of the speed. The settings are read when
    PyTorch is imported, and the user's own are kept.
    """
    from prn_bench.errors import BenchError

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # some tens of microseconds
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors", "onnx", "onnxscript", "onnxruntime"):
            raise
        raise BenchError(
            f"this needs the package {error.name}, which is not installed",
            code="not-installed",
            remedy="Install it with: pip install 'prn-bench[train,export]'",
        ) from None
