"""Running a recipe: from a raw folder or zip to one dataset file, with an audit of every sample.

Batches are worked on by any number of processes or machines, and kept beside the dataset file until it
is whole: a build that was killed goes on from them and ends in the same file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench import store
from prn_bench.build.audit import Audit
from prn_bench.build.batch import Rows, cached_face_model, process
from prn_bench.build.content import attributes_of, estimate_bytes, shared_arrays
from prn_bench.build.spool import Spool, pack, unpack
from prn_bench.dataset.schema import DATASET_FORMAT
from prn_bench.dataset.writer import DatasetWriter
from prn_bench.errors import BenchError, Finding
from prn_bench.facemodel import FaceModel
from prn_bench.recipes import Card, Recipe
from prn_bench.recipes.annotation import N_EXPRESSION, N_IDENTITY, Companions, SampleFiles
from prn_bench.recipes.rawsample import COEFFICIENTS, MAPS, BuildTask
from prn_bench.recipes.rawsource import RawSource, open_raw
from prn_bench.runner import run

# Many, since a batch reads the whole face model once; of maps fewer, since they fill the memory.
BATCH_SAMPLES = {MAPS: 64, COEFFICIENTS: 256}

Progress = Callable[[int, int], None]


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
    layout: str = MAPS,
    jobs: int = 1,
    scheduler: str | None = None,
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
    layout : "maps" or "coefficients"
        Store position maps, or what the reader computes them from (about 200 times less).
    jobs : int
        Worker processes. The file does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers then do the work; they need the same paths.
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
        ``nothing-found`` for a wrong folder, ``nothing-read`` when every sample is quarantined,
        ``wrong-face-model``, ``disk-too-small``, ``workers-die``, and what the recipe raises.
    """
    if jobs < 1 or layout not in BATCH_SAMPLES:
        raise ValueError(f"jobs must be at least 1 and layout one of {list(BATCH_SAMPLES)}")
    out = Path(out)
    store.refuse_overwriting_input(out, raw, face_model)
    source = open_raw(raw)
    files = _candidates(recipe, source)[:limit]
    companions = recipe.module.companions(source, files)
    model = None if face_model is None else _fitting_model(Path(face_model), recipe.card, source)
    model_path = None if face_model is None else Path(face_model).resolve()
    task = BuildTask(recipe, Path(raw).resolve(), model_path, layout, with_images, lossless)
    _check_room(out, task, len(files), model)
    audit = Audit(found=len(files), findings=list(companions.findings))
    audit.findings += _count_note(recipe.card, len(files), limit)
    size = BATCH_SAMPLES[layout]
    batches = [files[start : start + size] for start in range(0, len(files), size)]
    spool = Spool(out, _plan(task, source, files, model))
    with spool.held():
        part = spool.folder / "dataset.h5"
        offsets = companions.stored_offsets
        size_px = model.uv_layout.operator.size_px if model else 0
        with DatasetWriter(part, map_size_px=size_px, stored_offsets=offsets) as writer:
            finished = _finished(task, batches, spool, jobs, scheduler)
            in_order = zip(batches, finished, strict=True)
            fitted = _append_all(writer, in_order, companions, audit, progress)
            if not audit.read + audit.warned:
                spool.clear()
                raise _nothing_read(source, audit)
            used = model if fitted else None  # nothing of a face model is in data without fits
            attributes = attributes_of(source, used, task, limit)
            shared = shared_arrays(used, layout) | companions.shared
            digests = writer.finish(shared, attributes | {"report": audit.to_json()})
        with store.writing(out):
            store.replace_file(part, out)
        spool.clear()
    return BuildReport(out, audit.read + audit.warned, digests["fingerprint"], audit)


def _append_all(
    writer: DatasetWriter,
    batches: Iterable[tuple[list[SampleFiles], Rows]],
    companions: Companions,
    audit: Audit,
    progress: Progress | None,
) -> bool:
    """Write the batches and count them; whether they came with fits."""
    residuals: list[dict[str, NDArray[np.float64]]] = []
    done, fitted = 0, False
    for batch, rows in batches:
        audit.count(len(batch), len(rows.columns.get("sample_id", ())), rows.findings)
        if rows.columns:
            writer.append(_with_companions(rows, companions), rows.images, rows.maps)
            residuals.append(rows.residuals)
            fitted = fitted or "z_shift" in rows.columns
        done += len(batch)
        if progress is not None:
            progress(done, audit.found)
    names = residuals[0] if residuals else {}
    audit.summarise({name: np.concatenate([part[name] for part in residuals]) for name in names})
    return fitted


def work(item: tuple[BuildTask, list[SampleFiles]]) -> bytes:
    """What a worker does: one batch, packed."""
    return pack(process(*item))


def _finished(
    task: BuildTask,
    batches: list[list[SampleFiles]],
    spool: Spool,
    jobs: int,
    scheduler: str | None,
) -> Iterator[Rows]:
    """The batches in order: those of an earlier, killed build from disk, the others as they are done."""
    ready = spool.ready(len(batches))
    if jobs == 1 and scheduler is None:
        for number, batch in enumerate(batches):
            if number in ready:
                yield spool.get(number)
            else:
                rows = process(task, batch)
                spool.put(number, rows)
                yield rows
        return
    left = [(n, (task, batch)) for n, batch in enumerate(batches) if n not in ready]
    results = run(work, left, jobs=jobs, scheduler=scheduler)
    for number in range(len(batches)):
        content = None
        while number not in ready:
            done, content = next(results)
            spool.put(done, content)
            ready.add(done)
            if done == number:
                break
            content = None
        yield unpack(content) if content is not None else spool.get(number)


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


def _fitting_model(path: Path, card: Card, source: RawSource) -> FaceModel:
    """The face model, if the fits of this dataset were made with it.

    Synthetic raw data name the model that they were made with; the real sets were fitted with the BFM.
    """
    from prn_bench.synthetic.mark import marked_model

    model = cached_face_model(path.resolve())
    made_with = marked_model(source)
    n_identity, n_expression = model.n_components
    too_many = n_identity > N_IDENTITY or n_expression > N_EXPRESSION
    if made_with is not None:
        expected, good = f"the model {made_with[:12]}", model.model_id == made_with
    else:
        expected = f"{card.fitted_with} with at most {N_IDENTITY}+{N_EXPRESSION} components"
        good = model.topology.startswith(card.fitted_with) and not (card.fitted_with and too_many)
    if not good:
        raise BenchError(
            "the fits of this dataset do not belong to this face model",
            code="wrong-face-model",
            where=path,
            expected=expected,
            found=f"{model.name} ({model.topology}, {n_identity}+{n_expression}, "
            f"{model.model_id[:12]})",
            remedy="Take the face model that the data were fitted or made with.",
        )
    return model


def _check_room(out: Path, task: BuildTask, n_samples: int, model: FaceModel | None) -> None:
    """Refuse before any work when the disk cannot hold the file and its batches."""
    store.require_place(out, DATASET_FORMAT)
    needed = estimate_bytes(task, n_samples, model)
    free = shutil.disk_usage(out.parent).free
    if needed > free:
        raise BenchError(
            "the disk is too small for this build",
            code="disk-too-small",
            where=out.parent,
            expected=f"{needed / 1e9:.1f} GB free (the file, and its parts until it is whole)",
            found=f"{free / 1e9:.1f} GB",
            remedy="Take --layout coefficients, --no-images or another disk.",
        )


def _plan(
    task: BuildTask, source: RawSource, files: list[SampleFiles], model: FaceModel | None
) -> str:
    """Digest of all that decides what the batches hold."""
    said = [
        *(task.recipe.card.name, task.recipe.card.version, task.recipe.variant, task.layout),
        *(task.with_images, task.lossless, BATCH_SAMPLES[task.layout], str(source.root)),
        None if model is None else model.model_id,
        hashlib.sha256(task.recipe.path.read_bytes()).hexdigest(),
        [(f.sample_id, f.annotation, f.image) for f in files],
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


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


def _with_companions(rows: Rows, companions: Companions) -> dict[str, NDArray]:
    """Columns with the rows of the companion arrays, NaN where an array does not know the sample."""
    columns = dict(rows.columns)
    for name, known in companions.columns.items():
        blank = np.full_like(next(iter(known.values())), np.nan)
        values = np.array([known.get(sample_id, blank) for sample_id in columns["sample_id"]])
        columns[name] = values.astype(np.float32) if name.startswith("annotation/") else values
    return columns
