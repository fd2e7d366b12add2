"""``check`` on a prediction file: structure first, then what the values give away, all in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.checks.prediction_places import (
    LANDMARKS,
    MESHES,
    coverage_findings,
    place_findings,
)
from prn_bench.checks.prediction_values import (
    Survey,
    pose_findings,
    runtime_findings,
    survey_points,
    value_findings,
)
from prn_bench.errors import Finding, first_few
from prn_bench.predictions import Predictions, assemble, numbers_of, read_content
from prn_bench.predictions.arrays import RUNTIME, SHAPES, as_array, shape_fits
from prn_bench.predictions.rows import bytes_of_row, row_blocks
from prn_bench.predictions.structure import readable_ids, structure_faults, text_of

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

CROP_RANGE_PX = (-256.0, 512.0)
IMAGE_RANGE_PX = (-20_000.0, 20_000.0)


def check_predictions(path: Path, dataset: Dataset | None) -> Iterator[Finding]:
    """Every fault of a prediction file, its structure first.

    Raises
    ------
    BenchError
        When it cannot be read at all.
    """
    content, faults = read_content(path)
    faults = [*faults, *structure_faults(content, path)]
    predictions = None
    if faults:
        yield from map(Finding.from_error, faults)
    else:
        predictions = assemble(path, content)
        yield _summary(predictions)
        yield from _import_notes(predictions)
    frame, ids = text_of(content.get("frame")), readable_ids(content)
    if ids is not None and dataset is not None:
        yield from _id_findings(ids, dataset, path)
    for name in SHAPES:
        yield from _array_findings(name, content, frame, ids, dataset, path)
    if predictions is not None and "vertex_start" in predictions.arrays:
        yield from _ragged_findings(predictions, dataset, path)


def _array_findings(
    name: str,
    content: Mapping[str, Any],
    frame: str | None,
    ids: NDArray | None,
    dataset: Dataset | None,
    path: Path,
) -> Iterator[Finding]:
    """Findings of one array with a row for each sample, even of a file that is faulty elsewhere."""
    values, where = as_array(content.get(name)), f"{path}, {name}"
    if values.dtype.kind not in "fiu" or not shape_fits(name, values.shape, None):
        return
    joined = ids is not None and len(ids) == len(values)
    labels = ids if ids is not None and joined else np.arange(len(values))
    if name in ("pose_deg", RUNTIME):
        look = pose_findings if name == "pose_deg" else runtime_findings
        yield from look(values, labels, where)
        return
    yield from value_findings(survey_points(values, _range_px(frame, dataset)), labels, where, name)
    if dataset is None or not frame or not joined or name == "position_map":
        return
    if name == "landmarks":
        points = numbers_of(np.asarray(values))[..., :2].astype(np.float64)
        yield from place_findings(points, labels, frame, dataset, where, LANDMARKS)
    else:
        corners = _dense_corners(values)
        yield from place_findings(corners, labels, frame, dataset, where, MESHES)


def _summary(predictions: Predictions) -> Finding:
    shapes = ", ".join(f"{name} {a.shape}" for name, a in predictions.arrays.items())
    words = f"{predictions.method['name']}: {shapes}, {predictions.frame} frame, "
    words += f"sha256 {(predictions.sha256 or '')[:12]}"
    return Finding("note", "predictions", str(predictions.path), words)


def _import_notes(predictions: Predictions) -> Iterator[Finding]:
    """What the reader that made the file did to it: axes it turned, triangles it dropped."""
    notes = predictions.method.get("notes", [])
    for note in notes if isinstance(notes, list) else [notes]:
        yield Finding("note", "import-note", str(predictions.path), str(note))


def _range_px(frame: str | None, dataset: Dataset | None) -> tuple[float, float]:
    """Where x and y of a plausible prediction lie."""
    if frame == "crop":
        return CROP_RANGE_PX
    if dataset is None:
        return IMAGE_RANGE_PX
    side = float(dataset.read("image_size").max(initial=1))
    return -side, 2 * side


def _dense_corners(vertices: Any) -> NDArray[np.float64]:
    """(n, 2, 2) lowest and highest x, y of (n, v, 3) vertices."""
    corners = np.full((len(vertices), 2, 2), np.nan)
    for block in row_blocks(len(vertices), bytes_of_row(vertices)):
        values = np.asarray(vertices[block])
        for axis in range(2):  # twenty times faster than both at once
            corners[block, :, axis] = np.stack(
                [values[..., axis].min(1), values[..., axis].max(1)], 1
            )
    return corners


def _id_findings(ids: NDArray, dataset: Dataset, path: Path) -> Iterator[Finding]:
    given, known = set(ids.tolist()), set(dataset.sample_ids.tolist())
    unknown, missing = sorted(given - known), sorted(known - given)
    if unknown:
        message = f"{len(unknown)} ids are not in {dataset.path.name}: {first_few(unknown)}"
        remedy = (
            f"Its ids look like {first_few(dataset.sample_ids)}; `prn-bench import` matches names."
        )
        yield Finding("error", "unknown-ids", str(path), message, remedy)
    if missing:
        message = f"{len(missing)} of {len(known)} samples have no row: {first_few(missing)}"
        remedy = "The default policy is strict: predict them, or name another policy when scoring."
        yield Finding("warning", "missing-ids", str(path), message, remedy)


def _ragged_findings(
    predictions: Predictions, dataset: Dataset | None, path: Path
) -> Iterator[Finding]:
    """Findings of meshes that have their own number of vertices each, one mesh in memory at a time."""
    ids, where = predictions.sample_ids, f"{path}, vertices"
    n_samples = len(ids)
    corners, flat_faces = np.full((n_samples, 2, 2), np.nan), np.zeros(n_samples, int)
    surveys = []
    for row in range(n_samples):
        vertices, triangles = predictions.mesh(row)
        given = vertices[None] if len(vertices) else np.full((1, 1, 3), np.nan)
        surveys.append(survey_points(given, _range_px(predictions.frame, dataset)))
        if len(vertices) and np.isfinite(vertices).all():
            corners[row] = vertices[:, :2].min(0), vertices[:, :2].max(0)
        if triangles is not None and len(triangles):
            a, b, c = (vertices[triangles[:, i]] for i in range(3))
            flat_faces[row] = int((~np.cross(b - a, c - a).any(1)).sum())
    yield from value_findings(_joined(surveys, corners), ids, where, "vertices")
    if flat_faces.any():
        bad = flat_faces > 0
        message = f"{flat_faces.sum()} triangles of {bad.sum()} samples have no area: "
        message += first_few(ids[bad])
        remedy = "`prn-bench import obj` drops them; distances to the surface may suffer."
        yield Finding("warning", "degenerate-triangles", f"{path}, triangles", message, remedy)
    if dataset is not None:
        frame = predictions.frame
        yield from place_findings(corners, ids, frame, dataset, where, MESHES)
        yield from coverage_findings(corners, ids, frame, dataset, where)


def _joined(surveys: list[Survey], corners: NDArray[np.float64]) -> Survey:
    """One survey of all samples; meshes are alike when their boxes are."""

    def rows(name: str) -> NDArray[np.bool_]:
        return np.concatenate([getattr(one, name) for one in surveys])

    known = corners[np.isfinite(corners).all((1, 2))]
    return Survey(
        *(rows("missing"), rows("partial"), rows("infinite"), rows("far")),
        lowest=np.fmin.reduce([one.lowest for one in surveys]),
        highest=np.fmax.reduce([one.highest for one in surveys]),
        constant=bool(len(known) > 1 and (known == known[0]).all()),
        whole=False,
        pinned=0.0,
    )
