"""The picture of the synthetic face model that the README shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel
from prn_bench.geometry import rotation_matrix
from prn_bench.render import render
from prn_bench.synthetic.face import (
    UM_PER_MM,
    sample_expression,
    sample_identity,
    synthetic_face_model,
    vary_albedo,
)
from prn_bench.synthetic.face_expression import NAMES

Image = NDArray[np.uint8]

BACKGROUND = (226, 230, 234)
TALL, LARGE, SMALL = (380, 262), 1.13, 0.6  # px; px per mm of the large and the small faces
TILE = (190, 132)
PEOPLE_SEED = 61
COARSE = np.uint8(0xFC)
#: Yaw (degrees) and expression of the small faces; None is a person of its own.
_TILES: list[tuple[float, dict[str, float] | None]] = [
    (0, None), (-25, None), (20, {"jaw open": 2.2}), (0, {"smile": 3.0, "squint": 0.8}),
    (30, None), (0, None), (0, {"blink": 3.0, "brow raise": 1.5}), (-20, {"pout": 3.0, "brow frown": 3}),
]  # fmt: skip


def synthetic_face_picture(model: FaceModel | None = None) -> Image:
    """Mean face from three sides, some people and expressions, and the UV maps.

    Returns
    -------
    (380, 1504, 3) uint8
    """
    model = model or synthetic_face_model()
    mean, colors = model.mean.astype(np.float64), _albedo(model)
    sides = [view(model, mean, colors, yaw, TALL, LARGE) for yaw in (0, -40, -80)]
    tiles = [_tile(model, k, yaw, moved) for k, (yaw, moved) in enumerate(_TILES)]
    people = np.vstack([np.hstack(tiles[:4]), np.hstack(tiles[4:])])
    maps = np.vstack([_uv_image(model, colors), _uv_image(model, _positions(mean))])
    return np.ascontiguousarray(np.hstack([*sides, people, maps]))


def write_synthetic_face_picture(path: str | Path) -> None:
    """Save the picture as a PNG; colours keep 6 of their 8 bits, which halves the file."""
    from PIL import Image as Pictures

    Pictures.fromarray(synthetic_face_picture() & COARSE).save(path, optimize=True)


def view(
    model: FaceModel,
    vertices: NDArray[np.floating],
    colors: Image,
    yaw_deg: float,
    size_px: tuple[int, int],
    px_per_mm: float,
) -> Image:
    """Portrait of a shape of the model.

    Parameters
    ----------
    model : FaceModel
    vertices : (v, 3) float, model units (um)
    colors : (v, 3) uint8
    yaw_deg : float
    size_px : (height, width)
    px_per_mm : float

    Returns
    -------
    (height, width, 3) uint8
    """
    rotation = rotation_matrix(np.zeros(()), np.radians(yaw_deg), np.zeros(()))
    points = np.asarray(vertices, np.float64) @ rotation.T * (px_per_mm / UM_PER_MM)
    points[:, 1] *= -1
    # The middle of the head, not the tip of the nose, stays in the middle of the picture.
    points[:, 0] += size_px[1] / 2 + 18 * px_per_mm * np.sin(np.radians(yaw_deg))
    points[:, 1] += size_px[0] * 0.49
    return render(
        points,
        model.triangles,
        size_px,
        colors=colors,
        light_direction=(-0.35, -0.45, 0.8),
        ambient=0.35,
        background=BACKGROUND,
        supersample=2,
    )


def _tile(model: FaceModel, k: int, yaw_deg: float, moved: dict[str, float] | None) -> Image:
    rng = np.random.default_rng(PEOPLE_SEED + k)
    identity = sample_identity(rng, 1, model)
    colors = vary_albedo(rng, model)
    expression = 0.4 * sample_expression(rng, 1)
    if moved is not None:
        expression = np.array([[moved.get(name, 0.0) for name in NAMES]])
    vertices = model.vertices(identity, expression)[:, :, 0].T
    return view(model, vertices, colors, yaw_deg, TILE, SMALL)


def _positions(vertices: NDArray[np.float64]) -> Image:
    """x, y, z as red, green, blue."""
    low, high = vertices.min(0), vertices.max(0)
    return np.rint(255 * (vertices - low) / (high - low)).astype(np.uint8)


def _uv_image(model: FaceModel, colors: Image) -> Image:
    """(190, 190, 3) UV map of vertex colours."""
    planes = model.uv_layout.operator.maps_from_vertices(colors.T[:, :, None].astype(np.float32))
    rows = np.rint(np.linspace(0, planes.shape[-1] - 1, TILE[0])).astype(int)
    return np.rint(planes[0][:, rows][:, :, rows]).astype(np.uint8).transpose(1, 2, 0)


def _albedo(model: FaceModel) -> Image:
    if model.albedo is None:
        raise ValueError("the face model has no albedo")
    return model.albedo
