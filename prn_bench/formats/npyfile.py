"""NumPy's .npz and .npy: read without unpickling, no size believed before it is checked."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats.sniff import read_bytes, wrong_kind

MAX_BYTES = 1 << 31
PLAIN_BYTES = 1 << 28  # unpacked sizes that no machine minds
MOST_MEMBERS = 1000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes
SQUEEZE = 256  # real arrays never compress that well, planted zeros do


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


def _read_npy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | Path) -> NDArray:
    where = f"{path}, {info.filename}"
    if info.compress_type not in METHODS:  # their unpackers take megabytes each
        raise _damaged(where, ValueError(f"packed by method {info.compress_type}"))
    try:
        return _checked_array(lambda: archive.open(info), info.file_size, where)
    except BenchError:
        raise
    except Exception as error:  # so does a damaged header, zipfile and NumPy share no base class
        raise _damaged(where, error) from None


def read_npz(
    path: str | Path, fields: Sequence[str], content: bytes | None = None
) -> dict[str, NDArray]:
    """Some arrays of an .npz.

    Parameters
    ----------
    path : path
    fields : sequence of str
    content : bytes, optional
        What the file holds, where it was read already; ``path`` is then only its name.

    Raises
    ------
    BenchError
        ``not-an-npz`` (or the usual faults: ``git-lfs-pointer``, ``html-page``, ...),
        ``missing-field``, and those of :func:`read_npz_members`.
    """
    file: Any = path if content is None else io.BytesIO(content)
    if not zipfile.is_zipfile(file):
        source = Path(path) if content is None else content
        raise wrong_kind(source, path, code="not-an-npz", expected="a NumPy .npz archive")
    try:
        with zipfile.ZipFile(file) as archive:
            _refuse_bomb(archive, path, content)
            found = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            missing = [field for field in fields if field not in found]
            if missing:
                raise BenchError(
                    f"the archive lacks {', '.join(missing)}",
                    code="missing-field",
                    where=path,
                    found=", ".join(list(found)[:20]) or "no arrays",
                )
            return {field: _read_npy(archive, found[field], path) for field in fields}
    except BenchError:
        raise
    except Exception as error:  # a damaged directory raises nearly anything
        raise _damaged(path, error) from None


def read_npy(source: bytes | Path, where: str | Path) -> NDArray:
    """The array of an .npy, never unpickled; its size is compared with the bytes that are there.

    Raises
    ------
    BenchError
        ``not-an-npy`` (or the usual faults: ``git-lfs-pointer``, ``html-page``, ...),
        ``object-array``, ``implausible-size``, ``damaged-npy``.
    """
    data = source if isinstance(source, bytes) else read_bytes(source, where, MAX_BYTES)
    if not data.startswith(b"\x93NUMPY"):
        raise wrong_kind(data, where, code="not-an-npy", expected="a NumPy .npy array")
    try:
        return _checked_array(lambda: io.BytesIO(data), len(data), str(where))
    except BenchError:
        raise
    except Exception as error:  # seeded damage met a dozen kinds
        raise _damaged(where, error, kind=".npy") from None


def real_numbers(array: NDArray, where: str | Path) -> NDArray:
    """The array as it is; BenchError ``wrong-type`` for text, dates, complex numbers and the like."""
    if array.dtype.kind not in "fiu":
        raise BenchError(
            "the file does not hold real numbers",
            code="wrong-type",
            where=where,
            found=str(array.dtype),
            remedy="Check that this is the file its name says.",
        )
    return array


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
        array = np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    if array.dtype.kind == "U" and _beyond_unicode(array):
        raise BenchError(
            "this array holds characters that do not exist",
            code="damaged-npy",
            where=where,
            remedy="Download it again, or save it anew.",
        )
    with np.errstate(all="ignore"):  # signalling NaNs, which would warn of every later sum
        return array + 0 if array.dtype.kind == "f" else array


def _beyond_unicode(array: NDArray) -> bool:
    """Whether a text array holds numbers that are no characters, which Python stumbles over later."""
    points = np.ascontiguousarray(array).view(array.dtype.byteorder.replace("|", "=") + "u4")
    return bool((points > sys.maxunicode).any())


def _refuse_bomb(archive: zipfile.ZipFile, path: str | Path, content: bytes | None = None) -> None:
    unpacked = sum(info.file_size for info in archive.infolist())
    packed = Path(path).stat().st_size if content is None else len(content)
    if len(archive.infolist()) > MOST_MEMBERS:
        raise _implausible(path, f"at most {MOST_MEMBERS} arrays", str(len(archive.infolist())))
    if unpacked > max(PLAIN_BYTES, SQUEEZE * packed):
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
