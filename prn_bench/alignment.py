"""Least-squares motions between points in known correspondence, for one pair of clouds or many.

Two rules: Umeyama's, which is optimal and never mirrors, and the one of SADRNet's script, which is
neither and is here because published figures were made with it (PROTOCOLS 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Motions = tuple[Array, Array, Array]

FLAT = 1e-12  # squared extent across, over squared extent along, below which points count as a line


@dataclass(frozen=True)
class Similarity:
    """A motion ``x -> scale * rotation @ x + translation``.

    Attributes
    ----------
    scale : float
    rotation : (3, 3) float64
    translation : (3,) float64
    """

    scale: float
    rotation: Array
    translation: Array

    @classmethod
    def identity(cls) -> Similarity:
        """The motion that leaves every point in its place."""
        return cls(1.0, np.eye(3), np.zeros(3))

    @property
    def linear(self) -> Array:
        """(3, 3) scale times rotation."""
        return self.scale * self.rotation

    def apply(self, points: NDArray[np.floating]) -> Array:
        """Moved points, (..., n, 3) float64."""
        return np.asarray(points @ self.linear.T + self.translation, np.float64)

    def then(self, other: Similarity) -> Similarity:
        """The motion that does this one first and ``other`` after it."""
        return Similarity(
            self.scale * other.scale,
            other.rotation @ self.rotation,
            other.linear @ self.translation + other.translation,
        )

    def inverse(self) -> Similarity:
        """The motion that undoes this one."""
        back = self.rotation.T / self.scale
        return Similarity(1.0 / self.scale, self.rotation.T, -back @ self.translation)


def fit_similarities(
    predicted: NDArray[np.floating],
    reference: NDArray[np.floating],
    *,
    with_scale: bool,
    weights: NDArray[np.floating] | None = None,
) -> Motions:
    """Best motions from predicted to reference points, one for each pair of clouds.

    Parameters
    ----------
    predicted, reference : (b, n, 3) float, same units
    with_scale : bool
        False fits a rigid motion (scale 1).
    weights : (b, n) or (n,) float, optional
        Not negative; a weight of zero leaves a point out. All equal by default.

    Returns
    -------
    scale : (b,) float64
    rotation : (b, 3, 3) float64
        Determinant +1 always: a mirrored face is never accepted.
    translation : (b, 3) float64
        ``scale * rotation @ p + translation`` approximates the reference.

    Raises
    ------
    ValueError
        For other shapes, fewer than three points, values that are not finite, and clouds that
        determine no rotation: all in one place, or on one line.

    References
    ----------
    Umeyama, Least-squares estimation of transformation parameters between two point patterns, 1991.
    """
    source, target = _pairs(predicted, reference)
    share = _shares(weights, source.shape[:2])
    mean_s, mean_t = ((share[..., None] * points).sum(1) for points in (source, target))
    source, target = source - mean_s[:, None], target - mean_t[:, None]
    root = np.sqrt(share)[..., None]
    for points, name in ((source, "predicted"), (target, "reference")):
        check_extent(_gram(root * points, root * points), name)
    cross = _gram(root * target, root * source)
    spread = np.einsum("bnk,bnk->b", root * source, root * source)
    return closed_form(cross, spread, mean_s, mean_t, with_scale=with_scale)


def fit_similarity(
    predicted: NDArray[np.floating], reference: NDArray[np.floating], *, with_scale: bool
) -> Similarity:
    """Best motion between two (n, 3) clouds in correspondence; see :func:`fit_similarities`."""
    pair = np.asarray(predicted)[None], np.asarray(reference)[None]
    scale, rotation, translation = fit_similarities(*pair, with_scale=with_scale)
    return Similarity(float(scale[0]), rotation[0], translation[0])


def closed_form(
    cross: Array, spread: Array, mean_predicted: Array, mean_reference: Array, *, with_scale: bool
) -> Motions:
    """Umeyama's solution from sums over centred points.

    Parameters
    ----------
    cross : (..., 3, 3) float64
        Sum of ``reference @ predicted.T``.
    spread : (...) float64
        Sum of squared lengths of the predicted points.
    mean_predicted, mean_reference : (..., 3) float64
    with_scale : bool

    Returns
    -------
    scale (...), rotation (..., 3, 3), translation (..., 3) : float64
    """
    u, singular, vt = np.linalg.svd(cross)
    sign = np.ones_like(singular)
    sign[..., -1] = np.where(np.linalg.det(u) * np.linalg.det(vt) < 0, -1.0, 1.0)
    rotation = (u * sign[..., None, :]) @ vt
    best = (singular * sign).sum(-1) / spread
    scale = best if with_scale else np.ones_like(best)
    turned = np.einsum("...jk,...k->...j", rotation, mean_predicted)
    return scale, rotation, mean_reference - scale[..., None] * turned


def fit_by_first_point(predicted: NDArray[np.floating], reference: NDArray[np.floating]) -> Motions:
    """Motions by the rule of SADRNet's script, for its published figures only.

    The scale is the ratio of the summed distances to the first point of each cloud, which is not
    the least-squares one; the rotation lacks the guard of its determinant, so that it may mirror.

    Parameters
    ----------
    predicted, reference : (b, n, 3) float, same units

    Returns
    -------
    scale (b,), rotation (b, 3, 3), translation (b, 3) : float64
        The determinant of a rotation can be -1.

    Raises
    ------
    ValueError
        As :func:`fit_similarities`.

    References
    ----------
    SADRNet, src/model/loss.py, ``cp`` (commit a5e6fac), called by ``RecLoss`` on 43,867 points.
    """
    source, target = _pairs(predicted, reference)
    mean_s, mean_t = source.mean(1), target.mean(1)
    centred_s, centred_t = source - mean_s[:, None], target - mean_t[:, None]
    for points, name in ((centred_s, "predicted"), (centred_t, "reference")):
        check_extent(_gram(points, points), name)
    reach_s, reach_t = (
        np.linalg.norm(points - points[:, :1], axis=-1).sum(1) for points in (source, target)
    )
    scale = reach_t / reach_s
    u, _, vt = np.linalg.svd(_gram(centred_t, centred_s))
    rotation = u @ vt
    turned = np.einsum("bjk,bk->bj", rotation, mean_s)
    return scale, rotation, mean_t - scale[:, None] * turned


def check_extent(scatter: Array, name: str) -> None:
    """Refuse clouds that determine no rotation.

    Parameters
    ----------
    scatter : (b, 3, 3) float64
        Sums of ``point @ point.T`` over centred points.
    name : str
        Of the clouds, for the message.

    Raises
    ------
    ValueError
        All points in one place, or on one line.
    """
    _, across, along = np.moveaxis(np.linalg.eigvalsh(scatter), -1, 0)
    for bad, what in (
        (along <= 0, "all lie in one place"),
        (across <= FLAT * along, "lie on a line"),
    ):
        if bad.any():
            rows = np.flatnonzero(bad)
            where = f" (cloud {rows[0]}, {len(rows)} of {len(bad)})" if len(bad) > 1 else ""
            raise ValueError(f"the {name} points {what}{where}: they determine no rotation")


def _gram(left: Array, right: Array) -> Array:
    """Sums of ``left @ right.T`` over the points of (b, n, 3) clouds."""
    return np.asarray(left.swapaxes(1, 2) @ right)


def _pairs(predicted: NDArray[np.floating], reference: NDArray[np.floating]) -> tuple[Array, Array]:
    source, target = np.asarray(predicted, np.float64), np.asarray(reference, np.float64)
    if source.shape != target.shape or source.ndim != 3 or source.shape[2] != 3:
        raise ValueError(
            "points in correspondence must have one shape, (b, n, 3),"
            f" got {source.shape} and {target.shape}"
        )
    if source.shape[1] < 3:
        raise ValueError(f"a motion needs at least three points, got {source.shape[1]}")
    for points, name in ((source, "predicted"), (target, "reference")):
        if not np.isfinite(points).all():
            raise ValueError(f"the {name} points hold values that are not finite")
    return source, target


def _shares(weights: NDArray[np.floating] | None, shape: tuple[int, ...]) -> Array:
    """Weights of (b, n) points that add up to one for each cloud."""
    if weights is None:
        return np.full(shape, 1.0 / shape[1])
    given = np.broadcast_to(np.asarray(weights, np.float64), shape)
    total = given.sum(1, keepdims=True)
    if not np.isfinite(given).all() or (given < 0).any() or (total <= 0).any():
        raise ValueError("weights must be finite, not negative, and not all zero")
    return np.asarray(given / total)
