"""Running a recipe: from a raw folder or zip to one dataset file, with an audit of every sample."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench import uvmap
from prn_bench.annotation import N_EXPRESSION, N_IDENTITY, Companions, SampleFiles
from prn_bench.batch import BuildTask, Rows, cached_face_model, process
from prn_bench.dataset_writer import DatasetWriter
from prn_bench.errors import BenchError, Finding
from prn_bench.facemodel import FaceModel
from prn_bench.rawsource import RawSource, open_raw
from prn_bench.recipes import Card, Recipe

BATCH_SAMPLES = 32
SYNTHETIC_MARK = "SYNTHETIC.txt"  # raw folders that the toolkit made itself carry this file
MAX_FINDINGS = 10_000  # in the file; the counts are always complete

Progress = Callable[[int, int], None]


@dataclass
class Audit:
    """What became of every candidate: read clean, read with a warning, or quarantined.

    The three add up to ``found``. ``residuals`` says how far the projected fits lie from the points
    that the raw files store, in px.
    """

    found: int = 0
    read: int = 0
    warned: int = 0
    quarantined: int = 0
    findings: list[Finding] = field(default_factory=list)
    residuals: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_json(self) -> str:
        """The ``report`` attribute of the dataset file."""
        content = asdict(self) | {"findings": [asdict(f) for f in self.findings[:MAX_FINDINGS]]}
        content["findings_left_out"] = max(0, len(self.findings) - MAX_FINDINGS)
        return json.dumps(content, sort_keys=True)


@dataclass(frozen=True)
class BuildReport:
    """What a build made."""

    path: Path
    n_samples: int
    fingerprint: str
    audit: Audit


def build(
    recipe: Recipe,
    raw: str | Path,
    out: str | Path,
    *,
    face_model: str | Path | None = None,
    jobs: int = 1,
    with_images: bool = True,
    lossless: bool = False,
    limit: int | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build one dataset file.

    Parameters
    ----------
    recipe : Recipe
    raw : path
        The raw folder, the zip as downloaded, or a folder that holds it and its companion arrays.
    out : path
        The file to make; it appears only when whole.
    face_model : path, optional
        A face-model file. Without one there are no position maps.
    jobs : int
        Worker processes. The file does not depend on it.
    with_images : bool
        False leaves the images out: scoring needs none.
    lossless : bool
        PNG crops instead of JPEG.
    limit : int, optional
        Only the first samples, by id.
    progress : callable, optional
        Called with samples done and in all.

    Raises
    ------
    BenchError
        ``nothing-found`` for a wrong folder, ``nothing-read`` when every sample is quarantined, and what
        the recipe raises.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    source = open_raw(raw)
    candidates = _candidates(recipe, source)
    companions = recipe.module.companions(source, candidates)
    files = candidates[:limit]
    model_path = None if face_model is None else Path(face_model).resolve()
    model = None if model_path is None else _fitting_model(model_path)
    task = BuildTask(recipe, source, model_path, with_images, lossless)
    audit = Audit(found=len(files), findings=list(companions.findings))
    audit.findings += _count_note(recipe.card, len(files), limit)
    size_px = model.uv_layout.operator.size_px if model else 0
    with DatasetWriter(
        out, map_size_px=size_px, stored_offsets=companions.stored_offsets
    ) as writer:
        residuals = _write_batches(writer, task, files, companions, audit, jobs, progress)
        if not audit.read + audit.warned:
            raise _nothing_read(source, audit)
        audit.residuals = _summarise(residuals)
        attributes = _attributes(recipe.card, source, model, task, limit)
        shared = _uv_arrays(model) | companions.shared
        digests = writer.finish(shared, attributes | {"report": audit.to_json()})
    return BuildReport(Path(out), audit.read + audit.warned, digests["fingerprint"], audit)


def _fitting_model(path: Path) -> FaceModel:
    """The face model, if its bases are those that 3DDFA's coefficients belong to."""
    model = cached_face_model(path)
    n_identity, n_expression = model.n_components
    if n_identity > N_IDENTITY or n_expression > N_EXPRESSION:
        raise BenchError(
            "this face model's bases are not those of the fits",
            code="wrong-face-model",
            where=path,
            expected=f"at most {N_IDENTITY}+{N_EXPRESSION} components (Shape_Para, Exp_Para)",
            found=f"{n_identity}+{n_expression}",
            remedy="Make it with 3DDFA's Model_Exp.mat (29 expressions) in the folder.",
        )
    return model


def _candidates(recipe: Recipe, source: RawSource) -> list[SampleFiles]:
    files = sorted(recipe.module.find(source), key=lambda sample: sample.sample_id)
    if not files:
        raise BenchError(
            f"no sample of {recipe.card.title} was found",
            code="nothing-found",
            where=source.root,
            expected=recipe.card.tree,
            found=", ".join(source.names[:3]) + (", ..." if len(source.names) > 3 else ""),
            remedy="Name the folder that holds the sets, or the zip as downloaded.",
        )
    return files


def _count_note(card: Card, n_found: int, limit: int | None) -> list[Finding]:
    if limit is not None or n_found in card.expected_samples:
        return []
    whole = " or ".join(f"{n:,}" for n in card.expected_samples)
    return [
        Finding("note", "incomplete-set", "", f"{n_found:,} samples; the whole set has {whole}")
    ]


def _nothing_read(source: RawSource, audit: Audit) -> BenchError:
    first = next(finding for finding in audit.findings if finding.level == "error")
    return BenchError(
        f"none of the {audit.found:,} samples could be read; the first: {first.where}: {first.message}",
        code="nothing-read",
        where=source.root,
        remedy=first.remedy or None,
    )


def _write_batches(
    writer: DatasetWriter,
    task: BuildTask,
    files: list[SampleFiles],
    companions: Companions,
    audit: Audit,
    jobs: int,
    progress: Progress | None,
) -> list[dict[str, NDArray[np.float64]]]:
    residuals, done = [], 0
    batches = [files[i : i + BATCH_SAMPLES] for i in range(0, len(files), BATCH_SAMPLES)]
    for batch, rows in zip(batches, run_batches(task, batches, jobs), strict=True):
        _count(audit, len(batch), rows)
        if rows.columns:
            columns = rows.columns | _companion_columns(companions, rows.columns["sample_id"])
            writer.append(columns, rows.images, rows.maps)
            residuals.append(rows.residuals)
        done += len(batch)
        if progress is not None:
            progress(done, len(files))
    return residuals


def run_batches(task: BuildTask, batches: list[list[SampleFiles]], jobs: int) -> Iterator[Rows]:
    """Process batches in order, in this process or in workers, a bounded number ahead of the writer."""
    if jobs == 1:
        yield from (process(task, batch) for batch in batches)
        return
    with ProcessPoolExecutor(jobs) as executor:
        yield from _in_order(executor, task, batches, ahead=2 * jobs)


def _in_order(
    executor: Executor, task: BuildTask, batches: Iterable[list[SampleFiles]], ahead: int
) -> Iterator[Rows]:
    waiting: deque[Future[Rows]] = deque()
    for batch in batches:
        waiting.append(executor.submit(process, task, batch))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _count(audit: Audit, n_batch: int, rows: Rows) -> None:
    n_rows = len(rows.columns.get("sample_id", ()))
    warned = {finding.where for finding in rows.findings if finding.level == "warning"}
    audit.quarantined += n_batch - n_rows
    audit.warned += len(warned)
    audit.read += n_rows - len(warned)
    audit.findings += rows.findings


def _companion_columns(companions: Companions, sample_ids: NDArray) -> dict[str, NDArray]:
    """Rows of the companion arrays for these samples, NaN where an array does not know the sample."""
    columns = {}
    for name, rows in companions.columns.items():
        blank = np.full_like(next(iter(rows.values())), np.nan)
        values = np.array([rows.get(sample_id, blank) for sample_id in sample_ids])
        columns[name] = values.astype(np.float32) if name.startswith("annotation/") else values
    return columns


def _summarise(residuals: list[dict[str, NDArray[np.float64]]]) -> dict[str, dict[str, float]]:
    summary = {}
    for name in residuals[0] if residuals else ():
        values = np.concatenate([part[name] for part in residuals])
        values = values[np.isfinite(values)]
        if len(values):
            summary[name] = {
                "n": len(values),
                "median_px": float(np.median(values)),
                "max_px": float(values.max()),
            }
    return summary


def _attributes(
    card: Card, source: RawSource, model: FaceModel | None, task: BuildTask, limit: int | None
) -> dict[str, Any]:
    from prn_bench import __version__

    attributes: dict[str, Any] = {
        "recipe": card.name,
        "recipe_version": card.version,
        "title": card.title,
        "licence": card.licence,
        "citation": card.citation,
        "created_with": f"prn-bench {__version__}",
        "origin": "synthetic" if SYNTHETIC_MARK in source.names else "real",
        "layout": "maps" if model else "landmarks",
        "image_format": ("png" if task.lossless else "jpeg") if task.with_images else None,
        "limit": limit,
    }
    if model is not None:
        attributes |= {
            "uv_layout": model.uv_layout.name,
            "face_model": model.name,
            "face_model_id": model.model_id,
            "face_model_licence": model.licence,
            "basis_components": f"{model.n_components[0]}+{model.n_components[1]}",
        }
    return attributes


def _uv_arrays(model: FaceModel | None) -> dict[str, NDArray]:
    if model is None:
        return {}
    layout = model.uv_layout
    arrays = {
        "uv/landmark_pixels": layout.landmark_pixels,
        "uv/covered": layout.operator.covered,
        "uv/face_mask": layout.face_mask,
        "uv/region_weights": layout.region_weights,
        "uv/triangles": uvmap.grid_triangles(
            layout.operator.covered if layout.face_mask is None else layout.face_mask
        ),
    }
    return {name: values for name, values in arrays.items() if values is not None}
