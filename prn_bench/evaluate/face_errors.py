"""Where on the face a method errs: the mean error at each pixel of the UV map, and one surface.

The rule is that of the dense 3D protocols (``aflw2000/dense/3d@prnet-mask``) in the image frame: mean z
of both sides removed, distances in per cent of sqrt(w h) of the reference's box. These are pictures; the
scores come from :mod:`prn_bench.evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.evaluate.case import make_case
from prn_bench.evaluate.dense_points import DensePoints
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.metrics import depth_origin
from prn_bench.normalizers import normalizer
from prn_bench.protocol import Protocol, protocol
from prn_bench.uvmap import grid_triangles

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

Values = NDArray[np.float64]
Planar = NDArray[np.floating]

RULES = "aflw2000/dense/3d@prnet-mask"
BLOCK = 16  # samples at a time


@dataclass(frozen=True)
class ErrorMap:
    """Mean error over samples at every pixel of the face.

    Attributes
    ----------
    error : (n, n) float64
        Per cent; NaN where the map is no face.
    n_samples : int
    """

    error: Values
    n_samples: int


@dataclass(frozen=True)
class Surface:
    """The predicted and the true surface of one sample.

    Attributes
    ----------
    sample_id : str
    reference, predicted : (p, 3) float32
        Image frame, about their own centres: z of both from its mean, x and y from the reference's.
    triangles : (t, 3) int32
        Of both.
    error : (p,) float64
        Per cent.
    """

    sample_id: str
    reference: NDArray[np.float32]
    predicted: NDArray[np.float32]
    triangles: NDArray[np.int32]
    error: Values


def error_map(
    predictions: Predictions, dataset: Dataset, *, inputs: ScoreInputs | None = None
) -> ErrorMap:
    """Mean error at each pixel, over all samples with a whole prediction.

    Raises
    ------
    BenchError
        ``no-dense-points`` and the others of :class:`prn_bench.evaluate.dense_points.DensePoints`, and
        those of joining predictions to a dataset; ``nothing-to-score``.
    """
    given = inputs or ScoreInputs()
    case = make_case(predictions, dataset, _rules_for(dataset), given)
    points = DensePoints(dataset, given)
    total, n = np.zeros(len(points.index)), 0
    for start in range(0, len(case.rows), BLOCK):
        rows, own = case.rows[start : start + BLOCK], case.own_rows[start : start + BLOCK]
        found = relative_errors(points.predicted(predictions, rows, own), points.reference(rows))
        whole = np.isfinite(found).all(1)
        total += found[whole].sum(0)
        n += int(whole.sum())
    error = np.full(points.layout.face_mask.shape, np.nan)
    error.reshape(-1)[points.index] = total / n if n else np.nan
    return ErrorMap(error, n)


def surface_of(
    predictions: Predictions,
    dataset: Dataset,
    sample_id: str,
    *,
    inputs: ScoreInputs | None = None,
    step: int = 3,
) -> Surface | None:
    """Both surfaces of one sample at every ``step``-th pixel of the map; None without a prediction.

    Raises
    ------
    BenchError
        As :func:`error_map`.
    """
    given = inputs or ScoreInputs()
    case = make_case(predictions, dataset, _rules_for(dataset), given)
    points = DensePoints(dataset, given)
    at = np.flatnonzero(np.asarray(dataset.sample_ids, object)[case.rows] == sample_id)
    if not len(at):
        return None
    sides = (
        points.predicted(predictions, case.rows[at], case.own_rows[at])[0],
        points.reference(case.rows[at])[0],
    )
    if not np.isfinite(sides[0]).all():
        return None
    return make_surface(sample_id, *sides, mask=points.layout.face_mask, step=step)


def _rules_for(dataset: Dataset) -> Protocol:
    """The rules, for whatever dataset: nothing is scored here."""
    return replace(protocol(RULES), dataset=str(dataset.attributes.get("recipe")))


def make_surface(
    sample_id: str, predicted: Planar, reference: Planar, *, mask: NDArray[np.bool_], step: int
) -> Surface:
    """The surface of (3, p) points that are the pixels of ``mask``, thinned to every ``step``-th."""
    error = relative_errors(predicted[None], reference[None])[0]
    thin = np.zeros_like(mask)
    thin[::step, ::step] = mask[::step, ::step]
    kept = thin[mask]
    small = mask[::step, ::step]
    number = np.cumsum(small.reshape(-1)) - 1
    centre = reference.mean(1, keepdims=True)
    sides = [np.asarray(side, np.float32).copy() for side in (reference, predicted)]
    for side in sides:
        side[:2] -= centre[:2]
        side[2] -= side[2].mean()
    return Surface(
        sample_id,
        sides[0].T[kept],
        sides[1].T[kept],
        number[grid_triangles(small)].astype(np.int32),
        error[kept],
    )


def relative_errors(predicted: Planar, reference: Planar) -> Values:
    """(b, p) distances of (b, 3, p) points in per cent of the reference's box, mean z removed."""
    rules = protocol(RULES)
    sides = [np.array(side, np.float64) for side in (predicted, reference)]
    for side in sides:
        side[:, 2] -= depth_origin(side[:, 2], rules.z_rule)
    scale = normalizer(rules.normalizer).measure(sides[1].transpose(0, 2, 1))
    return np.asarray(100 * np.linalg.norm(sides[0] - sides[1], axis=1) / scale[:, None])
