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

from prn_bench.errors import BenchError, Finding
from prn_bench.formats.matfile import read_mat
from prn_bench.formats.npyfile import read_npy
from prn_bench.recipes.annotation import (
    Annotation,
    Companions,
    SampleFiles,
    pair_members,
    read_fit,
    wide_angle_findings,
)
from prn_bench.recipes.rawsource import RawSource

FIELDS = ("pt3d_68", "Pose_Para", "Shape_Para", "Exp_Para")
STORED_OFFSET = (1.0, 1.0, 0.0)  # stored points are 1-based in x and y
# The other annotation's points look 0-based (docs/frames.md has the evidence; nobody says so).
REANNOTATED_OFFSET = (0.0, 0.0)
ORDER_TOLERANCE = 1e-2  # px or degrees: rows of the arrays must be the rows of the .mat files
#: Arrays of the 3DDFA benchmark script: file to dataset array and shape of one row.
COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    "AFLW2000-3D-Reannotated.pts68.npy": ("annotation/reannotated", (2, 68)),
    "AFLW2000-3D-new.pose.npy": ("yaw_deg/aflw", ()),
    "AFLW2000-3D_crop.roi_box.npy": ("roi_box", (4,)),
}
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

    Every row that repeats what a .mat file of the samples holds (``AFLW2000-3D.pts68.npy``,
    ``AFLW2000-3D.pose.npy``) is compared with it; where neither array is there, a warning says that the
    order is taken on trust.

    Raises
    ------
    BenchError
        ``companion-order`` when rows and samples do not belong together, ``wrong-shape``.
    """
    members = {PurePosixPath(name).name: name for name in source.names}
    order = _order(source, members)
    columns: dict[str, dict[str, NDArray]] = {}
    offsets: dict[str, tuple[float, ...]] = {"landmarks": STORED_OFFSET}
    findings = []
    for file, (name, shape) in COLUMNS.items():
        if file not in members:
            message = f"{file} does not lie beside the data: no {name}"
            findings.append(Finding("note", "no-companion", str(source.root), message))
            continue
        rows = _load_rows(source, members[file], len(order), shape).astype(np.float64)
        if name.startswith("annotation/"):
            rows, offsets[name] = rows.swapaxes(1, 2), REANNOTATED_OFFSET
        columns[name] = dict(zip(order, rows, strict=True))
    if columns:
        findings += _prove_order(source, members, order, samples)
    return Companions(columns, offsets, tuple(findings))


def _order(source: RawSource, members: dict[str, str]) -> list[str]:
    """The sample of each row, wanted or not; a name may carry the extension of its image."""
    known = [sample.sample_id for sample in find(source)]
    if "names.txt" not in members:
        return sorted(known)
    lines = source.read(members["names.txt"]).decode("utf-8", "replace").split()
    order = [PurePosixPath(line).stem for line in lines]
    lacking = sorted(set(known) - set(order))
    if lacking or len(set(order)) != len(order):
        raise BenchError(
            "names.txt does not name every sample once",
            code="companion-order",
            where=source.where(members["names.txt"]),
            expected=f"the {len(known)} samples found, {known[0]} and so on",
            found=f"{len(order)} names, without {', '.join(lacking[:3]) or 'repeats'}",
            remedy="Put the list that belongs to the arrays there, or take it away.",
        )
    return order


def _load_rows(source: RawSource, name: str, n_rows: int, shape: tuple[int, ...]) -> NDArray:
    where = source.where(name)
    rows = read_npy(source.read(name), where)
    if rows.shape[1:] != shape or rows.dtype.kind not in "fiu":
        raise BenchError(
            "the array does not have the shape that the 3DDFA script reads",
            code="wrong-shape",
            where=where,
            expected=f"numbers of shape {(n_rows, *shape)}",
            found=f"{rows.dtype} of shape {rows.shape}",
        )
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
) -> list[Finding]:
    """Compare every row that repeats what a .mat file holds."""
    told = {
        file: dict(zip(order, _load_rows(source, members[file], len(order), shape), strict=True))
        for file, shape in (("AFLW2000-3D.pts68.npy", (3, 68)), ("AFLW2000-3D.pose.npy", ()))
        if file in members
    }
    if not told:
        message = (
            "no AFLW2000-3D.pts68.npy or AFLW2000-3D.pose.npy to prove the order of the arrays"
        )
        return [Finding("warning", "order-not-proved", str(source.root), message)]
    for sample in samples:
        try:
            fields = read_mat(source.read(sample.annotation), sample.annotation, FIELDS[:2])
        except BenchError:
            continue  # a damaged .mat is quarantined later; it proves nothing here
        held = {
            "AFLW2000-3D.pts68.npy": fields["pt3d_68"],
            "AFLW2000-3D.pose.npy": np.degrees(fields["Pose_Para"].reshape(-1)[1]),
        }
        for file, rows in told.items():
            _prove_row(source, file, sample.sample_id, rows[sample.sample_id], held[file])
    return []


def _prove_row(source: RawSource, file: str, sample_id: str, row: NDArray, held: NDArray) -> None:
    gap = np.abs(row - held).max() if np.shape(row) == np.shape(held) else np.inf
    if not gap <= ORDER_TOLERANCE:
        raise BenchError(
            f"row for {sample_id} in {file} differs from its .mat file by {gap:.3g}",
            code="companion-order",
            where=source.root,
            expected=f"at most {ORDER_TOLERANCE}",
            remedy="The arrays belong to another order or version: put the matching names.txt beside.",
        )
