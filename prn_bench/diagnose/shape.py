"""When nothing known explains the points: whether at least the shapes are right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose.report import Mistake
from prn_bench.diagnose.scene import Scene

Array = NDArray[np.float64]

GOOD_SHAPE_NME = 12.0  # per cent, after each face was moved on its own
SHAPE_GAIN = 0.5
LOST_NME = 30.0  # per cent; the mean face, put where the face is, is nearer


def unexplained(scene: Scene, points: Array, left: float) -> Mistake | None:
    """What to say of gross errors that no correction explains; None where the method may just be poor.

    Parameters
    ----------
    scene : Scene
    points : (n, 68, 2|3) float, image frame
    left : float
        NME that the best corrections leave, per cent.
    """
    upright, mirrored = (_shape_error(scene, points, mirror=mirror) for mirror in (False, True))
    best = min(upright, mirrored)
    if best < GOOD_SHAPE_NME and best < SHAPE_GAIN * left:
        which = "mirrored, " if mirrored < upright else ""
        return Mistake(
            "error",
            "unknown-crop",
            f"the shapes are right ({which}{best:.1f} % once every face is moved, turned and scaled on "
            "its own), but they are not where the faces are: pixels of a crop that this dataset does "
            "not know",
            remedy="Map the points back to the original image with the crop that the method used.",
        )
    if left < LOST_NME:
        return None
    return Mistake(
        "error",
        "unexplained",
        f"the points are {left:.1f} % of a face away from their places, and nothing that is tried "
        "here explains it",
        remedy="Draw some of them on their images. Are these the 68 iBUG points, of these images?",
    )


def _shape_error(scene: Scene, points: Array, *, mirror: bool) -> float:
    """Mean NME, per cent, after a least-squares similarity of each sample in the image plane."""
    # Points as complex numbers: one complex factor turns and scales.
    source, target = (side[..., 0] + 1j * side[..., 1] for side in (points, scene.reference))
    source = np.conj(source) if mirror else source
    source, target = (side - side.mean(1, keepdims=True) for side in (source, target))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = (target * np.conj(source)).sum(1) / (np.abs(source) ** 2).sum(1)
        errors = np.abs(target - factor[:, None] * source).mean(1) / scene.scale_px * 100
    errors = errors[np.isfinite(errors)]
    return float(errors.mean()) if len(errors) else np.inf
