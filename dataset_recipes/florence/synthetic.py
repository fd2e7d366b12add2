"""A synthetic MICC tree: scans of nobody, in the layout and with the faults of the real set."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset_recipes.florence.poses import vrn_poses
from prn_bench.facemodel import FaceModel
from prn_bench.geometry import rotation_matrix
from prn_bench.raster import rasterize
from prn_bench.synthetic.face import vary_albedo
from prn_bench.synthetic.mark import mark_synthetic

Array = NDArray[np.float64]

MM_PER_UNIT = {"um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1000.0}
TILT_DEG, TURN_DEG = (
    (-32.0, -23.0),
    (-6.0, 6.0),
)  # heads of the real set look down, and a little aside
TEXTURE_PX = 512
SKIN_RGB = (205, 160, 135)
HOLES, DEGENERATE = 3, 4  # places where the surface is torn, and triangles without area
CLIP_SIGMAS = 2.0


@dataclass(frozen=True)
class SyntheticScan:
    """A scan to write; world frame, mm."""

    vertices: Array
    triangles: NDArray[np.int32]
    uv: Array
    landmarks: Array
    texture: NDArray[np.uint8]


def write(folder: str | Path, model: FaceModel, n_samples: int, *, seed: int = 0) -> None:
    """Write subjects enough for a number of renderings.

    Parameters
    ----------
    folder : path
        Made if needed.
    model : FaceModel
        Any, with ``units`` um, mm, cm or m.
    n_samples : int
        Renderings wanted in the default variant; the last subject may give some more.
    seed : int
        The same seed gives the same bytes. From three subjects on the third has a faulty .obj, as the
        real set (its .wrl is whole); every scan has holes and degenerate triangles.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    mark_synthetic(root)
    rng = np.random.default_rng(seed)
    number = written = 0
    while written < n_samples:
        number += 1
        written += len(vrn_poses(number))
        _write_subject(root, model, rng, number)


def _write_subject(root: Path, model: FaceModel, rng: np.random.Generator, number: int) -> None:
    identity, albedo = _person(rng, model)
    texture = bake_texture(model, albedo)
    for k, name in enumerate(("frontal1", "frontal2")):
        scan = make_scan(model, rng, identity, texture)
        folder = root / f"subject_{number:02d}" / "Model" / name
        write_scan(folder, f"1109{20 + number // 24:02d}{number % 24:02d}{15 * k:02d}00", scan)
    if number == 3:
        path = next(folder.parent.glob("frontal1/obj/*.obj"))
        path.write_bytes(path.read_bytes()[:-9] + b" 99999999\n")


def make_scan(
    model: FaceModel, rng: np.random.Generator, identity: Array, texture: NDArray[np.uint8]
) -> SyntheticScan:
    """One scan of a person: neutral, looking down as the real ones, with holes."""
    scale = MM_PER_UNIT[model.units]
    coefficients = identity[None], np.zeros((1, model.n_components[1]))
    angles = [np.asarray(np.radians(rng.uniform(*ends))) for ends in (TILT_DEG, TURN_DEG, TURN_DEG)]
    turn, shift = rotation_matrix(*angles), rng.uniform(-15, 15, 3)
    vertices, landmarks = (
        np.round(points.astype(np.float64) * scale @ turn.T + shift, 4)
        for points in (model.vertices(*coefficients)[:, :, 0].T, model.landmarks(*coefficients)[0])
    )
    triangles = _torn(rng, vertices, model.triangles, landmarks)
    return SyntheticScan(vertices, triangles, model.uv_layout.operator.uv, landmarks, texture)


def bake_texture(model: FaceModel, albedo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(512, 512, 3) picture of (v, 3) vertex colours on the UV chart."""
    return np.rint(bake_chart(model, albedo)).astype(np.uint8)


def bake_chart(model: FaceModel, values: NDArray) -> Array:
    """(512, 512, k) vertex values on the UV chart, texel centres at half a texel."""
    uv, side = model.uv_layout.operator.uv, TEXTURE_PX
    places = np.stack([uv[:, 0] * side - 0.5, (1 - uv[:, 1]) * side - 0.5], 1)
    coverage = rasterize(places, model.uv_triangles, (side, side))
    corners = values[model.uv_triangles[np.maximum(coverage.triangle, 0)]].astype(np.float64)
    chart = np.einsum("hwk,hwkc->hwc", coverage.weights, corners)
    return _spread(chart, coverage.covered)


def write_scan(folder: Path, stem: str, scan: SyntheticScan) -> None:
    """``obj`` (with .mtl, .bmp, .ljson) and ``vrml`` (with .bmp) folders of one scan."""
    from PIL import Image

    points = {"labels": [], "landmarks": {"points": np.round(scan.landmarks, 6).tolist()}}
    files = {
        f"obj/{stem}.obj": obj_text(scan, stem),
        f"obj/{stem}.mtl": f"newmtl face\nKa 0 0 0\nKd 1 1 1\nmap_Kd {stem}.bmp\n",
        f"obj/{stem}.ljson": json.dumps({"version": 3, "groups": {"LJSON": points}}),
        f"vrml/{stem}.wrl": wrl_text(scan, stem),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for kind in ("obj", "vrml"):
        Image.fromarray(scan.texture).save(folder / kind / f"{stem}.bmp")


def obj_text(scan: SyntheticScan, stem: str) -> str:
    """The scan as Wavefront .obj."""
    corners = np.repeat(scan.triangles + 1, 2, 1)
    lines = [f"mtllib {stem}.mtl"]
    lines += _rows("v %.4f %.4f %.4f", scan.vertices) + _rows("vt %.6f %.6f", scan.uv)
    lines += ["usemtl face", *_rows("f %d/%d %d/%d %d/%d", corners)]
    return "\n".join(lines) + "\n"


def wrl_text(scan: SyntheticScan, stem: str) -> str:
    """The scan as VRML 2.0."""
    indices = _rows("%d, %d, %d, -1,", scan.triangles)
    parts = [
        "#VRML V2.0 utf8",
        f'Shape {{ appearance Appearance {{ texture ImageTexture {{ url "{stem}.bmp" }} }}',
        "geometry IndexedFaceSet { coord Coordinate { point [",
        *_rows("%.4f %.4f %.4f,", scan.vertices),
        "] } coordIndex [",
        *indices,
        "] texCoord TextureCoordinate { point [",
        *_rows("%.6f %.6f,", scan.uv),
        "] } texCoordIndex [",
        *indices,
        "] } }",
    ]
    return "\n".join(parts) + "\n"


def _person(rng: np.random.Generator, model: FaceModel) -> tuple[Array, NDArray[np.uint8]]:
    """Identity coefficients within two standard deviations, and vertex colours."""
    n = model.n_components[0]
    sigma = np.ones(n) if model.identity_sigma is None else model.identity_sigma
    identity = np.clip(rng.normal(size=n), -CLIP_SIGMAS, CLIP_SIGMAS) * sigma
    if model.topology.startswith("synthetic"):
        return identity, vary_albedo(rng, model)
    if model.albedo is not None:
        return identity, model.albedo
    return identity, np.full((model.n_vertices, 3), SKIN_RGB, np.uint8)


def _torn(
    rng: np.random.Generator, vertices: Array, triangles: NDArray[np.int32], landmarks: Array
) -> NDArray[np.int32]:
    """Triangles with a few holes away from the landmarks, and a few degenerate ones at the end."""
    centres = vertices[triangles].mean(1)
    keep = np.ones(len(triangles), bool)
    for _ in range(HOLES):
        place = centres[rng.integers(len(centres))]
        if np.linalg.norm(landmarks - place, axis=1).min() > 12:
            keep &= ((centres - place) ** 2).sum(1) > 3.0**2
    degenerate = np.repeat(rng.integers(len(vertices), size=(DEGENERATE, 1)), 3, 1)
    return np.concatenate([triangles[keep], degenerate]).astype(np.int32)


def _spread(chart: Array, covered: NDArray[np.bool_]) -> Array:
    """Values of the nearest covered texel everywhere else, so that no seam shows."""
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return np.asarray(chart[rows, columns])


def _rows(pattern: str, values: NDArray) -> list[str]:
    """One line for each row."""
    rows: Iterable[tuple[float, ...]] = map(tuple, values.tolist())
    return [pattern % row for row in rows]
