"""An example that belongs to nobody: synthetic faces, and the method that always answers the mean face.

The method knows the true pose of each picture and nothing of the person, so its error is how much
people differ. It shows where on the face that is, without any licensed picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from prn_bench.evaluate.face_errors import ErrorMap, Surface, make_surface, relative_errors
from prn_bench.facemodel import FaceModel
from prn_bench.recipes.annotation import Fit
from prn_bench.synthetic import scene
from prn_bench.synthetic.face import synthetic_face_model
from prn_bench.synthetic.people import random_person

N_SAMPLES = 16
SHOWN = 9  # the sample of the 3D view
STEP = 4
SEED = 20
YAWS_DEG = (-60, 60)


@dataclass(frozen=True)
class Example:
    """What the example page shows."""

    errors: ErrorMap
    surface: Surface


def mean_face_example() -> Example:
    """Errors of the mean face over synthetic people; the same on every call."""
    model = synthetic_face_model()
    covered = model.uv_layout.operator.covered
    mask = covered if model.uv_layout.face_mask is None else model.uv_layout.face_mask
    rng = np.random.default_rng(SEED)
    yaws = np.linspace(*YAWS_DEG, N_SAMPLES)
    fits = [
        scene.random_shot(rng, model, random_person(rng, model), float(yaw)).fit for yaw in yaws
    ]
    flat = [replace(fit, identity=0 * fit.identity, expression=0 * fit.expression) for fit in fits]
    true, mean = (_on_map(model, several)[:, :, mask] for several in (fits, flat))
    error = np.full(mask.shape, np.nan)
    error[mask] = relative_errors(mean, true).mean(0)
    name = f"synthetic-{SHOWN}"
    surface = make_surface(name, mean[SHOWN], true[SHOWN], mask=mask, step=STEP)
    return Example(ErrorMap(error, N_SAMPLES), surface)


def _on_map(model: FaceModel, fits: list[Fit]) -> np.ndarray:
    """(b, 3, n, n) position maps in the image frame."""
    vertices = np.stack([scene.mesh(model, fit).T for fit in fits], -1)
    return model.uv_layout.operator.maps_from_vertices(vertices)
