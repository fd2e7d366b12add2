"""What a dataset file must look like before anything is read from it: attributes, names, shapes, types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prn_bench.dataset import schema
from prn_bench.errors import BenchError, Finding
from prn_bench.formats.texts import parse_json

if TYPE_CHECKING:
    import h5py

KINDS = {"bool": "b", "str": "OSU", "bytes": "O"}
TEXTS = (
    "recipe",
    "title",
    "licence",
    "citation",
    "fingerprint",
    "report",
    "origin",
    "created_with",
    "layout",
)
COUNTS = ("found", "read", "warned", "quarantined")
POSE, POSE_NUMBERS = "coefficients/pose", (7, 13)  # see geometry.pose_affine
RESIDUAL = ("n", "median_px", "max_px")


def require(file: h5py.File, attributes: Mapping[str, Any], names: frozenset[str]) -> None:
    """Refuse a file whose arrays cannot be what their names say; absent arrays are no fault.

    Raises
    ------
    BenchError
        ``missing-attribute``, ``missing-array`` (no sample ids), ``wrong-shape``, ``wrong-type``.
    """
    lacking = [key for key in TEXTS if not isinstance(attributes.get(key), str)]
    faults = [
        ("missing-attribute", f"the attribute {key} is missing or no text") for key in lacking
    ]
    if not isinstance(attributes.get("recipe_version"), int):
        faults.append(("missing-attribute", "recipe_version is missing or no whole number"))
    if "sample_id" not in names:
        faults.append(("missing-array", "the array sample_id is not there"))
    for code, words in [*faults, *misshapen({name: file[name] for name in sorted(names)})]:
        raise BenchError(
            words,
            code=code,
            where=file.filename,
            remedy="Build the dataset again; `prn-bench check` names every fault.",
        )


def misshapen(nodes: Mapping[str, h5py.Dataset]) -> Iterator[tuple[str, str]]:
    """Code and words for every array of another shape or type than its name asks for."""
    ids = nodes.get("sample_id")
    n_rows = ids.shape[0] if ids is not None and ids.ndim == 1 else None
    for name, node in nodes.items():
        column, shared = schema.column(name), schema.SHARED.get(name)
        if (known := column or shared) is None:
            continue
        wanted = (-1, *column.shape) if column else known.shape
        sides = [str(side) if side >= 0 else "any" for side in wanted]
        same = node.ndim == len(wanted) and all(
            want in (-1, side) for want, side in zip(wanted, node.shape, strict=True)
        )
        if column:
            sides[0] = f"N = {n_rows}"
            same = same and node.shape[0] == n_rows
        if name == POSE and same and node.shape[1] not in POSE_NUMBERS:
            sides[1], same = " or ".join(map(str, POSE_NUMBERS)), False
        if not same:
            yield "wrong-shape", f"{name} has shape {node.shape}; expected ({', '.join(sides)})"
        elif node.dtype.kind not in KINDS.get(known.dtype, np.dtype(known.dtype).kind):
            yield "wrong-type", f"{name} holds {node.dtype}, expected {known.dtype}"


def read_report(attributes: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The audit of the build: counts, findings, residuals; NaN for numbers that a residual lacks.

    Raises
    ------
    BenchError
        ``bad-report``.
    """
    try:
        report = parse_json(attributes["report"])
        if not all(type(report[key]) is int for key in COUNTS):
            raise TypeError("counts are whole numbers")
        for one in report.get("findings", ()):
            Finding.from_dict(one)
        found = (report.get("residuals") or {}).items()
        residuals = {
            name: {key: float(line.get(key, "nan")) for key in RESIDUAL} for name, line in found
        }
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise BenchError(
            "the report of the build is missing or garbled",
            code="bad-report",
            where=path,
            remedy="Build the dataset again.",
        ) from None
    return report | {"findings": report.get("findings", ()), "residuals": residuals}
