"""Synthetic photographs: a person, a pose, an expression, light and a background, with the exact fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.facemodel import FaceModel
from prn_bench.recipes.annotation import N_EXPRESSION, N_IDENTITY, Fit
from prn_bench.render import render, visible_points
from prn_bench.synthetic.people import Person, random_expression

IMAGE_PX = 450  # side of the images of 300W-LP and AFLW2000-3D
FACE_PX = (150.0, 260.0)  # range of face heights in them
FACE_OVER_LANDMARKS = 1.5  # height of a face over that of its landmarks, brows to chin
OCCLUDED = 0.2  # of the pictures have something before the face
NOISE_CELLS = (5, 40)  # coarse and fine grain of a background


@dataclass(frozen=True)
class Shot:
    """One picture to take: the 3DDFA fit, light, background, and what stands before the face.

    Attributes
    ----------
    fit : Fit
    light_direction : three floats
        From the face to the light, image frame.
    ambient : float
        Share of the light that comes from everywhere.
    background : (450, 450, 3) uint8
    occluder : (450, 450, 3) uint8 or None
        Black where nothing is before the face.
    """

    fit: Fit
    light_direction: tuple[float, float, float]
    ambient: float
    background: NDArray[np.uint8]
    occluder: NDArray[np.uint8] | None = None


def random_shot(rng: np.random.Generator, model: FaceModel, person: Person, yaw_deg: float) -> Shot:
    """A picture of a person at a yaw, with random pitch, roll, place, size, expression and light."""
    pitch, roll = np.radians(rng.normal(0, (10, 8)))
    height = np.ptp(model.landmark_basis.mean[:, 1]) * FACE_OVER_LANDMARKS
    focal = rng.uniform(*FACE_PX) / height
    expression = random_expression(rng, model)
    angles = (float(pitch), float(np.radians(yaw_deg)), float(roll))
    centre = rng.normal(IMAGE_PX / 2, 12, size=2)
    fit = centred_fit(model, person, expression, angles, float(focal), centre=centre)
    light = (float(rng.normal(0, 0.5)), float(rng.normal(-0.4, 0.3)), 0.8)
    occluder = random_occluder(rng) if rng.uniform() < OCCLUDED else None
    ambient = float(rng.uniform(0.25, 0.55))
    return Shot(fit, light, ambient, random_background(rng), occluder)


def centred_fit(
    model: FaceModel,
    person: Person,
    expression: NDArray[np.float64],
    angles: tuple[float, float, float],
    focal: float,
    *,
    centre: NDArray[np.floating],
) -> Fit:
    """The fit whose projected landmarks have the middle of their box at ``centre`` (image frame, px)."""
    identity = np.pad(person.identity, (0, N_IDENTITY - len(person.identity)))
    padded = np.pad(expression, (0, max(0, N_EXPRESSION - len(expression))))
    pose = np.array([*angles, 0, 0, 0, focal], np.float32).astype(np.float64)
    box = geometry.landmark_box(landmarks(model, Fit(pose, identity, padded)))
    shift = np.asarray(centre) - (box[:2] + box[2:]) / 2
    pose[3:5] = np.float32(shift * [1, -1])  # the fit's y points up
    return Fit(pose, identity, padded)


def landmarks(model: FaceModel, fit: Fit) -> NDArray[np.float64]:
    """(68, 3) landmarks of a fit, image frame."""
    shape = model.landmarks(fit.identity[None], fit.expression[None])[0]
    return geometry.apply_affine(geometry.pose_affine(fit.pose, IMAGE_PX), shape)


def mesh(model: FaceModel, fit: Fit) -> NDArray[np.float64]:
    """(v, 3) vertices of a fit, image frame."""
    shape = model.vertices(fit.identity[None], fit.expression[None])[:, :, 0].T.astype(np.float64)
    return geometry.apply_affine(geometry.pose_affine(fit.pose, IMAGE_PX), shape)


def photograph(model: FaceModel, person: Person, shot: Shot) -> NDArray[np.uint8]:
    """(450, 450, 3) uint8, the picture of a shot."""
    picture = render(
        mesh(model, shot.fit),
        model.triangles,
        (IMAGE_PX, IMAGE_PX),
        colors=person.albedo,
        light_direction=shot.light_direction,
        ambient=shot.ambient,
        background=shot.background,
    )
    if shot.occluder is None:
        return picture
    return np.where(shot.occluder.any(-1, keepdims=True), shot.occluder, picture)


def visible_landmarks(model: FaceModel, fit: Fit) -> NDArray[np.bool_]:
    """(68,) landmarks that the face itself does not hide."""
    points = mesh(model, fit)
    size_px = (IMAGE_PX, IMAGE_PX)
    return visible_points(points, model.triangles, size_px, model.landmark_vertices)


def random_background(rng: np.random.Generator) -> NDArray[np.uint8]:
    """(450, 450, 3) smooth colour clouds with some grain."""
    from PIL import Image

    layers = []
    for cells, strength in zip(NOISE_CELLS, (50, 12), strict=True):
        noise = 128 + rng.uniform(-strength, strength, size=(cells, cells, 1))
        tint = rng.uniform(-strength / 3, strength / 3, size=(cells, cells, 3))
        small = Image.fromarray(np.clip(noise + tint, 0, 255).astype(np.uint8))
        large = small.resize((IMAGE_PX, IMAGE_PX), Image.Resampling.BICUBIC)
        layers.append(np.asarray(large, np.float64) - 128)
    tone = rng.uniform(70, 190) + rng.uniform(-20, 20, size=3)
    return np.clip(tone + sum(layers), 0, 255).astype(np.uint8)


def random_occluder(rng: np.random.Generator) -> NDArray[np.uint8]:
    """(450, 450, 3) a textured bar or disc somewhere near the middle, black elsewhere."""
    y, x = np.indices((IMAGE_PX, IMAGE_PX)) - rng.normal(IMAGE_PX / 2, 60, size=(2, 1, 1))
    turn, half = rng.uniform(0, np.pi), rng.uniform(14, 40)
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    bar = (np.abs(across) < half) & (along > rng.uniform(-60, 60))
    disc = x**2 + y**2 < (1.5 * half) ** 2
    shown = bar if rng.uniform() < 0.6 else disc
    return np.where(shown[..., None], np.maximum(random_background(rng), 1), 0).astype(np.uint8)
