"""One batch of raw samples to finished rows: read, decode, fit to vertices, map, crop, encode.

Pure but for reading the raw source; runs in worker processes. The composition of a batch does not
depend on the number of workers, and neither does any stored bit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry, images, uvmap
from prn_bench.annotation import SampleFiles
from prn_bench.columns import RawSample, geometry_columns, position_maps, residuals
from prn_bench.dataset import row_digest
from prn_bench.errors import BenchError, Finding
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel_file import load_face_model
from prn_bench.rawsource import RawSource
from prn_bench.recipes import Card, Recipe
from prn_bench.store import compress_map

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class BuildTask:
    """What every worker needs to know; picklable."""

    recipe: Recipe
    source: RawSource
    face_model: Path | None
    with_images: bool
    lossless: bool


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
    columns = geometry_columns(samples, model)
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
        residuals(samples, columns, model),
    )


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
    picture = images.cut_crop(sample.picture, crop, geometry.CROP_SIZE_PX)
    return images.encode_image(picture, lossless=task.lossless)


def _row_digests(
    encoded: list[bytes | None], maps: NDArray[np.uint16] | None, n_rows: int
) -> NDArray[np.uint8]:
    digests = [row_digest(encoded[i], None if maps is None else maps[i]) for i in range(n_rows)]
    return np.array([np.frombuffer(digest, np.uint8) for digest in digests])
