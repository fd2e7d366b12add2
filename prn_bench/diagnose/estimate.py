"""Corrections with free parameters, fitted to the points at hand: offset, scale, order, rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose.corrections import (
    Correction,
    offset_correction,
    order_correction,
    rows_correction,
    scale_correction,
)
from prn_bench.diagnose.offset import Offset, convention_of, measure_offset
from prn_bench.diagnose.scene import Scene

Array = NDArray[np.float64]

FIT_SAMPLES = 400  # that an order is fitted to
MAX_MATCHED = 3000  # samples whose rows are matched with one another
MIN_MOVED_SHARE = 0.02  # a scale nearer to 1 is a method's own
MUTUAL_SHARE = 0.5
ROW_POINTS = (0, 8, 16, 27, 30, 36, 45, 48, 54)  # enough to tell one face from another


def estimated_corrections(scene: Scene, points: Array, *, gross: bool) -> Iterator[Correction]:
    """Fitted corrections.

    Parameters
    ----------
    scene : Scene
    points : (n, 68, 2|3) float, image frame
        As they are now, perhaps corrected already.
    gross : bool
        Whether the error is so large that rows may belong to other samples.
    """
    known = np.asarray(np.isfinite(points).all((1, 2)))
    if not known.any():
        return
    yield name_offset(measure_offset(scene.from_image(points), scene.from_image(scene.reference)))
    factor = _scale(scene, points, known)
    if abs(np.log(factor)) > MIN_MOVED_SHARE:
        yield scale_correction(factor)
    order = _order(scene, points, known)
    if (order != np.arange(len(order))).any():
        yield order_correction(order)
    if gross and known.sum() > 1:
        yield from _row_corrections(scene, points, known)


def name_offset(offset: Offset) -> Correction:
    """The correction of an offset: that of a known convention, or the estimate itself."""
    known = convention_of(offset)
    shift = np.array(known[0] if known else offset.estimate)
    name = ", ".join(
        f"{axis} {'-' if value > 0 else '+'} {round(abs(float(value)), 2):g}"
        for axis, value in zip("xy", shift, strict=True)
        if round(float(value), 2)
    )
    x, y = offset.estimate
    cause = f"the points lie ({x:+.2f}, {y:+.2f}) px from their places on the whole"
    remedy = "Undo it where the points are written, and state 0-based pixels."
    if known is None:
        remedy = "Look for a margin, a padding or a crop corner that was not undone."
    return offset_correction(
        shift, name, cause + (f", as {known[1]} would give" if known else ""), remedy
    )


def _scale(scene: Scene, points: Array, known: NDArray[np.bool_]) -> float:
    """What the points must be multiplied by to be as large as the reference, in their own space."""
    spreads = []
    for side in (scene.from_image(scene.reference), scene.from_image(points)):
        plane = side[known][..., :2]
        spreads.append(np.sqrt(((plane - plane.mean(1, keepdims=True)) ** 2).sum((1, 2))))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = float(np.median(spreads[0] / spreads[1]))
    return factor if np.isfinite(factor) and factor > 0 else 1.0


def _order(scene: Scene, points: Array, known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The order of the points that lies nearest to the reference, over samples together."""
    from scipy.optimize import linear_sum_assignment

    rows = np.flatnonzero(known)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, FIT_SAMPLES).astype(int))]
    costs = np.zeros((points.shape[1],) * 2)
    for row in rows:
        gap = scene.reference[row, :, None, :2] - points[row, None, :, :2]
        costs += np.hypot(gap[..., 0], gap[..., 1]) / scene.scale_px[row]
    return np.asarray(linear_sum_assignment(costs)[1], np.intp)


def _row_corrections(scene: Scene, points: Array, known: NDArray[np.bool_]) -> Iterator[Correction]:
    """Rows moved by one, in the order of the file or of the ids; else whatever fits best."""
    n = len(points)
    by_id = np.argsort(scene.ids, kind="stable")
    for order, words in ((np.arange(n), "in the file"), (by_id, "in the order of the ids")):
        for step in (-1, 1):
            source = np.empty(n, np.intp)
            source[order] = np.roll(order, step)
            which = "previous" if step < 0 else "next"
            cause = f"each id holds the prediction of the {which} sample {words}"
            yield rows_correction(source, f"moving the rows by one {words}", cause)


def matched_rows(scene: Scene) -> Correction | None:
    """For each sample the prediction that lies nearest; None unless most pairs choose each other.

    Predictions of the right faces in the wrong rows find one another; poor ones do not.
    """
    from scipy.spatial.distance import cdist

    points, rows = scene.to_image(scene.raw), np.flatnonzero(scene.known)
    if not 1 < len(rows) <= MAX_MATCHED:
        return None
    reference, predicted = (  # in the space of the file: the crop of a wrong image moves points
        scene.from_image(side)[rows][:, list(ROW_POINTS), :2].reshape(len(rows), -1)
        for side in (scene.reference, points)
    )
    distance = cdist(reference, predicted)
    nearest, back = distance.argmin(1), distance.argmin(0)
    mutual = back[nearest] == np.arange(len(rows))
    if mutual.mean() < MUTUAL_SHARE:
        return None
    source = np.arange(len(points))
    source[rows] = rows[nearest]
    moved = int((source != np.arange(len(points))).sum())
    cause = f"{moved} of {len(rows)} predictions fit the image of another id"
    return rows_correction(source, f"putting {moved} rows back", cause)
