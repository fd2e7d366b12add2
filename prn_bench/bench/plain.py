"""The plain way to a position map: what the scripts of the field do, one image at a time.

``scipy.io.loadmat``, decode, matrix-vector product, rasterise the UV map, warp by sampled points (by
scikit-image where it is installed), ``numpy.save``. The rasteriser is our compiled one; others are faster
still (face3d's takes 5 to 7 ms a map of the BFM), so the time that it takes is kept apart.
"""

from __future__ import annotations

import io
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.facemodel import FaceModel
from prn_bench.raster import rasterize
from prn_bench.recipes.annotation import SampleFiles
from prn_bench.recipes.rawsource import RawSource
from prn_bench.uvmap import uv_to_pixel


def warp_library() -> str:
    """Which library warps the image."""
    return "scikit-image" if find_spec("skimage") else "SciPy"


def plain_sample(
    source: RawSource, sample: SampleFiles, model: FaceModel, folder: Path
) -> tuple[float, float]:
    """One sample as a script would do it; seconds in all, and of these the rasteriser's."""
    from PIL import Image
    from scipy.io import loadmat

    start = time.perf_counter()
    stream: Any = io.BytesIO(source.read(sample.annotation))
    fields = loadmat(stream)
    image = np.asarray(Image.open(io.BytesIO(source.read(sample.image)))) / 255.0
    points = _fitted(model, fields, len(image))
    crop = geometry.crop_from_box(geometry.landmark_box(points[model.landmark_vertices]))
    points = geometry.apply_affine(geometry.crop_affine(crop), points)
    points[:, 2] -= points[:, 2].min()
    before = time.perf_counter()
    position_map = plain_map(model, points)
    rasterising = time.perf_counter() - before
    name = sample.sample_id.replace("/", "_")
    np.save(folder / f"{name}.npy", position_map)
    picture = Image.fromarray((255 * _warp(image, crop)).astype(np.uint8))
    picture.save(folder / f"{name}.jpg", quality=95)
    return time.perf_counter() - start, rasterising


def _fitted(model: FaceModel, fields: dict[str, NDArray], height: int) -> NDArray[np.float64]:
    """(v, 3) vertices of the fit, image frame."""
    shape = model.mean.reshape(-1).copy()
    for basis, name in ((model.identity_basis, "Shape_Para"), (model.expression_basis, "Exp_Para")):
        values = fields[name].astype(np.float32)[: basis.shape[2], 0]
        shape += basis.reshape(-1, basis.shape[2])[:, : len(values)] @ values
    affine = geometry.pose_affine(fields["Pose_Para"][0].astype(np.float64), height)
    return geometry.apply_affine(affine, shape.reshape(-1, 3))


def plain_map(model: FaceModel, points: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, n, 3) position map of (v, 3) points, rasterised anew."""
    size_px = model.uv_layout.operator.size_px
    pixels = uv_to_pixel(model.uv_layout.operator.uv, size_px)
    coverage = rasterize(pixels, model.uv_triangles, (size_px, size_px))
    corners = points[model.uv_triangles[coverage.triangle]]
    return np.einsum("hwk,hwkd->hwd", coverage.weights, corners).astype(np.float32)


def _warp(image: NDArray[np.float64], crop: NDArray[np.float64]) -> NDArray[np.float64]:
    """One sampled point a pixel and channel, bilinear."""
    side, back = geometry.CROP_SIZE_PX, np.linalg.inv(crop)
    if warp_library() == "scikit-image":
        from skimage.transform import ProjectiveTransform, warp

        cut: NDArray[np.float64] = warp(
            image, ProjectiveTransform(matrix=back), output_shape=(side, side)
        )
        return cut
    from scipy.ndimage import map_coordinates

    rows, columns = np.indices((side, side))
    x, y, _ = back @ np.stack([columns.ravel(), rows.ravel(), np.ones(side**2)])
    channels = [map_coordinates(image[..., c], (y, x), order=1) for c in range(3)]
    return np.stack(channels, -1).reshape(side, side, 3)
