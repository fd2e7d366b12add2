"""Arrays of prediction files, read a few rows at a time, and the digest of all of them.

2,000 dense meshes take a gigabyte, which nobody needs in memory to look at one of them. Arrays of an
HDF5 file therefore stay in it until rows are asked for; those of an .npz are in memory and behave
alike.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from prn_bench import store
from prn_bench.predictions.arrays import STARTS
from prn_bench.predictions.structure import FORMAT, FORMAT_VERSION
from prn_bench.store_guard import changed_file, stamp
from prn_bench.uvmap import decode_maps

if TYPE_CHECKING:
    import h5py

BLOCK_BYTES = 1 << 24  # read, hashed or copied at once

Rows = int | slice | NDArray[np.integer] | NDArray[np.bool_] | list[int]


class Array(Protocol):
    """What an array of predictions can do, in memory or in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any, /) -> Any: ...
    def __array__(self, dtype: Any = None, /) -> NDArray: ...


class StoredFile:
    """A prediction file in HDF5, opened on first use and once per process; survives pickling.

    Parameters
    ----------
    path : Path

    Raises
    ------
    BenchError
        Of :func:`prn_bench.store.open_file`; ``changed-file`` when a later process finds another
        file under the name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: tuple[int, h5py.File] | None = None
        self._stamp = _stamp(path)

    @property
    def file(self) -> h5py.File:
        """The open file."""
        if self._handle is None or self._handle[0] != os.getpid():
            if _stamp(self.path) != self._stamp:
                raise changed_file(self.path)
            file = store.open_file(self.path, FORMAT, FORMAT_VERSION)
            self._handle = (os.getpid(), file)
        return self._handle[1]

    def read(self, name: str, rows: slice | NDArray[np.int64]) -> NDArray:
        """Rows of an array, of the file as it was opened."""
        values = store.read_rows(self.file[name], rows)
        if stamp(self.file) != self._stamp:
            raise changed_file(self.path)
        return values

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class StoredRows:
    """An array that stays in its file until rows of it are asked for.

    Attributes
    ----------
    source : StoredFile
    name : str
    shape : tuple of int
    dtype : np.dtype
        Of what is given out.
    """

    source: StoredFile
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Rows) -> NDArray:
        """Some rows, in any order: a number, a slice, row numbers or a mask."""
        if isinstance(rows, int | np.integer):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"row {rows} of {len(self)}")
            first = int(rows) % len(self)
            return np.asarray(self[first : first + 1][0])
        if not isinstance(rows, slice):
            rows = _row_numbers(rows)
        return to_type(self.source.read(self.name, rows), self.dtype)

    def __array__(self, dtype: DTypeLike | None = None, copy: Any = None) -> NDArray:
        """Everything: mind the memory."""
        return np.asarray(self[:], dtype)


def _row_numbers(rows: ArrayLike) -> slice | NDArray[np.int64]:
    """Row numbers of a mask or list; a slice where they follow each other, which HDF5 reads faster."""
    numbers = np.asarray(rows)
    numbers = np.flatnonzero(numbers) if numbers.dtype == bool else numbers.astype(np.int64)
    if len(numbers) and numbers[0] >= 0 and (np.diff(numbers) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def stored_rows(source: StoredFile) -> dict[str, StoredRows]:
    """All arrays of a prediction file in HDF5, nothing of them read yet."""
    nodes = {name: source.file[name] for name in store.array_names(source.file)}
    return {name: StoredRows(source, name, n.shape, n.dtype) for name, n in nodes.items()}


def number_type(dtype: np.dtype, ndim: int) -> np.dtype:
    """float32 or float64 for stored numbers; a 16-bit map is decoded from its fixed point."""
    is_map = dtype == np.uint16 and ndim == 4
    double = not is_map and (dtype.kind in "iu" or dtype.itemsize > 4)
    return np.dtype("<f8" if double else "<f4")


def to_type(values: NDArray, dtype: np.dtype) -> NDArray:
    """Stored numbers in the type that is given out, copied only where it differs."""
    if values.dtype == np.uint16 and values.ndim == 4 and dtype.kind == "f":
        return decode_maps(values)
    return values.astype(dtype, copy=False)  # 2,000 maps take 1.5 GB, which nobody has twice


def row_blocks(n_rows: int, row_bytes: int) -> Iterator[slice]:
    """Slices of rows, about 16 MB each."""
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def bytes_of_row(values: Array) -> int:
    """Bytes of one row."""
    return int(np.prod(values.shape[1:], dtype=np.int64)) * values.dtype.itemsize


def digest(ids: NDArray, frame: str, topology: str | None, arrays: Mapping[str, Array]) -> str:
    """Sha256 of predictions in the order of their ids, with one NaN and one zero.

    The same on both carriers and for any order of rows; memory stays flat.

    Raises
    ------
    BenchError
        ``damaged-hdf5`` when rows of the file cannot be read.
    """
    order = np.argsort(ids)
    names = [name for name in sorted(arrays) if name not in STARTS.values()]
    shapes = {name: _shape_words(name, arrays, order) for name in names}
    found = hashlib.sha256(
        json.dumps([FORMAT, frame, topology, shapes, ids[order].tolist()]).encode()
    )
    for name in names:
        for block in _in_order(name, arrays, order):
            found.update(_plain(block).data)
    return found.hexdigest()


def _shape_words(name: str, arrays: Mapping[str, Array], order: NDArray) -> list[Any]:
    values, start = arrays[name], arrays.get(STARTS.get(name, ""))
    if start is None:
        return [str(values.dtype), *values.shape]
    return [str(values.dtype), "ragged", np.diff(np.asarray(start))[order].tolist()]


def _in_order(name: str, arrays: Mapping[str, Array], order: NDArray) -> Iterator[NDArray]:
    values, start = arrays[name], arrays.get(STARTS.get(name, ""))
    if start is None:
        blocks = row_blocks(len(values), bytes_of_row(values))
        yield from (np.asarray(values[order[block]]) for block in blocks)
        return
    first = np.asarray(start)
    yield from (np.asarray(values[int(first[row]) : int(first[row + 1])]) for row in order)


def _plain(block: NDArray) -> NDArray:
    """The same bytes for the same numbers: -0 becomes 0, all NaN become one."""
    if block.dtype.kind == "f":
        ours = block.flags.owndata and block.flags.writeable  # read for this; a view is of somebody
        block = np.add(block, block.dtype.type(0), out=block if ours else None)
        with np.errstate(over="ignore", invalid="ignore"):
            sound = np.isfinite(block.sum())  # one pass; a closer look is rarely needed
        if not sound:
            block[np.isnan(block)] = np.nan
    return np.ascontiguousarray(block)
