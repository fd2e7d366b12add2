"""Textured meshes in VRML files (``.wrl``), 1.0 and 2.0: points, faces, texture coordinates.

Only ``IndexedFaceSet`` geometry is read. A file is data: no URL is followed, no script or ``Inline``
node does anything, and every index is checked before it is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats.sniff import describe, read_bytes

MAX_FACE_SETS = 1000
MAX_BYTES = 1 << 28  # 256 MiB; the scans of Florence have some 10

_COMMENT_OR_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|#[^\r\n]*')
_TEXTURE = re.compile(r'\b(?:url|filename)\s*\[?\s*"((?:\\.|[^"\\])*)"')
_MOVED = re.compile(r"\b(?:Transform|Translation|Rotation|Scale|MatrixTransform)\s*\{")
_POINTS = r"\b{}[23]?\s*\{{\s*point\s*\[(\d+)\]"
_INDICES = r"\b{}\s*\[(\d+)\]"


Part = tuple[
    NDArray[np.float64], NDArray[np.int64], NDArray[np.float64] | None, NDArray[np.int64] | None
]


@dataclass(frozen=True)
class WrlMesh:
    """A mesh as the file has it, polygons cut into triangles.

    Attributes
    ----------
    vertices : (v, 3) float64
    triangles : (t, 3) int32
        Counter-clockwise seen from outside.
    uv : (k, 2) float64 or None
        v up.
    uv_triangles : (t, 3) int32 or None
        Rows of ``uv`` for the corners of each triangle.
    texture : str or None
        Name of the texture picture, as written.
    moved : bool
        Whether the file has transform nodes, which are **not** applied.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]
    uv: NDArray[np.float64] | None
    uv_triangles: NDArray[np.int32] | None
    texture: str | None
    moved: bool


def read_wrl(source: bytes | Path, where: str = "") -> WrlMesh:
    """Read a VRML file.

    Parameters
    ----------
    source : bytes or Path
        Content, or the file.
    where : str
        Name for messages; the path itself when one is given.

    Raises
    ------
    BenchError
        ``not-vrml`` (compressed files too), ``truncated``, ``bad-number``, ``wrong-shape``,
        ``index-out-of-range``, ``no-geometry``, ``wrl-unsupported`` (points shared with ``USE``).
    """
    where = where or (str(source) if isinstance(source, Path) else "")
    data = read_bytes(source, where, MAX_BYTES) if isinstance(source, Path) else source
    if not data.lstrip(b"\xef\xbb\xbf").startswith(b"#VRML V"):
        raise BenchError(
            "this is not a VRML file",
            code="not-vrml",
            where=where,
            expected="#VRML at the start",
            found=describe(data),
            remedy="Unpack it if it is compressed, or download it again.",
        )
    raw = data.decode("latin-1")
    text, lists = _outline(
        _COMMENT_OR_TEXT.sub(lambda m: " " if m[0][0] == "#" else m[0], raw), where
    )
    texture = _TEXTURE.search(text)
    parts = _parts(text, lists, where)
    name = texture[1] if texture else None
    return _joined(parts, name, where, moved=_MOVED.search(text) is not None)


def _outline(text: str, where: str) -> tuple[str, list[str]]:
    """The text with a number in place of every list of numbers, and those lists.

    What is left is short, so that looking for nodes in it costs nothing.
    """
    pieces: list[str] = []
    lists: list[str] = []
    done = 0
    start, end = text.find("["), 0
    while start >= 0:
        inner = text.find("[", start + 1)
        if end < start:
            end = text.find("]", start)
        if end < 0:
            raise BenchError(
                "the file ends within a list",
                code="truncated",
                where=where,
                remedy="Download it again.",
            )
        if not start < inner < end and '"' not in text[start:end]:
            pieces += [text[done : start + 1], str(len(lists))]
            lists.append(text[start + 1 : end])
            done = end
        start = inner
    return "".join([*pieces, text[done:]]), lists


def _parts(text: str, lists: list[str], where: str) -> list[Part]:
    """Points, triangles, uv and uv triangles of every face set, in file order."""
    starts = [match.start() for match in re.finditer(r"\bIndexedFaceSet\s*\{", text)]
    if len(starts) > MAX_FACE_SETS:
        raise BenchError(
            "the file has too many face sets to be a scan", code="wrl-unsupported", where=where
        )
    parts = []
    for start, end in zip(starts, [*starts, len(text)][1:], strict=True):
        inside = text[start:end]
        if re.search(r"\bcoord\s+USE\b", inside):
            raise BenchError(
                "its face sets share points (USE)", code="wrl-unsupported", where=where
            )
        # VRML 2.0 has the points inside the face set, VRML 1.0 before it.
        body = inside if re.search(_POINTS.format("Coordinate"), inside) else text[:end]
        points = _numbers(_last(body, _POINTS.format("Coordinate"), lists), 3, where)
        corners = _indices(_last(inside, _INDICES.format("coordIndex"), lists), where)
        if points is None or corners is None:
            continue
        uv = _numbers(_last(body, _POINTS.format("TextureCoordinate"), lists), 2, where)
        uv_corners = _indices(
            _last(inside, _INDICES.format("tex(?:ture)?CoordIndex"), lists), where
        )
        clockwise = re.search(r"\bccw\s+FALSE\b", inside) is not None
        parts.append(_part(points, corners, uv, uv_corners, where, clockwise=clockwise))
    return parts


def _last(text: str, pattern: str, lists: list[str]) -> list[str] | None:
    """Words of the last list that follows a pattern, or None."""
    matches = re.findall(pattern, text)
    return lists[int(matches[-1])].replace(",", " ").split() if matches else None


def _part(
    points: NDArray[np.float64],
    corners: NDArray[np.int64],
    uv: NDArray[np.float64] | None,
    uv_corners: NDArray[np.int64] | None,
    where: str,
    *,
    clockwise: bool,
) -> Part:
    triangles, uv_triangles = _fans(corners), None
    _check_range(triangles, len(points), "coordIndex", where)
    if uv is not None:
        uv_triangles = triangles if uv_corners is None else _fans(uv_corners)
        if uv_triangles.shape != triangles.shape:
            raise BenchError(
                "texCoordIndex and coordIndex do not cut the same polygons",
                code="wrong-shape",
                where=where,
                expected=f"{len(triangles)} triangles",
                found=str(len(uv_triangles)),
            )
        _check_range(uv_triangles, len(uv), "texCoordIndex", where)
    turn = slice(None, None, -1) if clockwise else slice(None)
    return points, triangles[:, turn], uv, None if uv_triangles is None else uv_triangles[:, turn]


def _joined(
    parts: list[Part],
    texture: str | None,
    where: str,
    *,
    moved: bool,
) -> WrlMesh:
    """All face sets as one mesh; texture coordinates only if each of them has some."""
    if not parts or not sum(len(part[1]) for part in parts):
        raise BenchError(
            "the file holds no faces",
            code="no-geometry",
            where=where,
            expected="an IndexedFaceSet with Coordinate and coordIndex",
        )
    points, triangles, uvs, uv_triangles = zip(*parts, strict=True)
    textured = all(uv is not None for uv in uvs)
    return WrlMesh(
        np.concatenate(points),
        _offset(triangles, points),
        np.concatenate(uvs) if textured else None,
        _offset(uv_triangles, uvs) if textured else None,
        texture,
        moved,
    )


def _offset(triangles: tuple[NDArray, ...], points: tuple[NDArray, ...]) -> NDArray[np.int32]:
    firsts = np.cumsum([0, *(len(part) for part in points)])[:-1]
    return np.concatenate([t + f for t, f in zip(triangles, firsts, strict=True)]).astype(np.int32)


def _numbers(words: list[str] | None, width: int, where: str) -> NDArray[np.float64] | None:
    """(n, width) finite numbers."""
    if words is None:
        return None
    values = _parsed(words, np.float64, where)
    if values.size % width or not np.isfinite(values).all():
        raise BenchError(
            "a list of points is incomplete or not finite",
            code="wrong-shape",
            where=where,
            expected=f"finite numbers, {width} to a point",
            found=f"{values.size} numbers",
        )
    return values.reshape(-1, width)


def _indices(words: list[str] | None, where: str) -> NDArray[np.int64] | None:
    return None if words is None else _parsed(words, np.int64, where)


def _parsed(words: list[str], dtype: type, where: str) -> NDArray:
    try:
        # A third of the time that np.array needs to read a list of words.
        return np.fromiter(map(int if dtype is np.int64 else float, words), dtype, len(words))
    except (ValueError, OverflowError) as error:
        raise BenchError(
            f"a list holds what is not a number ({error})", code="bad-number", where=where
        ) from None


def _fans(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    """(t, 3) corners of polygons that end with -1, each cut into a fan of triangles."""
    ends = np.flatnonzero(corners == -1)
    if not len(ends) or ends[-1] != len(corners) - 1:
        ends = np.append(ends, len(corners))
    starts = np.concatenate([[0], ends[:-1] + 1])
    counts = np.maximum(ends - starts - 2, 0)
    first = np.repeat(starts, counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.stack([first, first + step + 1, first + step + 2], 1)
    return corners[rows] if len(rows) else np.empty((0, 3), np.int64)


def _check_range(indices: NDArray[np.int64], n_points: int, name: str, where: str) -> None:
    if len(indices) and (indices.min() < 0 or indices.max() >= n_points):
        raise BenchError(
            f"{name} names points that are not there",
            code="index-out-of-range",
            where=where,
            expected=f"0 to {n_points - 1}",
            found=f"{indices.min()} to {indices.max()}",
        )
