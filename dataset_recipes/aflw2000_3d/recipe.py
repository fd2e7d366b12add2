"""AFLW2000-3D: 2,000 images with a 3DDFA fit and 68 three-dimensional points each.

Facts this recipe rests on (measured on all 2,000 files): ``pt3d_68`` is (3, 68) in 1-based MATLAB
pixels, ``(X_x, h + 1 - X_y, X_z)`` of the projected fit; ``pt2d`` has 21 or 23 points with -1 where
hidden and is never used; dtypes are mixed; angles are not wrapped. The 3DDFA benchmark's ``.npy``
arrays, when they lie beside the images, add the re-annotated points, the AFLW yaw and the crop boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from prn_bench.annotation import (
    Annotation,
    Companions,
    SampleFiles,
    pair_members,
    read_fit,
    wide_angle_findings,
)
from prn_bench.errors import BenchError, Finding
from prn_bench.matfile import read_mat
from prn_bench.rawsource import RawSource
from prn_bench.sniff import read_npy

FIELDS = ("pt3d_68", "Pose_Para", "Shape_Para", "Exp_Para")
STORED_OFFSET = (1.0, 1.0, 0.0)  # stored points are 1-based in x and y
ORDER_TOLERANCE = 1e-2  # px or degrees: rows of the arrays must be the rows of the .mat files
FOLDERS = ("AFLW2000", "AFLW-2000-3D")


def find(source: RawSource) -> list[SampleFiles]:
    """Every image or .mat of the set, paired by name; folders other than the images' are passed over."""
    names = [name for name in source.names if PurePosixPath(name).parent.name in FOLDERS]
    return pair_members(
        names or [n for n in source.names if PurePosixPath(n).name.startswith("image")]
    )


def read(source: RawSource, sample: SampleFiles) -> Annotation:
    """One sample's fit and landmarks (image frame)."""
    where = source.where(sample.annotation)
    fields = read_mat(source.read(sample.annotation), where, FIELDS)
    points = np.asarray(fields["pt3d_68"], np.float64)
    if points.shape != (3, 68) or not np.isfinite(points).all():
        raise BenchError(
            "pt3d_68 is not 68 finite points",
            code="wrong-shape",
            where=where,
            expected="(3, 68)",
            found=str(points.shape),
        )
    fit = read_fit(fields, where)
    return Annotation(
        fit,
        landmarks=points.T - STORED_OFFSET,
        findings=wide_angle_findings(fit, sample.sample_id),
    )


def companions(source: RawSource, samples: Sequence[SampleFiles]) -> Companions:
    """The benchmark's arrays, joined to the samples by the order of ``names.txt`` or of sorted names.

    The order is proved, never trusted: rows of ``AFLW2000-3D.pts68.npy`` and ``AFLW2000-3D.pose.npy``
    must equal what the .mat files hold.

    Raises
    ------
    BenchError
        ``companion-order`` when the rows are not those of the samples.
    """
    members = {PurePosixPath(name).name: name for name in source.names}
    order = _order(source, members, samples)
    columns: dict[str, dict[str, NDArray]] = {}
    offsets: dict[str, tuple[float, ...]] = {"landmarks": STORED_OFFSET}
    findings = []
    for file, name, offset in (
        ("AFLW2000-3D-Reannotated.pts68.npy", "annotation/reannotated", STORED_OFFSET[:2]),
        ("AFLW2000-3D-new.pose.npy", "yaw_deg/aflw", None),
        ("AFLW2000-3D_crop.roi_box.npy", "roi_box", None),
    ):
        if file not in members:
            message = f"{file} does not lie beside the data: no {name}"
            findings.append(Finding("note", "no-companion", str(source.root), message))
            continue
        rows = _load_rows(source, members[file], len(order))
        if offset is not None:
            rows = rows.reshape(len(order), 2, 68).swapaxes(1, 2) - np.asarray(offset)
            offsets[name] = offset
        columns[name] = dict(zip(order, rows.astype(np.float64), strict=True))
    _prove_order(source, members, order, samples)
    return Companions(columns, offsets, tuple(findings))


def _order(source: RawSource, members: dict[str, str], samples: Sequence[SampleFiles]) -> list[str]:
    if "names.txt" in members:
        return source.read(members["names.txt"]).decode("utf-8", "replace").split()
    return sorted(sample.sample_id for sample in samples)


def _load_rows(source: RawSource, name: str, n_rows: int) -> NDArray:
    where = source.where(name)
    rows = read_npy(source.read(name), where)
    if len(rows) != n_rows:
        raise BenchError(
            "the array does not have one row per sample",
            code="companion-order",
            where=where,
            expected=f"{n_rows} rows",
            found=str(len(rows)),
            remedy="Put names.txt (one sample name per row) beside it, or take the array away.",
        )
    return rows


def _prove_order(
    source: RawSource, members: dict[str, str], order: list[str], samples: Sequence[SampleFiles]
) -> None:
    """Compare rows that repeat what the .mat files hold, for some samples spread over the set."""
    known = [sample for sample in samples if sample.annotation]
    row_of = {name: row for row, name in enumerate(order)}
    for file, column in (("AFLW2000-3D.pts68.npy", "points"), ("AFLW2000-3D.pose.npy", "yaw")):
        if file not in members:
            continue
        rows = _load_rows(source, members[file], len(order))
        for sample in known[:: max(1, len(known) // 50)]:
            if sample.sample_id in row_of:
                _prove_row(source, sample, rows[row_of[sample.sample_id]], column, file)


def _prove_row(
    source: RawSource, sample: SampleFiles, row: NDArray, column: str, file: str
) -> None:
    try:
        fields = read_mat(source.read(sample.annotation), source.where(sample.annotation), FIELDS)
    except BenchError:
        return  # a damaged .mat is quarantined later; it proves nothing here
    told = (
        fields["pt3d_68"] if column == "points" else np.degrees(fields["Pose_Para"].reshape(-1)[1])
    )
    gap = np.abs(row - told).max() if np.shape(row) == np.shape(told) else np.inf
    if not gap <= ORDER_TOLERANCE:
        raise BenchError(
            f"row for {sample.sample_id} in {file} differs from its .mat file by {gap:.3g}",
            code="companion-order",
            where=source.root,
            expected=f"at most {ORDER_TOLERANCE}",
            remedy="The arrays belong to another order or version: put the matching names.txt beside.",
        )
