"""Which samples a figure is about: yaw bins and balanced subsets.

Conventions: yaw is (n,) degrees as stored, either sign, possibly beyond 90; a bin is its index
0, 1, ..., or -1 for a sample that no bin takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Closed = Literal["right", "left"]
Over90 = Literal["last", "drop", "wrap", "fold", "previous"]

CLOSED: tuple[Closed, ...] = get_args(Closed)
OVER_90: tuple[Over90, ...] = get_args(Over90)
PROFILE_DEG = 90.0
NO_BIN = -1
DRAW_BLOCK = 250  # draws held at once: 250 x 2,000 doubles are 4 MB


def yaw_bins(
    yaw_deg: ArrayLike,
    *,
    edges: Sequence[float] = (0.0, 30.0, 60.0, np.inf),
    closed: Closed = "right",
    over_90: Over90 = "last",
) -> NDArray[np.intp]:
    """Bin of each sample by the size of its yaw.

    Parameters
    ----------
    yaw_deg : (n,) float
        As stored; the sign is ignored. NaN gets no bin.
    edges : k + 1 increasing floats
        The last may be infinite.
    closed : "right" or "left"
        ``right``: [0, 30], (30, 60], (60, ...) as the 3DDFA script; ``left``: [0, 30), [30, 60),
        and so on.
    over_90 : str
        What a stored yaw beyond 90 degrees means. ``last``: its size is taken as it is, so it falls
        into the last bin when that is open (3DDFA). ``drop``: no bin (SDRN). ``wrap``: full turns
        are removed first. ``fold``: read as the equal rotation within 90 degrees (pitch and roll
        turned by half a turn). ``previous``: the bin of the sample before it, in the order given
        (what SADRNet's predict.py does by accident); no bin before any.

    Returns
    -------
    (n,) intp
        0 to k - 1, or -1.

    Raises
    ------
    ValueError
        For edges that do not increase or unknown names.
    """
    limits = np.array(edges, np.float64)
    if limits.ndim != 1 or len(limits) < 2 or not (np.diff(limits) > 0).all():
        raise ValueError(f"bin edges must increase, got {limits.tolist()}")
    if closed not in CLOSED or over_90 not in OVER_90:
        raise ValueError(f"unknown bin rule closed={closed!r}, over_90={over_90!r}")
    yaw = np.asarray(yaw_deg, np.float64)
    size = _yaw_size(yaw, over_90)
    bins = np.searchsorted(limits[1:-1], size, side="left" if closed == "right" else "right")
    above = size > limits[-1] if closed == "right" else size >= limits[-1]
    below = size < limits[0]
    bins[above | below | np.isnan(size)] = NO_BIN
    beyond = np.abs(yaw) > PROFILE_DEG
    if over_90 == "drop":
        bins[beyond] = NO_BIN
    elif over_90 == "previous":
        bins = _from_previous(bins, beyond)
    return bins


def nearest_bins(yaw_deg: ArrayLike, centres: Sequence[float]) -> NDArray[np.intp]:
    """(n,) intp: the centre nearest to each signed yaw, the lower of two at one distance; NaN gets -1.

    VRN's ``ablation_pose.m`` sorts its renderings so, by -80, -40, 0, 40, 80 degrees.
    """
    yaw = np.asarray(yaw_deg, np.float64)
    distance = np.abs(yaw[:, None] - np.array(centres, np.float64))
    return np.where(np.isnan(yaw), NO_BIN, distance.argmin(1))


def bin_labels(edges: Sequence[float], closed: Closed = "right") -> tuple[str, ...]:
    """Interval notation of each bin, such as ``[0, 30]``, ``(30, 60]``, ``(60, inf)``."""
    labels = []
    for i, (low, high) in enumerate(pairwise(edges)):
        left = "[" if i == 0 or closed == "left" else "("
        right = "]" if closed == "right" and np.isfinite(high) else ")"
        labels.append(f"{left}{low:g}, {high:g}{right}")
    return tuple(labels)


def balanced_draws(
    errors: ArrayLike, bins: ArrayLike, *, n_bins: int, draws: int, seed: int
) -> tuple[NDArray[np.float64], int]:
    """Mean error of random balanced subsets: from each bin as many samples as the smallest has.

    PRNet's Table 1 used one such subset (696 = 3 x 232 with the AFLW yaw) whose list and seed were
    never published; the spread over draws says how little that choice means.

    Parameters
    ----------
    errors : (n,) float
        NaN where missing; a missing sample is never drawn.
    bins : (n,) int
    n_bins, draws, seed : int
        Draws are without replacement, by numpy's PCG64 with that seed.

    Returns
    -------
    means : (draws,) float64
        Mean of each subset; NaN when a bin is empty.
    size : int
        Samples drawn from each bin.
    """
    errors, bins = np.asarray(errors, np.float64), np.asarray(bins)
    parts = [errors[(bins == i) & ~np.isnan(errors)] for i in range(n_bins)]
    size = min(len(part) for part in parts)
    if size == 0:
        return np.full(draws, np.nan), 0
    rng = np.random.Generator(np.random.PCG64(seed))
    means = [_draw_means(part, size, draws, rng) for part in parts]
    return np.mean(means, 0), size


def sdrn_subset(bins: ArrayLike, *, n_bins: int, seed: int = 0) -> NDArray[np.intp]:
    """Rows of SDRN's subset: each bin shuffled in turn from one seed, cut to the last bin's size.

    Parameters
    ----------
    bins : (n,) int
        In the order of the benchmark (by name); -1 is left out.
    n_bins, seed : int
        The published run uses 3 and 0.

    Returns
    -------
    (m,) intp
        Increasing row numbers.

    References
    ----------
    SDRN, torchrun.py l.448-475: np.random.seed(0), np.random.shuffle on each bin's list.
    """
    bins = np.asarray(bins)
    members = [np.flatnonzero(bins == i) for i in range(n_bins)]
    random = np.random.RandomState(seed)  # numpy keeps this legacy stream fixed for ever
    for rows in members:
        random.shuffle(rows)
    return np.sort(np.concatenate([rows[: len(members[-1])] for rows in members]))


def _yaw_size(yaw: NDArray[np.float64], over_90: Over90) -> NDArray[np.float64]:
    if over_90 == "wrap":
        return np.abs(np.remainder(yaw + 180.0, 360.0) - 180.0)
    if over_90 == "fold":
        half_turns = np.round(yaw / 180.0)
        return np.abs(yaw - 180.0 * half_turns)
    return np.abs(yaw)


def _from_previous(bins: NDArray[np.intp], beyond: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give samples beyond 90 degrees the bin of the last sample within; none before any."""
    last_within = np.maximum.accumulate(np.where(beyond, -1, np.arange(len(bins))))
    return np.where(last_within < 0, NO_BIN, bins[last_within])


def _draw_means(
    values: NDArray[np.float64], size: int, draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(draws,) means of ``size`` of the values: those with the smallest of one random key each."""
    if size == len(values):
        return np.full(draws, values.mean())
    means = []
    for start in range(0, draws, DRAW_BLOCK):
        keys = rng.random((min(DRAW_BLOCK, draws - start), len(values)))
        chosen = np.argpartition(keys, size, axis=1)[:, :size]
        chosen.sort(axis=1)  # a fixed order of summation, whatever the partition left
        means.append(values[chosen].mean(1))
    return np.concatenate(means)
