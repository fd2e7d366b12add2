"""What an HDF5 file must not hold: links, objects, loops, foreign filters, impossible sizes.

Used by :mod:`prn_bench.store`, the only importer of h5py, on every file before anything is read from
it; here h5py's objects are known by what they can do.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prn_bench.errors import BenchError

if TYPE_CHECKING:
    import h5py

SIGNATURE, VERSION_1 = b"GCOL", b"\x01"
SCAN_BYTES = 1 << 26  # of the file: all of a sparse prediction file, the metadata of a larger one
HEADER = struct.Struct("<HH4xQ")  # index, references, size
PLAIN_BYTES = 1 << 28  # unpacked sizes that no machine minds
SQUEEZE = 256  # real arrays never compress that well, planted zeros do
KNOWN_FILTERS = {1, 2, 3, 4, 5, 6, 32000}  # HDF5's own and LZF, which h5py brings


def broken_heap(path: str | Path) -> int | None:
    """Where the first heap with impossible object sizes starts in the file, or None.

    HDF5 (2.0 and older) walks the objects of a global heap, where texts of variable length live,
    by their declared sizes and without a checksum. A size of zero, which is what a zero-filled
    block of an interrupted download leaves, makes it walk for ever, and no exception stops that.

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


def refuse_other_kind(file: h5py.File, path: Path, kind: str | None, version: int) -> None:
    """Refuse a file of another format (None: any), or one newer than this version.

    Raises
    ------
    BenchError
        ``wrong-format``, ``newer-format``.
    """
    attributes = {key: file.attrs[key] for key in ("format", "format_version") if key in file.attrs}
    found, newest = attributes.get("format"), attributes.get("format_version", 0)
    if kind is not None and not (isinstance(found, str) and found == kind):
        raise BenchError(
            "this HDF5 file is of another kind",
            code="wrong-format",
            where=path,
            expected=f"format = {kind!r}",
            found=f"format = {found!r}" if found is not None else "no format attribute",
            remedy="See with `prn-bench info` what your files are.",
        )
    if kind is not None and not (np.ndim(newest) == 0 and int(newest) <= version):
        raise BenchError(
            "this file was written by a newer prn-bench",
            code="newer-format",
            where=path,
            expected=f"format_version <= {version}",
            found=str(newest),
            remedy="Upgrade prn-bench.",
        )


def refuse_unsafe(file: h5py.File, path: Path) -> None:
    """Refuse what reads other files, never ends, needs foreign code or takes all memory.

    Raises
    ------
    BenchError
        ``foreign-link``, ``object-array``, ``unknown-filter``, ``implausible-size``.
    """
    groups, seen = [file["/"]], {file["/"]}
    while groups:
        group = groups.pop()
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            if type(group.get(name, getlink=True)).__name__ != "HardLink":
                raise refused(f"{where} is a link to another place", "foreign-link", path)
            node = group[name]
            if node in seen:  # nodes are equal when they are the same object of the file
                raise refused(f"{where} is a second name, or a loop", "foreign-link", path)
            seen.add(node)
            if hasattr(node, "visititems"):
                groups.append(node)
            else:
                _refuse_array(node, where, path)


def _refuse_array(node: h5py.Dataset, where: str, path: Path) -> None:
    if getattr(node, "shape", None) is None:  # a named type, or an array without a shape
        raise refused(f"{where} is no array", "object-array", path)
    if node.external or node.is_virtual:
        raise refused(f"{where} keeps its data elsewhere", "foreign-link", path)
    element = (node.dtype.metadata or {}).get("vlen")  # h5py: str, bytes, or the type of its items
    plain = element in (str, bytes) or (isinstance(element, np.dtype) and element.kind in "ui")
    if node.dtype.kind in "OV" and not plain:
        raise refused(f"{where} holds objects or records", "object-array", path)
    plan = node.id.get_create_plist()
    if not {plan.get_filter(i)[0] for i in range(plan.get_nfilters())} <= KNOWN_FILTERS:
        raise refused(f"{where} is packed with a filter of its own", "unknown-filter", path)
    shapes = [node.shape, node.chunks or ()]
    n_bytes = max(math.prod(shape) for shape in shapes) * node.dtype.itemsize
    if n_bytes > max(PLAIN_BYTES, SQUEEZE * path.stat().st_size):
        message = f"{where} declares {n_bytes} bytes, more than the file can hold"
        raise refused(message, "implausible-size", path)


def refused(what: str, code: str, path: str | Path) -> BenchError:
    """The error for a file that is more than plain data."""
    remedy = "Ask its author for a file that holds its own, plain data."
    return BenchError(what, code=code, where=path, remedy=remedy)


def stamp(file: h5py.File) -> tuple[int, int]:
    """Bytes and time of the last change of an open file, which no rename or removal alters."""
    status = os.fstat(file.id.get_vfd_handle())
    return status.st_size, status.st_mtime_ns


def changed_file(path: Path) -> BenchError:
    """The error for a file that is another one than when it was opened."""
    return BenchError(
        "the file was written anew while it was being used",
        code="changed-file",
        where=path,
        remedy="Start again.",
    )
