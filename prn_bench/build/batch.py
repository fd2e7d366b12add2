"""One batch of raw samples to finished rows: read, decode, fit to vertices, map, crop, encode.

Pure but for reading the raw source; runs in worker processes. The composition of a batch does not
depend on the number of workers, and neither does any stored bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry, images, uvmap
from prn_bench.build.columns import (
    PlacedFits,
    geometry_columns,
    place_fits,
    reach_of_fits,
    residuals,
)
from prn_bench.dataset import derive
from prn_bench.dataset.digests import row_digest
from prn_bench.errors import BenchError, Finding
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.file import load_face_model
from prn_bench.facemodel.mesh import moved_map
from prn_bench.recipes.annotation import SampleFiles
from prn_bench.recipes.rawsample import COEFFICIENTS, MAPS, BuildTask, RawSample, read_samples
from prn_bench.store import compress_map

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

MAP_RANGE_PX = (uvmap.MAP_OFFSET_PX, uvmap.MAP_OFFSET_PX + 65535 * uvmap.MAP_SCALE_PX)


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
    # One thread per worker, and sums in one order whatever the job count.
    with _blas().limit(limits=1):
        model = None if task.face_model is None else cached_face_model(task.face_model)
        samples, findings = read_samples(task, files)
        return _finish(task, model, samples, findings, {})


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    """The libraries that multiply, looked for once per process: it takes longer than a sample."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@lru_cache(maxsize=1)
def cached_face_model(path: Path) -> FaceModel:
    """The face model, read once per process."""
    return load_face_model(path)


def _finish(
    task: BuildTask,
    model: FaceModel | None,
    samples: list[RawSample],
    findings: list[Finding],
    crops: dict[str, bytes],
) -> Rows:
    """Geometry of a whole batch at once; where a sample turns out bad, again without it.

    ``crops`` are the encoded images by sample id, made once.
    """
    if not samples:
        return Rows({}, findings=findings)
    columns = geometry_columns(samples, model)
    placed, bad = None, {}
    if model is not None and "coefficients/pose" in columns:
        placed = place_fits(model, columns, with_maps=task.layout == MAPS)
        columns["z_shift"] = placed.z_shift
        bad = _out_of_range(samples, *reach_of_fits(model, columns, placed, MAP_RANGE_PX))
    bad = bad or _encode_crops(task, samples, columns["crop"], crops)
    if bad:
        kept = [s for s in samples if s.files.sample_id not in bad]
        return _finish(task, model, kept, [*findings, *bad.values()], crops)
    encoded = [crops[s.files.sample_id] for s in samples] if crops else []
    maps, columns["row_sha256"] = _maps_and_digests(placed, encoded, len(samples))
    return Rows(
        _stored(task.layout, samples, columns),
        encoded,
        maps,
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


def _out_of_range(
    samples: list[RawSample], low: NDArray[np.float64], high: NDArray[np.float64]
) -> dict[str, Finding]:
    """Findings of the meshes that a position map cannot hold, by sample id."""
    bottom, top = MAP_RANGE_PX
    remedy = "The fit is implausible for its landmarks; look at the sample."
    found = {}
    for row in np.flatnonzero(~((low >= bottom) & (high <= top))):
        name = samples[row].files.sample_id
        message = (
            f"its mesh leaves the range of position maps: {low[row]:.0f} to {high[row]:.0f} px, "
            f"not within {bottom:.0f} to {top:.0f}"
        )
        found[name] = Finding("error", "map-range", name, message, remedy)
    return found


def _encode_crops(
    task: BuildTask,
    samples: list[RawSample],
    geometries: NDArray[np.float64],
    crops: dict[str, bytes],
) -> dict[str, Finding]:
    """Decode, cut and encode what is not there yet; findings of the pictures that are damaged."""
    bad = {}
    for sample, geometry_of_crop in zip(samples, geometries, strict=True):
        name = sample.files.sample_id
        if sample.picture is None or name in crops:
            continue
        try:
            picture = sample.picture()
        except BenchError as error:
            bad[name] = Finding.from_error(error, where=name)
            continue
        crop = images.cut_crop(picture, geometry_of_crop, geometry.CROP_SIZE_PX)
        crops[name] = images.encode_image(crop, lossless=task.lossless)
        picture.close()  # the sample lives on, its pixels need not
    return bad


def _maps_and_digests(
    placed: PlacedFits | None, encoded: list[bytes], n_rows: int
) -> tuple[list[bytes], NDArray[np.uint8]]:
    """Packed position maps, and the digest of each row; one map at a time, within the cache."""
    packed, digests = [], []
    shape_maps = None if placed is None else placed.meshes.maps
    for row in range(n_rows):
        codes = None
        if placed is not None and shape_maps is not None:
            shape_map = shape_maps[placed.meshes.shape[row]]
            codes = uvmap.encode_maps(moved_map(shape_map, placed.affine[row])[None])[0]
            packed.append(compress_map(codes))
        digests.append(row_digest(encoded[row] if encoded else None, codes))
    return packed, np.array([np.frombuffer(digest, np.uint8) for digest in digests])
