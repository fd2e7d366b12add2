"""Tensors of a TensorFlow checkpoint ("tensor bundle", ``.index`` and ``.data-*``) without TensorFlow.

The index is a LevelDB table of tensor names and ``BundleEntryProto`` messages, which say where in a data
file the raw values lie. Layouts: LevelDB's doc/table_format.md, TensorFlow's tensor_bundle.proto and
lib/io/table. Every block and tensor is checked against its CRC-32C; nothing in such a file can run.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats import sniff

MAGIC, FOOTER_BYTES, TRAILER_BYTES = 0xDB4775248B80FB57, 48, 5
INDEX_BYTES = 1 << 26
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}  # TensorFlow's DataType
POLYNOMIAL = 0x82F63B78  # CRC-32C, reversed
LANES = 4096


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        NumPy name, or ``type N`` for TensorFlow's type number N where it is none of ours.
    shard : int
    n_shards : int
    offset, size : int
        Bytes in the data file of that shard.
    crc : int
        Masked CRC-32C of these bytes.
    """

    shape: tuple[int, ...]
    dtype: str
    shard: int
    n_shards: int
    offset: int
    size: int
    crc: int


def index_path(path: str | Path) -> Path:
    """The index of a checkpoint that is given by its index, a data file, or the name before both."""
    path = Path(path)
    stem = path.name.removesuffix(".index").split(".data-")[0]
    return path.with_name(f"{stem}.index")


def read_index(path: str | Path) -> dict[str, Entry]:
    """The tensors of a checkpoint by name.

    Parameters
    ----------
    path : path
        See :func:`index_path`.

    Raises
    ------
    BenchError
        ``no-such-file``, ``not-a-tf-checkpoint``, ``damaged-tf-checkpoint``, ``too-large``, and the
        usual faults of downloads.
    """
    path = index_path(path)
    if not path.is_file():
        raise BenchError("there is no such file", code="no-such-file", where=path)
    data = sniff.read_bytes(path, path, INDEX_BYTES)
    if len(data) < FOOTER_BYTES or data[-8:] != MAGIC.to_bytes(8, "little"):
        code, expected = "not-a-tf-checkpoint", "the .index of a TensorFlow checkpoint"
        raise sniff.wrong_kind(path, path, code=code, expected=expected)
    try:
        return _entries(data)
    except (IndexError, KeyError, struct.error, ValueError) as error:
        raise _damaged(path, str(error) or type(error).__name__) from None


def read_tensor(path: str | Path, entry: Entry) -> NDArray:
    """The values of one tensor.

    Parameters
    ----------
    path : path
        See :func:`index_path`.
    entry : Entry
        Of :func:`read_index` of the same path.

    Raises
    ------
    BenchError
        ``no-such-file``, ``damaged-tf-checkpoint``.
    """
    index = index_path(path)
    name = f"{index.stem}.data-{entry.shard:05d}-of-{entry.n_shards:05d}"
    place = index.with_name(name)
    if not place.is_file():
        remedy = "Put the .index and the .data files of the checkpoint into one folder."
        raise BenchError(
            "the checkpoint lacks its data file", code="no-such-file", where=place, remedy=remedy
        )
    item = np.dtype(entry.dtype).itemsize if entry.dtype in DTYPES.values() else 0
    if entry.size != math.prod(entry.shape) * item:
        raise _damaged(index, f"{entry.size} bytes for {entry.shape} of {entry.dtype}")
    raw = b""
    if entry.offset + entry.size <= place.stat().st_size:
        with open(place, "rb") as stream:
            stream.seek(entry.offset)
            raw = stream.read(entry.size)
    if len(raw) != entry.size or masked_crc(raw) != entry.crc:
        raise _damaged(place, f"the {entry.size} bytes at {entry.offset} are not what was written")
    return np.frombuffer(raw, entry.dtype).reshape(entry.shape).copy()


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted as LevelDB stores it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli).

    A CRC is linear, so long data are cut into lanes, whose remainders are computed side by side and then
    moved past the lanes after them.
    """
    length = len(data) // LANES
    crc = 0xFFFFFFFF
    if length:
        lanes = np.frombuffer(data, np.uint8, LANES * length).reshape(LANES, length).T
        table, remainders = _table(), np.zeros(LANES, np.uint32)
        remainders[0] = crc
        for column in np.ascontiguousarray(lanes):
            remainders = table[(remainders ^ column) & 0xFF] ^ (remainders >> np.uint32(8))
        past = _zeros_operator(length)
        crc = 0
        for remainder in remainders.tolist():
            crc = _apply(past, crc) ^ remainder
    steps = _table().tolist()
    for byte in data[LANES * length :]:
        crc = steps[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> np.uint32(1) ^ np.uint32(POLYNOMIAL), table >> 1)
    return table.astype(np.uint32)


def _zeros_operator(n_bytes: int) -> list[int]:
    """What ``n_bytes`` zeros make of a remainder: the images of its 32 bits."""
    one_bit = [POLYNOMIAL, *(1 << bit for bit in range(31))]
    result, square, n_bits = [1 << bit for bit in range(32)], one_bit, 8 * n_bytes
    while n_bits:
        if n_bits & 1:
            result = [_apply(square, image) for image in result]
        square = [_apply(square, image) for image in square]
        n_bits >>= 1
    return result


def _apply(operator: list[int], value: int) -> int:
    image = 0
    for bit, column in enumerate(operator):
        if value >> bit & 1:
            image ^= column
    return image


def _entries(data: bytes) -> dict[str, Entry]:
    footer, at = data[-FOOTER_BYTES:], 0
    handle = []
    for _ in range(4):  # offset and size of the meta index, then of the index of the blocks
        number, at = _varint(footer, at)
        handle.append(number)
    n_shards, found = 1, {}
    for _, where in _block(data, *handle[2:]):
        offset, at = _varint(where, 0)
        for key, value in _block(data, offset, _varint(where, at)[0]):
            fields = dict(_fields(value))
            if key:
                found[key.decode()] = _entry(fields, n_shards)
            elif fields.get(2, 0) == 0:
                n_shards = int(fields.get(1, 1))
            else:
                raise ValueError("it is big-endian")
    return found


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block; a key repeats the start of the one before it."""
    block, trailer = data[offset : offset + size], data[offset + size :][:TRAILER_BYTES]
    if len(trailer) < TRAILER_BYTES or trailer[0]:
        raise ValueError("it is cut short or compressed")
    if masked_crc(block + trailer[:1]) != int.from_bytes(trailer[1:], "little"):
        raise ValueError(f"the block at byte {offset} is not what was written")
    (n_restarts,) = struct.unpack("<I", block[-4:])
    end, at, key = len(block) - 4 - 4 * n_restarts, 0, b""
    while at < end:
        shared, at = _varint(block, at)
        unshared, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        yield key, block[at + unshared : at + unshared + length]
        at += unshared + length


def _entry(fields: dict[int, Any], n_shards: int) -> Entry:
    if 7 in fields:
        raise ValueError("it holds a tensor in slices")
    dims = [dict(_fields(dim)) for number, dim in _fields(fields.get(2, b"")) if number == 2]
    shape = tuple(int(dim.get(1, 0)) for dim in dims)
    dtype = DTYPES.get(int(fields[1]), f"type {fields[1]!r}")
    shard, offset, size, crc = (int(fields.get(number, 0)) for number in (3, 4, 5, 6))
    return Entry(shape, dtype, shard, n_shards, offset, size, crc)


def _fields(message: Any) -> Iterator[tuple[int, Any]]:
    """Field numbers and values of a protocol buffer; fixed32 as int, messages as bytes."""
    if not isinstance(message, bytes):
        raise ValueError("a number stands for a message")
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        elif tag & 7 == 2:
            length, at = _varint(message, at)
            yield tag >> 3, message[at : at + length]
            at += length
        elif tag & 7 == 5:
            yield tag >> 3, struct.unpack_from("<I", message, at)[0]
            at += 4
        else:
            raise ValueError(f"field type {tag & 7} is not understood")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number and the place after it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a number has no end")


def _damaged(path: Path, why: str) -> BenchError:
    return BenchError(
        f"the TensorFlow checkpoint is damaged or not of a known kind ({why})",
        code="damaged-tf-checkpoint",
        where=path,
        remedy="Download it again.",
    )
