"""One batch of raw samples to finished rows: read, decode, fit to vertices, map, crop, encode.

Pure but for reading the raw source; runs in worker processes. The composition of a batch does not
depend on the number of workers, and neither does any stored bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry, images, uvmap
from prn_bench.annotation import Annotation, Fit, SampleFiles
from prn_bench.dataset import row_digest
from prn_bench.errors import BenchError, Finding
from prn_bench.facemodel import FaceModel, load_face_model
from prn_bench.mesh import place_vertices
from prn_bench.rawsource import RawSource
from prn_bench.recipes import Card, Recipe
from prn_bench.schema import column
from prn_bench.store import compress_map

if TYPE_CHECKING:
    from PIL.Image import Image

BOX_DIGITS = 3  # the box is rounded so that the crop does not hang on the last bit of a sum


@dataclass(frozen=True)
class BuildTask:
    """What every worker needs to know; picklable."""

    recipe: Recipe
    source: RawSource
    face_model: Path | None
    with_images: bool
    lossless: bool


@dataclass(frozen=True)
class RawSample:
    """One sample as read: annotation, decoded picture, digest of the raw bytes."""

    files: SampleFiles
    annotation: Annotation
    picture: Image | None
    size_px: tuple[int, int]
    sha256: bytes


@dataclass
class Rows:
    """Finished rows of one batch, in sample order.

    Attributes
    ----------
    columns : dict of (n, ...) arrays
    images, maps : list of bytes
        Encoded crops, compressed position-map chunks; empty when not asked for.
    findings : list of Finding
        Warnings, and one error per quarantined sample.
    residuals : dict of (n,) float64
        Per-sample distances in px for the audit.
    """

    columns: dict[str, NDArray]
    images: list[bytes] = field(default_factory=list)
    maps: list[bytes] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    residuals: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def process(task: BuildTask, files: list[SampleFiles]) -> Rows:
    """Turn some candidates into finished rows; what cannot be read becomes a finding."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(
        1
    ):  # one thread per worker, and sums in one order whatever the job count
        model = None if task.face_model is None else cached_face_model(task.face_model)
        samples, findings = _read_all(task, files)
        return _finish(task, model, samples, findings)


@lru_cache(maxsize=1)
def cached_face_model(path: Path) -> FaceModel:
    """The face model, read once per process."""
    return load_face_model(path)


def _read_all(task: BuildTask, files: list[SampleFiles]) -> tuple[list[RawSample], list[Finding]]:
    samples, findings = [], []
    for sample in files:
        try:
            raw = _read_one(task, sample)
        except BenchError as error:
            findings.append(Finding.from_error(error, where=sample.sample_id))
            continue
        samples.append(raw)
    return samples, findings


def _read_one(task: BuildTask, files: SampleFiles) -> RawSample:
    if not files.annotation:
        raise BenchError("the image has no .mat beside it", code="no-annotation")
    if task.with_images and not files.image:
        raise BenchError(
            "the .mat has no image beside it",
            code="no-image",
            remedy="Build with --no-images when scores are all that is needed.",
        )
    annotation = task.recipe.module.read(task.source, files)
    digest = hashlib.sha256(task.source.read(files.annotation))
    picture = annotation.picture
    if picture is None and (task.with_images or not task.recipe.card.image_size_px):
        data = task.source.read(files.image)
        digest.update(data)
        picture = images.decode_image(data, task.source.where(files.image))
    size_px = _image_size(task.recipe.card, picture)
    return RawSample(
        files, annotation, picture if task.with_images else None, size_px, digest.digest()
    )


def _image_size(card: Card, picture: Image | None) -> tuple[int, int]:
    """(height, width) in px: of the picture, which must be what the card says, or the card's word."""
    if picture is None:
        return card.image_size_px[0], card.image_size_px[1]
    size_px = (picture.height, picture.width)
    if card.image_size_px and size_px != card.image_size_px:
        raise BenchError(
            "the image does not have the size that its annotation was made for",
            code="image-size",
            expected="{1} x {0}".format(*card.image_size_px),
            found="{1} x {0}".format(*size_px),
            remedy="Take the original image.",
        )
    return size_px


def _finish(
    task: BuildTask, model: FaceModel | None, samples: list[RawSample], findings: list[Finding]
) -> Rows:
    """Geometry of a whole batch at once; a sample whose map leaves the range is taken out first."""
    if not samples:
        return Rows({}, findings=findings)
    columns = _annotation_columns(samples, model)
    maps: NDArray[np.uint16] | None = None
    if model is not None and "coefficients/pose" in columns:
        values, columns["z_shift"] = position_maps(model, columns)
        fits = _in_range(values)
        if not fits.all():
            out = [s for s, good in zip(samples, fits, strict=True) if not good]
            findings += [_range_finding(s, values[~fits][i]) for i, s in enumerate(out)]
            kept = [s for s, good in zip(samples, fits, strict=True) if good]
            return _finish(task, model, kept, findings)
        maps = uvmap.encode_maps(values)
    encoded = [_encoded_crop(task, s, c) for s, c in zip(samples, columns["crop"], strict=True)]
    columns["row_sha256"] = _row_digests(encoded, maps, len(samples))
    return Rows(
        columns,
        [data for data in encoded if data is not None],
        [] if maps is None else [compress_map(codes) for codes in maps],
        findings + [finding for s in samples for finding in s.annotation.findings],
        _residuals(samples, columns, model),
    )


def _annotation_columns(samples: list[RawSample], model: FaceModel | None) -> dict[str, NDArray]:
    columns: dict[str, NDArray] = {
        "sample_id": np.array([s.files.sample_id for s in samples], object),
        "image_size": np.array([s.size_px for s in samples], np.int32),
        "source_sha256": np.array([np.frombuffer(s.sha256, np.uint8) for s in samples]),
        **_fit_columns([s.annotation.fit for s in samples if s.annotation.fit is not None]),
        **_own_columns([s.annotation.columns for s in samples]),
    }
    points = _landmarks(samples, columns, model)
    boxes = [s.annotation.box for s in samples]
    around = [
        geometry.landmark_box(own) if box is None else box
        for own, box in zip(points, boxes, strict=True)
    ]
    columns["landmarks"] = points.astype(np.float32)
    columns["landmarks_visible"] = np.asarray(np.isfinite(points).all(-1))
    columns["box"] = np.round(np.array(around), BOX_DIGITS)
    columns["crop"] = geometry.crop_from_box(columns["box"])
    return columns


def _fit_columns(fits: list[Fit]) -> dict[str, NDArray]:
    if not fits:
        return {}
    return {
        "pose_deg": np.array([fit.pose_deg for fit in fits]),
        "yaw_deg/fitted": np.array([fit.pose_deg[1] for fit in fits]),
        "coefficients/pose": np.array([fit.pose for fit in fits]),
        "coefficients/identity": np.array([fit.identity for fit in fits], np.float32),
        "coefficients/expression": np.array([fit.expression for fit in fits], np.float32),
    }


def _own_columns(rows: Sequence[Mapping[str, NDArray]]) -> dict[str, NDArray]:
    """The recipe's own columns, in the dtype that the schema gives them."""
    columns = {}
    for name in rows[0]:
        known = column(name)
        if known is None:
            raise ValueError(f"a recipe gave the column {name!r}, which the schema does not know")
        columns[name] = np.array([row[name] for row in rows], known.dtype)
    return columns


def _landmarks(
    samples: list[RawSample], columns: dict[str, NDArray], model: FaceModel | None
) -> NDArray[np.float64]:
    """(n, 68, 3) image-frame landmarks: the stored ones, else the projected fit, else NaN."""
    stored = [sample.annotation.landmarks for sample in samples]
    if all(points is not None for points in stored):
        return np.array(stored)
    if "coefficients/pose" not in columns:
        unknown = np.full((68, 3), np.nan)
        return np.array([unknown if points is None else points for points in stored])
    if model is None:
        raise BenchError(
            "this dataset stores no landmarks that can be used: they must be projected from the fit",
            code="face-model-needed",
            remedy="Give --face-model FM.h5 (make it with `prn-bench face-model`).",
        )
    projected = project_landmarks(model, columns)
    return np.array(
        [p if s is None else s for p, s in zip(projected, stored, strict=True)], np.float64
    )


def project_landmarks(model: FaceModel, columns: dict[str, NDArray]) -> NDArray[np.float64]:
    """(n, 68, 3) landmarks of the fits, image frame, px."""
    shapes = model.landmarks(columns["coefficients/identity"], columns["coefficients/expression"])
    return geometry.apply_affine(_pose_affine(columns), shapes)


def position_maps(
    model: FaceModel, columns: dict[str, NDArray]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(n, 3, 256, 256) maps in the crop frame, and the (n,) z shift that puts the rearmost vertex at 0.

    The shift is taken over all vertices, neck included, as face3d's training maps have it.
    """
    affine = geometry.compose_affine(geometry.crop_affine(columns["crop"]), _pose_affine(columns))
    points, lowest = place_vertices(
        model,
        columns["coefficients/identity"],
        columns["coefficients/expression"],
        affine,
        all_axes=True,
    )
    points[2] -= lowest
    return model.uv_layout.operator.maps_from_vertices(points), -lowest.astype(np.float64)


def _pose_affine(columns: dict[str, NDArray]) -> NDArray[np.float64]:
    return geometry.pose_affine(columns["coefficients/pose"], columns["image_size"][:, 0])


def _in_range(maps: NDArray[np.float32]) -> NDArray[np.bool_]:
    top = uvmap.MAP_OFFSET_PX + 65535 * uvmap.MAP_SCALE_PX
    flat = maps.reshape(len(maps), -1)
    return (flat.min(1) >= uvmap.MAP_OFFSET_PX) & (flat.max(1) <= top)


def _range_finding(sample: RawSample, values: NDArray[np.float32]) -> Finding:
    message = f"its position map leaves the range of the file: {values.min():.0f} to {values.max():.0f} px"
    remedy = "The fit is implausible for its landmarks; look at the sample."
    return Finding("error", "map-range", sample.files.sample_id, message, remedy)


def _encoded_crop(task: BuildTask, sample: RawSample, crop: NDArray[np.float64]) -> bytes | None:
    if sample.picture is None:
        return None
    picture = images.warp_crop(sample.picture, crop, geometry.CROP_SIZE_PX)
    return images.encode_image(picture, lossless=task.lossless)


def _row_digests(
    encoded: list[bytes | None], maps: NDArray[np.uint16] | None, n_rows: int
) -> NDArray[np.uint8]:
    digests = [row_digest(encoded[i], None if maps is None else maps[i]) for i in range(n_rows)]
    return np.array([np.frombuffer(digest, np.uint8) for digest in digests])


def _residuals(
    samples: list[RawSample], columns: dict[str, NDArray], model: FaceModel | None
) -> dict[str, NDArray[np.float64]]:
    """How far the projected fit lies from what the raw files store, per sample, in px."""
    if model is None or "coefficients/pose" not in columns:
        return {}
    projected = project_landmarks(model, columns)
    missing = np.full((68, 3), np.nan)
    stored = np.array(
        [missing if s.annotation.landmarks is None else s.annotation.landmarks for s in samples]
    )
    untrusted = np.array(
        [
            missing[:, :2] if s.annotation.untrusted is None else s.annotation.untrusted
            for s in samples
        ]
    )
    return {
        "landmarks": np.linalg.norm(projected - stored, axis=-1).max(1),
        "untrusted_points": np.linalg.norm(projected[..., :2] - untrusted, axis=-1).mean(1),
    }
