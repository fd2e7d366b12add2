"""Commands that make files: recipes, face-model, build."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prn_bench.cli import tables

if TYPE_CHECKING:
    from prn_bench.facemodel import FaceModel

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="The file to make.", dir_okay=False)]
OutH5 = Annotated[Path, typer.Option("--out", "-o", help="The .h5 file to make.", dir_okay=False)]


def recipes(
    folder: Annotated[
        Path | None, typer.Argument(help="Look for raw data in this folder and in those in it.")
    ] = None,
    json: Json = False,
) -> None:
    """List the datasets that can be built: licence, how to obtain them, what is on this disk."""
    from prn_bench.recipes import available_recipes
    from prn_bench.recipes.survey import survey

    found = {} if folder is None else survey(folder)
    cards = [recipe.card for recipe in available_recipes().values()]
    if json:
        tables.print_json([asdict(card) | {"found": found.get(card.name, [])} for card in cards])
        return
    for card in cards:
        places = [
            f"{place['path']}: {place['samples']:,} samples" for place in found.get(card.name, [])
        ]
        tables.print_pairs(
            {
                card.name: f"{card.title}, {' or '.join(f'{n:,}' for n in card.expected_samples)} images",
                "  licence": card.licence,
                "  face model": card.needs_face_model,
                "  obtain": card.obtain,
                "  raw folder": card.tree,
                "  cite": card.citation,
                "  on this disk": "; ".join(places) or ("nothing in that folder" if folder else ""),
            }
        )
        typer.echo()
    if folder is None:
        typer.echo("Name a folder (`prn-bench recipes FOLDER`) to see what of it lies there.")


def face_model(
    source: Annotated[
        str, typer.Argument(help="Folder of BFM files or of ICT-FaceKit, or: synthetic.")
    ],
    out: OutH5,
    json: Json = False,
) -> None:
    """Make a face-model file from BFM files, ICT-FaceKit, or the embedded synthetic face."""
    from prn_bench.facemodel.file import FORMAT, save_face_model

    _require_output(out, FORMAT, source)
    save_face_model(_model_from(source), out)
    facts = show_face_model(out)
    tables.print_json(facts) if json else tables.print_pairs(facts)


def _model_from(source: str) -> FaceModel:
    from prn_bench.facemodel.bfm import read_face_model
    from prn_bench.facemodel.ict import looks_like_ict, read_ict_model
    from prn_bench.synthetic.face import synthetic_face_model

    if source == "synthetic":
        return synthetic_face_model()
    return read_ict_model(source) if looks_like_ict(source) else read_face_model(source)


def show_face_model(path: Path) -> dict[str, object]:
    """Facts of a face-model file, for `face-model` and `info`."""
    from prn_bench.facemodel.file import load_face_model

    model = load_face_model(path)
    layout, basis = model.uv_layout, model.landmark_basis
    weights = layout.region_weights
    mask = (
        "none in the source" if layout.face_mask is None else f"{layout.face_mask.sum():,} pixels"
    )
    return {
        "face model": f"{model.name} ({model.topology})",
        "file": f"{path}, {path.stat().st_size / 1e6:.1f} MB",
        "vertices": f"{model.n_vertices:,}, units {model.units}",
        "triangles": f"{len(model.triangles):,}, and "
        f"{len(model.uv_triangles) - len(model.triangles)} more for UV",
        "components": "{}+{} dense, ".format(*model.n_components)
        + f"{basis.identity.shape[2]}+{basis.expression.shape[2]} at the 68 landmarks",
        "UV layout": f"{layout.name}, {layout.operator.covered.sum():,} pixels covered",
        "face mask": mask,
        "loss weights": "none (needs a face mask and regions)"
        if weights is None
        else ", ".join(f"{v}: {(weights == v).sum():,}" for v in (16, 4, 3, 0)),
        "regions": ", ".join(sorted(model.regions)),
        "licence": model.licence,
        "cite": model.citation,
        "id": model.model_id,
    }


def build(
    recipe: Annotated[str, typer.Argument(help="A dataset's name, or the path of a recipe.py.")],
    raw: Annotated[Path, typer.Argument(help="The raw folder, or the zip as downloaded.")],
    out: OutH5,
    face_model: Annotated[
        Path | None,
        typer.Option(help="File made by face-model. Without: no position maps.", dir_okay=False),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            help="maps, or coefficients: the same maps, made when read, 200 times smaller."
        ),
    ] = "maps",
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Worker processes.")
    ] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Work on Dask, such as tcp://host:8786.")
    ] = None,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Store face crops; scoring needs none.")
    ] = True,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Store crops as PNG, not JPEG.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N samples, by id.")
    ] = None,
    json: Json = False,
) -> None:
    """Turn a raw dataset into one dataset file, with an audit of every sample."""
    from prn_bench import build as engine
    from prn_bench.dataset.schema import DATASET_FORMAT
    from prn_bench.recipes import find_recipe

    _require_output(out, DATASET_FORMAT, raw, face_model)
    with tables.progress("build") as update:
        report = engine.build(
            find_recipe(recipe),
            raw,
            out,
            face_model=face_model,
            layout=_known_layout(layout),
            jobs=jobs,
            scheduler=scheduler,
            with_images=images,
            lossless=lossless,
            limit=limit,
            progress=update,
        )
    audit = report.audit
    if json:
        tables.print_json(asdict(report) | {"path": str(report.path)})
        return
    tables.print_findings(audit.findings)
    facts = {
        "built": f"{report.path}, {report.path.stat().st_size / 1e6:.1f} MB",
        "samples": f"{audit.found:,} found = {audit.read:,} read + {audit.warned:,} with a warning "
        f"+ {audit.quarantined:,} quarantined",
        "fingerprint": report.fingerprint,
    }
    tables.print_pairs(facts | residual_lines(audit.residuals))


def _require_output(out: Path, kind: str, *inputs: str | Path | None) -> None:
    """Refuse before any work what could not be written, or would destroy something."""
    from prn_bench import outfile

    outfile.refuse_overwriting_input(out, *inputs)
    outfile.require_place(out, kind, ".h5")


def _known_layout(layout: str) -> str:
    from prn_bench.build import BATCH_SAMPLES
    from prn_bench.errors import BenchError

    if layout not in BATCH_SAMPLES:
        raise BenchError(
            f"there is no layout {layout!r}",
            code="unknown-layout",
            expected=" or ".join(BATCH_SAMPLES),
            remedy="Leave --layout out for position maps.",
        )
    return layout


def residual_lines(residuals: dict[str, dict[str, float]]) -> dict[str, object]:
    """How far the projected fits lie from the stored points, in words."""
    words = {
        "landmarks": "stored landmarks",
        "untrusted_points": "stale 2D points",
    }
    return {
        words.get(name, name): f"{r['median_px']:.4g} px median, {r['max_px']:.4g} px at most "
        f"from the projected fit ({r['n']:,.0f} samples)"
        for name, r in residuals.items()
    }
