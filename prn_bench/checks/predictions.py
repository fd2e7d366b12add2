"""What the values of a prediction file give away: holes, copies, other units, another frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import Finding, Level, first_few
from prn_bench.geometry import apply_affine, crop_affine, invert_affine
from prn_bench.metrics import nme
from prn_bench.normalizers import normalizer
from prn_bench.predictions import Predictions, assemble, numbers_of, read_content
from prn_bench.predictions_structure import SHAPES, shape_fits, structure_faults, text_ids, text_of

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

Array = NDArray[np.floating]

BLOCK = 64  # rows looked at together: 50 MB of position maps
FRACTION_MAX, PER_CENT_MAX = 2.0, 100.0
PER_CENT_ROWS = 20  # fewer faces may well lie in the top left corner
CROP_RANGE_PX = (-256.0, 512.0)
IMAGE_RANGE_PX = (-20_000.0, 20_000.0)
GROSS_NME, GOOD_NME = 20.0, 12.0  # per cent


@dataclass(frozen=True)
class Survey:
    """What one look at an array of points finds.

    Attributes
    ----------
    missing, partial, infinite, far : (n,) bool
        Rows that are all NaN, partly NaN, hold infinity, leave the range.
    lowest, highest : (d,) float
        Of the finite values, by coordinate; NaN when there are none.
    constant, whole : bool
        All rows alike; only whole numbers.
    """

    missing: NDArray[np.bool_]
    partial: NDArray[np.bool_]
    infinite: NDArray[np.bool_]
    far: NDArray[np.bool_]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    constant: bool
    whole: bool


def check_predictions(path: Path, dataset: Dataset | None) -> Iterator[Finding]:
    """Every fault of a prediction file, its structure first.

    Raises
    ------
    BenchError
        When it cannot be read at all.
    """
    content, faults = read_content(path)
    faults = [*faults, *structure_faults(content, path)]
    if faults:
        yield from map(Finding.from_error, faults)
    else:
        yield _summary(assemble(path, content))
    frame, ids = text_of(content.get("frame")), _ids(content)
    if ids is not None and dataset is not None:
        yield from _id_findings(ids, dataset, path)
    for name in SHAPES:
        values = np.asarray(content.get(name))
        if values.dtype.kind not in "fiu" or not shape_fits(name, values.shape, None):
            continue
        values = numbers_of(values)
        points = values.transpose(0, 2, 3, 1) if name == "position_map" else values
        labels = ids if ids is not None and len(ids) == len(points) else np.arange(len(points))
        survey = survey_points(points, _plausible_range(frame, dataset))
        yield from _value_findings(survey, labels, f"{path}, {name}", name)
        if name == "landmarks" and dataset is not None and frame and labels is ids:
            yield from _reference_findings(values, labels, frame, dataset, f"{path}, {name}")


def _summary(predictions: Predictions) -> Finding:
    shapes = ", ".join(f"{name} {a.shape}" for name, a in predictions.arrays.items())
    words = f"{predictions.method['name']}: {shapes}, {predictions.frame} frame, "
    words += f"sha256 {(predictions.sha256 or '')[:12]}"
    return Finding("note", "predictions", str(predictions.path), words)


def _plausible_range(frame: str | None, dataset: Dataset | None) -> tuple[float, float]:
    if frame == "crop":
        return CROP_RANGE_PX
    if dataset is None:
        return IMAGE_RANGE_PX
    side = float(dataset.read("image_size").max(initial=1))
    return -side, 2 * side


def survey_points(points: Array, range_px: tuple[float, float]) -> Survey:
    """Look at (n, ..., d) points once, block by block.

    Parameters
    ----------
    points : (n, ..., d) float
    range_px : (float, float)
        Where x and y of a plausible prediction lie.
    """
    missing, partial, infinite, far = np.zeros((4, len(points)), bool)
    size = points.shape[-1]
    lowest, highest = np.full(size, np.inf), np.full(size, -np.inf)
    constant, whole, first = True, True, None
    for start in range(0, len(points), BLOCK):
        rows = slice(start, start + BLOCK)
        block = points[rows].reshape(len(points[rows]), -1, size)
        unknown = np.isnan(block)
        missing[rows] = unknown.all((1, 2))
        partial[rows] = unknown.any((1, 2)) & ~missing[rows]
        infinite[rows] = np.isinf(block).any((1, 2))
        block = np.where(np.isfinite(block), block, np.nan)
        flat = block[..., :2]
        far[rows] = ((flat < range_px[0]) | (flat > range_px[1])).any((1, 2))
        lowest = np.fmin(lowest, np.fmin.reduce(block, (0, 1)))
        highest = np.fmax(highest, np.fmax.reduce(block, (0, 1)))
        kept = block[~missing[rows]]
        first = kept[0] if first is None and len(kept) else first
        constant = constant and (first is None or bool((kept == first).all()))
        whole = whole and bool(np.array_equal(kept, np.rint(kept), equal_nan=True))
    return Survey(missing, partial, infinite, far, lowest, highest, constant, whole)


def _value_findings(survey: Survey, ids: NDArray, where: str, name: str) -> Iterator[Finding]:
    n_given = int((~survey.missing).sum())
    if not n_given:
        words = "every row is NaN, or there is none: nothing to score"
        remedy = "Look at the method's own output: did it find no face, or did the export fail?"
        yield Finding("error", "all-missing", where, words, remedy)
        return
    rules: tuple[tuple[NDArray[np.bool_], Level, str, str, str], ...] = (
        (survey.missing, "note", "missing-rows", "rows are NaN and count as missing", ""),
        (
            *(survey.partial, "error", "partly-missing", "rows hold NaN beside numbers"),
            "Give all points of a sample, or a whole row of NaN.",
        ),
        (
            *(survey.infinite, "error", "infinite-values", "rows hold infinite values"),
            "Find out why the method gives them.",
        ),
        (
            *(survey.far, "warning", "far-outside", "rows have points far outside any picture"),
            "Check the frame and the unit: pixels, 0-based, y down.",
        ),
    )
    for rows, level, code, words, remedy in rules:
        if rows.any():
            message = f"{rows.sum()} of {len(ids)} {words}: {first_few(ids[rows])}"
            yield Finding(level, code, where, message, remedy)
    if survey.constant and n_given > 1:
        message = f"all {n_given} predictions are the same points"
        yield Finding("warning", "constant-predictions", where, message, "Check the export.")
    yield from _unit_findings(survey, n_given, where)
    if (
        name == "landmarks"
        and len(survey.highest) == 3
        and survey.lowest[2] == survey.highest[2] == 0
    ):
        message = "z is zero everywhere, so 3D protocols would score a flat face"
        yield Finding("warning", "zero-depth", where, message, "Store (N, 68, 2) without z.")
    if name == "position_map" and survey.whole:
        message = "the maps hold only whole numbers, as after a detour over a picture file"
        yield Finding("warning", "rounded-maps", where, message, "Store the network's own output.")


def _unit_findings(survey: Survey, n_given: int, where: str) -> Iterator[Finding]:
    low, high = float(survey.lowest[:2].min()), float(survey.highest[:2].max())
    span = f"x and y lie between {low:.3g} and {high:.3g}"
    if max(-low, high) <= FRACTION_MAX:
        remedy = "Multiply by the width and the height, or by 256 in the crop frame."
        yield Finding("error", "looks-like-fractions", where, f"{span}: no pixels", remedy)
    elif low >= 0 and high <= PER_CENT_MAX and n_given >= PER_CENT_ROWS:
        remedy = "If they are per cent of the image side, convert them to pixels."
        message = f"{span} in all {n_given} rows: per cent?"
        yield Finding("warning", "looks-like-per-cent", where, message, remedy)


def _ids(content: Mapping[str, Any]) -> NDArray | None:
    try:
        return text_ids(np.asarray(content["sample_id"]))
    except (KeyError, ValueError):
        return None


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


def _reference_findings(
    given: Array, ids: NDArray, frame: str, dataset: Dataset, where: str
) -> Iterator[Finding]:
    """A hint when the points are nowhere near the reference, and what would bring them there."""
    row_of = {name: row for row, name in enumerate(dataset.sample_ids)}
    known = np.array([name in row_of for name in ids], bool)
    usable = known & np.isfinite(given).all((1, 2))
    rows = np.array([row_of[name] for name in ids[usable]], np.intp)
    points = given[usable][..., :2].astype(np.float64)
    reference = dataset.read("landmarks", rows).astype(np.float64)
    if not len(rows) or not np.isfinite(reference).all():
        return
    scale = normalizer("bbox-sqrt-wh").measure(reference)
    error = _median_nme(_to_image(points, frame, dataset, rows), reference, scale)
    if not error > GROSS_NME:
        return
    other = "crop" if frame == "image" else "image"
    height = (
        dataset.read("image_size", rows)[:, :1].astype(np.float64) if frame == "image" else 256.0
    )
    upright = np.stack([points[..., 0], height - 1 - points[..., 1]], -1)
    guesses = {
        f"frame {other!r} instead of {frame!r}": _to_image(points, other, dataset, rows),
        "y pointing down instead of up": _to_image(upright, frame, dataset, rows),
        "x and y exchanged": _to_image(points[..., ::-1], frame, dataset, rows),
    }
    tried = {words: _median_nme(moved, reference, scale) for words, moved in guesses.items()}
    best = min(tried, key=lambda words: tried[words])
    message = f"the median NME is {error:.1f} %: these are not the points of these faces"
    hint = f"With {best} it would be {tried[best]:.1f} %."
    remedy = (
        hint if tried[best] < GOOD_NME else "Is the frame right, and does each id name its row?"
    )
    yield Finding("warning", "gross-mismatch", where, message, remedy)


def _to_image(
    points: NDArray[np.float64], frame: str, dataset: Dataset, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    if frame != "crop":
        return points
    flat = np.concatenate([points, np.zeros((*points.shape[:2], 1))], -1)
    affine = invert_affine(crop_affine(dataset.read("crop", rows)))
    return apply_affine(affine, flat)[..., :2]


def _median_nme(
    points: NDArray[np.float64], reference: NDArray[np.float64], scale: NDArray[np.float64]
) -> float:
    errors = nme(points, reference[..., :2], scale=scale)
    return float(np.nanmedian(errors)) if np.isfinite(errors).any() else float("nan")
