"""A look at an HDF5 file's global heaps before HDF5 sees them.

HDF5 (2.0 and older) walks the objects of a heap by their declared sizes, without a checksum; a size of
zero, which is what a zero-filled block of an interrupted download leaves, makes it walk for ever. No
exception can be caught then, so the sizes are checked first. Texts of variable length live there.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

SIGNATURE, VERSION_1 = b"GCOL", b"\x01"
SCAN_BYTES = 1 << 26  # of the file: all of a sparse prediction file, the metadata of a larger one
HEADER = struct.Struct("<HH4xQ")  # index, references, size


def broken_heap(path: str | Path) -> int | None:
    """Where the first heap with impossible object sizes starts in the file, or None.

    Parameters
    ----------
    path : path
        Only its first 64 MiB are searched.
    """
    if not Path(path).stat().st_size:
        return None
    with (
        open(path, "rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        start = data.find(SIGNATURE + VERSION_1, 0, SCAN_BYTES)
        while start >= 0:
            if not _is_sound(data, start):
                return start
            start = data.find(SIGNATURE + VERSION_1, start + 1, SCAN_BYTES)
    return None


def _is_sound(data: mmap.mmap, start: int) -> bool:
    (size,) = struct.unpack("<Q", data[start + 8 : start + 16].ljust(8, b"\0"))
    if not HEADER.size <= size <= len(data) - start:
        return False
    place, end = start + 16, start + size
    while place + HEADER.size <= end:
        index, _, n_bytes = HEADER.unpack(data[place : place + HEADER.size])
        # free space (index 0) counts its own header, an object does not and is padded to 8 bytes
        step = n_bytes if index == 0 else HEADER.size + -(-n_bytes // 8) * 8
        if not 0 < step <= end - place:
            return False
        place += step
    return True
