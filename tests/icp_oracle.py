"""The plain algorithm, slow and obvious: every step a full search and a closed-form fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from prn_bench.alignment import Similarity

Array = NDArray[np.float64]


def plain_fit(predicted: Array, reference: Array, *, with_scale: bool) -> Similarity:
    """Umeyama's formula for one sample, step by step."""
    mean_p, mean_g = predicted.mean(0), reference.mean(0)
    u, singular, vt = np.linalg.svd((reference - mean_g).T @ (predicted - mean_p))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ flip @ vt
    scale = 1.0
    if with_scale:
        scale = float((singular * np.diag(flip)).sum() / ((predicted - mean_p) ** 2).sum())
    return Similarity(scale, rotation, mean_g - scale * rotation @ mean_p)


def plain_icp(
    predicted: Array,
    reference: Array,
    *,
    with_scale: bool = False,
    forward: bool = True,
    trim: float = 0.0,
    start: Similarity | None = None,
    steps: int = 5000,
) -> tuple[Similarity, int]:
    """To the fixed point, or a number of steps; the motion and the steps it took."""
    centred = Similarity(1.0, np.eye(3), reference.mean(0) - predicted.mean(0))
    motion, last = start or centred, None
    tree = cKDTree(reference)
    for step in range(steps):
        moved = motion.apply(predicted)
        if forward:
            distance, index = tree.query(moved)
            mine, other = predicted, reference[index]
        else:
            distance, index = cKDTree(moved).query(reference)
            mine, other = predicted[index], reference
        if last is not None and (index == last).all():
            return motion, step
        last = index
        if trim:
            kept = np.sort(distance)[max(3, round(len(distance) * (1 - trim))) - 1]
            mine, other = mine[distance <= kept], other[distance <= kept]
        motion = plain_fit(mine, other, with_scale=with_scale)
    return motion, steps


def mean_distance(motion: Similarity, predicted: Array, reference: Array) -> float:
    """Of the moved points to their nearest reference points."""
    return float(cKDTree(reference).query(motion.apply(predicted))[0].mean())
