"""Which fields of a protocol contradict each other."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.errors import BenchError
from prn_bench.regions import REGIONS

if TYPE_CHECKING:
    from prn_bench.protocol_fields import Protocol

_ICP = ("icp_search", "icp_start", "icp_criterion", "icp_tolerance", "icp_iterations", "trim")


def check_agreement(p: Protocol, where: str | Path) -> None:
    """Raises BenchError ``protocol-clash`` for fields that contradict each other."""
    for clashes in (_general_clashes(p), _point_clashes(p), _alignment_clashes(p)):
        for words in (words for words, clash in clashes.items() if clash):
            raise BenchError(words, code="protocol-clash", where=where)


def _general_clashes(p: Protocol) -> dict[str, bool]:
    in_px = p.normalizer == "none" and p.task not in ("pose", "runtime")
    other_mean = p.subset == "balanced" and p.aggregate != "mean-of-bins"
    frobenius = p.task == "pose" and p.pose_error == "frobenius"
    angle = p.task == "pose" and not frobenius
    stored_map = p.reference == "uv-index" and p.reference_frame == "stored"
    return {
        "2D errors have no z, so z_rule must be none": p.dims == 2 and p.z_rule != "none",
        "the unit px goes with the normalizer none": (p.unit == "px") != in_px,
        "balanced subsets are averaged as mean-of-bins": other_mean,
        "maps were never stored 1-based: uv-index needs reference_frame=image": stored_map,
        "angles have the unit deg, and only they": (p.unit == "deg") != angle,
        "a Frobenius distance has the unit none, and only it": (p.unit == "none") != frobenius,
        "a time that is unknown has no penalty": p.task == "runtime" and p.missing == "penalise",
        "times have the unit ms, and only they": (p.unit == "ms") != (p.task == "runtime"),
    }


def _point_clashes(p: Protocol) -> dict[str, bool]:
    dense = p.point_set in ("map", "mesh")
    between_eyes = p.normalizer.startswith("inter") and p.normalizer_shape != "landmarks"
    known = p.region in ("all", *REGIONS)
    return {
        "68 landmarks are 68 points": p.point_set == "landmarks" and p.points != 68,
        "a region is a part of the map or of a scan": p.region != "all"
        and p.point_set not in ("map", "scan"),
        f"the regions of a map are {', '.join(REGIONS)}": p.point_set == "map" and not known,
        "lengths between the eyes need normalizer_shape=landmarks": dense and between_eyes,
        "z_rule=min-mesh and mixed-sdrn are about the 68 landmarks": (
            p.z_rule in ("min-mesh", "mixed-sdrn") and p.point_set != "landmarks"
        ),
        "only a scan is divided by a predicted length": p.normalizer.endswith("-predicted")
        and p.point_set != "scan",
    }


def _alignment_clashes(p: Protocol) -> dict[str, bool]:
    moved = (p.alignment, p.motion, p.match, p.target) != ("none", "applied", "index", "points")
    neutral = {field.name: field.default for field in fields(p) if field.name in _ICP}
    ruled = any(getattr(p, name) != value for name, value in neutral.items())
    by_index = p.match == "index"
    return {
        "an alignment belongs to task=reconstruction": p.task != "reconstruction" and moved,
        "a reconstruction is measured in 3D": p.task == "reconstruction" and p.dims != 3,
        "a scan has no order of points, so match cannot be index": p.point_set == "scan"
        and by_index,
        "a surface has no order of points, so match cannot be index": p.target == "surface"
        and by_index,
        "ICP rules need an ICP": not p.uses_icp and ruled,
        "trim must stay below 1": not p.trim < 1,
        "icp-sadrnet is about scans": p.alignment == "icp-sadrnet" and p.point_set != "scan",
    }
