"""Surface of the Basel Face Model: landmarks, regions, orientation and the UV layout.

Beside UV coordinates, PRNet's ``uv_face_mask.png`` (or ``face_ind.txt``) and ``uv_kpt_ind.txt``
are read where present; that file holds x in its first row and y in its second.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.facemodel import LandmarkBasis, UVLayout, region_weights
from prn_bench.facemodel.bfm.files import (
    N_WHOLE_VERTICES,
    Facts,
    ModelFolder,
    check_vertex_count,
    corners,
    from_one,
)
from prn_bench.formats import matfile, sniff
from prn_bench.images import decode_image
from prn_bench.landmarks import GROUPS, N_LANDMARKS
from prn_bench.uvmap import UV_SIZE_PX, build_operator, uv_to_pixel

UV_NAME = "bfm-256"
#: face3d's generate.m moves three vertices of 3DMMasSTN's coordinates, which fold the lips, to the
#: mean of neighbours; vertex numbers from 1.
MOVED_VERTICES = {10032: (10033, 10158), 10155: (10534, 10157, 10661), 10280: (10916, 10286)}
MAX_LANDMARK_DISTANCE_PX = 1.0
MAX_LANDMARK_ERROR = 1e-4  # of the face: about 20 um, where the nearest vertices are 390 um apart
_REGIONS = {
    "nose": ("nose_bridge", "nose_base"),
    "eyes": ("right_brow", "left_brow", "right_eye", "left_eye"),
    "mouth": ("outer_lips", "inner_lips"),
}


def read_uv(folder: ModelFolder, facts: Facts, n_vertices: int) -> NDArray[np.float64]:
    """UV coordinates of the trimmed mesh, (v, 2), v up.

    From ``BFM_UV.mat``: face3d's, or 3DMMasSTN's for the whole BFM 2009, which is then trimmed and
    repaired as face3d's generate.m does. Without the file, from ``uv_coords`` of ``BFM_info.mat``.

    Raises
    ------
    BenchError
        ``no-uv-coordinates``, ``wrong-vertex-count``.
    """
    path = folder.find("BFM_UV.mat")
    if path is None and facts.uv is not None:
        uv = facts.uv
    elif path is None:
        raise BenchError(
            "there are no UV coordinates",
            code="no-uv-coordinates",
            where=folder.root,
            expected="BFM_UV.mat",
            remedy="Take BFM_UV.mat from github.com/anilbas/3DMMasSTN (util) or from face3d.",
        )
    else:
        uv = matfile.read_mat(path, str(path), ["UV"])["UV"]
        if len(uv) == N_WHOLE_VERTICES and facts.trim_rows is not None:
            uv = _repaired(uv.astype(np.float64)[facts.trim_rows])
    check_vertex_count(len(uv), n_vertices, path or folder.root)
    return np.asarray(uv, np.float64)


def _repaired(uv: NDArray[np.float64]) -> NDArray[np.float64]:
    for vertex, neighbours in MOVED_VERTICES.items():
        uv[vertex - 1] = uv[np.array(neighbours) - 1].mean(0)
    return uv


def read_layout(
    folder: ModelFolder,
    uv: NDArray[np.float64],
    uv_triangles: NDArray[np.int32],
    landmark_vertices: NDArray[np.int32],
    regions: dict[str, NDArray[np.bool_]],
) -> UVLayout:
    """The UV layout with what PRNet's files add; BenchErrors of its parts, and ``bad-uv``."""
    try:
        operator = build_operator(uv, uv_triangles)
    except ValueError as error:
        raise BenchError(str(error), code="bad-uv", where=folder.root) from None
    pixels = _landmark_pixels(folder, uv_to_pixel(uv)[landmark_vertices])
    mask = _face_mask(folder)
    weights = None
    if mask is not None and len(regions):
        features = np.any([regions[name] for name in _REGIONS], axis=0)
        weights = region_weights(operator, pixels, mask, features)
    return UVLayout(UV_NAME, operator, pixels, mask, weights)


def _landmark_pixels(folder: ModelFolder, expected: NDArray[np.float64]) -> NDArray[np.int32]:
    """(68, 2) row, column; ``expected`` holds (column, row) of the landmark vertices."""
    rounded = np.rint(expected).astype(np.int32)
    path = folder.find("uv_kpt_ind.txt")
    if path is None:
        return np.ascontiguousarray(rounded[:, ::-1])
    points = _read_numbers(path, UV_SIZE_PX)
    if points.shape != (2, len(expected)):
        raise BenchError(
            "the UV landmarks have the wrong shape",
            code="wrong-shape",
            where=path,
            expected=f"(2, {len(expected)})",
            found=str(points.shape),
        )
    if _farthest(points.T, expected) > MAX_LANDMARK_DISTANCE_PX:
        raise _misplaced(path, points.T, expected)
    return np.ascontiguousarray(points[::-1].T)


def _farthest(points: NDArray[np.int32], expected: NDArray[np.float64]) -> float:
    return float(np.hypot(*(points - expected).T).max())


def _misplaced(path: Path, points: NDArray[np.int32], expected: NDArray[np.float64]) -> BenchError:
    is_swapped = _farthest(points[:, ::-1], expected) <= MAX_LANDMARK_DISTANCE_PX
    return BenchError(
        "x and y of the UV landmarks are swapped"
        if is_swapped
        else "the UV landmarks do not lie on the landmark vertices",
        code="uv-landmarks-swapped" if is_swapped else "uv-landmarks-elsewhere",
        where=path,
        expected=f"at most {MAX_LANDMARK_DISTANCE_PX:g} px away",
        found=f"{_farthest(points, expected):.1f} px",
        remedy="PRNet's file has x in its first row and y in its second."
        if is_swapped
        else "Check the vertex numbers of the landmarks (from 1 in MATLAB) and the UV coordinates.",
    )


def _face_mask(folder: ModelFolder) -> NDArray[np.bool_] | None:
    """(256, 256) bool from the mask picture or the pixel list; None without either."""
    picture, listed = folder.find("uv_face_mask.png"), folder.find("face_ind.txt")
    if picture is not None:
        data = sniff.read_bytes(picture, picture, matfile.MAX_SAMPLE_BYTES)
        mask = np.asarray(decode_image(data, str(picture)))[..., 0] > 0
        if mask.shape != (UV_SIZE_PX, UV_SIZE_PX):
            raise BenchError(
                "the face mask has the wrong size",
                code="wrong-shape",
                where=picture,
                expected=f"{UV_SIZE_PX} x {UV_SIZE_PX} px",
                found=f"{mask.shape[1]} x {mask.shape[0]} px",
            )
        return mask
    if listed is None:
        return None
    mask = np.zeros(UV_SIZE_PX**2, bool)
    mask[_read_numbers(listed, UV_SIZE_PX**2)] = True
    return mask.reshape(UV_SIZE_PX, UV_SIZE_PX)


def _read_numbers(path: Path, limit: int) -> NDArray[np.int32]:
    """Whole numbers 0..limit - 1 of a text file."""
    numbers = sniff.read_table(path)
    inside = numbers.size and (numbers == np.floor(numbers)).all() and numbers.min() >= 0
    if not inside or numbers.max() >= limit:
        raise BenchError(
            "the table holds numbers that are no pixels",
            code="not-a-table",
            where=path,
            expected=f"whole numbers 0..{limit - 1}",
        )
    return numbers.astype(np.int32)


def read_regions(
    folder: ModelFolder, facts: Facts, landmark_vertices: NDArray[np.int32], n_vertices: int
) -> dict[str, NDArray[np.bool_]]:
    """``nose``, ``eyes`` (with the brows) and ``mouth``, (v,) bool each; empty where unknown.

    Which segment is which follows from the landmarks that lie in it.
    """
    segments = facts.segments
    if segments is None:
        return {}
    if len(segments) != n_vertices and facts.trim_rows is not None:
        if facts.trim_rows.max() >= len(segments):
            check_vertex_count(len(segments), n_vertices, folder.root)
        segments = segments[facts.trim_rows]
    check_vertex_count(len(segments), n_vertices, f"{folder.root}: segbin")
    regions = {}
    for name, groups in _REGIONS.items():
        points = [landmark for group in groups for landmark in GROUPS[group]]
        hits = segments[landmark_vertices[points]].sum(0)
        if hits.max() < len(points) / 2:
            return {}
        regions[name] = np.ascontiguousarray(segments[:, int(hits.argmax())])
    return regions


def face_region(
    uv: NDArray[np.float64], mask: NDArray[np.bool_] | None
) -> dict[str, NDArray[np.bool_]]:
    """``face``: the vertices whose nearest UV pixel lies in the face mask."""
    if mask is None:
        return {}
    column, row = np.rint(uv_to_pixel(uv)).astype(np.int64).T
    return {"face": mask[row, column]}


def agreed_landmarks(
    own: NDArray[np.int32] | None, facts: Facts, n_vertices: int, root: Path
) -> NDArray[np.int32] | None:
    """The 68 landmark vertices; where two files name them, they must name the same."""
    shared = facts.landmark_vertices
    found = shared if own is None else own
    if found is not None and (
        found.shape != (N_LANDMARKS,) or found.max() >= n_vertices or found.min() < 0
    ):
        raise BenchError(
            "the landmarks do not fit the mesh",
            code="wrong-shape",
            where=root,
            expected=f"{N_LANDMARKS} vertex numbers below {n_vertices}",
            found=f"{len(found)} up to {found.max(initial=0)}",
        )
    if own is not None and shared is not None and not np.array_equal(own, shared):
        raise _disagree(root, f"{(own != shared).sum()} vertices differ")
    return found


def check_landmark_basis(
    basis: LandmarkBasis, dense: LandmarkBasis, mean: NDArray[np.float32], root: Path
) -> None:
    """Catch landmarks that are one vertex off: the two bases must have the same mean there."""
    error = float(np.abs(basis.mean - dense.mean).max())
    if error > MAX_LANDMARK_ERROR * float(np.ptp(mean, axis=0).max()):
        raise _disagree(root, f"up to {error:.0f} um apart")


def _disagree(root: Path, found: str) -> BenchError:
    return BenchError(
        "two files disagree about the 68 landmarks",
        code="landmarks-disagree",
        where=root,
        found=found,
        remedy="Check that both are of one distribution, and that vertex numbers were not changed.",
    )


def outward(triangles: NDArray[np.int32], mean: NDArray[np.float32]) -> NDArray[np.int32]:
    """Turn all triangles if the mesh encloses a negative volume: 3DDFA's are clockwise."""
    a, b, c = (mean.astype(np.float64) - mean.mean(0))[triangles].transpose(1, 0, 2)
    volume = np.einsum("td,td->", a, np.cross(b, c))
    return np.ascontiguousarray(triangles[:, ::-1]) if volume < 0 else triangles


def flat_landmarks(places: NDArray, path: Path) -> NDArray[np.int32]:
    """3DDFA's keypoints, places of x, y, z in the stacked mean counted from 0, to vertices."""
    good = places.size % 3 == 0 and places.dtype.kind in "iu"
    triples = places.reshape(-1, 3) if good else np.zeros((1, 3))
    if not (
        np.array_equal(triples, triples[:, :1] + np.arange(3)) and not (triples[:, 0] % 3).any()
    ):
        raise BenchError(
            "the keypoints are no places of x, y, z counted from 0",
            code="keypoints-not-flat",
            where=path,
            remedy="Use 3DDFA's keypoints_sim.npy unchanged.",
        )
    return (triples[:, 0] // 3).astype(np.int32)


def trimmed(whole: NDArray, kept: NDArray[np.int32], path: Path) -> NDArray[np.int32]:
    """The whole model's triangles between kept vertices, renumbered."""
    number = np.full(N_WHOLE_VERTICES, -1, np.int32)
    number[kept] = np.arange(len(kept))
    triangles = number[corners(from_one(whole, len(number), f"{path}: tl"))]
    return triangles[(triangles >= 0).all(1)]
