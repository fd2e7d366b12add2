"""The parts of Basel Face Model distributions: finding files, reading arrays, counting from zero.

MATLAB files hold indices that start at 1 and meshes as (3 v, k) columns x1, y1, z1, x2, ...; both
are turned here, once, into indices from 0 and (v, 3, k) float32 arrays.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, first_few
from prn_bench.formats import matfile, npyfile, sniff

MAX_DEPTH = 2  # the folder and the folders in it
N_MODEL_VERTICES, N_WHOLE_VERTICES = 53_215, 53_490
VERTEX_COUNTS = {
    N_WHOLE_VERTICES: "the whole BFM 2009",
    N_MODEL_VERTICES: "the BFM without inner mouth, as 3DDFA trims it",
    38_365: "3DDFA-V2's BFM without neck",
    35_709: "Deep3DFaceReconstruction's BFM front",
    43_867: "PRNet's face pixels",
    5_023: "FLAME",
}
# Where facts on the trimmed mesh are found, best first; fields of a struct count as well.
FACT_FILES = (
    "model_info.mat",
    "BFM_info.mat",
    "BFM_exp_idx.mat",
    "Model_tri_mouth.mat",
    "Model_Shape_Sim.mat",
    "tri.mat",
    "Model_Shape.mat",
    "BFM.mat",
)
FACTS = ("tri", "keypoints", "kpt_ind", "trimIndex", "segbin", "tri_mouth", "uv_coords")


def raw_bfm(path: Path) -> BenchError:
    """The error for 01_MorphableModel.mat without its companions, or under another name."""
    return BenchError(
        "this is the raw BFM 2009, which has no expressions and is not trimmed",
        code="raw-bfm-instead-of-bfm-mat",
        where=path,
        expected="face3d's BFM.mat (a struct `model`), or the raw model with its companions",
        remedy="Name it 01_MorphableModel.mat, put model_info.mat (trim index) and Model_Exp.mat "
        "(or Exp_Pca.bin with std_exp.txt) and BFM_UV.mat beside it, and run "
        "`prn-bench face-model FOLDER`: it needs no MATLAB step.",
    )


@dataclass(frozen=True)
class Facts:
    """What several distributions say about the trimmed mesh; None where no file does.

    Attributes
    ----------
    triangles, mouth_triangles : (t, 3) int32
    landmark_vertices : (68,) int32
    trim_rows : (v,) int32
        Rows of the kept vertices in the whole BFM 2009.
    segments : (v or 53490, 4) bool
        Nose, eyes, mouth and rest, in an order that the landmarks tell.
    uv : (v, 2) float64
    """

    triangles: NDArray[np.int32] | None
    mouth_triangles: NDArray[np.int32] | None
    landmark_vertices: NDArray[np.int32] | None
    trim_rows: NDArray[np.int32] | None
    segments: NDArray[np.bool_] | None
    uv: NDArray[np.float64] | None


class ModelFolder:
    """Files by name, whatever their case, in a folder and the folders in it; nearest first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, Path] = {}
        for place, folders, names in os.walk(root):
            folders.sort()
            if len(Path(place).relative_to(root).parts) >= MAX_DEPTH - 1:
                folders.clear()
            for name in sorted(names):
                self.files.setdefault(name.lower(), Path(place) / name)

    def find(self, *names: str) -> Path | None:
        """The first of these files that is there."""
        return next((self.files[n.lower()] for n in names if n.lower() in self.files), None)

    def need(self, *names: str) -> Path:
        """The first of these files; BenchError ``face-model-incomplete`` when none is there."""
        path = self.find(*names)
        if path is None:
            raise incomplete(self.root, [" or ".join(names)])
        return path


def incomplete(root: Path, missing: Sequence[str]) -> BenchError:
    """The error for face-model files that lack a companion."""
    return BenchError(
        f"the face model lacks {', '.join(missing)}",
        code="face-model-incomplete",
        where=root,
        remedy="Put it into this folder.",
    )


def read_facts(folder: ModelFolder, n_vertices: int | None = None) -> Facts:
    """Facts on the trimmed mesh from whatever files hold them.

    Parameters
    ----------
    folder : ModelFolder
    n_vertices : int, optional
        Of the trimmed mesh. Without it only the trim index is read, from which it follows.
    """
    raw, sources = _gather(folder, FACTS if n_vertices is not None else ("trimIndex",))

    def indices(limit: int, *names: str) -> NDArray[np.int32] | None:
        name = next((n for n in names if n in raw), None)
        return None if name is None else from_one(raw[name], limit, sources[name])

    rows = indices(N_WHOLE_VERTICES, "trimIndex")
    rows = None if rows is None else rows.ravel()
    if n_vertices is None:
        return Facts(None, None, None, rows, None, None)
    tri, mouth = indices(n_vertices, "tri"), indices(n_vertices, "tri_mouth")
    points = indices(n_vertices, "keypoints", "kpt_ind")
    segments, uv = raw.get("segbin"), raw.get("uv_coords")
    return Facts(
        None if tri is None else corners(tri),
        None if mouth is None else corners(mouth),
        None if points is None else points.ravel(),
        rows,
        None if segments is None else _long(segments) > 0,
        None if uv is None else _long(uv).astype(np.float64),
    )


def _long(table: NDArray) -> NDArray:
    """Vertices as rows, whichever way the file has them."""
    return table.T if table.shape[0] < table.shape[1] else table


def _gather(
    folder: ModelFolder, fields: Sequence[str]
) -> tuple[dict[str, NDArray], dict[str, str]]:
    """The first array found for each field, and its file and name for messages."""
    found: dict[str, NDArray] = {}
    sources: dict[str, str] = {}
    for name in FACT_FILES:
        path = folder.find(name)
        missing = [field for field in fields if field not in found]
        if path is None or not missing:
            continue
        for field, value in read_fields(path, missing).items():
            found[field], sources[field] = value, f"{path}: {field}"
    return found, sources


def read_fields(path: Path, fields: Sequence[str]) -> dict[str, NDArray]:
    """Those of the fields that a MATLAB file has, at its top or in its struct model(_info)."""
    where = str(path)
    found: dict[str, NDArray] = {}
    names = matfile.list_mat(path, where)
    for struct_name in ("model_info", "model"):
        if struct_name in names:
            found |= matfile.read_struct(path, where, struct_name, [], fields)
    return found | matfile.read_mat(path, where, [field for field in fields if field in names])


def from_one(indices: NDArray, n_vertices: int, where: str) -> NDArray[np.int32]:
    """Indices that start at 1 to indices that start at 0.

    Raises
    ------
    BenchError
        ``indices-not-from-one`` when one is no whole number of 1..``n_vertices``: the file was
        converted before, or belongs to another mesh.
    """
    whole = indices.size and np.array_equal(indices, np.floor(indices))
    if not whole or indices.min() < 1 or indices.max() > n_vertices:
        raise BenchError(
            "these vertex numbers do not fit the mesh",
            code="indices-not-from-one",
            where=where,
            expected=f"whole numbers 1..{n_vertices}, as MATLAB counts",
            found=f"{indices.min():g}..{indices.max():g}" if indices.size else "none",
            remedy="Use the file as distributed, not one that already counts from 0.",
        )
    return (indices.astype(np.int64) - 1).astype(np.int32)


def corners(triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """(3, t) or (t, 3) triangles to (t, 3)."""
    return np.ascontiguousarray(triangles.T if triangles.shape[0] == 3 else triangles)


def vertex_rows(columns: NDArray, where: str) -> NDArray[np.float32]:
    """A (3 v, k) or (3 v,) array of stacked x, y, z to (v, 3, k) float32.

    Raises
    ------
    BenchError
        ``wrong-shape`` when it is no such array, ``wrong-type``, ``not-finite``.
    """
    columns = npyfile.real_numbers(columns, where)
    if columns.ndim == 2 and columns.shape[0] == 1:
        columns = columns.T
    if columns.ndim not in (1, 2) or not len(columns) or len(columns) % 3:
        raise BenchError(
            "this array holds no x, y, z of vertices",
            code="wrong-shape",
            where=where,
            expected="3 v rows",
            found=str(columns.shape),
        )
    rows = np.ascontiguousarray(columns, np.float32).reshape(len(columns) // 3, 3, -1)
    if not np.isfinite(rows).all():
        raise BenchError(
            "the array holds values that are not finite", code="not-finite", where=where
        )
    return rows


def check_vertex_count(found: int, expected: int, where: str | Path) -> None:
    """Raise BenchError ``wrong-vertex-count``, with the name of the mesh that was met."""
    if found != expected or (found in VERTEX_COUNTS and found != N_MODEL_VERTICES):
        wanted = N_MODEL_VERTICES if found == expected else expected
        raise BenchError(
            "this file belongs to another mesh",
            code="wrong-vertex-count",
            where=where,
            expected=count_in_words(wanted),
            found=count_in_words(found),
            remedy="All files must be of one distribution of the trimmed BFM 2009.",
        )


def count_in_words(n_vertices: int) -> str:
    """``53,490 vertices (the whole BFM 2009)``."""
    known = VERTEX_COUNTS.get(n_vertices)
    return f"{n_vertices:,} vertices" + (f" ({known})" if known else "")


def read_exp_pca(
    path: Path, folder: ModelFolder, n_vertices: int
) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """Basis and deviations of Guo et al.: int32 count, then float32 mean and components."""
    data = sniff.read_bytes(path, path, matfile.MAX_BYTES)
    count = int.from_bytes(data[:4], "little")
    size = 4 + 12 * n_vertices * (1 + count)
    if len(data) != size:
        if sniff.kind_of(data).code is not None:
            raise sniff.wrong_kind(data, path, code="", expected="Exp_Pca.bin")
        raise BenchError(
            "the expression basis is cut short or belongs to another mesh",
            code="damaged-exp-pca",
            where=path,
            expected=f"{size} bytes for {count} components of {n_vertices} vertices",
            found=f"{len(data)} bytes",
            remedy="Take Exp_Pca.bin from CoarseData.zip of github.com/Juyong/3DFace.",
        )
    components = np.frombuffer(data, "<f4", offset=4 + 12 * n_vertices).reshape(count, -1)
    table = folder.find("std_exp.txt")
    sigma = None if table is None else sniff.read_table(table).ravel()
    return vertex_rows(components.T, str(path)), sigma


def nothing(path: Path, folder: ModelFolder, expected: str) -> BenchError:
    """The error when no layout is there: a BFM that cannot serve, a wrong download, or nothing."""
    paths = sorted(folder.files.values()) if path.is_dir() else [path]
    newer = [p for p in paths if p.suffix == ".h5" and ("2017" in p.name or "2019" in p.name)]
    if newer:
        return BenchError(
            "BFM 2017 and 2019 have other vertices and components",
            code="bfm-2017-not-supported",
            where=newer[0],
            expected="BFM 2009, which 300W-LP and AFLW2000-3D are fitted with",
            remedy="Ask the University of Basel for 01_MorphableModel.mat.",
        )
    if path.is_file() and sniff.kind_of(path).code is not None:
        return sniff.wrong_kind(path, path, code="", expected="a Basel Face Model file")
    return BenchError(
        "no face model was recognised",
        code="no-face-model-files",
        where=path,
        expected=expected,
        found=sniff.describe(path)
        if path.is_file()
        else f"{len(paths)} other files: {first_few([p.name for p in paths], 5)}",
        remedy="Name the folder that holds them.",
    )
