"""Polygon files (.ply), ascii and binary: vertices and triangles.

A file is not trusted: every declared count is compared with the bytes that follow before memory is
taken, and an index that names no vertex is refused. (The libraries at hand allocate what a header
declares, or return fewer points than it declares without a word; both fail on the indented header
that 3DDFA writes.)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats import sniff

MAX_BYTES = 1 << 27  # 128 MiB, some five million vertices
HEADER_BYTES = 1 << 16
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
TYPES |= {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
TYPES |= {"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"}
CORNERS = ("vertex_indices", "vertex_index")
MAX_CORNERS = 255
_REMEDY = "Export the mesh again, or take the file from its original source."


@dataclass(frozen=True)
class PlyMesh:
    """A mesh as its file has it.

    Attributes
    ----------
    vertices : (v, 3) float64, as in the file
    triangles : (t, 3) int32
        Polygons are split into fans from their first corner; none where the file has no faces.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]


@dataclass(frozen=True)
class _Property:
    name: str
    dtype: str
    count_dtype: str | None = None  # of a list


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    properties: tuple[_Property, ...]


def read_ply(source: bytes | Path, where: str) -> PlyMesh:
    """Read a .ply file.

    Parameters
    ----------
    source : bytes or Path
    where : str
        Name for messages.

    Raises
    ------
    BenchError
        ``not-a-ply`` (or the usual faults: ``git-lfs-pointer``, ``html-page``, ...),
        ``damaged-ply``, ``implausible-size``, ``ply-unsupported`` (polygons of several sizes),
        ``ply-index-out-of-range``, ``not-finite``, ``unreadable``, ``too-large``.
    """
    data = source if isinstance(source, bytes) else sniff.read_bytes(source, where, MAX_BYTES)
    if data[:3] != b"ply" or data[3:4] not in (b"\n", b"\r"):
        raise sniff.wrong_kind(data, where, code="not-a-ply", expected="a .ply mesh")
    order, elements, start = _header(data, where)
    found: dict[str, dict[str, NDArray]] = {}
    body = _AsciiBody(data[start:], where) if not order else _BinaryBody(data[start:], order, where)
    for element in elements:
        found[element.name] = body.columns(element)
    vertices = _vertices(found.get("vertex", {}), where)
    return PlyMesh(vertices, _triangles(found.get("face", {}), len(vertices), where))


def _header(data: bytes, where: str) -> tuple[str, list[_Element], int]:
    """Byte order (empty: ascii), elements, and where the body starts."""
    head = data[:HEADER_BYTES]
    lines: list[str] = []
    position = 0
    while not lines or lines[-1] != "end_header":
        end = head.find(b"\n", position)
        if end < 0:
            raise _damaged("its header has no end", where)
        lines.append(head[position:end].decode("latin-1").strip())
        position = end + 1
    words = [line.split() for line in lines[1:-1] if line]
    words = [line for line in words if line[0] not in ("comment", "obj_info")]
    if not words or words[0][0] != "format" or words[0][1:2] == [] or words[0][1] not in ORDERS:
        raise _damaged("its header names no known format", where)
    return ORDERS[words[0][1]], _elements(words[1:], where), position


def _elements(lines: list[list[str]], where: str) -> list[_Element]:
    elements: list[_Element] = []
    for words in lines:
        if words[0] == "element" and len(words) == 3 and words[2].isdecimal():
            elements.append(_Element(words[1], int(words[2][:19]), ()))
        elif words[0] == "property" and elements and (one := _property(words[1:])) is not None:
            last = elements[-1]
            elements[-1] = _Element(last.name, last.count, (*last.properties, one))
        else:
            raise _damaged(f"a line of its header reads {' '.join(words)[:60]!r}", where)
    return elements


def _property(words: list[str]) -> _Property | None:
    if len(words) == 2 and words[0] in TYPES:
        return _Property(words[1], TYPES[words[0]])
    counts = TYPES.get(words[1], "f") if len(words) == 4 and words[0] == "list" else "f"
    if counts[0] == "f" or words[2] not in TYPES:
        return None
    return _Property(words[3], TYPES[words[2]], counts)


class _AsciiBody:
    """Numbers separated by white space, row by row."""

    def __init__(self, text: bytes, where: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # how NumPy says «not all were read»
            try:
                self._values = np.fromstring(text.decode("ascii"), np.float64, sep=" ")
            except (DeprecationWarning, ValueError) as error:
                raise _damaged(f"it holds what is not a number ({error})", where) from None
        self._position, self._where = 0, where

    def columns(self, element: _Element) -> dict[str, NDArray]:
        """Columns of the next element by name: (n,), or (n, k) for a list."""
        places: list[tuple[_Property, int, int]] = []
        width = 0
        for one in element.properties:
            length = 1
            if one.count_dtype is not None:
                at = self._position + width
                length = _length(self._values[at : at + 1], self._where) if element.count else 0
                width += 1
            places.append((one, width, length))
            width += length
        rest = len(self._values) - self._position
        if element.count * max(width, 1) > rest:
            raise _implausible(element, rest, "numbers", self._where)
        table = self._values[self._position : self._position + element.count * width]
        table = table.reshape(element.count, width)
        self._position += table.size
        found = {}
        for one, at, length in places:
            if one.count_dtype is not None and (table[:, at - 1] != length).any():
                raise _mixed(self._where)
            is_list = one.count_dtype is not None
            found[one.name] = table[:, at : at + length] if is_list else table[:, at]
        return found


class _BinaryBody:
    """Rows of packed numbers."""

    def __init__(self, data: bytes, order: str, where: str) -> None:
        self._data, self._order, self._where, self._position = data, order, where, 0

    def columns(self, element: _Element) -> dict[str, NDArray]:
        """As :meth:`_AsciiBody.columns`."""
        fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
        lengths = {}
        for number, one in enumerate(element.properties):
            if one.count_dtype is None:
                fields.append((f"{number}", self._order + one.dtype))
                continue
            at = self._position + np.dtype(fields).itemsize
            lengths[number] = self._length(at, one.count_dtype) if element.count else 0
            fields.append((f"{number}#", self._order + one.count_dtype))
            fields.append((f"{number}", self._order + one.dtype, (lengths[number],)))
        dtype, rest = np.dtype(fields), len(self._data) - self._position
        if element.count * max(dtype.itemsize, 1) > rest:
            raise _implausible(element, rest, "bytes", self._where)
        if not dtype.itemsize:
            return {}
        table = np.frombuffer(self._data, dtype, element.count, self._position)
        self._position += table.nbytes
        if any((table[f"{number}#"] != length).any() for number, length in lengths.items()):
            raise _mixed(self._where)
        return {one.name: table[f"{number}"] for number, one in enumerate(element.properties)}

    def _length(self, at: int, dtype: str) -> int:
        here = self._data[at : at + np.dtype(dtype).itemsize]
        whole = len(here) == np.dtype(dtype).itemsize
        return _length(np.frombuffer(here if whole else b"", self._order + dtype), self._where)


def _length(first: NDArray, where: str) -> int:
    """How many items a list has, from the number (if there is one) that stands before them."""
    if not len(first) or not 0 <= first[0] <= MAX_CORNERS:
        found = f"{first[0]:g} items" if len(first) else "nothing"
        raise _damaged(f"a list is followed by {found}", where)
    return int(first[0])


def _vertices(columns: dict[str, NDArray], where: str) -> NDArray[np.float64]:
    axes = [columns.get(axis) for axis in "xyz"]
    if any(axis is None or axis.ndim != 1 for axis in axes) or not len(axes[0]):  # type: ignore[arg-type]
        raise _damaged("it holds no vertices with x, y and z", where)
    vertices = np.stack([np.asarray(axis, np.float64) for axis in axes], 1)
    if not np.isfinite(vertices).all():
        raise BenchError(
            "the mesh holds values that are not finite",
            code="not-finite",
            where=f"{where}, vertex {int(np.isfinite(vertices).all(1).argmin())}",
            remedy=_REMEDY,
        )
    return vertices


def _triangles(columns: dict[str, NDArray], n_vertices: int, where: str) -> NDArray[np.int32]:
    corners = next((columns[name] for name in CORNERS if name in columns), None)
    if corners is None or not len(corners):
        return np.zeros((0, 3), np.int32)
    if corners.ndim != 2 or corners.shape[1] < 3:
        raise _damaged("its faces have fewer than three corners", where)
    wrong = ~((corners >= 0) & (corners < n_vertices) & (corners == np.floor(corners)))
    if wrong.any():
        raise BenchError(
            "a polygon names a vertex that is not there",
            code="ply-index-out-of-range",
            where=f"{where}, face {int(wrong.any(1).argmax())}",
            expected=f"0..{n_vertices - 1}",
            found=f"{corners[wrong][0]:g}",
            remedy=_REMEDY,
        )
    fans = [corners[:, [0, i, i + 1]] for i in range(1, corners.shape[1] - 1)]
    return np.stack(fans, 1).reshape(-1, 3).astype(np.int32)


def _damaged(why: str, where: str) -> BenchError:
    return BenchError(
        f"the .ply is damaged or cut short: {why}", code="damaged-ply", where=where, remedy=_REMEDY
    )


def _mixed(where: str) -> BenchError:
    return BenchError(
        "its polygons have different numbers of corners",
        code="ply-unsupported",
        where=where,
        expected="triangles",
        remedy="Triangulate the mesh before exporting it.",
    )


def _implausible(element: _Element, rest: int, unit: str, where: str) -> BenchError:
    return BenchError(
        "the file declares more than it holds",
        code="implausible-size",
        where=where,
        expected=f"{element.count} rows of {element.name}",
        found=f"{rest} {unit}",
        remedy=_REMEDY,
    )
