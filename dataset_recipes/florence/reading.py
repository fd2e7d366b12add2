"""Reading the files of one scan: mesh, texture, landmarks, registered BFM face."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from dataset_recipes.florence import regions, tree
from prn_bench.errors import BenchError, Finding
from prn_bench.formats.npyfile import read_npy
from prn_bench.formats.objfile import read_obj, texture_name
from prn_bench.formats.wrlfile import read_wrl
from prn_bench.images import decode_image
from prn_bench.recipes.rawsource import RawSource

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """A mesh as read from either format, with the name of its texture as written."""

    vertices: Array
    triangles: NDArray[np.int32]
    uv: Array | None
    uv_triangles: NDArray[np.int32] | None
    texture: str | None
    moved: bool = False  # a VRML file with transform nodes, which are not applied


def read_mesh(source: RawSource, member: str) -> Mesh:
    """The mesh of an ``.obj`` (with the texture that its .mtl names) or a ``.wrl``."""
    where = source.where(member)
    if member.lower().endswith(".wrl"):
        wrl = read_wrl(source.read(member), where)
        return Mesh(wrl.vertices, wrl.triangles, wrl.uv, wrl.uv_triangles, wrl.texture, wrl.moved)
    obj = read_obj(source.read(member), where)
    folder = PurePosixPath(member).parent
    libraries = [str(folder / PurePosixPath(name).name) for name in obj.material_libraries]
    textures = [texture_name(source.read(name)) for name in libraries if name in source]
    texture = next((name for name in textures if name), None)
    # A corner without texture coordinates takes any: there is no better colour for it.
    uv_triangles = None if obj.uv_triangles is None else np.maximum(obj.uv_triangles, 0)
    return Mesh(obj.vertices, obj.triangles, obj.uv, uv_triangles, texture)


def read_texture(
    subject: tree.Subject, member: str, mesh: Mesh
) -> tuple[NDArray[np.uint8] | None, tuple[Finding, ...]]:
    """The texture named by the mesh, else the picture of the same name; else a warning."""
    source, folder = subject.source, PurePosixPath(member).parent
    own = str(folder / PurePosixPath(mesh.texture.replace("\\", "/")).name) if mesh.texture else ""
    names = [own, *(subject.companion(member, suffix) for suffix in tree.PICTURES)]
    name = next((name for name in names if name and name in source), None)
    reason = "the scan has no texture coordinates" if mesh.uv is None else "no texture beside it"
    if name is not None and mesh.uv is not None and mesh.uv_triangles is not None:
        try:
            return np.asarray(decode_image(source.read(name), source.where(name))), ()
        except BenchError as error:
            reason = str(error)
    message = f"rendered in one skin colour: {reason}"
    return None, (Finding("warning", "no-texture", "", message, "Copy the texture again."),)


def read_landmarks(subject: tree.Subject, member: str) -> Array | None:
    """(68, 3) float64 landmarks of a scan, world frame, or None where no .ljson is found."""
    name = subject.companion(member, tree.LANDMARKS)
    if name is None:
        return None
    return read_ljson(subject.source.read(name), subject.source.where(name))


def read_ljson(data: bytes, where: str) -> Array:
    """(68, 3) float64 points of a menpo landmark file, version 3; NaN where it has null.

    Raises
    ------
    BenchError
        ``bad-landmarks``.
    """
    try:
        groups = json.loads(data)["groups"]
        group = groups["LJSON"] if "LJSON" in groups else next(iter(groups.values()))
        points = np.array(group["landmarks"]["points"], np.float64)
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
        raise BenchError(
            f"this is not a landmark file ({type(error).__name__}: {error})",
            code="bad-landmarks",
            where=where,
        ) from None
    if points.shape != (68, 3) or np.isinf(points).any():
        raise BenchError(
            "the landmark file does not hold 68 points in 3D",
            code="bad-landmarks",
            where=where,
            expected="(68, 3)",
            found=str(points.shape),
        )
    return points


def read_regions(
    subject: tree.Subject, member: str, vertices: Array, tip: Array
) -> dict[str, NDArray[np.bool_]]:
    """``sphere95``, and ``vrn19618`` where its two files are found: (v,) bool each."""
    found = {"sphere95": regions.sphere(vertices, tip, subject.number)}
    source, name = subject.source, subject.companion(member, tree.BFM_SUFFIX)
    mask = next((n for n in source.names if PurePosixPath(n).name == tree.VRN_REGION), None)
    if name is None or mask is None:
        return found
    registered = _npy(source, name, (regions.BFM_VERTICES, 3))
    region = _npy(source, mask, (regions.BFM_VERTICES,)).astype(bool)
    found["vrn19618"] = regions.vrn_region(vertices, registered, region)
    return found


def _npy(source: RawSource, name: str, shape: tuple[int, ...]) -> NDArray:
    values = read_npy(source.read(name), source.where(name))
    if values.shape != shape or not np.isfinite(values).all():
        raise BenchError(
            "this array does not belong to the BFM of 53,215 vertices",
            code="wrong-shape",
            where=source.where(name),
            expected=str(shape),
            found=str(values.shape),
        )
    return values
