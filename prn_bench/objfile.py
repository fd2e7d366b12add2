"""Wavefront .obj meshes: vertices, texture coordinates, polygons, material names.

The parts of the format that scans and face models use, read by blocks and not line by line. Lines of
other kinds (normals, groups, smoothing) are passed over. Files are not trusted: an index that names
no vertex is refused with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from prn_bench import sniff
from prn_bench.errors import BenchError

MAX_BYTES = 1 << 30
NUMERIC = (b"v", b"vt", b"f")
KINDS = (*NUMERIC, b"usemtl", b"mtllib")
PADDING = b"\n" * 8  # so that looking a word ahead never leaves the text
_REMEDY = "Export the mesh again, or take the file from its original source."
# A texture statement, past options such as `-s 1 1 1` or `-clamp on`:
_VALUE = rb"(?:on|off|[-+.\d]+|[rgbmlz])"
_TEXTURE = rb"(?i)map_kd\s+(?:-[a-z]\w*(?:\s+" + _VALUE + rb"(?=\s))+\s+)*(\S.*)"

Lines = tuple[list[bytes], NDArray[np.int64]]


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
    """

    vertices: NDArray[np.float64]
    colors: NDArray[np.float64] | None
    triangles: NDArray[np.int32]
    uv: NDArray[np.float64] | None
    uv_triangles: NDArray[np.int32] | None
    materials: NDArray[np.int32] | None
    material_names: tuple[str, ...] = ()
    material_libraries: tuple[str, ...] = ()


def read_obj(source: bytes | Path, where: str) -> ObjMesh:
    """Read an .obj file.

    Parameters
    ----------
    source : bytes or Path
    where : str
        Name for messages.

    Raises
    ------
    BenchError
        ``not-an-obj`` (or the usual faults: ``git-lfs-pointer``, ``html-page``, ...),
        ``damaged-obj`` for a line that cannot be read, ``obj-index-out-of-range``, ``not-finite``,
        ``unreadable``, ``too-large``.
    """
    found = _split(source, where)
    table = _table(found[b"v"], 3, where)
    corners, sizes, lines = _corners(found[b"f"], where)
    n_uv = len(found[b"vt"][0])
    rows = _resolve(corners[0], lines, found[b"v"][1], where)
    fans = _fans(sizes)
    uv_triangles = None
    if n_uv and (corners[1] != 0).any():
        uv_rows = _resolve(corners[1], lines, found[b"vt"][1], where, may_miss=True)
        uv_triangles = uv_rows[fans]
    names = _names(found[b"usemtl"])
    return ObjMesh(
        vertices=np.ascontiguousarray(table[:, :3]),
        colors=np.ascontiguousarray(table[:, -3:]) if table.shape[1] >= 6 else None,
        triangles=rows[fans],
        uv=_table(found[b"vt"], 2, where)[:, :2].copy() if uv_triangles is not None else None,
        uv_triangles=uv_triangles,
        materials=_materials(found[b"usemtl"], names, lines[fans[:, 0]]) if names else None,
        material_names=names,
        material_libraries=_names(found[b"mtllib"]),
    )


def read_obj_vertices(source: bytes | Path, where: str) -> NDArray[np.float64]:
    """(v, 3) float64 vertices alone, several times faster; errors as for :func:`read_obj`."""
    return np.ascontiguousarray(_table(_split(source, where, (b"v",))[b"v"], 3, where)[:, :3])


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


def _split(
    source: bytes | Path, where: str, kinds: tuple[bytes, ...] = KINDS
) -> dict[bytes, Lines]:
    """For each kind of line: what follows its first word, and the line numbers from 1."""
    data = source if isinstance(source, bytes) else sniff.read_bytes(source, where, MAX_BYTES)
    if sniff.kind_of(data).code is not None:
        raise sniff.wrong_kind(data, where, code="not-an-obj", expected="a Wavefront .obj mesh")
    data, starts, ends = _lines(data)
    found = {kind: _of_kind(data, starts, ends, kind) for kind in kinds}
    if not found[b"v"][0]:
        raise sniff.wrong_kind(data, where, code="not-an-obj", expected="a Wavefront .obj mesh")
    return found


def _lines(data: bytes) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64]]:
    """The text with plain line ends and no indents, and where its lines start and end."""
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + PADDING
    starts, ends = _line_places(data)
    if np.isin(np.frombuffer(data, np.uint8)[starts], (32, 9)).any():
        data = b"\n".join(line.strip() for line in data.split(b"\n")) + PADDING
        starts, ends = _line_places(data)
    return data, starts, ends


def _line_places(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ends = np.flatnonzero(np.frombuffer(data, np.uint8)[: -len(PADDING)] == 10)
    ends = np.append(ends, len(data) - len(PADDING))
    return np.append(0, ends[:-1] + 1), ends


def _of_kind(data: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], kind: bytes) -> Lines:
    letters, length = np.frombuffer(data, np.uint8), len(kind)
    chosen = np.isin(letters[starts + length], (32, 9))
    for i, letter in enumerate(kind):
        chosen &= letters[starts + i] == letter
    rows = np.flatnonzero(chosen)
    places = zip((starts[rows] + length).tolist(), ends[rows].tolist(), strict=True)
    texts = [data[start:end] for start, end in places]
    if kind in NUMERIC and any(b"#" in text for text in texts):
        texts = [text.partition(b"#")[0] for text in texts]
    return texts, rows + 1


def _table(lines: Lines, least: int, where: str) -> NDArray[np.float64]:
    """(n, k) float64; where lines differ in length, only the first ``least`` columns."""
    texts = lines[0]
    values = _numbers(b" ".join(texts), np.float64, float)
    counts = np.array([len(text.split()) for text in texts], np.int64)
    if values is None or counts.min() < least:
        raise _damaged(lines, least, float, where)
    if not np.isfinite(values).all():
        row = np.searchsorted(np.cumsum(counts), np.isfinite(values).argmin(), "right")
        raise BenchError(
            "the mesh holds values that are not finite",
            code="not-finite",
            where=f"{where}, line {lines[1][row]}",
            remedy=_REMEDY,
        )
    if (counts == counts[0]).all():
        return values.reshape(len(texts), -1)
    starts = np.cumsum(counts) - counts
    return np.asarray(values[starts[:, None] + np.arange(least)])


def _numbers(
    text: bytes, dtype: type[np.generic], read: Callable[[bytes], float]
) -> NDArray | None:
    """All words as numbers; None when one is no number or too large for the type."""
    if b"_" in text:  # Python reads 1_000 as a number, the format does not
        return None
    words = text.split()
    try:
        return np.fromiter(map(read, words), dtype, len(words))
    except (ValueError, OverflowError):
        return None


def _damaged(lines: Lines, least: int, read: Callable[[bytes], float], where: str) -> BenchError:
    """The error for the first line that cannot be read; looked for only once one is known to be."""
    dtype = np.int64 if read is int else np.float64
    for text, number in zip(*lines, strict=True):  # noqa: B007
        plain = _plain(text) if read is int else text
        if len(text.split()) < least or plain is None or _numbers(plain, dtype, read) is None:
            break
    return BenchError(
        "this line of the mesh cannot be read",
        code="damaged-obj",
        where=f"{where}, line {number}",
        expected=f"at least {least} " + ("corners" if read is int else "numbers"),
        found=repr(text[:60].decode("ascii", "replace").strip()),
        remedy=_REMEDY,
    )


def _plain(text: bytes) -> bytes | None:
    """Corners with their slashes as spaces; None where a number is missing beside one."""
    fields = [part for word in text.replace(b"//", b"/0/").split() for part in word.split(b"/")]
    return b" ".join(fields) if all(fields) else None


def _corners(
    lines: Lines, where: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(2, c) vertex and texture numbers of all corners (0: none), corners per face, their lines."""
    texts, numbers = lines
    sizes = np.array([len(text.split()) for text in texts], np.int64)
    # `7//2` names a normal and no texture point: with a 0 between, all corners read alike.
    joined = b" ".join(texts).replace(b"//", b"/0/")
    fields = np.array([word.count(b"/") + 1 for word in joined.split()], np.int64)
    values = _numbers(joined.replace(b"/", b" "), np.int64, int)
    if values is None or (len(sizes) and sizes.min() < 3) or len(values) != fields.sum():
        raise _damaged(lines, 3, int, where)
    starts = np.cumsum(fields) - fields
    texture = np.zeros(len(fields), np.int64)
    texture[fields > 1] = values[starts[fields > 1] + 1]
    return np.stack([values[starts], texture]), sizes, np.repeat(numbers, sizes)


def _resolve(
    indices: NDArray[np.int64],
    lines: NDArray[np.int64],
    defined_at: NDArray[np.int64],
    where: str,
    *,
    may_miss: bool = False,
) -> NDArray[np.int32]:
    """Numbers from 1, or from the newest backwards, to rows from 0 (-1: none)."""
    count = len(defined_at)
    newest = np.searchsorted(defined_at, lines)
    near = np.clip(indices, -count - 1, count + 1)  # sums of huge numbers would run over
    rows = np.where(near < 0, newest + near, near - 1)
    wrong = (rows < 0) | (rows >= count)
    if may_miss:
        wrong &= indices != 0
    if wrong.any():
        first = int(wrong.argmax())
        raise BenchError(
            "a polygon names a vertex or texture point that is not there",
            code="obj-index-out-of-range",
            where=f"{where}, line {lines[first]}",
            expected=f"1..{count}, or -1 to {-int(newest[first])} for the newest ones",
            found=str(indices[first]),
            remedy=_REMEDY,
        )
    return rows.astype(np.int32)


def _fans(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(t, 3) corner rows: a polygon of n corners gives n - 2 triangles around its first."""
    first = np.repeat(np.cumsum(sizes) - sizes, sizes - 2)
    total = int((sizes - 2).sum())
    within = np.arange(total) - np.repeat(np.cumsum(sizes - 2) - (sizes - 2), sizes - 2)
    return np.stack([first, first + within + 1, first + within + 2], 1)


def _names(lines: Lines) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_text(text) for text in lines[0]))


def _materials(lines: Lines, names: tuple[str, ...], at: NDArray[np.int64]) -> NDArray[np.int32]:
    """(t,) int32: the material that was last named before each triangle's line."""
    order = np.array([-1, *(names.index(_text(text)) for text in lines[0])], np.int32)
    return order[np.searchsorted(lines[1], at)]
