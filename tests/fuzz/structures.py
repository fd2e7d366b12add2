"""Mutations that know a format: checksums hold again, so that what is behind them is reached."""

from __future__ import annotations

import gzip
import json
import random
import struct
import zlib
from typing import Any

from tests.fuzz.archives import NUMPY, ZIP
from tests.fuzz.hdf5 import change_hdf5
from tests.fuzz.mutate import BYTES, SIZES, TEXT, TOKENS, Mutator
from tests.fuzz.tfindex import change_index


def unpack(name: str, data: bytes) -> tuple[bytes, bool]:
    """The content of a gzip file, and whether it was one."""
    return (gzip.decompress(data), True) if name.endswith(".gz") else (data, False)


def pack(data: bytes) -> bytes:
    """Content as a gzip file without a date."""
    return gzip.compress(data, 1, mtime=0)


# -- MATLAB -----------------------------------------------------------------------------------------


def change_mat(data: bytes, draw: random.Random) -> bytes:
    """Inside a compressed element, whose checksum is made again; or the element's own size."""
    elements, at = [], 128
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        elements.append((at, kind, min(size, len(data) - at - 8)))
        at += 8 + size
    packed = [e for e in elements if e[1] == 15]
    if not packed:
        return draw.choice(BYTES)(data, draw)
    at, _, size = draw.choice(packed)
    try:
        body = zlib.decompress(data[at + 8 : at + 8 + size])
    except zlib.error:
        return data
    head, tail = (body[:256], body[256:]) if draw.random() < 0.8 else (body, b"")
    whole = draw.choice((*BYTES, _word))(head, draw) + tail
    new = zlib.compress(whole, draw.choice((1, 9)))
    return data[:at] + struct.pack("<II", 15, len(new)) + new + data[at + 8 + size :]


def _word(data: bytes, draw: random.Random) -> bytes:
    """One aligned 32-bit word, which is what tags, sizes and shapes are."""
    at = draw.randrange(max(len(data) // 4, 1)) * 4
    value = draw.choice((*SIZES, 1, 2, 3, 5, 6, 7, 9, 14, 15, len(data))) % 2**32
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


# -- JSON, safetensors, pictures ----------------------------------------------------------------------


#: Values of every type, where another is expected.
ODD: tuple[Any, ...] = (None, True, 0, -1, 1.5, 1e308, 2**70, "", "nan", "a" * 9999, [], {}, [[]])
ODD += (
    float("nan"),
    float("inf"),
    "\ud800",
    "\x1b[31m",
    "[/b]",
    {"a": None},
    [1, "a"],
    *TOKENS[:9],
)


def change_json(data: bytes, draw: random.Random) -> bytes:
    """One value of the tree is of another type, missing, doubled, huge or nested."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places = list(_places(tree))
    if not places:
        return draw.choice(TEXT)(data, draw)
    holder, key = draw.choice(places)
    if draw.random() < 0.25:
        del holder[key]
    else:
        holder[key] = (
            draw.choice((*ODD, holder, [holder[key]] * 3)) if draw.random() < 0.9 else tree
        )
    try:
        return json.dumps(tree).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):  # it holds itself now
        return b'{"a":' * 50_000


def _places(tree: Any) -> Any:
    items = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for key, value in list(items)[:200]:
        yield tree, key
        yield from _places(value)


def change_tensors(data: bytes, draw: random.Random) -> bytes:
    """The header of a safetensors file, its length kept true or not."""
    (size,) = struct.unpack("<Q", data[:8].ljust(8, b"\0"))
    header = draw.choice((change_json, *TEXT, *BYTES))(data[8 : 8 + size] or b"{}", draw)
    length = draw.choice((len(header),) * 6 + SIZES) % 2**64
    return struct.pack("<Q", length) + header + data[8 + size :]


def change_png(data: bytes, draw: random.Random) -> bytes:
    """Another size, depth or kind in the header of a PNG, its checksum made again."""
    if len(data) < 33:
        return data
    fields = [bytearray(data[16:29]), struct.pack(">I", draw.choice((0, 1, 65_535, 2**31 - 1)))]
    at = draw.choice((0, 4))
    if draw.random() < 0.5:
        fields[0][at : at + 4] = fields[1]
    else:
        fields[0][draw.randrange(8, 13)] = draw.randrange(256)
    chunk = b"IHDR" + bytes(fields[0])
    return data[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


STRUCTURED: dict[str, tuple[Mutator, ...]] = {
    ".npy": NUMPY,
    ".npz": ZIP,
    ".zip": ZIP,
    ".mat": (change_mat,),
    ".json": (change_json,),
    ".ljson": (change_json,),
    ".safetensors": (change_tensors,),
    ".png": (change_png,),
    ".h5": (change_hdf5,),
    ".index": (change_index,),
}
