"""Wavefront .obj meshes: vertices, texture coordinates, polygons, material names.

The parts of the format that scans and face models use, read by blocks and not line by line. Lines of
other kinds (normals, groups, smoothing) are passed over. Files are not trusted: an index that names
no vertex is refused with its line, and memory stays within some times the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats import sniff
from prn_bench.formats.objlines import (
    KINDS,
    REMEDY,
    Corners,
    Lines,
    blocks_of_lines,
    corners_of,
    table_of,
)

MAX_BYTES = 1 << 26  # 64 MiB, some million vertices
# A texture statement, past options such as `-s 1 1 1` or `-clamp on`:
_VALUE = rb"(?:on|off|[-+.\d]+|[rgbmlz])"
_TEXTURE = rb"(?i)map_kd\s+(?:-[a-z]\w*(?:\s+" + _VALUE + rb"(?=\s))+\s+)*(\S.*)"


@dataclass(frozen=True)
class ObjMesh:
    """A triangle mesh as its file has it, counted from zero.

    Attributes
    ----------
    vertices : (v, 3) float64, as in the file
    colors : (v, 3) float64 or None
        Of ``v x y z r g b`` lines, as written (0 to 1, or 0 to 255).
    triangles : (t, 3) int32
        Polygons are split into fans from their first corner.
    uv : (k, 2) float64 or None
        Texture coordinates, v up.
    uv_triangles : (t, 3) int32 or None
        Rows of ``uv``; -1 for a corner without one.
    materials : (t,) int32 or None
        Rows of ``material_names``; -1 before the first ``usemtl``.
    material_names, material_libraries : tuple of str
    n_dropped : int
        Triangles that were left out, where that was asked for.
    """

    vertices: NDArray[np.float64]
    colors: NDArray[np.float64] | None
    triangles: NDArray[np.int32]
    uv: NDArray[np.float64] | None
    uv_triangles: NDArray[np.int32] | None
    materials: NDArray[np.int32] | None
    material_names: tuple[str, ...] = ()
    material_libraries: tuple[str, ...] = ()
    n_dropped: int = 0


@dataclass
class _Found:
    """What the blocks of a file hold, in their order."""

    tables: dict[bytes, list[NDArray[np.float64]]] = field(
        default_factory=lambda: {b"v": [], b"vt": []}
    )
    lines: dict[bytes, list[NDArray[np.int32]]] = field(
        default_factory=lambda: {b"v": [], b"vt": []}
    )
    corners: list[Corners] = field(default_factory=list)
    names: dict[bytes, dict[bytes, int]] = field(
        default_factory=lambda: {b"usemtl": {}, b"mtllib": {}}
    )
    used: list[NDArray[np.int32]] = field(default_factory=list)  # rows of the names, by line

    def note_names(self, kind: bytes, lines: Lines) -> None:
        """Number names in the order of their first use."""
        known = self.names[kind]
        rows = [known.setdefault(text.strip(), len(known)) for text in lines[0]]
        if kind == b"usemtl":
            self.used.append(np.array([rows, lines[1]], np.int32))

    def table(self, kind: bytes, least: int) -> NDArray[np.float64]:
        """(n, k) values of all lines of a kind; the first ``least`` columns where lines differ."""
        parts = self.tables.pop(kind)
        widths = {part.shape[1] for part in parts}
        if len(widths) > 1:
            parts = [part[:, :least] for part in parts]
        return np.concatenate(parts)


def read_obj(source: bytes | Path, where: str, *, drop_bad: bool = False) -> ObjMesh:
    """Read an .obj file.

    Parameters
    ----------
    source : bytes or Path
    where : str
        Name for messages.
    drop_bad : bool
        Leave out triangles that name a vertex which is not there or is not finite, and count them,
        instead of refusing the file; such vertices stay, as they are.

    Raises
    ------
    BenchError
        ``not-an-obj`` (or the usual faults: ``git-lfs-pointer``, ``html-page``, ...),
        ``damaged-obj`` for a line that cannot be read, ``obj-index-out-of-range``, ``not-finite``,
        ``unreadable``, ``too-large``.
    """
    found = _read(source, where, KINDS, finite=not drop_bad)
    table, at = found.table(b"v", 3), np.concatenate(found.lines[b"v"])
    corners = _joined(found.corners)
    found.corners.clear()
    fans, wrong = _fans(corners.sizes), None
    rows = _resolve(corners.vertex, corners, at, where, may_miss=drop_bad)
    triangles = rows[fans]
    if drop_bad:
        known = np.append(np.isfinite(table[:, :3]).all(1), False)  # the last for row -1
        wrong = ~known[triangles].all(1)
        fans, triangles = fans[~wrong], triangles[~wrong]
    uv_triangles = None
    if corners.texture is not None and found.tables[b"vt"] and (corners.texture != 0).any():
        uv_at = np.concatenate(found.lines[b"vt"])
        miss = drop_bad or corners.texture == 0
        uv_triangles = _resolve(corners.texture, corners, uv_at, where, may_miss=miss)[fans]
    names = tuple(map(_text, found.names[b"usemtl"]))
    lines = np.repeat(corners.line, corners.sizes)[fans[:, 0]] if names else None
    return ObjMesh(
        vertices=np.ascontiguousarray(table[:, :3]),
        colors=np.ascontiguousarray(table[:, -3:]) if table.shape[1] >= 6 else None,
        triangles=triangles,
        uv=found.table(b"vt", 2)[:, :2].copy() if uv_triangles is not None else None,
        uv_triangles=uv_triangles,
        materials=None if lines is None else _materials(found.used, lines),
        material_names=names,
        material_libraries=tuple(map(_text, found.names[b"mtllib"])),
        n_dropped=0 if wrong is None else int(wrong.sum()),
    )


def read_obj_vertices(source: bytes | Path, where: str) -> NDArray[np.float64]:
    """(v, 3) float64 vertices alone, several times faster; errors as for :func:`read_obj`."""
    found = _read(source, where, (b"v",), finite=True)
    return np.ascontiguousarray(found.table(b"v", 3)[:, :3])


def texture_name(mtl: bytes, material: str | None = None) -> str | None:
    """File name of the diffuse texture that a material library (.mtl) names.

    Parameters
    ----------
    mtl : bytes
    material : str, optional
        Without it the first texture of the file counts.

    Returns
    -------
    str or None
        The last part of the path as written: textures lie beside their mesh, and a path that
        leads elsewhere is not followed. None where no texture is named.
    """
    current = None
    for line in mtl.splitlines():
        words = line.split(None, 1)
        if len(words) == 2 and words[0] == b"newmtl":
            current = _text(words[1])
        found = re.match(_TEXTURE, line.strip())
        if found is not None and material in (None, current):
            name = PurePosixPath(_text(found[1]).replace("\\", "/")).name
            return name if name not in ("", "..") else None
    return None


def _text(name: bytes) -> str:
    return name.strip().decode("utf-8", "replace")


def _read(source: bytes | Path, where: str, kinds: tuple[bytes, ...], *, finite: bool) -> _Found:
    """Lines of some kinds as numbers and names."""
    data = source if isinstance(source, bytes) else sniff.read_bytes(source, where, MAX_BYTES)
    if len(data) > MAX_BYTES:
        raise BenchError(
            "the file is too large for its kind",
            code="too-large",
            where=where,
            expected=f"at most {MAX_BYTES >> 20} MiB",
            found=f"{len(data) / (1 << 20):.0f} MiB",
        )
    if sniff.kind_of(data).code is not None:
        raise sniff.wrong_kind(data, where, code="not-an-obj", expected="a Wavefront .obj mesh")
    found = _Found()
    for block in blocks_of_lines(data, where, kinds):
        for kind, lines in block.items():
            if not lines[0]:
                continue
            if kind == b"f":
                found.corners.append(corners_of(lines, where))
            elif kind in found.names:
                found.note_names(kind, lines)
            else:
                table = table_of(lines, 3 if kind == b"v" else 2, where, finite=finite)
                found.tables[kind].append(table)
                found.lines[kind].append(lines[1].astype(np.int32))
    if not found.tables[b"v"]:
        raise sniff.wrong_kind(data, where, code="not-an-obj", expected="a Wavefront .obj mesh")
    return found


def _joined(parts: Sequence[Corners]) -> Corners:
    """The corners of all blocks."""
    parts = [Corners(np.zeros(0, np.int32), None, *np.zeros((2, 0), np.int32)), *parts]
    texture = None
    if any(part.texture is not None for part in parts):
        known = [np.zeros_like(p.vertex) if p.texture is None else p.texture for p in parts]
        texture = np.concatenate(known)
    return Corners(
        np.concatenate([part.vertex for part in parts]),
        texture,
        np.concatenate([part.sizes for part in parts]),
        np.concatenate([part.line for part in parts]),
    )


def _resolve(
    indices: NDArray[np.integer],
    corners: Corners,
    defined_at: NDArray[np.int32],
    where: str,
    *,
    may_miss: NDArray[np.bool_] | bool,
) -> NDArray[np.int32]:
    """Numbers from 1, or from the newest backwards, to rows from 0; -1 where there may be none."""
    count = len(defined_at)
    rows = np.clip(indices, -count - 1, count + 1)  # sums of huge numbers would run over
    backwards = np.flatnonzero(rows < 0)
    rows -= 1
    if len(backwards):
        line = np.repeat(corners.line, corners.sizes)[backwards]
        rows[backwards] = rows[backwards] + 1 + np.searchsorted(defined_at, line)
    wrong = (rows < 0) | (rows >= count)
    refused = wrong & ~np.asarray(may_miss)
    if refused.any():
        first = int(refused.argmax())
        line = np.repeat(corners.line, corners.sizes)[first]
        raise BenchError(
            "a polygon names a vertex or texture point that is not there",
            code="obj-index-out-of-range",
            where=f"{where}, line {line}",
            expected=f"1..{count}, or -1 to {-np.searchsorted(defined_at, line)} for the newest ones",
            found=str(indices[first]),
            remedy=REMEDY,
        )
    rows[wrong] = -1
    return rows.astype(np.int32, copy=False)


def _fans(sizes: NDArray[np.int32]) -> NDArray[np.int32]:
    """(t, 3) corner rows: a polygon of n corners gives n - 2 triangles around its first."""
    if (sizes == 3).all():
        return np.arange(3 * len(sizes), dtype=np.int32).reshape(-1, 3)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes - 2)
    total = int((sizes - 2).sum())
    within = np.arange(total) - np.repeat(np.cumsum(sizes - 2) - (sizes - 2), sizes - 2)
    return np.stack([first, first + within + 1, first + within + 2], 1).astype(np.int32)


def _materials(used: Sequence[NDArray[np.int32]], at: NDArray[np.int32]) -> NDArray[np.int32]:
    """(t,) int32: the material that was last named before each triangle's line."""
    rows, lines = np.concatenate(used, 1)
    return np.append(np.int32(-1), rows)[np.searchsorted(lines, at)]
