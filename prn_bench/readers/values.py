"""What single files of a method hold, as points in its own coordinates: shapes put right, sizes checked.

Every function takes the bytes of one file and its name for messages, and raises a ``BenchError`` for
whatever is not what it should be. All-NaN content means that the method gave nothing: None.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats import sniff
from prn_bench.formats.matfile import read_mat
from prn_bench.formats.npyfile import read_npy

Array = NDArray[np.float64]

N_LANDMARKS = 68
MAX_TEXT_BYTES = 1 << 20  # 68 points in any spelling take a hundredth
LOOK = "Look at the method's own output for this picture, or leave the file out."


def text_table(data: bytes, where: str) -> Array:
    """(rows, columns) numbers of a small text file, separated by white space, commas or semicolons.

    A first line of names is passed over.

    Raises
    ------
    BenchError
        ``not-a-table`` (or the usual faults: ``git-lfs-pointer``, ...), ``too-large``.
    """
    if sniff.kind_of(data).code is not None:
        raise sniff.wrong_kind(data, where, code="not-a-table", expected="a table of numbers")
    if len(data) > MAX_TEXT_BYTES:
        raise BenchError(
            "the file is too large for a table of landmarks",
            code="too-large",
            where=where,
            expected=f"at most {MAX_TEXT_BYTES >> 10} KiB",
            found=f"{len(data) >> 10} KiB",
            remedy=LOOK,
        )
    lines = data.decode("ascii", "replace").replace(",", " ").replace(";", " ").splitlines()
    rows = [line.split() for line in lines if line.strip() and line.strip()[0] != "#"]
    if rows and any(word[0].isalpha() and not _is_number(word) for word in rows[0]):
        rows = rows[1:]
    try:
        return np.array([[float(word) for word in row] for row in rows], np.float64)
    except ValueError:  # a word, or rows of different lengths
        raise sniff.wrong_kind(
            data, where, code="not-a-table", expected="a table of numbers", remedy=LOOK
        ) from None


def _is_number(word: str) -> bool:
    return word.lower() in ("nan", "inf", "infinity")


def landmarks_of(values: NDArray, where: str) -> Array | None:
    """(68, 2|3) points from an array with either axis first; None where the method gave nothing."""
    values = _numbers(values, where)
    if values.ndim == 2 and values.shape[0] in (2, 3) and values.shape[1] == N_LANDMARKS:
        values = values.T
    if values.shape not in ((N_LANDMARKS, 2), (N_LANDMARKS, 3)):
        raise _wrong_shape(values.shape, "68 points of two or three coordinates", where)
    return finite_or_none(values, where)


def mesh_of(values: NDArray, counts: Sequence[int], where: str) -> NDArray[np.float32] | None:
    """(v, 3) float32 vertices from an array with either axis first, of one of the known numbers."""
    values = _numbers(values, where)
    if values.ndim == 2 and values.shape[0] == 3 and values.shape[1] != 3:
        values = values.T
    if values.ndim != 2 or values.shape[1] != 3 or (counts and len(values) not in counts):
        words = " or ".join(f"{count:,}" for count in counts)
        raise _wrong_shape(values.shape, f"{words or 'any number of'} vertices of x, y, z", where)
    known = finite_or_none(values, where)
    return None if known is None else known.astype(np.float32)


def finite_or_none(values: Array, where: str) -> Array | None:
    """The values; None when all are NaN.

    Raises
    ------
    BenchError
        ``not-finite`` when only some are.
    """
    if np.isfinite(values).all():
        return values
    if np.isnan(values).all():
        return None
    raise BenchError(
        "the file holds NaN or infinity beside numbers",
        code="not-finite",
        where=where,
        expected="finite numbers, or NaN throughout where the method found no face",
        found=f"{int((~np.isfinite(values)).sum())} of {values.size} values",
        remedy=LOOK,
    )


def mat_array(data: bytes, where: str, name: str) -> NDArray:
    """One array of a MATLAB file; errors of :func:`prn_bench.formats.matfile.read_mat`."""
    return read_mat(data, where, [name])[name]


def faces_of(data: bytes, where: str) -> list[NDArray]:
    """The faces in an .npy: one array, or several stacked along a first axis.

    Raises
    ------
    BenchError
        Of :func:`prn_bench.formats.npyfile.read_npy`.
    """
    values = read_npy(data, where)
    if values.ndim == 3:
        return list(values)
    return [values]


def _numbers(values: NDArray, where: str) -> Array:
    if values.dtype.kind not in "fiu":
        raise BenchError(
            "the file does not hold real numbers",
            code="wrong-type",
            where=where,
            found=str(values.dtype),
            remedy=LOOK,
        )
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # odd kinds of NaN, and what is beyond float64
        return np.asarray(values, np.float64)


def _wrong_shape(found: tuple[int, ...], expected: str, where: str) -> BenchError:
    return BenchError(
        "the file does not hold what this method writes",
        code="wrong-shape",
        where=where,
        expected=expected,
        found=f"shape {found}",
        remedy="Is this the right reader? See docs/readers.md.",
    )
