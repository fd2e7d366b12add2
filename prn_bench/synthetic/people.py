"""Random people: coefficients and colours for any face model that says how far its coefficients spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.ict import ict_albedo, sample_ict_expression, sample_ict_identity
from prn_bench.synthetic.face import sample_expression, sample_identity, vary_albedo
from prn_bench.synthetic.face_grid import N_COLUMNS, N_ROWS

CLIP_SIGMAS = 2.5
SKIN = (206, 162, 138)
EMBEDDED = f"synthetic-{N_ROWS * N_COLUMNS}"


@dataclass(frozen=True)
class Person:
    """What stays the same between the pictures of one synthetic person.

    Attributes
    ----------
    identity : (k,) float64
    albedo : (v, 3) uint8
    """

    identity: NDArray[np.float64]
    albedo: NDArray[np.uint8]


def random_person(rng: np.random.Generator, model: FaceModel) -> Person:
    """Another face with other colours.

    Raises
    ------
    ValueError
        When the face model does not say how far its identities spread.
    """
    if model.topology == EMBEDDED:
        return Person(sample_identity(rng, 1, model)[0], vary_albedo(rng, model))
    if is_ict(model):
        return Person(sample_ict_identity(rng, 1, model)[0], ict_albedo(model, rng))
    return Person(_spread(rng, model.identity_sigma), _colours(rng, model))


def random_expression(rng: np.random.Generator, model: FaceModel) -> NDArray[np.float64]:
    """(k,) expression coefficients that a face may show.

    The embedded face and ICT-FaceKit have rules of their own; other bases take normal coefficients.
    """
    if model.topology == EMBEDDED:
        return sample_expression(rng, 1)[0]
    if is_ict(model):
        return sample_ict_expression(rng, 1)[0]
    if model.expression_sigma is None:
        return np.zeros(model.n_components[1])
    return _spread(rng, model.expression_sigma)


def is_ict(model: FaceModel) -> bool:
    """Whether a model is the whole ICT-FaceKit, whose sampler and colours know its parts."""
    return model.topology.startswith("ict-") and "eyeballs" in model.regions


def _spread(rng: np.random.Generator, sigma: NDArray[np.float64] | None) -> NDArray[np.float64]:
    if sigma is None:
        raise ValueError("the face model does not say how far its coefficients spread")
    return np.clip(rng.normal(size=len(sigma)), -CLIP_SIGMAS, CLIP_SIGMAS) * sigma


def _colours(rng: np.random.Generator, model: FaceModel) -> NDArray[np.uint8]:
    """The model's own colours, or plain skin, lighter or darker."""
    tint = rng.uniform(0.45, 1.1) * rng.uniform(0.95, 1.05, 3)
    colours = np.tile(SKIN, (model.n_vertices, 1)) if model.albedo is None else model.albedo
    return np.clip(colours * tint, 0, 255).astype(np.uint8)
