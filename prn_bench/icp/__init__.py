"""Iterative closest point: rigid or with scale, by explicit rules, and fast without changing the answer.

One step pairs every searching point with its nearest point and moves the prediction by the closed-form
fit to the pairs, until the tolerance is met or, at the fixed point, no pair changes any more. Every step is
that of the plain algorithm; only the searches that cannot change a pair are left out. docs/icp.md says
why nothing faster is done.

References
----------
Besl and McKay, A method for registration of 3-D shapes, 1992; Chetverikov et al., The trimmed iterative
closest point algorithm, 2002.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from prn_bench.alignment import FLAT, Similarity, fit_by_first_point
from prn_bench.icp.pairs import MovingPairs
from prn_bench.icp.point_tree import PointTree
from prn_bench.icp.walk import Walk
from prn_bench.nearest_gpu import TorchPoints

Array = NDArray[np.float64]
Search = Literal["predicted-to-reference", "reference-to-predicted"]
Criterion = Literal["relative-rmse", "mse", "mean-distance"]
Step = Literal["least-squares", "about-centroids", "first-point"]
Status = Literal["ok", "not-converged", "scale-collapse", "degenerate"]

MOST_STEPS = 2000
SCALE_RANGE = 5.0  # from the start; beyond it a cloud has collapsed onto a few points, or burst
MIN_POINTS = 3


@dataclass(frozen=True)
class IcpRule:
    """What an ICP does and when it stops.

    Attributes
    ----------
    with_scale : bool
        Similarities instead of rigid motions.
    search : str
        Who looks for its nearest point; the other side may keep points without a partner.
    trim : float
        Share of the worst pairs that no fit sees, 0 to below 1.
    start : "none" or "centroid"
        Where it begins, when the caller gives no motion.
    criterion : str
        What is compared with the tolerance: ``relative-rmse`` the relative change of the root mean
        square distance, ``mse`` the change of the mean square (2DASL: 0.01 px^2), ``mean-distance``
        that of the mean (SDRN: 0.1 px).
    tolerance : float
        0 goes on to the fixed point, where no pair changes.
    max_iterations : int
        0 for as many as it takes.
    step : str
        How a motion follows from the pairs. ``least-squares``; ``about-centroids`` (2DASL's script)
        turns only, and keeps the centroids of the two whole clouds together; ``first-point`` (SDRN,
        SADRNet) takes the scale from the distances to the first point of the searching cloud, and
        may mirror.
    """

    with_scale: bool = False
    search: Search = "predicted-to-reference"
    trim: float = 0.0
    start: Literal["none", "centroid"] = "centroid"
    criterion: Criterion = "relative-rmse"
    tolerance: float = 0.0
    max_iterations: int = 0
    step: Step = "least-squares"


@dataclass(frozen=True)
class IcpFit:
    """What an ICP found.

    Attributes
    ----------
    motion : Similarity
        Predicted to reference.
    iterations : int
        Steps.
    converged : bool
        Whether the tolerance was met, or the fixed point reached.
    rms : float
        Root mean square distance of the pairs of the last step, after its motion.
    inliers : float
        Share of the pairs that the fits saw.
    status : str
        ``ok``: as the rule wants it, also after a prescribed number of steps without a tolerance.
        ``not-converged``: the most steps were made, and the tolerance is not met.
        ``scale-collapse``: the scale left a fifth to five times the start's. ``degenerate``: fewer than
        three different points or partners, or all in a line.
    """

    motion: Similarity
    iterations: int
    converged: bool
    rms: float
    inliers: float
    status: Status


def icp(
    predicted: NDArray[np.floating],
    reference: NDArray[np.floating],
    rule: IcpRule | None = None,
    *,
    start: Similarity | None = None,
    device: str | None = None,
) -> IcpFit:
    """Align a predicted cloud to a reference cloud.

    Parameters
    ----------
    predicted : (n, 3) float
    reference : (m, 3) float, same unit
    rule : IcpRule, optional
        Rigid, to the fixed point, if None.
    start : Similarity, optional
        Instead of the rule's.
    device : str, optional
        Search by brute force with PyTorch on ``"cuda"`` or ``"cpu"`` instead of by a tree.

    Returns
    -------
    IcpFit

    Raises
    ------
    ValueError
        For shapes other than (n, 3) and values that are not finite.
    """
    rule = rule or IcpRule()
    points, target = _cloud(predicted), _cloud(reference)
    if start is None:
        start = Similarity.identity() if rule.start == "none" else _centred(points, target)
    if _flat(points) or _flat(target):
        return IcpFit(start, 0, False, float("nan"), 0.0, "degenerate")
    # About their own middles the sums keep their digits, wherever the clouds lie.
    away, home = points.mean(0), target.mean(0)
    first = replace(start, translation=start.apply(away) - home)
    fit = _icp(points - away, target - home, rule, first, device=device)
    move = fit.motion.translation + home - fit.motion.linear @ away
    return replace(fit, motion=replace(fit.motion, translation=move))


def _icp(
    points: Array,
    target: Array,
    rule: IcpRule,
    first: Similarity,
    *,
    device: str | None,
) -> IcpFit:
    """Between two clouds about the origin."""
    forward = rule.search == "predicted-to-reference"
    moving, fixed = (points, target) if forward else (target, points)
    tree = PointTree(fixed) if device is None else TorchPoints(fixed, device)
    walk = Walk(tree, forward=forward, with_scale=rule.with_scale)
    return _run(walk, moving, first, rule, reach=first.scale)


def _run(walk: Walk, moving: Array, motion: Similarity, rule: IcpRule, *, reach: float) -> IcpFit:
    """Steps of the whole cloud until the rule is met."""
    pairs, last, steps = walk.pairs(moving), np.nan, 0
    seen = np.ones(len(moving), bool)
    status: Status = "not-converged"
    for steps in range(1, (rule.max_iterations or MOST_STEPS) + 1):
        changed = walk.place(pairs, motion)
        if steps > 1 and not (changed or rule.tolerance):
            status = "ok"
            break
        if rule.trim:
            seen = _inliers(walk.distances(pairs, motion), rule.trim)
        value = _measure(walk, pairs, motion, seen, rule) if rule.tolerance else np.nan
        motion = _step(walk, pairs, seen, rule)
        if not 1 / SCALE_RANGE < motion.scale / reach < SCALE_RANGE:
            status = "scale-collapse"
            break
        unit = value if rule.criterion == "relative-rmse" else 1.0
        if abs(last - value) <= rule.tolerance * unit:
            status = "ok"
            break
        last = value
    converged = status == "ok"
    if rule.max_iterations and not rule.tolerance and status == "not-converged":
        status = "ok"
    if not _some(pairs.index[seen]):
        status, converged = "degenerate", False
    rms = float(np.sqrt((walk.distances(pairs, motion)[seen] ** 2).mean()))
    return IcpFit(motion, steps, converged, rms, float(seen.mean()), status)


def _step(walk: Walk, pairs: MovingPairs, seen: NDArray[np.bool_], rule: IcpRule) -> Similarity:
    """The motion that follows from the pairs."""
    if rule.step == "first-point":
        given = np.argsort(pairs.order)  # the first point is the first of the order given
        given = given[seen[given]]
        scale, rotation, move = fit_by_first_point(
            *(side[None, given] for side in walk.sides(pairs))
        )
        return Similarity(float(scale[0]), rotation[0], move[0])
    motion = walk.fit(pairs, seen)
    if rule.step == "about-centroids":
        return replace(motion, translation=np.zeros(3))
    return motion


def _centred(points: Array, target: Array) -> Similarity:
    return Similarity(1.0, np.eye(3), target.mean(0) - points.mean(0))


def _inliers(distance: Array, trim: float) -> NDArray[np.bool_]:
    kept = max(MIN_POINTS, round(len(distance) * (1 - trim)))
    if kept >= len(distance):
        return np.ones(len(distance), bool)
    limit = np.partition(distance, kept - 1)[kept - 1]
    return np.asarray(distance <= limit)


def _measure(
    walk: Walk, pairs: MovingPairs, motion: Similarity, seen: NDArray[np.bool_], rule: IcpRule
) -> float:
    """What is compared with the tolerance, before the next step."""
    if rule.criterion == "mean-distance":
        return float(walk.distances(pairs, motion)[seen].mean())
    if rule.trim:
        square = float((walk.distances(pairs, motion)[seen] ** 2).mean())
    else:
        square = walk.mean_square(pairs, motion)
    return square if rule.criterion == "mse" else float(np.sqrt(square))


def _cloud(values: NDArray[np.floating]) -> Array:
    points = np.asarray(values, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ValueError(f"a cloud is (n, 3) finite points, got {points.shape}")
    return points


def _some(rows: NDArray[np.intp]) -> bool:
    """Whether three are different; sorting them all takes longer than some steps."""
    for _ in range(MIN_POINTS - 1):
        rows = rows[rows != rows[:1]]
    return len(rows) > 0


def _flat(points: Array) -> bool:
    """Fewer than three points, or all in one place or line: no rotation follows from them."""
    if len(points) < MIN_POINTS:
        return True
    centred = points - points.mean(0)
    _, across, along = np.linalg.eigvalsh(centred.T @ centred)
    return bool(across <= FLAT * along)
