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

from prn_bench import derive, geometry, images, uvmap
from prn_bench.annotation import Annotation, SampleFiles
from prn_bench.columns import RawSample, geometry_columns, place_fits, residuals
from prn_bench.dataset import row_digest
from prn_bench.errors import BenchError, Finding
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel_file import load_face_model
from prn_bench.mesh import Placed
from prn_bench.rawsource import RawSource, open_raw
from prn_bench.recipes import Card, Recipe
from prn_bench.store import compress_map

if TYPE_CHECKING:
    from PIL.Image import Image

MAPS, COEFFICIENTS = "maps", "coefficients"


@dataclass(frozen=True)
class BuildTask:
    """What every worker needs to know; picklable."""

    recipe: Recipe
    raw: Path
    face_model: Path | None
    layout: str
    with_images: bool
    lossless: bool

    @property
    def source(self) -> RawSource:
        """The raw data: looked through once per process, too large to send with every batch."""
        return cached_source(self.raw)


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

    # One thread per worker, and sums in one order whatever the job count.
    with threadpool_limits(1):
        model = None if task.face_model is None else cached_face_model(task.face_model)
        samples, findings = _read_all(task, files)
        return _finish(task, model, samples, findings)


@lru_cache(maxsize=1)
def cached_face_model(path: Path) -> FaceModel:
    """The face model, read once per process."""
    return load_face_model(path)


@lru_cache(maxsize=4)
def cached_source(path: Path) -> RawSource:
    """The raw data, looked through once per process."""
    return open_raw(path)


def _read_all(task: BuildTask, files: list[SampleFiles]) -> tuple[list[RawSample], list[Finding]]:
    samples, findings = [], []
    for sample in files:
        try:
            raw = _read_one(task, sample)
        except BenchError as error:
            if error.code == "bad-recipe":  # a bug is no property of the sample
                raise
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
            remedy="Build with --no-images when scores are all that is needed."
            if task.recipe.card.image_size_px
            else "Put the image beside it: its size is needed.",
        )
    annotation = task.recipe.module.read(task.source, files)
    digest = hashlib.sha256(annotation.raw or _file_digest(task, files.annotation))
    picture = None
    if task.with_images or not task.recipe.card.image_size_px:
        digest.update(_file_digest(task, files.image))
        picture = _picture(task, files, annotation)
    size_px = _image_size(task.recipe.card, picture)
    return RawSample(
        files, annotation, picture if task.with_images else None, size_px, digest.digest()
    )


def _picture(task: BuildTask, files: SampleFiles, annotation: Annotation) -> Image:
    if annotation.picture is not None:
        return annotation.picture()
    return images.decode_image(task.source.read(files.image), task.source.where(files.image))


def _file_digest(task: BuildTask, name: str) -> bytes:
    return _cached_digest(task.raw, name)


@lru_cache(maxsize=4)  # many renderings share a scan, many rows a table
def _cached_digest(raw: Path, name: str) -> bytes:
    return hashlib.sha256(cached_source(raw).read(name)).digest()


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
    """Geometry of a whole batch at once; a sample whose mesh leaves the range is taken out first."""
    if not samples:
        return Rows({}, findings=findings)
    columns = geometry_columns(samples, model)
    codes: NDArray[np.uint16] | None = None
    if model is not None and "coefficients/pose" in columns:
        with_maps = task.layout == MAPS
        placed, columns["z_shift"] = place_fits(model, columns, keep_points=with_maps)
        outside = _out_of_range(placed, samples)
        if outside:
            kept = [s for s in samples if s.files.sample_id not in outside]
            return _finish(task, model, kept, [*findings, *outside.values()])
        if placed.points is not None:
            maps = model.uv_layout.operator.maps_from_vertices(placed.points)
            codes = uvmap.encode_maps(maps)
    encoded = [_encoded_crop(task, s, c) for s, c in zip(samples, columns["crop"], strict=True)]
    columns["row_sha256"] = _row_digests(encoded, codes, len(samples))
    return Rows(
        _stored(task.layout, samples, columns),
        [data for data in encoded if data is not None],
        [] if codes is None else [compress_map(code) for code in codes],
        findings + [finding for s in samples for finding in s.annotation.findings],
        residuals(samples, columns, model),
    )


def _stored(
    layout: str, samples: list[RawSample], columns: dict[str, NDArray]
) -> dict[str, NDArray]:
    """What the layout stores: the coefficient layout leaves out all that the reader can derive."""
    if layout != COEFFICIENTS or "coefficients/pose" not in columns:
        return columns
    kept = set(columns) - set(derive.ALWAYS)
    if all(sample.annotation.landmarks is None for sample in samples):
        kept -= set(derive.LANDMARKS)
    return {name: values for name, values in columns.items() if name in kept}


def _out_of_range(placed: Placed, samples: list[RawSample]) -> dict[str, Finding]:
    """Findings of the meshes that a position map cannot hold, by sample id."""
    top = uvmap.MAP_OFFSET_PX + 65535 * uvmap.MAP_SCALE_PX
    low, high = placed.low.min(0), placed.high.max(0)
    remedy = "The fit is implausible for its landmarks; look at the sample."
    found = {}
    for row in np.flatnonzero(~((low >= uvmap.MAP_OFFSET_PX) & (high <= top))):
        name = samples[row].files.sample_id
        message = (
            f"its mesh leaves the range of position maps: {low[row]:.0f} to {high[row]:.0f} px, "
            f"not within {uvmap.MAP_OFFSET_PX:.0f} to {top:.0f}"
        )
        found[name] = Finding("error", "map-range", name, message, remedy)
    return found


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
