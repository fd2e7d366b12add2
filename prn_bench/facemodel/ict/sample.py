"""Plausible coefficients for ICT faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.ict.parts import EXPRESSIONS

CLIP_SIGMAS = 2.5
PRESENCE = 0.12  # share of the movements that an expression uses
#: Movements that exclude each other: at most one of a row is used.
_EXCLUSIVE = (
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    ("eyeBlink", "eyeWide"),
    ("eyeLookUp", "eyeLookDown"),
    ("browDown", "browOuterUp", "browInnerUp"),
    ("mouthSmile", "mouthFrown", "mouthPucker", "mouthFunnel", "mouthStretch"),
    ("mouthClose", "jawOpen"),
    ("mouthRollLower", "mouthShrugLower", "mouthLowerDown", "mouthPress"),
    ("mouthRollUpper", "mouthShrugUpper", "mouthUpperUp"),
)


def sample_ict_identity(
    rng: np.random.Generator, n: int, model: FaceModel | None = None
) -> NDArray[np.float64]:
    """(n, k) identity coefficients of random people, within 2.5 standard deviations."""
    count = 100 if model is None else model.n_components[0]
    return np.clip(rng.normal(size=(n, count)), -CLIP_SIGMAS, CLIP_SIGMAS)


def sample_ict_expression(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """(n, 53) expression coefficients in [0, 1]: a few movements each, nearly alike on both sides.

    A face with many blendshapes at once is torn, and most movements exclude others.
    """
    names = sorted({name.removesuffix("_L").removesuffix("_R") for name in EXPRESSIONS})
    column = {name: i for i, name in enumerate(names)}
    strength = rng.beta(1.5, 1.8, (n, len(names))) * (rng.uniform(size=(n, len(names))) < PRESENCE)
    for row in _EXCLUSIVE:
        rivals = [column[name] for name in row]
        strongest = strength[:, rivals].max(1, keepdims=True)
        strength[:, rivals] = np.where(strength[:, rivals] == strongest, strength[:, rivals], 0)
    values = np.zeros((n, len(EXPRESSIONS)))
    for i, name in enumerate(EXPRESSIONS):
        both = strength[:, column[name.removesuffix("_L").removesuffix("_R")]]
        values[:, i] = both * rng.uniform(0.8, 1, n) if name[-2:] in ("_L", "_R") else both
    return _look_one_way(values, rng)


def _look_one_way(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Both eyes turn to the same side: out on one is in on the other."""
    index = {name: i for i, name in enumerate(EXPRESSIONS)}
    amount = values[:, index["eyeLookOut_L"]].copy()
    to_left = rng.uniform(size=len(values)) < 0.5
    for side, other, here in (("L", "R", to_left), ("R", "L", ~to_left)):
        values[:, index[f"eyeLookOut_{side}"]] = np.where(here, amount, 0)
        values[:, index[f"eyeLookIn_{other}"]] = np.where(here, amount, 0)
    return values
