"""A synthetic file of AFLW crops: rendered faces, cameras that are a little off a similarity."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset_recipes.aflw_distill.recipe import FILE, N_EXPRESSIONS, N_SHAPE, NAME, SIDE_PX
from prn_bench import geometry
from prn_bench.facemodel import FaceModel
from prn_bench.images import cut_crop
from prn_bench.recipes.annotation import Fit
from prn_bench.synthetic import scene
from prn_bench.synthetic.mark import mark_synthetic
from prn_bench.synthetic.people import Person, random_person

FIRST_NUMBER = 90_001  # beyond AFLW's, so that none is a known copy
MAX_YAW_DEG = 80.0
STRETCH = 0.02  # how far a camera is from a similarity
FACTOR = (1.25, 1.6)  # side of a crop over that of the landmarks' box
QUALITY = 90


def write(folder: str | Path, model: FaceModel, n_samples: int, *, seed: int = 0) -> None:
    """Write ``aflw_crops_3ddfa_v2.npz``.

    Parameters
    ----------
    folder : path
        Made if needed.
    model : FaceModel
        Of its components the first 40 + 10 are used.
    n_samples : int
    seed : int
        The same seed gives the same bytes.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    mark_synthetic(root, model)
    rng = np.random.default_rng(seed)
    names = [f"image{FIRST_NUMBER + row}" for row in range(n_samples)]
    if not all(map(NAME.fullmatch, names)):
        raise ValueError(f"numbers have five digits: at most {100_000 - FIRST_NUMBER} samples")
    yaws = rng.permutation(np.linspace(-MAX_YAW_DEG, MAX_YAW_DEG, n_samples))
    crops = [_crop(model, rng, float(yaw)) for yaw in yaws]
    files = [image for image, _, _ in crops]
    np.savez(
        root / FILE,
        sample_id=np.array(names),
        image_webp=np.frombuffer(b"".join(files), np.uint8),
        image_offset=np.cumsum([0, *map(len, files)]),
        coefficients=np.array([values for _, values, _ in crops], np.float32),
        yaw_deg=yaws.astype(np.float32),
        visible21_nme_percent=rng.uniform(2, 8, n_samples).astype(np.float32),
        roi_box=np.array([box for _, _, box in crops], np.float32),
    )


def _crop(
    model: FaceModel, rng: np.random.Generator, yaw_deg: float
) -> tuple[bytes, NDArray[np.float64], NDArray[np.float64]]:
    """WebP, (62,) coefficients and the (4,) box of the crop in the whole picture."""
    from PIL import Image

    person = _short(random_person(rng, model))
    shot = scene.random_shot(rng, model, person, yaw_deg)
    fit = Fit(shot.fit.pose, shot.fit.identity, _first(shot.fit.expression, N_EXPRESSIONS))
    points = scene.landmarks(model, fit)
    box, factor = geometry.landmark_box(points), rng.uniform(*FACTOR)
    crop = geometry.crop_from_box(box, factor=factor, size_px=SIDE_PX)
    picture = Image.fromarray(scene.photograph(model, person, replace(shot, fit=fit)))
    stream = io.BytesIO()
    cut_crop(picture, crop, SIDE_PX).save(stream, "WEBP", quality=QUALITY)
    pose = geometry.pose_affine(fit.pose, scene.IMAGE_PX)
    camera = geometry.compose_affine(geometry.crop_affine(crop), pose)
    camera[:, :3] = camera[:, :3] @ (np.eye(3) + rng.normal(0, STRETCH, (3, 3)))
    camera *= np.array([[1], [-1], [1]])  # y up
    camera[:, 3] += (1, SIDE_PX, 1)
    values = [camera.ravel(), fit.identity[:N_SHAPE], fit.expression[:N_EXPRESSIONS]]
    corners = geometry.apply_affine(
        geometry.invert_affine(geometry.crop_affine(crop)), np.array([[0, 0, 0], [119, 119, 0]])
    )
    return stream.getvalue(), np.concatenate(values), corners[:, :2].ravel()


def _short(person: Person) -> Person:
    """The same person with the first 40 coefficients only."""
    return Person(_first(person.identity, N_SHAPE), person.albedo)


def _first(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.where(np.arange(len(values)) < count, values, 0.0)
