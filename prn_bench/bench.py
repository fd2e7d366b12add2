"""Our speed against the plain way, side by side in one run: ratios, since machines differ.

The plain way is what the scripts of the field do, one image at a time: ``scipy.io.loadmat``, decode,
matrix-vector product, rasterise the UV map, warp by sampled points, ``numpy.save``. Its rasteriser is
our NumPy one; compiled ones are some ten times faster; docs/performance.md has the figures beside one.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.annotation import SampleFiles
from prn_bench.build import build
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel_file import load_face_model
from prn_bench.raster import rasterize
from prn_bench.rawsource import RawSource, open_raw
from prn_bench.recipes import Recipe
from prn_bench.uvmap import uv_to_pixel

PLAIN_SAMPLES = 24  # each takes long, and they are alike
MAP_FACES = 64
REPEATS = 5


@dataclass(frozen=True)
class Row:
    """One comparison: milliseconds a sample of the plain way and of ours."""

    what: str
    plain_ms: float
    ours_ms: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.plain_ms / self.ours_ms


def bench_maps(model: FaceModel) -> Row:
    """Position maps of fitted faces: one rasterisation each, against one sparse product a batch."""
    operator, size_px = model.uv_layout.operator, model.uv_layout.operator.size_px
    faces = np.repeat(model.mean.T[:, :, None], MAP_FACES, 2)
    operator.maps_from_vertices(faces)
    ours = _median(lambda: operator.maps_from_vertices(faces)) / MAP_FACES
    plain = _median(lambda: _plain_map(model, model.mean, size_px))
    return Row("position map from vertices", 1e3 * plain, 1e3 * ours)


def bench_build(
    recipe: Recipe, raw: str | Path, face_model: str | Path, *, limit: int | None, jobs: int
) -> list[Row]:
    """Whole builds, raw files to dataset file, in both layouts, on one worker and on several.

    Parameters
    ----------
    recipe : Recipe
        One with 3DDFA fits.
    raw, face_model : path
    limit : int or None
        Samples to build; fixed costs are part of the figure, so take thousands.
    jobs : int
        Workers of the parallel rows.
    """
    from threadpoolctl import threadpool_limits

    source, model = open_raw(raw), load_face_model(face_model)
    files = recipe.module.find(source)[:PLAIN_SAMPLES]
    rows = []
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        place = Path(folder)
        start = time.perf_counter()
        for sample in files:
            plain_sample(source, sample, model, place)
        plain = (time.perf_counter() - start) / len(files)
        for layout in ("coefficients", "maps"):
            for workers in dict.fromkeys((1, jobs)):
                start = time.perf_counter()
                report = build(
                    recipe, raw, place / "d.h5", face_model=face_model, layout=layout,
                    jobs=workers, limit=limit,
                )  # fmt: skip
                ours = (time.perf_counter() - start) / report.n_samples
                plural = "s" if workers > 1 else ""
                rows.append(
                    Row(f"build, {layout}, {workers} worker{plural}", 1e3 * plain, 1e3 * ours)
                )
    return rows


def plain_sample(source: RawSource, sample: SampleFiles, model: FaceModel, folder: Path) -> None:
    """One sample as a script would do it."""
    from PIL import Image
    from scipy.io import loadmat

    stream: Any = io.BytesIO(source.read(sample.annotation))
    fields = loadmat(stream)
    image = np.asarray(Image.open(io.BytesIO(source.read(sample.image)))) / 255.0
    shape = model.mean.reshape(-1).copy()
    for basis, name in ((model.identity_basis, "Shape_Para"), (model.expression_basis, "Exp_Para")):
        values = fields[name].astype(np.float32)[: basis.shape[2], 0]
        shape += basis.reshape(-1, basis.shape[2])[:, : len(values)] @ values
    affine = geometry.pose_affine(fields["Pose_Para"][0].astype(np.float64), len(image))
    points = geometry.apply_affine(affine, shape.reshape(-1, 3))
    crop = geometry.crop_from_box(geometry.landmark_box(points[model.landmark_vertices]))
    points = geometry.apply_affine(geometry.crop_affine(crop), points)
    points[:, 2] -= points[:, 2].min()
    name = sample.sample_id.replace("/", "_")
    np.save(folder / f"{name}.npy", _plain_map(model, points, model.uv_layout.operator.size_px))
    picture = Image.fromarray((255 * _warp(image, crop)).astype(np.uint8))
    picture.save(folder / f"{name}.jpg", quality=95)


def _plain_map(model: FaceModel, points: NDArray[np.floating], size_px: int) -> NDArray[np.float32]:
    pixels = uv_to_pixel(model.uv_layout.operator.uv, size_px)
    coverage = rasterize(pixels, model.uv_triangles, (size_px, size_px))
    corners = points[model.uv_triangles[coverage.triangle]]
    return np.einsum("hwk,hwkd->hwd", coverage.weights, corners).astype(np.float32)


def _warp(image: NDArray[np.float64], crop: NDArray[np.float64]) -> NDArray[np.float64]:
    """One sampled point a pixel and channel, as ``skimage.transform.warp`` of order 1 does."""
    from scipy.ndimage import map_coordinates

    side = geometry.CROP_SIZE_PX
    rows, columns = np.indices((side, side))
    x, y, _ = np.linalg.inv(crop) @ np.stack([columns.ravel(), rows.ravel(), np.ones(side**2)])
    channels = [map_coordinates(image[..., c], (y, x), order=1) for c in range(3)]
    return np.stack(channels, -1).reshape(side, side, 3)


def _median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
