"""From the FaceXModel folder to a face model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.facemodel import FaceModel, UVLayout, landmark_basis_of, region_weights
from prn_bench.facemodel.ict.albedo import ict_albedo
from prn_bench.facemodel.ict.chart import chart
from prn_bench.facemodel.ict.parts import EXPRESSIONS, ICT_PARTS, N_IDENTITIES, NEUTRAL, Parts
from prn_bench.facemodel.ict.regions import regions
from prn_bench.facemodel.ict.surface import Surface, build_surface
from prn_bench.formats import sniff
from prn_bench.formats.objfile import ObjMesh, read_obj, read_obj_vertices
from prn_bench.recipes.rawsource import RawSource, open_raw
from prn_bench.uvmap import UV_SIZE_PX, build_operator, uv_to_pixel

UM_PER_CM = 10_000.0
EXPRESSION_SIGMA = 0.3  # coefficients run from 0 to 1; see sample_ict_expression for whole faces
FACTS = "vertex_indices.json"
LICENCE = "MIT (USC Institute for Creative Technologies)"
CITATION = "Li et al., Learning Formation of Physically-Based Face Attributes, CVPR 2020"
_REMEDY = "Take FaceXModel of github.com/ICT-VGL/ICT-FaceKit whole and unchanged."
MAX_NAMED = 6


def looks_like_ict(path: str | Path) -> bool:
    """Whether a folder, or a zip, holds ICT-FaceKit's neutral mesh; nothing is read but names."""
    path, name = Path(path), f"{NEUTRAL}.obj"
    if path.is_dir():
        return (path / name).is_file() or (path / "FaceXModel" / name).is_file()
    try:
        with ZipFile(path) as archive:
            return any(PurePosixPath(member).name == name for member in archive.namelist())
    except (OSError, BadZipFile, ValueError, NotImplementedError):
        return False


def read_ict_model(path: str | Path, *, parts: Parts = ICT_PARTS) -> FaceModel:
    """Read ICT-FaceKit's light face model.

    Parameters
    ----------
    path : path
        The FaceXModel folder, the folder of the repository above it, or a zip of either.
    parts : Parts
        The layout of the mesh; tests use a smaller one.

    Returns
    -------
    FaceModel
        Units micrometres; 100 identity components (coefficients with a sigma of 1) and 53 expressions
        (coefficients from 0 to 1, in the order of ``prn_bench.facemodel.ict.parts.EXPRESSIONS``).

    Raises
    ------
    BenchError
        ``no-face-model-files``, ``face-model-incomplete`` (with the files that are missing),
        ``wrong-vertex-count``, ``wrong-topology``, ``landmarks-disagree``, ``chart-overlaps``, those
        of ``open_raw`` and of ``read_obj`` (``git-lfs-pointer``, ``damaged-obj``, ...).
    """
    raw = open_raw(path)
    folder = _folder(raw)
    _check_complete(raw, folder)
    name = f"{folder}{NEUTRAL}.obj"
    mesh = read_obj(raw.read(name), raw.where(name))
    _check_count(mesh.vertices, parts, raw.where(name))
    _check_landmarks(raw, f"{folder}{FACTS}", parts)
    surface = build_surface(mesh.vertices, mesh.triangles, parts, raw.where(name))
    identities = [f"identity{k:03d}" for k in range(N_IDENTITIES)]
    bases = [
        _basis(raw, folder, names, mesh, surface, parts) for names in (identities, EXPRESSIONS)
    ]
    return _assemble(mesh, surface, bases, parts, raw.where(name))


def _folder(raw: RawSource) -> str:
    """The part of the names before the neutral mesh's, ``""`` or with a slash at its end."""
    found = [name for name in raw.names if PurePosixPath(name).name == f"{NEUTRAL}.obj"]
    if not found:
        raise BenchError(
            "no face model was recognised",
            code="no-face-model-files",
            where=raw.root,
            expected=f"ICT-FaceKit's FaceXModel folder with {NEUTRAL}.obj",
            found=f"{len(raw.names)} other files",
            remedy=_REMEDY,
        )
    return min(found, key=lambda name: (name.count("/"), name)).removesuffix(f"{NEUTRAL}.obj")


def _check_complete(raw: RawSource, folder: str) -> None:
    names = [*(f"identity{k:03d}" for k in range(N_IDENTITIES)), *EXPRESSIONS]
    missing = [f"{name}.obj" for name in names if f"{folder}{name}.obj" not in raw]
    if missing:
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        raise BenchError(
            f"the face model lacks {', '.join(missing[:MAX_NAMED])}{more}",
            code="face-model-incomplete",
            where=raw.root / folder,
            expected=f"{N_IDENTITIES} identity and {len(EXPRESSIONS)} expression meshes",
            found=f"{len(names) - len(missing)} of them",
            remedy=_REMEDY,
        )


def _check_count(vertices: NDArray[np.float64], parts: Parts, where: str) -> None:
    if len(vertices) != parts.n_vertices:
        raise BenchError(
            "this file belongs to another mesh",
            code="wrong-vertex-count",
            where=where,
            expected=f"{parts.n_vertices:,} vertices (ICT-FaceKit)",
            found=f"{len(vertices):,} vertices",
            remedy=_REMEDY,
        )


def _check_landmarks(raw: RawSource, name: str, parts: Parts) -> None:
    """The folder's own list of the 68 landmarks, where it has one, must be the one we know."""
    if name not in raw:
        return
    data = raw.read(name)
    try:
        found = json.loads(data)["idx_to_landmark_verts"]
    except (ValueError, KeyError, TypeError, RecursionError):
        expected = "JSON with idx_to_landmark_verts"
        raise sniff.wrong_kind(
            data, raw.where(name), code="damaged-json", expected=expected
        ) from None
    if found != list(parts.landmarks):
        raise BenchError(
            "the 68 landmarks are not those of ICT-FaceKit's README",
            code="landmarks-disagree",
            where=raw.where(name),
            remedy=_REMEDY,
        )


def _basis(
    raw: RawSource,
    folder: str,
    names: Sequence[str],
    neutral: ObjMesh,
    surface: Surface,
    parts: Parts,
) -> NDArray[np.float32]:
    """(v, 3, k) float32, um: what each mesh adds to the neutral one."""
    mean = surface.take(neutral.vertices)
    basis = np.empty((*mean.shape, len(names)), np.float32)
    for k, name in enumerate(names):
        member = f"{folder}{name}.obj"
        vertices = read_obj_vertices(raw.read(member), raw.where(member))
        _check_count(vertices, parts, raw.where(member))
        basis[..., k] = (surface.take(vertices) - mean) * UM_PER_CM
    return basis


def _assemble(
    mesh: ObjMesh,
    surface: Surface,
    bases: Sequence[NDArray[np.float32]],
    parts: Parts,
    where: str,
) -> FaceModel:
    mean = surface.take(mesh.vertices)
    landmarks = np.searchsorted(surface.rows, parts.landmarks).astype(np.int32)
    rows = np.append(surface.rows, parts.n_vertices)
    masks = regions(mean, rows, landmarks, parts)
    uv = chart(mean, surface.triangles, *_tile(mesh, surface, rows, parts), where)
    triangles = surface.triangles.astype(np.int32)
    mean_um = (mean * UM_PER_CM).astype(np.float32)
    model = FaceModel(
        name="ICT-FaceKit",
        topology=f"ict-{len(mean)}",
        units="um",
        licence=LICENCE,
        citation=CITATION,
        mean=mean_um,
        identity_basis=bases[0],
        expression_basis=bases[1],
        triangles=triangles,
        uv_triangles=triangles.copy(),
        landmark_vertices=landmarks,
        landmark_basis=landmark_basis_of(mean_um, bases[0], bases[1], landmarks),
        uv_layout=_uv_layout(uv, triangles, masks, landmarks),
        regions=masks,
        identity_sigma=np.ones(bases[0].shape[2]),
        expression_sigma=np.full(bases[1].shape[2], EXPRESSION_SIGMA),
    )
    return replace(model, albedo=ict_albedo(model))


def _tile(
    mesh: ObjMesh, surface: Surface, rows: NDArray[np.int64], parts: Parts
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """ICT's UV of each corner on its face tile (NaN elsewhere), and the triangles of the head."""
    corners = rows[surface.triangles]
    head = np.asarray(((corners >= parts.face) & (corners < parts.skin)).any(1))
    tile = np.full((*corners.shape, 2), np.nan)
    if mesh.uv is None or mesh.uv_triangles is None:
        return tile, head
    face = (corners < parts.face).all(1) & (surface.source >= 0)
    named = mesh.uv_triangles[surface.source]
    face &= (named >= 0).all(1)
    tile[face] = mesh.uv[named[face]]
    tile[(tile > 1).any((1, 2)) | (tile < 0).any((1, 2))] = np.nan  # other tiles lie beside it
    return tile, head


def _uv_layout(
    uv: NDArray[np.float64],
    triangles: NDArray[np.int32],
    masks: dict[str, NDArray[np.bool_]],
    landmarks: NDArray[np.int32],
) -> UVLayout:
    operator = build_operator(uv, triangles)
    pixels = np.rint(uv_to_pixel(operator.uv[landmarks])).astype(np.int32)[:, ::-1].copy()
    main = np.take_along_axis(operator.vertices, operator.weights.argmax(-1)[..., None], -1)[..., 0]
    face_mask = masks["face"][main] & operator.covered
    features = masks["eyes"] | masks["nose"] | masks["mouth"]
    weights = region_weights(operator, pixels, face_mask, features)
    return UVLayout(f"ict-{UV_SIZE_PX}", operator, pixels, face_mask, weights)
