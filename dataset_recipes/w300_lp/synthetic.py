"""A synthetic 300W-LP: views of one face in steps of yaw, stale 2D points, flips that were fitted again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.facemodel import FaceModel
from prn_bench.images import encode_pixels
from prn_bench.landmarks import mirror_permutation
from prn_bench.recipes.annotation import N_EXPRESSION, N_IDENTITY, Fit
from prn_bench.synthetic import scene
from prn_bench.synthetic.mark import mark_synthetic
from prn_bench.synthetic.matwriter import fit_fields, write_mat
from prn_bench.synthetic.people import random_person

SETS = ("AFW", "HELEN", "IBUG", "LFPW")
YAW_STEP_DEG, MAX_YAW_DEG = 5.0, 88.0
PRIOR_WEIGHT = 1e-3  # of the standard deviations in the fit of a flip, which keeps faces plausible


def write(
    folder: str | Path, model: FaceModel, n_samples: int, *, views: int = 6, seed: int = 0
) -> None:
    """Write images and .mat files into ``300W_LP/SET`` and ``300W_LP/SET_Flip``.

    Parameters
    ----------
    folder : path
        Made if needed.
    model : FaceModel
        The synthetic model.
    n_samples : int
        Pictures in all, flips included: half of them (rounded down) are flips.
    views : int
        Pictures of one face, further and further from its own yaw.
    seed : int
        The same seed gives the same bytes.
    """
    root = Path(folder)
    (root / "300W_LP").mkdir(parents=True, exist_ok=True)
    mark_synthetic(root, model)
    rng = np.random.default_rng(seed)
    n_plain = n_samples - n_samples // 2
    for face in range(-(-n_plain // views)):
        first = face * views
        n_views = min(views, n_plain - first)
        n_flips = min(max(n_samples // 2 - first, 0), n_views)
        _write_face(root / "300W_LP", model, rng, face, n_views, n_flips)


def _write_face(
    root: Path, model: FaceModel, rng: np.random.Generator, face: int, n_views: int, n_flips: int
) -> None:
    """All views of one face: only the pose changes, and pt2d stays that of the first view."""
    name, folder = f"{SETS[face % 4]}_{10000 + face}_1", SETS[face % 4]
    person = random_person(rng, model)
    own_yaw = float(rng.normal(0, 12))
    shot = scene.random_shot(rng, model, person, own_yaw)
    side = 1.0 if own_yaw >= 0 else -1.0
    stale = scene.landmarks(model, shot.fit)[:, :2] + 1
    stale_flip = _flipped(stale)
    step = max(YAW_STEP_DEG, (MAX_YAW_DEG - abs(own_yaw)) / max(n_views - 1, 1))
    focal, expression = float(shot.fit.pose[6]), shot.fit.expression[: model.n_components[1]]
    for view in range(n_views):
        yaw = np.clip(own_yaw + side * step * view, -MAX_YAW_DEG, MAX_YAW_DEG)
        angles = (float(shot.fit.pose[0]), float(np.radians(yaw)), float(shot.fit.pose[2]))
        centre = np.full(2, scene.IMAGE_PX / 2)
        turned = scene.centred_fit(model, person, expression, angles, focal, centre=centre)
        fit = shot.fit if view == 0 else turned
        picture = scene.photograph(model, person, replace(shot, fit=fit))
        _write_sample(root / folder / f"{name}_{view}", picture, fit, stale, rng)
        if view < n_flips:
            flip = fit_flip(model, fit)
            place = root / f"{folder}_Flip" / f"{name}_{view}"
            _write_sample(place, picture[:, ::-1], flip, stale_flip, rng)


def _write_sample(
    stem: Path,
    picture: NDArray[np.uint8],
    fit: Fit,
    stale: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    stem.parent.mkdir(exist_ok=True)
    stem.with_suffix(".jpg").write_bytes(encode_pixels(picture))
    write_mat(stem.with_suffix(".mat"), {"pt2d": stale.T, **fit_fields(fit, rng)})


def _flipped(stored: NDArray[np.float64]) -> NDArray[np.float64]:
    """1-based points of the mirrored image, in the order of the mirrored landmarks."""
    mirrored = stored[mirror_permutation()].copy()
    mirrored[:, 0] = scene.IMAGE_PX + 1 - mirrored[:, 0]
    return mirrored


def fit_flip(model: FaceModel, fit: Fit) -> Fit:
    """The model fitted to the mirrored image: mirrored pose, and shape by least squares.

    As in the real set the new coefficients are not a change of sign of the old ones, and the landmarks
    agree with the mirrored ones to a fraction of a pixel only.
    """
    pose = fit.pose * [1, -1, -1, -1, 1, 1, 1]
    pose[3] += scene.IMAGE_PX + 1
    mirrored = scene.landmarks(model, fit)[mirror_permutation()]
    target = mirrored * [-1, 1, 1] + [scene.IMAGE_PX - 1, 0, 0]
    inverse = geometry.invert_affine(geometry.pose_affine(pose, scene.IMAGE_PX))
    shape = geometry.apply_affine(inverse, target) - model.landmark_basis.mean
    n_identity, n_expression = model.n_components
    basis = np.concatenate([model.landmark_basis.identity, model.landmark_basis.expression], -1)
    sigma = np.concatenate([_sigma(model.identity_sigma), _sigma(model.expression_sigma)])
    scaled = basis.reshape(-1, len(sigma)) * sigma
    weight = PRIOR_WEIGHT * np.linalg.norm(scaled) / np.sqrt(len(sigma))
    rows = np.concatenate([scaled, weight * np.eye(len(sigma))])
    wanted = np.concatenate([shape.reshape(-1), np.zeros(len(sigma))])
    values = np.linalg.lstsq(rows, wanted, rcond=None)[0] * sigma
    identity = np.pad(values[:n_identity], (0, N_IDENTITY - n_identity))
    expression = np.pad(values[n_identity:], (0, max(0, N_EXPRESSION - n_expression)))
    return Fit(pose.astype(np.float32).astype(np.float64), identity, expression)


def _sigma(values: NDArray[np.float64] | None) -> NDArray[np.float64]:
    if values is None:
        raise ValueError("the face model does not say how far its coefficients spread")
    return values
