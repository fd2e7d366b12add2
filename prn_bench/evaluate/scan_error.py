"""The error of one predicted mesh against one scan, by the rules of VRN, PRNet or SADRNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from prn_bench.alignment import Similarity, fit_similarities
from prn_bench.evaluate.aligned import FAILED, cloud_error, icp_device, icp_rule
from prn_bench.evaluate.scan_look import covered_share
from prn_bench.evaluate.scans import Cloud
from prn_bench.icp import IcpFit, icp
from prn_bench.nearest import nearest
from prn_bench.protocol_fields import Protocol

Values = NDArray[np.float64]

# SADRNet (commit a5e6fac), src/model/loss.py, MICCError l.815-852.
SADRNET_NEAR_PX, SADRNET_STEPS = 5.0, (40, 60)
MIN_POINTS = 100  # fewer say nothing about a face


def scan_error(
    predicted: Values,
    reference: Values,
    cloud: Cloud,
    landmarks: Values | None,
    protocol: Protocol,
) -> Mapping[str, float]:
    """Mean distance in px, what the alignment found, and the share of the scan that is covered.

    SADRNet's rule leaves out what is not covered, so its share says nothing and is not given.

    Parameters
    ----------
    predicted, reference : (n, 3), (m, 3) float64
        Image frame, after the z rule.
    cloud : Cloud
        The scan, for its landmarks and triangles.
    landmarks : (68, 3) float64 or None
        Predicted, for a start by landmarks.
    protocol : Protocol
    """
    if protocol.alignment == "none":
        motion = Similarity.identity()
        mean = cloud_error(predicted, reference, motion, protocol, cloud.triangles)
        return {"mean_px": mean, "covered": covered_share(predicted, reference)}
    start = _start(landmarks, cloud, protocol)
    if protocol.alignment == "icp-sadrnet":
        return _sadrnet(predicted, reference, start, protocol)
    fit = icp(predicted, reference, icp_rule(protocol), start=start, device=icp_device())
    mean = cloud_error(predicted, reference, fit.motion, protocol, cloud.triangles)
    covered = covered_share(fit.motion.apply(predicted), reference)
    return {"mean_px": mean, "covered": covered, **_about(fit)}


def _start(landmarks: Values | None, cloud: Cloud, protocol: Protocol) -> Similarity | None:
    if not protocol.icp_start.startswith("landmarks") or landmarks is None:
        return None
    with_scale = protocol.icp_start == "landmarks-scale"
    parts = fit_similarities(landmarks[None], cloud.landmarks[None], with_scale=with_scale)
    scale, rotation, translation = (part[0] for part in parts)
    return Similarity(float(scale), rotation, translation)


def _sadrnet(
    predicted: Values, reference: Values, start: Similarity | None, protocol: Protocol
) -> Mapping[str, float]:
    """SADRNet's MICCError: fit with scale, keep the near part of the scan, fit that the other way."""
    points = predicted[:: protocol.stride]
    rule = replace(icp_rule(protocol), with_scale=True)
    first = icp(points, reference, replace(rule, max_iterations=SADRNET_STEPS[0]), start=start)
    moved = first.motion.apply(points)
    near = nearest(reference, moved)[1] < SADRNET_NEAR_PX
    kept = reference[near][:: protocol.stride]
    if len(kept) < MIN_POINTS:
        return {"mean_px": np.nan, **_about(first), "failed": 1.0}
    back = replace(rule, search="reference-to-predicted", max_iterations=SADRNET_STEPS[1])
    second = icp(moved, kept, back)
    mean_px = float(nearest(kept, second.motion.apply(moved))[1].mean())
    whole = replace(second, motion=first.motion.then(second.motion))
    return {"mean_px": mean_px, **_about(whole)}


def _about(fit: IcpFit) -> Mapping[str, float]:
    cosine = np.clip((np.trace(fit.motion.rotation) - 1) / 2, -1, 1)
    return {
        "scale": fit.motion.scale,
        "rotation_deg": float(np.degrees(np.arccos(cosine))),
        "iterations": float(fit.iterations),
        "converged": float(fit.converged),
        "failed": float(fit.status in FAILED),
    }
