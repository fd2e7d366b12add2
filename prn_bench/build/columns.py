"""What is stored of a batch of annotated samples: landmarks, boxes, crops, position maps, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.dataset.schema import column
from prn_bench.errors import BenchError
from prn_bench.facemodel import FaceModel, mesh
from prn_bench.recipes.annotation import Fit
from prn_bench.recipes.rawsample import RawSample

BOX_DIGITS = 3  # the box is rounded so that the crop does not hang on the last bit of a sum


def geometry_columns(samples: list[RawSample], model: FaceModel | None) -> dict[str, NDArray]:
    """The per-sample arrays of a batch, by their names in the dataset file (``schema.COLUMNS``).

    Raises
    ------
    BenchError
        ``face-model-needed`` when landmarks must be projected and there is no model.
    """
    columns: dict[str, NDArray] = {
        "sample_id": np.array([s.files.sample_id for s in samples], object),
        "image_size": np.array([s.size_px for s in samples], np.int32),
        "source_sha256": np.array([np.frombuffer(s.sha256, np.uint8) for s in samples]),
        **_fit_columns([s.annotation.fit for s in samples if s.annotation.fit is not None]),
        **_own_columns([s.annotation.columns for s in samples]),
    }
    points = _landmarks(samples, columns, model)
    columns["landmarks"] = points.astype(np.float32)
    columns["landmarks_visible"] = np.asarray(np.isfinite(points).all(-1))
    columns["box"] = np.round(_boxes(samples, points), BOX_DIGITS)
    columns["crop"] = geometry.crop_from_box(columns["box"])
    return columns


def _boxes(samples: list[RawSample], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) boxes to crop around: the annotated one, else that of the landmarks."""
    given = {row: s.annotation.box for row, s in enumerate(samples) if s.annotation.box is not None}
    boxes, rest = np.empty((len(samples), 4)), [r for r in range(len(samples)) if r not in given]
    for row, box in given.items():
        boxes[row] = box
    boxes[rest] = geometry.landmark_box(points[rest])
    return boxes


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
    return geometry.apply_affine(pose_affine_of(columns), shapes)


@dataclass(frozen=True)
class PlacedFits:
    """The fitted meshes of a batch in the crop frame, with the rearmost vertex of each at z = 0.

    Attributes
    ----------
    affine : (n, 3, 4) float64
        Model frame to crop frame, z shift included.
    z_shift : (n,) float64
        Taken over all vertices, neck included, as face3d's training maps have it.
    meshes : Meshes
    """

    affine: NDArray[np.float64]
    z_shift: NDArray[np.float64]
    meshes: mesh.Meshes


def place_fits(model: FaceModel, columns: dict[str, NDArray], *, with_maps: bool) -> PlacedFits:
    """Place the fits of a batch; ``with_maps`` keeps what position maps are made of."""
    affine = geometry.compose_affine(geometry.crop_affine(columns["crop"]), pose_affine_of(columns))
    fits = columns["coefficients/identity"], columns["coefficients/expression"]
    found = mesh.meshes(model, *fits, affine, with_maps=with_maps)
    z_shift = -mesh.vertex_z(model, *fits, affine, found.rearmost)
    affine[:, 2, 3] += z_shift
    return PlacedFits(affine, z_shift, found)


def reach_of_fits(
    model: FaceModel,
    columns: dict[str, NDArray],
    placed: PlacedFits,
    limits: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) lowest and highest coordinate of each mesh, exact where it may leave the limits."""
    low, high = mesh.reach(placed.meshes.box, placed.affine)
    doubtful = np.flatnonzero(~((low >= limits[0]) & (high <= limits[1])).all(1))
    if len(doubtful):
        identity, expression = (
            columns[f"coefficients/{part}"] for part in ("identity", "expression")
        )
        low[doubtful], high[doubtful] = mesh.extremes(
            model, identity[doubtful], expression[doubtful], placed.affine[doubtful]
        )
    return low.min(1), high.max(1)


def pose_affine_of(columns: Mapping[str, NDArray]) -> NDArray[np.float64]:
    """(n, 3, 4) model frame to image frame, of the stored fits."""
    return geometry.pose_affine(columns["coefficients/pose"], columns["image_size"][:, 0])


def residuals(
    samples: list[RawSample], columns: dict[str, NDArray], model: FaceModel | None
) -> dict[str, NDArray[np.float64]]:
    """How far the projected fit lies from what the raw files store, per sample, in px."""
    if model is None or "coefficients/pose" not in columns:
        return {}
    stored = [sample.annotation.landmarks for sample in samples]
    none_stored = all(points is None for points in stored)
    projected = columns["landmarks"] if none_stored else project_landmarks(model, columns)
    untrusted = [sample.annotation.untrusted for sample in samples]
    return {
        "landmarks": np.linalg.norm(projected - _or_nan(stored, 3), axis=-1).max(1),
        "untrusted_points": np.linalg.norm(
            projected[..., :2] - _or_nan(untrusted, 2), axis=-1
        ).mean(1),
    }


def _or_nan(points: Sequence[NDArray[np.float64] | None], dims: int) -> NDArray[np.float64]:
    missing = np.full((68, dims), np.nan)
    return np.array([missing if p is None else p for p in points])
