"""The 68 iBUG landmarks: which is which, how they mirror, how other sets of points follow from them.

Convention: indices are 0-based, "right" and "left" are the subject's own. Points are (..., 68, d).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

N_LANDMARKS = 68

#: Named sets of points, and how many they are.
POINT_SETS = MappingProxyType({"68": N_LANDMARKS, "aflw-21": 21, "aflw-lfpa-34": 34})

#: Outer eye corners (37 and 46 in the 1-based numbering of VRN and 3DDFA).
OUTER_EYE_CORNERS = (36, 45)

#: Contiguous groups, in order; together they are all 68 points.
GROUPS = MappingProxyType(
    {
        "jaw": range(0, 17),
        "right_brow": range(17, 22),
        "left_brow": range(22, 27),
        "nose_bridge": range(27, 31),
        "nose_base": range(31, 36),
        "right_eye": range(36, 42),
        "left_eye": range(42, 48),
        "outer_lips": range(48, 60),
        "inner_lips": range(60, 68),
    }
)

# Each group mirrors onto a group; the points of a pair run in opposite directions around the face.
_MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46),
    *(39, 38, 37, 36, 41, 40),
    *range(54, 47, -1),
    *range(59, 54, -1),
    *range(64, 59, -1),
    *range(67, 64, -1),
)

# 3DDFA benchmark_aflw.py (there 1-based): pupils and mouth centre are means of several points.
_AFLW21 = (
    *((17,), (19,), (21,), (22,), (24,), (26,)),
    *((36,), tuple(range(36, 42)), (39,), (42,), tuple(range(42, 48)), (45,)),
    *((2,), (31,), (30,), (35,), (14,)),
    *((48,), tuple(range(60, 68)), (54,), (8,)),
)


def mirror_permutation() -> NDArray[np.intp]:
    """(68,) order of the points after the image is mirrored: ``mirrored[i] = points[order[i]]``.

    It is its own inverse. The x coordinates are to be mirrored as well (``width - 1 - x``).
    """
    return np.array(_MIRROR, np.intp)


def aflw21_groups() -> tuple[tuple[int, ...], ...]:
    """For each of AFLW's 21 points, the 0-based landmarks whose mean stands for it.

    References
    ----------
    3DDFA, benchmark_aflw.py, calc_nme, ind_68to21.
    """
    return _AFLW21


def to_aflw21(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The 21 AFLW points of 68 landmarks.

    Parameters
    ----------
    points : (..., 68, d) float
        Any frame.

    Returns
    -------
    (..., 21, d) float64
        Same frame.

    Raises
    ------
    ValueError
        For another number of points.
    """
    points = np.asarray(points, np.float64)
    if points.ndim < 2 or points.shape[-2] != N_LANDMARKS:
        raise ValueError(f"points must be (..., {N_LANDMARKS}, d), got {points.shape}")
    return np.stack([points[..., list(group), :].mean(-2) for group in _AFLW21], -2)


@dataclass(frozen=True)
class GroupFit:
    """Which points stand for each annotated point, see :func:`fit_groups`.

    Attributes
    ----------
    groups : tuple of (tuple of int, or None)
        0-based; None where too few samples show the point.
    weights : tuple of (tuple of float, or None)
        Beside each group, summing to 1; None for a single point.
    rms : (k,) float64
        Root mean square distance left, px (or in units of ``scale_px``); NaN where there is no group.
    n_used : (k,) int64
        Samples that show the point.
    """

    groups: tuple[tuple[int, ...] | None, ...]
    weights: tuple[tuple[float, ...] | None, ...]
    rms: NDArray[np.float64]
    n_used: NDArray[np.int64]


def fit_groups(
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    visible: NDArray[np.bool_],
    *,
    scale_px: NDArray[np.floating] | None = None,
    combine: int = 1,
    min_samples: int = 10,
    keep: Sequence[tuple[tuple[int, ...] | None, tuple[float, ...] | None]] = (),
) -> GroupFit:
    """Find, by least squares over many samples, which predicted points the annotated ones are.

    Parameters
    ----------
    predicted : (n, v, 2 or 3) float, image frame, px
        Landmarks or mesh vertices; z is not used. Samples that are not finite are left out.
    annotated : (n, k, 2) float, image frame, px
    visible : (n, k) bool
        Only visible points count.
    scale_px : (n,) float, optional
        Face sizes: each sample's distances are divided by its own. Without, large faces count more.
    combine : int
        1 picks the best single point. More picks that many best ones, then the weights (not
        negative, sum 1) that fit best; weights below a thousandth are dropped.
    min_samples : int
        A point that fewer samples show stays unknown.
    keep : sequence of (group, weights), optional
        Per annotated point, what is known already: measured, not fitted. A group of None is fitted.

    Returns
    -------
    GroupFit

    Raises
    ------
    ValueError
        For shapes that do not belong together.
    """
    predicted, annotated = np.asarray(predicted), np.asarray(annotated, np.float64)
    n, k = annotated.shape[:2]
    if predicted.shape[0] != n or visible.shape != (n, k) or (keep and len(keep) != k):
        raise ValueError(f"shapes differ: {predicted.shape}, {annotated.shape}, {visible.shape}")
    whole = np.isfinite(predicted[..., :2]).all((1, 2))
    used = np.logical_and(visible & np.isfinite(annotated).all(-1), whole[:, None])
    scale = np.ones(n) if scale_px is None else np.asarray(scale_px, np.float64)
    source, target = _centred(predicted, annotated, used, scale)
    n_used = used.sum(0)
    costs = _point_costs(source, target, used)
    groups: list[tuple[int, ...] | None] = []
    weights: list[tuple[float, ...] | None] = []
    rms = np.full(k, np.nan)
    for point, rows in enumerate(used.T):
        group, share = keep[point] if keep else (None, None)
        if group is None and n_used[point] >= max(min_samples, 1):
            best = np.argsort(costs[:, point], kind="stable")[:combine]
            group, share = _weigh(source[rows][:, best], target[rows, point], best)
        groups.append(group)
        weights.append(share)
        if group is not None and n_used[point]:
            found = np.average(source[rows][:, list(group)], axis=1, weights=share)
            rms[point] = np.sqrt(((found - target[rows, point]) ** 2).sum(-1).mean())
    return GroupFit(tuple(groups), tuple(weights), rms, n_used)


def _centred(
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    used: NDArray[np.bool_],
    scale: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both point sets, counted from the middle of each face: costs are differences of squares."""
    whole = np.reshape(used.any(1), (-1, 1, 1))
    target = np.where(used[..., None], annotated, 0.0)
    middle = target.sum(1, keepdims=True) / np.maximum(used.sum(1), 1)[:, None, None]
    source = np.where(whole, predicted[..., :2], 0.0)
    return (source - middle) / scale[:, None, None], (target - middle) / scale[:, None, None]


def _point_costs(
    source: NDArray[np.float64], target: NDArray[np.float64], used: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(v, k) sums of squared distances over the samples that count, less a constant of each k."""
    squares = (source**2).sum(-1).T @ used.astype(np.float64)
    masked = np.where(used[..., None], target, 0.0)
    return np.asarray(squares - 2 * sum(source[..., d].T @ masked[..., d] for d in range(2)))


def _weigh(
    candidates: NDArray[np.float64], target: NDArray[np.float64], rows: NDArray[np.intp]
) -> tuple[tuple[int, ...], tuple[float, ...] | None]:
    """The convex combination of (m, c, 2) candidates that comes nearest to the (m, 2) target."""
    if len(rows) == 1:
        return (int(rows[0]),), None
    from scipy.optimize import nnls

    columns = candidates.swapaxes(1, 2).reshape(-1, len(rows))
    heavy = 1e3 * np.sqrt((columns**2).sum())  # makes the weights sum to 1, before the division
    values, _ = nnls(
        np.concatenate([columns, np.full((1, len(rows)), heavy)]),
        np.append(target.reshape(-1), heavy),
    )
    kept = values > 1e-3 * values.sum()
    if kept.sum() < 2:
        return (int(rows[values.argmax()]),), None
    shares = values[kept] / values[kept].sum()
    return tuple(int(i) for i in rows[kept]), tuple(float(w) for w in shares)
