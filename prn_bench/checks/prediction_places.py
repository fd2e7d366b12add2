"""Whether predicted points and meshes lie where the faces are, and what would bring them there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import Finding, first_few
from prn_bench.geometry import apply_affine, crop_affine, invert_affine
from prn_bench.metrics import nme
from prn_bench.normalizers import normalizer

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

Array = NDArray[np.float64]

COVERAGE_MIN = 0.9  # of the box of the landmarks


@dataclass(frozen=True)
class Measure:
    """How far points are from the faces, in per cent of their size, and what counts as far.

    Attributes
    ----------
    error : callable
        (n, k, 2) image-frame points and (n, 68, 2|3) landmarks to (n,) per cent.
    gross, good : float
        Above the one, something is wrong; below the other, a guess has found it.
    words : str
        What the median is of.
    """

    error: Callable[[Array, Array], Array]
    gross: float
    good: float
    words: str


def _landmark_error(points: Array, reference: Array) -> Array:
    return nme(points, reference[..., :2], scale=_face_px(reference))


def _box_error(corners: Array, reference: Array) -> Array:
    """Distance of the centres of two boxes, of the mesh and of the landmarks."""
    flat = reference[..., :2]
    center = (flat.min(1) + flat.max(1)) / 2
    return 100 * np.linalg.norm(corners.mean(1) - center, axis=1) / _face_px(reference)


def _face_px(reference: Array) -> Array:
    return normalizer("bbox-sqrt-wh").measure(reference)


LANDMARKS = Measure(_landmark_error, 20.0, 12.0, "NME is")
#: A mesh has ears and neck, so that its centre may well lie half a face off.
MESHES = Measure(_box_error, 100.0, 50.0, "distance of mesh and face is")


def place_findings(
    points: Array, ids: NDArray, frame: str, dataset: Dataset, where: str, measure: Measure
) -> Iterator[Finding]:
    """A hint when points are nowhere near the faces.

    Parameters
    ----------
    points : (n, k, 2) float64
        Landmarks, or lower and upper corner of the box of a mesh; rows of NaN are passed over.
    ids : (n,) str
    """
    row_of = {name: row for row, name in enumerate(dataset.sample_ids)}
    known = np.array([name in row_of for name in ids], bool)
    usable = known & np.isfinite(points).all((1, 2))
    rows = np.array([row_of[name] for name in ids[usable]], np.intp)
    points = points[usable]
    reference = dataset.read("landmarks", rows).astype(np.float64)
    if not len(rows) or not np.isfinite(reference).all():
        return
    tried = {"": to_image(points, frame, dataset, rows), **_guesses(points, frame, dataset, rows)}
    medians = {words: _median(measure.error(moved, reference)) for words, moved in tried.items()}
    error = medians.pop("")
    if not error > measure.gross:
        return
    best = min(medians, key=lambda words: medians[words])
    message = f"the median {measure.words} {error:.1f} %: these are not the points of these faces"
    hint = f"With {best} it would be {medians[best]:.1f} %."
    doubt = "Is the frame right, and does each id name its row?"
    remedy = hint if medians[best] < measure.good else doubt
    yield Finding("warning", "gross-mismatch", where, message, remedy)


def _guesses(
    points: Array, frame: str, dataset: Dataset, rows: NDArray[np.intp]
) -> dict[str, Array]:
    other = "crop" if frame == "image" else "image"
    height: float | Array = 256.0
    if frame == "image":
        height = dataset.read("image_size", rows)[:, :1].astype(np.float64)
    upright = np.stack([points[..., 0], height - 1 - points[..., 1]], -1)
    return {
        f"frame {other!r} instead of {frame!r}": to_image(points, other, dataset, rows),
        "y pointing down instead of up": to_image(upright, frame, dataset, rows),
        "x and y exchanged": to_image(points[..., ::-1], frame, dataset, rows),
    }


def to_image(points: Array, frame: str, dataset: Dataset, rows: NDArray[np.intp]) -> Array:
    """(n, k, 2) points of the crop or image frame in the image frame."""
    if frame != "crop":
        return points
    flat = np.concatenate([points, np.zeros((*points.shape[:2], 1))], -1)
    affine = invert_affine(crop_affine(dataset.read("crop", rows)))
    return apply_affine(affine, flat)[..., :2]


def _median(errors: Array) -> float:
    return float(np.nanmedian(errors)) if np.isfinite(errors).any() else float("nan")


def coverage_findings(
    corners: Array, ids: NDArray, frame: str, dataset: Dataset, where: str
) -> Iterator[Finding]:
    """Meshes that do not reach over the whole face: their errors count what is there only.

    Parameters
    ----------
    corners : (n, 2, 2) float64
        Lower and upper x, y of each mesh.
    """
    row_of = {name: row for row, name in enumerate(dataset.sample_ids)}
    known = np.array([name in row_of for name in ids], bool) & np.isfinite(corners).all((1, 2))
    if not known.any():
        return
    rows = np.array([row_of[name] for name in ids[known]], np.intp)
    boxes = to_image(corners[known], frame, dataset, rows)
    faces = dataset.read("landmarks", rows).astype(np.float64)[..., :2]
    low, high = faces.min(1), faces.max(1)
    shared = np.minimum(boxes.max(1), high) - np.maximum(boxes.min(1), low)
    share = (shared.clip(0) / (high - low)).prod(1)
    small = share < COVERAGE_MIN
    if small.any():
        names = first_few(ids[known][small])
        message = (
            f"{small.sum()} of {len(rows)} meshes cover less than {COVERAGE_MIN:.0%} of the box "
        )
        message += f"of the landmarks, the median {np.median(share[small]):.0%}: {names}"
        remedy = "Give the whole mesh; a cropped one has other errors than those of the whole face."
        yield Finding("warning", "low-coverage", where, message, remedy)
