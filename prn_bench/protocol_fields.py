"""The fields of a protocol: what each may be, and which of them contradict each other.

A protocol is a flat table. Fields that only one kind of score needs have a neutral value; they enter
the hash only when they have another one, so that a field added later changes no old hash.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from prn_bench.errors import BenchError
from prn_bench.metrics import ZRule
from prn_bench.normalizers import normalizer_names
from prn_bench.protocol_rules import check_agreement
from prn_bench.subsets import Closed, Over90
from prn_bench.summary import Aggregate

PROSE = ("title", "source", "notes")
OWN = ("id", "version", *PROSE)  # never inherited: each file states them itself
ANY_DATASET = "any"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_NAMES = re.compile(r"([a-z0-9][a-z0-9-]*(,[a-z0-9][a-z0-9-]*)*)?")
_ALLOWED: dict[str, Any] = {
    "id": re.compile(r"[a-z0-9][a-z0-9/_.@-]*(\+[a-z0-9_]+=[a-z0-9,._-]+)*"),
    "version": range(1, 10_000),
    "dataset": _NAME,
    "dataset_variants": _NAMES,
    "expected_samples": range(10**9),
    "points": range(10**7),
    "dims": range(1, 4),
    "annotation": _NAME,
    "normalizer": normalizer_names(),
    "yaw_source": _NAME,
    "draws": range(1, 100_001),
    "seed": range(2**32),
    "region": _NAME,
    "stride": range(1, 10**6),
    "icp_iterations": range(10**6),
}
_WORDS = {
    "bin_edges": "increasing degrees >= 0, as 0,30,60,inf",
    "bin_centres": "increasing degrees, as -80,-40,0,40,80",
    "penalty": "a number >= 0",
}


@dataclass(frozen=True)
class Protocol:
    """One way to compute one score."""

    id: str
    version: int
    title: str
    source: str  # paper, or script and commit
    notes: str
    dataset: str  # recipe of the dataset file, or ANY_DATASET
    expected_samples: int  # of the whole benchmark; 0: any number
    points: int  # of one sample; 0: as many as the dataset has
    dims: int
    annotation: str  # `original`, or the name of another annotation of the same points
    reference: Literal["landmarks", "uv-index"]  # uv-index: the map read at the landmark pixels
    reference_frame: Literal["stored", "image", "face3d"]  # points.FRAME_OFFSETS
    z_rule: ZRule  # metrics.align_depth
    normalizer: str  # normalizers
    normalizer_shape: Literal["reference", "landmarks"]  # measured on these points
    yaw_source: str
    bin_edges: tuple[float, ...]  # degrees of absolute yaw
    closed: Closed  # which end of a bin belongs to it
    over_90: Over90  # subsets.yaw_bins
    subset: Literal["all", "balanced", "balanced-sdrn"]
    draws: int  # balanced subsets only
    seed: int
    aggregate: Aggregate  # the headline
    missing: Literal["strict", "penalise", "drop"]  # refuse, count `penalty`, or leave out
    penalty: float  # in the unit of the errors
    unit: Literal["percent", "px", "deg", "ms", "none"]
    task: Literal["nme", "reconstruction", "pose", "runtime"] = "nme"
    # variants of the recipe that the dataset may be of, `default` for none named; empty: any
    dataset_variants: str = ""
    # map: pixels of the face mask; mesh: vertices of the face model; named: points/ANNOTATION,
    # visible ones; scan: a region of a scan
    point_set: Literal["landmarks", "map", "mesh", "named", "scan"] = "landmarks"
    region: str = "all"  # of the map (regions.REGIONS) or of a scan (scan/region_NAME)
    stride: int = 1  # every how many points count
    bin_centres: tuple[float, ...] = ()  # signed yaw; each sample goes to the nearest
    group: Literal["sample", "subject"] = "sample"  # what intervals draw
    # -- reconstruction: what moves the prediction before distances are taken
    alignment: Literal[
        "none",
        "corr-rigid",
        "corr-similarity",
        "corr-first-point",
        "icp-rigid",
        "icp-similarity",
        "icp-sadrnet",
    ] = "none"
    motion: Literal["applied", "pairs-only"] = "applied"  # pairs-only: VRN, it only finds the pairs
    # how points are paired for the final distances
    match: Literal["index", "predicted-to-reference", "reference-to-predicted", "symmetric"] = (
        "index"
    )
    target: Literal["points", "surface"] = (
        "points"  # nearest vertex, or nearest point of the surface
    )
    icp_search: Literal["predicted-to-reference", "reference-to-predicted"] = (
        "predicted-to-reference"
    )
    icp_start: Literal["none", "centroid", "landmarks", "landmarks-scale"] = "centroid"
    icp_criterion: Literal["relative-rmse", "mse", "mean-distance"] = "relative-rmse"
    icp_tolerance: float = 0.0  # 0: to the fixed point, where no pair changes
    icp_iterations: int = 0  # 0: until converged
    trim: float = 0.0  # share of the worst pairs that no fit sees
    # -- head pose
    pose_error: Literal["euler", "geodesic", "frobenius"] = "euler"
    pose_limit_deg: float = 0.0  # samples with any stored angle beyond it are left out; 0: none
    wrap: Literal["no", "yes"] = "no"  # reference angles brought to -180..180 first

    @property
    def hash(self) -> str:
        """Sha256 (hex) of every field that decides the number, version included."""
        told = {
            field.name: text_of(getattr(self, field.name))
            for field in fields(self)
            if field.name not in ("id", *PROSE)
            and (field.default is MISSING or getattr(self, field.name) != field.default)
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def short_hash(self) -> str:
        """First 12 digits of the hash, as tables show it."""
        return self.hash[:12]

    @property
    def uses_icp(self) -> bool:
        """Whether an ICP runs."""
        return self.alignment.startswith("icp")

    def as_dict(self) -> dict[str, Any]:
        """Every field, in plain values that JSON and :meth:`from_dict` take (tuples as text)."""
        return {k: text_of(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], *, where: str | Path) -> Protocol:
        """Check every field of a complete table; texts are read as the field's type.

        Raises
        ------
        BenchError
            ``protocol-key`` for unknown or absent fields, ``protocol-value``, and
            ``protocol-clash`` for fields that contradict each other.
        """
        if not isinstance(table, Mapping):
            what = "a protocol is a table of fields"
            raise BenchError(what, code="protocol-value", where=where, found=repr(table)[:60])
        known = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        unknown, lacking = sorted(table.keys() - known), sorted(needed - table.keys())
        if unknown or lacking:
            what = f"has no field {', '.join(unknown)}" if unknown else "states too little"
            raise BenchError(
                f"a protocol {what}",
                code="protocol-key",
                where=where,
                expected=", ".join(["extends", *sorted(known)] if unknown else lacking),
                remedy='Take the rest from another one: extends = "aflw2000/68/2d@all".'
                if lacking
                else None,
            )
        result = cls(**{name: _value(name, raw, where) for name, raw in table.items()})
        check_agreement(result, where)
        return result


def text_of(value: Any) -> str:
    """How a value is written in an id and hashed; :meth:`Protocol.from_dict` reads it back."""
    if isinstance(value, tuple):
        return ",".join(text_of(item) for item in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


@cache
def _hints() -> Mapping[str, Any]:
    return get_type_hints(Protocol)  # slow, and the same for ever


def _value(name: str, raw: Any, where: str | Path) -> Any:
    """The checked value of a field."""
    hint = _hints()[name]
    allowed: Any = get_args(hint) if get_origin(hint) is Literal else _ALLOWED.get(name)
    try:
        value = _numbers(name, raw) if name in ("bin_edges", "bin_centres") else _plain(raw, hint)
        if not (allowed is None or name.startswith("bin_") or _fits(value, allowed)):
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise BenchError(
            f"the field {name} has a value that it cannot take",
            code="protocol-value",
            where=where,
            expected=_WORDS.get(name) or _words(allowed),
            found=repr(raw),
        ) from None
    return value


def _plain(raw: Any, hint: Any) -> Any:
    if type(raw) not in {int: (int, str), float: (float, int, str)}.get(hint, (str,)):
        raise TypeError
    value: Any = hint(raw) if hint in (int, float) else raw.strip()
    if hint is float and not 0 <= value < math.inf:
        raise ValueError
    return value


def _numbers(name: str, raw: Any) -> tuple[float, ...]:
    parts = [part for part in raw.split(",") if part] if isinstance(raw, str) else raw
    numbers = tuple(float(part) for part in parts)
    increasing = all(a < b for a, b in pairwise(numbers))
    enough = name == "bin_centres" or (len(numbers) >= 2 and numbers[0] >= 0)
    if not (increasing and enough) or any(math.isnan(number) for number in numbers):
        raise ValueError
    return numbers


def _fits(value: Any, allowed: Any) -> bool:
    if isinstance(allowed, re.Pattern):
        return allowed.fullmatch(value) is not None
    return value in allowed


def _words(allowed: Any) -> str:
    if isinstance(allowed, re.Pattern):
        return f"text of the form {allowed.pattern}"
    if isinstance(allowed, range):
        return f"a whole number from {allowed.start} to {allowed[-1]}"
    return f"one of {', '.join(allowed)}" if allowed else "text"
