"""Errors between predicted and reference points, one value per sample.

Conventions: points are (n, p, d), n samples of p points in d = 2 or 3 dimensions, both sides in one
frame and one unit; ``predicted`` comes before ``reference``. NME is in per cent, as tables print
it. Nothing is averaged over samples here (see :mod:`prn_bench.summary`), and NaN stays NaN.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench.landmarks import N_LANDMARKS
from prn_bench.normalizers import normalizer

Array = NDArray[np.float64]
ZRule = Literal["none", "min", "median", "mean", "min-mesh", "mixed-sdrn"]

Z_RULES: tuple[ZRule, ...] = get_args(ZRule)
PERCENT = 100.0


def point_errors(predicted: ArrayLike, reference: ArrayLike) -> Array:
    """Euclidean distance of each point.

    Parameters
    ----------
    predicted, reference : (n, p, d) float, same frame and unit

    Returns
    -------
    (n, p) float64
        In that unit; NaN where a coordinate is NaN.

    Raises
    ------
    ValueError
        For shapes that differ or are not (n, p, 2) or (n, p, 3).
    """
    predicted, reference = _pair(predicted, reference)
    return np.asarray(np.linalg.norm(predicted - reference, axis=-1))


def align_depth(
    predicted: ArrayLike,
    reference: ArrayLike,
    rule: ZRule,
    *,
    mesh_min: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Move both point sets along z to a common origin.

    Parameters
    ----------
    predicted, reference : (n, p, 3) float, same frame and unit
    rule : str
        ``none`` leaves z as it is; ``min`` (2DASL), ``median`` and ``mean`` (SADRNet, DSFNet, JVCR)
        subtract that statistic of its own points from each side; ``min-mesh`` (PRNet-keras)
        subtracts ``mesh_min`` from the reference and leaves the prediction as it comes;
        ``mixed-sdrn`` (SDRN) subtracts the mean of its own points from the reference only, since the
        mean over the whole face was taken off the prediction before.
    mesh_min : (n,) float, optional
        Smallest z over the whole reference mesh, for ``min-mesh`` only.

    Returns
    -------
    predicted, reference : (n, p, 3) float64
        New arrays.

    Raises
    ------
    ValueError
        For an unknown rule, points without z, or ``min-mesh`` without ``mesh_min``.
    """
    predicted, reference = (side.copy() for side in _pair(predicted, reference))
    if predicted.shape[-1] != 3:
        raise ValueError("a z rule needs points with z, (n, p, 3)")
    if rule == "min-mesh":
        if mesh_min is None:
            raise ValueError("the rule min-mesh needs mesh_min")
        reference[..., 2] -= np.asarray(mesh_min, np.float64)[:, None]
        return predicted, reference
    if rule == "mixed-sdrn":
        reference[..., 2] -= reference[..., 2].mean(-1, keepdims=True)
        return predicted, reference
    for side in (predicted, reference):
        side[..., 2] -= depth_origin(side[..., 2], rule)
    return predicted, reference


def nme(predicted: ArrayLike, reference: ArrayLike, *, scale: ArrayLike) -> Array:
    """Normalised mean error of each sample, in per cent.

    Parameters
    ----------
    predicted, reference : (n, p, d) float, same frame and unit
    scale : (n,) float or float
        Length that counts as 100 %, in the unit of the points (see :mod:`prn_bench.normalizers`).

    Returns
    -------
    (n,) float64
        Mean point distance over ``scale``, times 100.

    Raises
    ------
    ValueError
        For shapes that do not fit or a scale that is not positive.
    """
    scale = np.asarray(scale, np.float64)
    if not (scale > 0).all():
        raise ValueError("the normaliser must be positive for every sample")
    return np.asarray(point_errors(predicted, reference).mean(-1) / scale * PERCENT)


def nme_68(
    predicted: ArrayLike,
    reference: ArrayLike,
    *,
    dims: Literal[2, 3] = 2,
    z_rule: ZRule = "mean",
    normalizer_name: str = "bbox-sqrt-wh",
) -> Array:
    """NME of 68 landmarks in one call, for a validation loop on plain arrays.

    With the defaults and the points that the 3DDFA script uses, the values are those that
    ``aflw2000/68/2d@3ddfa-fit`` averages; with ``dims=3``, ``aflw2000/68/3d@z-mean``.

    Parameters
    ----------
    predicted, reference : (n, 68, 2 or 3) float or (68, 2 or 3) float
        Same frame. z is ignored when ``dims`` is 2.
    dims : 2 or 3
    z_rule : str
        See :func:`align_depth`; for 3D only.
    normalizer_name : str
        A name from :mod:`prn_bench.normalizers`, measured on the reference points.

    Returns
    -------
    (n,) float64
        Per cent.

    Raises
    ------
    ValueError
        For other shapes or unknown names.

    Examples
    --------
    >>> reference = np.zeros((1, 68, 2))
    >>> reference[0, :2] = [[0, 0], [100, 100]]
    >>> nme_68(reference + [3, 4], reference)
    array([5.])
    """
    sides = [np.asarray(side, np.float64) for side in (predicted, reference)]
    predicted, reference = (side[None] if side.ndim == 2 else side for side in sides)
    for side in (predicted, reference):
        if side.ndim != 3 or side.shape[1] != N_LANDMARKS or side.shape[2] not in (dims, 3):
            raise ValueError(f"points must be (n, {N_LANDMARKS}, {dims} or 3), got {side.shape}")
    scale = normalizer(normalizer_name).measure(reference)
    predicted, reference = predicted[..., :dims], reference[..., :dims]
    if dims == 3:
        predicted, reference = align_depth(predicted, reference, z_rule)
    return nme(predicted, reference, scale=scale)


def _pair(predicted: ArrayLike, reference: ArrayLike) -> tuple[Array, Array]:
    predicted, reference = np.asarray(predicted, np.float64), np.asarray(reference, np.float64)
    if predicted.shape != reference.shape:
        raise ValueError(
            f"predicted and reference must have one shape, got {predicted.shape}, {reference.shape}"
        )
    if predicted.ndim != 3 or predicted.shape[-1] not in (2, 3):
        raise ValueError(f"points must be (n, p, 2) or (n, p, 3), got {predicted.shape}")
    return predicted, reference


def depth_origin(z: NDArray[np.floating], rule: ZRule) -> NDArray[np.floating] | float:
    """What a z rule subtracts from (..., p) depths, as (..., 1); see :func:`align_depth`.

    Raises
    ------
    ValueError
        For a rule that is not about the points alone.
    """
    if rule == "none":
        return 0.0
    if rule == "min":
        return np.asarray(z.min(-1, keepdims=True))
    if rule == "median":
        return np.asarray(np.median(z, -1, keepdims=True))
    if rule == "mean":
        # In double: thousands of float32 depths have a sum that hangs on their order.
        return np.asarray(z.mean(-1, keepdims=True, dtype=np.float64))
    raise ValueError(f"unknown z rule {rule!r}, known: {', '.join(Z_RULES)}")
