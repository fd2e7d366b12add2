"""Reconstruction errors: move the prediction as a protocol says, then measure distances.

Points are planar, (b, 3, p), both sides in one frame, pixels. What an alignment found (scale, angle,
iterations) is given beside the errors, since it tells a good fit from a lucky one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from prn_bench.alignment import Similarity, fit_by_first_point, fit_similarities
from prn_bench.icp import IcpFit, IcpRule, icp
from prn_bench.nearest import nearest
from prn_bench.protocol_fields import Protocol

Values = NDArray[np.float64]
COLUMNS = ("scale", "rotation_deg", "iterations", "converged", "failed")
FAILED = ("scale-collapse", "degenerate")
DEVICE_VARIABLE = "PRN_BENCH_ICP_DEVICE"


def aligned_errors(
    predicted: NDArray[np.floating],
    reference: NDArray[np.floating],
    protocol: Protocol,
    *,
    triangles: NDArray[np.int32] | None = None,
) -> tuple[Values, Mapping[str, Values]]:
    """Mean distance of every sample after its alignment.

    Parameters
    ----------
    predicted, reference : (b, 3, p) float
        In one order, when the protocol matches by index or aligns by correspondence.
    protocol : Protocol
    triangles : (t, 3) int, optional
        Of the reference, for distances to its surface.

    Returns
    -------
    mean_px : (b,) float64
        NaN where the alignment failed.
    columns : mapping of (b,) float64
        ``COLUMNS``, where the protocol aligns at all.
    """
    points = np.asarray(predicted, np.float64).transpose(0, 2, 1)
    target = np.asarray(reference, np.float64).transpose(0, 2, 1)
    if protocol.alignment == "none":
        motions = [Similarity.identity()] * len(points)
        return _each(points, target, protocol, motions, triangles), {}
    if protocol.uses_icp:
        rule, device = icp_rule(protocol), icp_device()
        fits = [icp(p, g, rule, device=device) for p, g in zip(points, target, strict=True)]
        return errors_after_icp(points, target, fits, protocol, triangles)
    motions = correspondence_motions(points, target, protocol)
    errors = _each(points, target, protocol, motions, triangles)
    return errors, _columns(motions, [None] * len(motions))


def correspondence_motions(
    predicted: Values, reference: Values, protocol: Protocol
) -> list[Similarity]:
    """The closed-form motion of every sample, of (b, p, 3) points in one order."""
    if protocol.alignment == "corr-first-point":
        parts = fit_by_first_point(predicted, reference)
    else:
        with_scale = protocol.alignment == "corr-similarity"
        parts = fit_similarities(predicted, reference, with_scale=with_scale)
    return [Similarity(float(s), r, t) for s, r, t in zip(*parts, strict=True)]


def icp_rule(protocol: Protocol) -> IcpRule:
    """The ICP that a protocol prescribes."""
    return IcpRule(
        with_scale=protocol.alignment == "icp-similarity",
        search=protocol.icp_search,
        trim=protocol.trim,
        start="none" if protocol.icp_start == "none" else "centroid",
        criterion=protocol.icp_criterion,
        tolerance=protocol.icp_tolerance,
        max_iterations=protocol.icp_iterations,
    )


def icp_device() -> str | None:
    """Where the user wants ICP to search: on a device of PyTorch, or None for a tree.

    From the environment, which reaches worker processes; it changes how long a score takes and not what
    it is.
    """
    return os.environ.get(DEVICE_VARIABLE) or None


def errors_after_icp(
    predicted: Values,
    reference: Values,
    fits: list[IcpFit],
    protocol: Protocol,
    triangles: NDArray[np.int32] | None,
) -> tuple[Values, Mapping[str, Values]]:
    """Errors of (b, p, 3) points by the fits of their samples; NaN for a failed one."""
    motions = [fit.motion for fit in fits]
    errors = _each(predicted, reference, protocol, motions, triangles)
    columns = _columns(motions, list(fits))
    errors[columns["failed"] == 1] = np.nan
    return errors, columns


def _columns(motions: list[Similarity], fits: list[IcpFit | None]) -> Mapping[str, Values]:
    nothing = np.full(len(fits), np.nan)
    iterations, converged, failed = nothing.copy(), nothing.copy(), np.zeros(len(fits))
    for i, fit in enumerate(fits):
        if fit is not None:
            iterations[i], converged[i] = fit.iterations, fit.converged
            failed[i] = fit.status in FAILED
    cosines = np.array([(np.trace(m.rotation) - 1) / 2 for m in motions])
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    scales = np.array([m.scale for m in motions])
    return dict(zip(COLUMNS, (scales, angles, iterations, converged, failed), strict=True))


def _each(
    predicted: Values,
    reference: Values,
    protocol: Protocol,
    motions: list[Similarity],
    triangles: NDArray[np.int32] | None,
) -> Values:
    return np.array(
        [
            cloud_error(points, target, motion, protocol, triangles)
            for points, target, motion in zip(predicted, reference, motions, strict=True)
        ]
    )


def cloud_error(
    predicted: Values,
    reference: Values,
    motion: Similarity,
    protocol: Protocol,
    triangles: NDArray[np.int32] | None = None,
) -> float:
    """Mean distance of one sample, px.

    Parameters
    ----------
    predicted, reference : (n, 3), (m, 3) float64
    motion : Similarity
        Predicted to reference.
    protocol : Protocol
        ``match`` pairs the points, ``motion`` says whether the moved or the given ones are measured.
    triangles : (t, 3) int, optional
        Of the reference.
    """
    moved = motion.apply(predicted)
    if protocol.match == "index":
        return float(np.linalg.norm(moved - reference, axis=1).mean())
    forward = ("predicted-to-reference", "symmetric")
    distances = []
    if protocol.match in forward:
        distances.append(_forward(predicted, moved, reference, protocol, triangles))
    if protocol.match in ("reference-to-predicted", "symmetric"):
        index, distance = nearest(reference, moved)
        if protocol.motion == "pairs-only":
            distance = np.linalg.norm(reference - predicted[index], axis=1)
        distances.append(float(distance.mean()))
    return float(np.mean(distances))


def _forward(
    predicted: Values,
    moved: Values,
    reference: Values,
    protocol: Protocol,
    triangles: NDArray[np.int32] | None,
) -> float:
    if triangles is not None:
        from prn_bench.surface import closest_points

        found, distance = closest_points(moved, reference, triangles)
    else:
        index, distance = nearest(moved, reference)
        found = reference[index]
    if protocol.motion == "pairs-only":
        distance = np.linalg.norm(predicted - found, axis=1)
    return float(distance.mean())
