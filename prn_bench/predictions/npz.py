"""NumPy's .npz and .npy: read without unpickling, no size believed before it is checked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats.sniff import wrong_kind

PLAIN_BYTES = 1 << 28  # unpacked sizes that no machine minds
SQUEEZE = 256  # real predictions never compress that well, planted zeros do


def read_npz_members(path: Path) -> tuple[dict[str, NDArray], list[BenchError]]:
    """Every array of an .npz, and a fault for each member that cannot or must not be read.

    Raises
    ------
    BenchError
        ``damaged-npz``, ``implausible-size`` (of the whole; those of a member are in the list, and
        ``object-array`` too).
    """
    arrays: dict[str, NDArray] = {}
    faults: list[BenchError] = []
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_bomb(archive, path)
            for info in archive.infolist():
                try:
                    arrays[info.filename.removesuffix(".npy")] = _read_npy(archive, info, path)
                except BenchError as error:
                    faults.append(error)
    except BenchError:
        raise
    except Exception as error:  # a damaged directory raises nearly anything
        raise _damaged(path, error) from None
    return arrays, faults


def _read_npy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> NDArray:
    where = f"{path}, {info.filename}"
    try:
        return _checked_array(lambda: archive.open(info), info.file_size, where)
    except BenchError:
        raise
    except Exception as error:  # so does a damaged header, zipfile and NumPy share no base class
        raise _damaged(where, error) from None


def read_npy(data: bytes, where: str) -> NDArray:
    """The array of an .npy, never unpickled; its size is compared with the bytes that are there.

    Raises
    ------
    BenchError
        ``not-an-npy`` (or the usual faults: ``git-lfs-pointer``, ``html-page``, ...),
        ``object-array``, ``implausible-size``, ``damaged-npy``.
    """
    if not data.startswith(b"\x93NUMPY"):
        raise wrong_kind(data, where, code="not-an-npy", expected="a NumPy .npy array")
    try:
        return _checked_array(lambda: io.BytesIO(data), len(data), where)
    except BenchError:
        raise
    except Exception as error:  # seeded damage met a dozen kinds
        raise _damaged(where, error, kind=".npy") from None


def _checked_array(start: Callable[[], IO[bytes]], n_bytes: int, where: str) -> NDArray:
    with start() as stream:
        version = np.lib.format.read_magic(stream)
        newer = np.lib.format.read_array_header_2_0
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else newer
        shape, _, dtype = header(stream)
        n_head = stream.tell()
    if dtype.hasobject or dtype.names:
        raise BenchError(
            "this array holds Python objects or records, which only pickle could load",
            code="object-array",
            where=where,
            remedy="Save plain arrays of numbers, and ids as text: np.array(ids, dtype=str).",
        )
    _refuse_wrong_size(shape, dtype, n_bytes - n_head, where)
    with start() as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _refuse_bomb(archive: zipfile.ZipFile, path: Path) -> None:
    unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > max(PLAIN_BYTES, SQUEEZE * path.stat().st_size):
        raise _implausible(path, f"at most {SQUEEZE} times the file", f"{unpacked} bytes")


def _refuse_wrong_size(shape: tuple[int, ...], dtype: np.dtype, n_stored: int, where: str) -> None:
    n_bytes = dtype.itemsize
    for length in shape:  # not np.prod: that one wraps round
        n_bytes *= length
    if min(shape, default=0) < 0 or n_bytes != n_stored:
        found = f"shape {shape} of {dtype}, {n_bytes} bytes"
        raise _implausible(where, f"{n_stored} bytes, which the file holds", found)


def _implausible(where: str | Path, expected: str, found: str) -> BenchError:
    return BenchError(
        "the file declares a size that it cannot hold",
        code="implausible-size",
        where=where,
        expected=expected,
        found=found,
        remedy="Write the file again; do not open it with other tools.",
    )


def _damaged(where: str | Path, error: BaseException, *, kind: str = ".npz") -> BenchError:
    return BenchError(
        f"the {kind} is damaged or cut short ({str(error) or type(error).__name__})",
        code=f"damaged-{kind[1:]}",
        where=where,
        remedy="Copy or write it again.",
    )
