"""The only module that touches HDF5: open safely, write whole files or nothing.

Everything that the toolkit stores as HDF5 (datasets, predictions, face models) is a flat dictionary
of arrays under slash-separated names, plus text and number attributes at the root. Links, object
types, foreign filters and impossible sizes are refused: a file is data, never a program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.outfile import DeafStream
from prn_bench.outfile import atomic_path as atomic_path
from prn_bench.outfile import refuse_overwriting_input as refuse_overwriting_input
from prn_bench.outfile import replace_file as replace_file
from prn_bench.outfile import require_place as require_place
from prn_bench.outfile import writing as writing
from prn_bench.store_guard import broken_heap, refuse_other_kind, refuse_unsafe, refused

if TYPE_CHECKING:
    import h5py

FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
SIGNATURE = b"\x89HDF\r\n\x1a\n"


def open_file(path: str | Path, kind: str | None = None, version: int = 1) -> h5py.File:
    """Open one of our HDF5 files for reading.

    Parameters
    ----------
    path : path
    kind : str, optional
        The ``format`` attribute it must carry, such as ``prn-bench/dataset``.
    version : int
        The newest ``format_version`` understood.

    Raises
    ------
    BenchError
        ``no-such-file``, ``not-hdf5``, ``damaged-hdf5``, ``wrong-format``, ``newer-format``,
        ``foreign-link``, ``object-array``, ``implausible-size``, ``unknown-filter``.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise BenchError("there is no such file", code="no-such-file", where=path)
    with open(path, "rb") as stream:
        head = stream.read(len(SIGNATURE))
    if head != SIGNATURE:
        from prn_bench.formats.sniff import describe

        raise BenchError(
            "this is not an HDF5 file",
            code="not-hdf5",
            where=path,
            expected=kind or "HDF5",
            found=describe(path),
        )
    with guard(path):
        if (place := broken_heap(path)) is not None:
            raise OSError(f"impossible sizes in the heap at byte {place}")
        file = h5py.File(path, "r")
        try:
            refuse_other_kind(file, path, kind, version)
            refuse_unsafe(file, path)
        except BaseException:
            file.close()
            raise
    return file


@contextmanager
def guard(path: str | Path) -> Iterator[None]:
    """Turn whatever HDF5 raises on a damaged file into ``damaged-hdf5``."""
    kinds = (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError)
    try:
        yield
    except kinds as error:
        reason = (str(error) or type(error).__name__).split("(", 1)[-1].rstrip(")")
        raise BenchError(
            f"the HDF5 file is damaged or cut short ({reason})",
            code="damaged-hdf5",
            where=path,
            remedy="Copy or build it again.",
        ) from None


def read_tree(
    path: str | Path, kind: str, version: int = 1
) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """All arrays, by slash-separated name, and the root attributes of one of our files."""
    with open_file(path, kind, version) as file, guard(path):
        arrays = {name: read_array(file[name]) for name in array_names(file)}
        return arrays, read_attributes(file)


def write_tree(
    path: str | Path,
    kind: str,
    version: int,
    arrays: Mapping[str, NDArray],
    attributes: Mapping[str, Any],
) -> None:
    """Write arrays and attributes as one of our files; its name appears only when it is whole.

    Raises
    ------
    BenchError
        As :func:`prn_bench.outfile.atomic_path`: a file of another kind is not replaced.
    """
    with atomic_path(path, kind) as part, new_file(part) as file:
        write_attributes(file, {"format": kind, "format_version": version, **attributes})
        for name, value in arrays.items():
            write_array(file, name, value)


def read_array(node: h5py.Dataset) -> NDArray:
    """A whole dataset; texts come back as ``str`` objects in an object array."""
    return read_rows(node, None)


@contextmanager
def new_file(path: Path, *, again: bool = False) -> Iterator[h5py.File]:
    """A new file to write into; give it a temporary name (:func:`atomic_path`).

    Parameters
    ----------
    path : path
    again : bool
        Open one that was made so before, for its last attributes.

    Raises
    ------
    OSError
        Of the system, such as a full disk: at the end, whatever HDF5 made of it.
    """
    import h5py

    with open(path, "r+b" if again else "w+b", buffering=0) as stream:
        target = DeafStream(stream)
        try:
            with h5py.File(target, "r+" if again else "w", libver="v110") as file:
                yield file
        finally:
            if target.error is not None:
                raise target.error from None


def append_rows(file: h5py.File, name: str, values: NDArray, rows_per_chunk: int) -> None:
    """Add rows to a per-sample array, made on first use."""
    import h5py

    text = values.dtype.kind in "UO"
    if name not in file:
        dtype = h5py.string_dtype("utf-8") if text else values.dtype
        shape = values.shape[1:]
        file.create_dataset(
            name,
            (0, *shape),
            dtype,
            maxshape=(None, *shape),
            chunks=(rows_per_chunk, *shape),
            **({} if text else FILTERS),
        )
    node = _grow(file, name, len(values))
    node[-len(values) :] = values


def append_images(file: h5py.File, name: str, images: list[bytes]) -> None:
    """Add encoded images as rows of bytes."""
    import h5py

    if name not in file:
        dtype = h5py.vlen_dtype(np.uint8)
        file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(64,))
    node = _grow(file, name, len(images))
    rows = np.empty(len(images), node.dtype)
    for row, data in enumerate(images):
        rows[row] = np.frombuffer(data, np.uint8)
    # In one call, since one by one they take three times as long; by hand, since h5py takes a single
    # row for an array of its own.
    target = node.id.get_space()
    target.select_hyperslab((len(node) - len(images),), (len(images),))
    node.id.write(h5py.h5s.create_simple((len(images),)), target, rows)


def append_maps(
    file: h5py.File, name: str, maps: list[bytes], shape: tuple[int, int, int]
) -> h5py.Dataset:
    """Add position maps that :func:`compress_map` made, one chunk each."""
    if name not in file:
        file.create_dataset(
            name, (0, *shape), "<u2", maxshape=(None, *shape), chunks=(1, *shape), **FILTERS
        )
    node = _grow(file, name, len(maps))
    for row, data in enumerate(maps, len(node) - len(maps)):
        node.id.write_direct_chunk((row, 0, 0, 0), data)
    return node


def _grow(file: h5py.File, name: str, n_more: int) -> h5py.Dataset:
    node = file[name]
    node.resize(len(node) + n_more, axis=0)
    return node


def compress_map(codes: NDArray[np.uint16]) -> bytes:
    """One position map as HDF5's own shuffle and gzip filters read it.

    Workers compress, the one writer only copies: HDF5 itself compresses under a global lock, and
    libdeflate makes the same kind of stream in a third of zlib's time, and smaller.
    """
    from deflate import zlib_compress

    planes = np.empty((2, codes.size), np.uint8)
    planes[0] = codes.reshape(-1)  # low bytes, which is what the cast keeps, then high bytes
    np.right_shift(codes.reshape(-1), 8, out=planes[1], casting="unsafe")
    return bytes(zlib_compress(planes, 1))


def stored_bytes(file: h5py.File) -> dict[str, int]:
    """Bytes that each array takes on the disk; rows of variable length (images) count as pointers."""
    names = array_names(file)
    with guard(file.filename):
        return {name: int(file[name].id.get_storage_size()) for name in names}


def array_names(file: h5py.File) -> list[str]:
    """Slash-separated names of all arrays in the file."""
    import h5py

    names: list[str] = []
    with guard(file.filename):
        file.visititems(
            lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None
        )
    return names


def read_rows(node: h5py.Dataset, rows: slice | NDArray[np.integer] | list[int] | None) -> NDArray:
    """Some rows of an array, in the order asked for (HDF5 itself wants them sorted and unique)."""
    import h5py

    source = node.asstr() if h5py.check_string_dtype(node.dtype) is not None else node
    if rows is None or isinstance(rows, slice):
        with guard(node.file.filename):
            return np.asarray(source[... if rows is None else rows])
    unique, inverse = np.unique(np.asarray(rows, np.int64), return_inverse=True)
    if len(unique) and (unique[0] < 0 or unique[-1] >= len(node)):
        raise IndexError(f"rows {unique[0]}..{unique[-1]} of {len(node)}")
    with guard(node.file.filename):
        return np.asarray(source[unique.tolist()])[inverse]


def write_array(file: h5py.File, name: str, value: NDArray) -> None:
    """One array; large numeric ones are compressed, texts are stored as utf-8."""
    import h5py

    if value.dtype.kind in "UO":
        texts = np.array([str(text).encode() for text in value.reshape(-1)], dtype=np.bytes_)
        dtype = h5py.string_dtype("utf-8", texts.itemsize or 1)  # fixed length: no heap to damage
        file.create_dataset(name, data=texts.astype(dtype).reshape(value.shape))
        return
    large = value.nbytes > 1 << 16 and "basis" not in name  # what is noise to gzip stays plain
    file.create_dataset(name, data=value, **(FILTERS if large else {}))


def read_attributes(file: h5py.File) -> dict[str, Any]:
    """Root attributes as plain Python values: texts, numbers or arrays of them."""
    with guard(file.filename):
        return {key: _plain(value, key, file.filename) for key, value in file.attrs.items()}


def _plain(value: Any, key: str, path: str) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    value = value.decode() if isinstance(value, bytes) else value
    is_array = isinstance(value, np.ndarray)
    if isinstance(value, str):  # h5py gives half pairs for bytes that are no UTF-8
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, int | float) or (is_array and value.dtype.kind not in "OV"):
        return value
    if is_array and all(isinstance(text, str) for text in value.flat):
        return value
    raise refused(f"attribute {key!r} is neither text nor number", "object-array", path)


def write_attributes(file: h5py.File, attributes: Mapping[str, Any]) -> None:
    """Root attributes; None is left out."""
    for key, value in attributes.items():
        if value is not None:
            file.attrs[key] = value
