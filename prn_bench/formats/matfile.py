"""MATLAB files (v5 to v7), read without trusting them.

Only what the raw data need is read: real numeric arrays and 1 x 1 structs of them. Every size in
the file is checked against the bytes that are there before anything is allocated, compressed parts
may not grow beyond what their header states, and their checksum must hold; a damaged file thus ends
in a :class:`BenchError`, never in a crash, a memory blow-up or wrong numbers. SciPy's reader
allocates what a header claims, raises any of a dozen types on damage, or returns the text of the
error as data.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats import sniff

MAX_BYTES = 1 << 31  # all parts of a model file, unpacked: face3d's BFM.mat needs a quarter
MAX_SAMPLE_BYTES = 1 << 28  # the same for bytes, which come from a raw dataset
MAX_RATIO = 1100  # deflate cannot pack better than 1032 to 1
HEADER_BYTES = 128
PEEK_BYTES = 256  # of a compressed element, for its name; the rest is unpacked where it is wanted
INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
STRUCT, NUMERIC_CLASSES = 2, range(6, 16)
_CLASSES = (1, STRUCT, 4, 5, *NUMERIC_CLASSES)  # cell, char and sparse have a name and shape too
FLAG_COMPLEX = 0x08
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_EXPECTED = "a MATLAB v5 to v7 file"

Names = Sequence[str] | None  # None: all
Fields = dict[str, NDArray | None]
Value = NDArray | Fields | None  # None: a kind that is not read (text, cells, ...)


def read_mat(source: bytes | Path, where: str, fields: Names = None) -> dict[str, NDArray]:
    """Numeric arrays of a MATLAB file.

    Parameters
    ----------
    source : bytes or Path
        Bytes count as a raw sample, and may unpack to 256 MiB; a path to 2 GiB.
    where : str
        Name for messages.
    fields : sequence of str, optional
        Arrays wanted; the others are not unpacked. None takes all numeric ones.

    Returns
    -------
    dict of NDArray
        Shapes as MATLAB has them, at least two axes; dtypes as stored (MATLAB packs a double array
        of small integers as uint8), so convert before arithmetic.

    Raises
    ------
    BenchError
        ``git-lfs-pointer``, ``html-page``, ``matlab-v73``, ``zero-filled``, ``empty-file``,
        ``truncated``, ``damaged-mat-file``, ``too-large``, ``not-a-mat-file``, ``missing-field``.
    """
    return _numeric(_read(source, where, fields, None), where, fields)


def read_struct(
    source: bytes | Path, where: str, name: str, fields: Names = None, optional: Sequence[str] = ()
) -> dict[str, NDArray]:
    """Numeric fields of a 1 x 1 struct, as :func:`read_mat`; optional ones may be missing."""
    wanted = None if fields is None else [*fields, *optional]
    found = _read(source, where, [name], wanted).get(name)
    if not isinstance(found, dict):
        raise _missing(where, [name], list(list_mat(source, where)), "struct")
    required = _numeric({**found}, where, fields)
    return required | {key: v for key in optional if (v := found.get(key)) is not None}


def list_mat(source: bytes | Path, where: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all variables, arrays or not, without unpacking them."""
    return {part.name: part.shape for part, _ in _parts(source, where, [], None)}


def _read(source: bytes | Path, where: str, names: Names, fields: Names) -> dict[str, Value]:
    return {part.name: value for part, value in _parts(source, where, names, fields)}


def _numeric(
    values: dict[str, Value], where: str, fields: Sequence[str] | None
) -> dict[str, NDArray]:
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    missing = [name for name in fields or () if name not in arrays]
    if missing:
        raise _missing(where, missing, list(values), "array")
    return arrays if fields is None else {name: arrays[name] for name in fields}


def _missing(where: str, missing: list[str], found: list[str], kind: str) -> BenchError:
    return BenchError(
        f"the MATLAB file lacks the {kind} {', '.join(missing)}",
        code="missing-field",
        where=where,
        found=", ".join(found[:20]) or "no variables",
        remedy="Check that this is the file its name says.",
    )


@dataclass(frozen=True)
class _Part:
    """Header of a matrix element, and where its data start."""

    name: str
    shape: tuple[int, ...]
    class_code: int
    flags: int
    start: int


def _parts(
    source: bytes | Path, where: str, names: Names, fields: Names
) -> Iterator[tuple[_Part, Value]]:
    """All top-level variables; values only for the wanted names and fields of structs."""
    data = source if isinstance(source, bytes) else sniff.read_bytes(source, where, MAX_BYTES)
    limit = MAX_SAMPLE_BYTES if data is source else MAX_BYTES
    reader = _Reader(_byte_order(data, where), names, fields, limit)
    position, view = HEADER_BYTES, memoryview(data)
    try:
        while position < len(data):
            if data[position : position + 8] == bytes(8) and not data[position:].strip(b"\0"):
                raise sniff.fault("zero-filled", where, expected=_EXPECTED)
            kind, begin, end, position = reader.tag(view, position)
            if kind not in (MATRIX, COMPRESSED):
                raise _Damaged(f"an element of type {kind} at byte {begin - 8}")
            yield from reader.variable(view[begin:end], is_packed=kind == COMPRESSED)
    except _Cut as error:
        # Only at the top level: within an element the same sizes contradict each other.
        raise _error("truncated", f"the file is cut short: {error}", where) from None
    except _TooLarge as error:
        raise _error("too-large", str(error), where) from None
    except (_Damaged, struct.error, zlib.error) as error:
        raise _error("damaged-mat-file", f"the file is damaged ({error})", where) from None


class _Damaged(Exception):
    """A size or type in the file that cannot be."""


class _Cut(Exception):
    """An element that ends after the file, or what holds it, does."""


class _TooLarge(Exception):
    """More data than such a file can need."""


def _error(code: str, what: str, where: str) -> BenchError:
    return BenchError(what, code=code, where=where, remedy="Download it again.")


def _byte_order(data: bytes, where: str) -> str:
    mark, version = data[126:128], data[124:126]
    if mark == b"IM" and version == b"\0\1":
        return "<"
    if mark == b"MI" and version == b"\1\0":
        return ">"
    if not data.startswith(b"MATLAB 5.0"):
        raise sniff.wrong_kind(data, where, code="not-a-mat-file", expected=_EXPECTED)
    if len(data) < HEADER_BYTES:
        raise _error("truncated", f"the file is cut short: it has {len(data)} bytes", where)
    raise _error("damaged-mat-file", "the file is damaged (in its header)", where)


class _Reader:
    """Decodes elements of one byte order, and counts what was unpacked."""

    def __init__(self, order: str, names: Names, fields: Names, limit: int) -> None:
        self.order, self.names, self.fields = order, names, fields
        self.limit, self.unpacked = limit, 0
        self._pair, self._start = struct.Struct(order + "II"), struct.Struct(order + "6I")

    def tag(self, data: memoryview, at: int) -> tuple[int, int, int, int]:
        """Type, begin and end of the element at a byte, and where the next one begins."""
        if at + 8 > len(data):
            raise _Cut(f"its last element has {max(len(data) - at, 0)} bytes")
        kind, count = self._pair.unpack_from(data, at)
        if kind >> 16:  # a small element: count and data share the tag's eight bytes
            kind, count = kind & 0xFFFF, kind >> 16
            if count > 4:
                raise _Damaged(f"a small element of {count} bytes")
            return kind, at + 4, at + 4 + count, at + 8
        end = at + 8 + count
        if end > len(data):
            raise _Cut(f"an element of {count} bytes has only {len(data) - at - 8}")
        return kind, at + 8, end, end if kind == COMPRESSED else end + -count % 8

    def variable(self, body: memoryview, *, is_packed: bool) -> Iterator[tuple[_Part, Value]]:
        """The variable in a top-level element; nothing for MATLAB's nameless workspace."""
        try:
            unpacker, head = self._peek(body) if is_packed else (None, body)
            part = self._header(head if unpacker is None else head[8:])
            if part is None or not part.name:
                return
            value: Value = None
            if self.names is None or part.name in self.names:
                whole = head if unpacker is None else self._unpack(unpacker, head)
                value = self._value(whole, part)
            yield part, value
        except _Cut as error:
            raise _Damaged(str(error)) from None

    def _peek(self, body: memoryview) -> tuple[zlib._Decompress, memoryview]:
        """Tag and start of the matrix in a compressed element, whose stated size must be possible."""
        unpacker = zlib.decompressobj()
        head = unpacker.decompress(body, 8 + PEEK_BYTES)
        if len(head) < 8:
            raise _Damaged("a compressed element without a tag")
        kind, count = self._pair.unpack_from(head)
        if kind != MATRIX or count > MAX_RATIO * max(len(body), 64):
            raise _Damaged(f"a compressed element of type {kind} that claims {count} bytes")
        return unpacker, memoryview(head)

    def _unpack(self, unpacker: zlib._Decompress, head: memoryview) -> memoryview:
        """The whole matrix in a compressed element, its checksum held."""
        count = self._pair.unpack_from(head)[1]
        self.unpacked += count
        if self.unpacked > self.limit:
            raise _TooLarge(f"the file unpacks to more than {self.limit >> 20} MiB")
        # Asked for a byte too many, so that it meets the end of the stream, and with it the checksum.
        rest = max(8 + count - len(head), 0) + 1
        whole = bytes(head) + unpacker.decompress(unpacker.unconsumed_tail, rest)
        if len(whole) != 8 + count or not unpacker.eof:
            raise _Damaged(f"a compressed element does not unpack to its {count} bytes")
        return memoryview(whole)[8:]

    def _header(self, body: memoryview) -> _Part | None:
        """Class, shape and name of a matrix; None for an empty one and for classes without."""
        if not body:
            return None
        # Flags and shape never fit into a tag: both elements have their full form.
        kind, count, word, _, shape_kind, size = self._start.unpack_from(body)
        if kind != UINT32 or count != 8:
            raise _Damaged("a matrix without its flags")
        class_code, flags = word & 0xFF, word >> 8 & 0xFF
        if class_code not in _CLASSES:
            return None
        if shape_kind != INT32 or size % 4 or not 8 <= size <= 128:
            raise _Damaged("a matrix without its shape")
        shape = struct.unpack_from(f"{self.order}{size // 4}i", body, self._start.size)
        if min(shape) < 0:
            raise _Damaged(f"a matrix of shape {shape}")
        kind, begin, end, at = self.tag(body, self._start.size + size + size % 8)
        if kind != INT8:
            raise _Damaged("a matrix without its name")
        return _Part(_text(body[begin:end]), shape, class_code, flags, at)

    def _value(self, body: memoryview, part: _Part) -> Value:
        is_struct = part.class_code == STRUCT and math.prod(part.shape) == 1
        return self._struct(body, part) if is_struct else self._array(body, part)

    def _array(self, body: memoryview, part: _Part) -> NDArray | None:
        if part.class_code not in NUMERIC_CLASSES or part.flags & FLAG_COMPLEX:
            return None
        kind, begin, end, _ = self.tag(body, part.start)
        if kind not in TYPES:
            raise _Damaged(f"numbers of type {kind}")
        dtype, count = np.dtype(self.order + TYPES[kind]), math.prod(part.shape)
        if count * dtype.itemsize != end - begin:
            raise _Damaged(f"{part.name} of shape {part.shape} has {end - begin} bytes")
        flat = np.frombuffer(body[begin:end], dtype).astype(dtype.newbyteorder("="))
        return flat.reshape(part.shape, order="F")

    def _struct(self, body: memoryview, part: _Part) -> Fields:
        """Numeric fields; a struct within a struct is not read, so nesting cannot run deep."""
        kind, begin, end, at = self.tag(body, part.start)
        if kind != INT32 or end - begin != 4:
            raise _Damaged("a struct without field names")
        width = struct.unpack_from(self.order + "i", body, begin)[0]
        _, begin, end, at = self.tag(body, at)
        if width < 1 or (end - begin) % width:
            raise _Damaged("a struct with broken field names")
        values: Fields = {}
        for start in range(begin, end, width):
            name = _text(body[start : start + width])
            kind, first, last, at = self.tag(body, at)
            if kind != MATRIX:
                raise _Damaged(f"the field {name} of type {kind}")
            field = self._header(body[first:last])
            wanted = self.fields is None or name in self.fields
            values[name] = self._array(body[first:last], field) if field and wanted else None
        return values


def _text(name: memoryview) -> str:
    """A name without what could upset a terminal."""
    text = str(name, "latin-1").split("\0")[0]
    shown = (letter if letter.isprintable() else "?" for letter in text)
    return text if text.isprintable() else "".join(shown)
