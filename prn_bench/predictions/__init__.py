"""Prediction files: what a method says about each sample, in a declared frame.

One format, ``prn-bench/predictions``, on two carriers: HDF5 (``.h5``) and NumPy's ``.npz``. Rows
are joined to a dataset by sample id, so their order means nothing. A row of NaN says "no
prediction". Nothing is ever unpickled, and a declared size is compared with the file before
memory is taken. Dense arrays of an ``.h5`` stay in it until rows of them are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench import store
from prn_bench.errors import BenchError
from prn_bench.formats.npyfile import read_npz_members
from prn_bench.predictions.arrays import NAMES, RUNTIME, STARTS, as_array
from prn_bench.predictions.rows import (
    Array,
    Rows,
    StoredFile,
    StoredRows,
    digest,
    number_type,
    stored_rows,
    to_type,
)
from prn_bench.predictions.structure import FORMAT, method_card, structure_faults, text_ids, text_of
from prn_bench.predictions.writer import SUFFIXES, write_arrays

LAZY = ("position_map", "triangles", "vertices")  # the others are small


@dataclass(frozen=True)
class Predictions:
    """What one method predicts.

    Attributes
    ----------
    sample_ids : (n,) object array of str
        Unique, in the order of the file.
    frame : str
        ``image`` or ``crop``; pixels, 0-based, y down (DESIGN 3).
    arrays : mapping
        ``landmarks`` (n, 68, 2|3), ``pose_deg`` (n, 3) pitch, yaw and roll of the 3DDFA fits,
        ``position_map`` (n, 3, 256, 256), ``vertices`` (n, V, 3), ``runtime_ms`` (n,) of each; float32
        or float64, a row of NaN where the method gave nothing. With the topology ``unordered``
        perhaps ``vertices`` (T, 3) with ``vertex_start`` (n + 1,), ``triangles`` (M, 3) with
        ``triangle_start``: see :meth:`mesh`. What stays in an ``.h5`` has shape, dtype and length,
        and gives rows by slice, number or mask.
    method : dict
        The method card; ``name`` is always there.
    topology : str, optional
        Of ``vertices``, such as ``bfm-53215``.
    path : Path, optional
        For messages.
    stored : bool
        Whether all of it was read from a file.
    """

    sample_ids: NDArray
    frame: str
    arrays: Mapping[str, Array]
    method: dict[str, Any]
    topology: str | None = None
    path: Path | None = None
    stored: bool = False

    @cached_property
    def sha256(self) -> str | None:
        """Digest of ids, frame, topology and arrays; None for predictions put together in memory.

        The same for both carriers and any order of rows, and whatever ``runtime_ms`` says: times
        differ from run to run, predictions need not. Asked for first, everything is read once.

        Raises
        ------
        BenchError
            ``damaged-hdf5`` when rows of the file cannot be read.
        """
        if not self.stored:
            return None
        arrays = {name: values for name, values in self.arrays.items() if name != RUNTIME}
        return digest(self.sample_ids, self.frame, self.topology, arrays)

    @cached_property
    def runtime_sha256(self) -> str | None:
        """Digest of times and conditions, which is what a score of run time is made of."""
        arrays = {name: values for name, values in self.arrays.items() if name == RUNTIME}
        told = json.dumps([self.method.get(name) for name in ("hardware", "batch")])
        return digest(self.sample_ids, told, None, arrays) if self.stored else None

    def __len__(self) -> int:
        """Number of rows, those without a prediction included."""
        return len(self.sample_ids)

    def rows(self, name: str, rows: Rows) -> NDArray:
        """Some rows of an array; of a file in HDF5 only these are read.

        Parameters
        ----------
        name : str
            One of ``arrays`` with a row for each sample.
        rows : int, slice, (k,) row numbers or (n,) mask
        """
        if name not in self.arrays or STARTS.get(name) in self.arrays:
            raise ValueError(f"these predictions have no {name} of one size for all samples")
        return np.asarray(self.arrays[name][rows])

    def mesh(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.int32] | None]:
        """The mesh of one sample.

        Returns
        -------
        vertices : (v, 3) float64
            Pixels; none where the method gave nothing.
        triangles : (t, 3) int32 or None
            Rows of ``vertices``; None where the file has no triangles.
        """
        if "vertices" not in self.arrays:
            raise ValueError("these predictions have no vertices")
        if "vertex_start" in self.arrays:
            vertices = np.asarray(self._part("vertices", row), np.float64)
        else:
            vertices = np.asarray(self.arrays["vertices"][row], np.float64)
            vertices = vertices[:0] if np.isnan(vertices).all() else vertices
        if "triangles" not in self.arrays:
            return vertices, None
        return vertices, np.asarray(self._part("triangles", row), np.int32)

    def _part(self, name: str, row: int) -> NDArray:
        row = range(len(self))[row]  # numbers from the end, and refuses others
        first, last = np.asarray(self.arrays[STARTS[name]][row : row + 2]).tolist()
        return np.asarray(self.arrays[name][first:last])


def open_predictions(path: str | Path) -> Predictions:
    """Read a prediction file.

    Raises
    ------
    BenchError
        ``no-such-file``, ``not-predictions``, ``damaged-npz``, ``object-array``,
        ``implausible-size``, ``wrong-format``, ``newer-format``, ``no-frame``, ``unknown-frame``,
        ``no-ids``, ``bad-ids``, ``duplicate-ids``, ``empty-id``, ``no-arrays``, ``wrong-shape``,
        ``wrong-type``, ``eight-bit-map``, ``no-topology``, ``wrong-topology``, ``no-starts``,
        ``bad-starts``, ``loose-triangles``, ``triangle-out-of-range``, ``bad-method``, and those of
        :func:`prn_bench.store.open_file`. Values are judged by ``check`` and ``score``.
    """
    path = Path(path)
    content, faults = read_content(path)
    return assemble(path, content, faults)


def read_content(path: Path) -> tuple[dict[str, Any], list[BenchError]]:
    """Arrays and texts of a prediction file as they are, and the members that could not be read.

    Large arrays of an ``.h5``, and those of unknown names, are not read.

    Raises
    ------
    BenchError
        When it is no prediction file at all.
    """
    if not path.is_file():
        raise BenchError("there is no such file", code="no-such-file", where=path)
    with open(path, "rb") as stream:
        head = stream.read(8)
    if head == store.SIGNATURE:
        return _read_hdf5(path), []
    if head[:4] != b"PK\x03\x04":
        from prn_bench.formats.sniff import describe

        raise BenchError(
            "this is not a prediction file",
            code="not-predictions",
            where=path,
            expected="HDF5 (.h5) or NumPy's .npz",
            found=describe(path),
            remedy="Write it with prn_bench.write_predictions or `prn-bench import`.",
        )
    content, faults = read_npz_members(path)
    return dict(content), faults


def _read_hdf5(path: Path) -> dict[str, Any]:
    source = StoredFile(path)
    content: dict[str, Any] = store.read_attributes(source.file)
    small = {"sample_id", *NAMES} - {*LAZY}
    for name, values in stored_rows(source).items():
        is_small = not values.shape or name in small
        content[name] = store.read_array(source.file[name]) if is_small else values
    return content


def write_predictions(
    path: str | Path,
    sample_ids: Sequence[str] | NDArray,
    *,
    frame: str,
    landmarks: ArrayLike | None = None,
    pose_deg: ArrayLike | None = None,
    position_map: ArrayLike | None = None,
    vertices: ArrayLike | None = None,
    vertex_start: ArrayLike | None = None,
    triangles: ArrayLike | None = None,
    triangle_start: ArrayLike | None = None,
    runtime_ms: ArrayLike | None = None,
    topology: str | None = None,
    method: Mapping[str, Any] | str,
) -> None:
    """Write a prediction file; it appears under its name only when whole.

    Arrays of another prediction file are copied block by block; to write sample by sample take
    :func:`prn_bench.predictions.writer.writing_predictions`.

    Parameters
    ----------
    path : path
        ``.h5`` or ``.npz``.
    sample_ids : (N,) str
    frame : str
        ``image``: 0-based pixels of the original image, y down, z towards the viewer; or ``crop``:
        the same on the 256 x 256 crop.
    landmarks : (N, 68, 2|3) float, optional
        A row of NaN for a sample without a prediction.
    pose_deg : (N, 3) float, optional
        Pitch, yaw and roll in degrees, of :func:`prn_bench.geometry.rotation_matrix`.
    position_map : (N, 3, 256, 256) float, or uint16 in the fixed point of ``uvmap``, optional
    vertices : (N, V, 3) float, or (T, 3) with ``vertex_start``, optional
        Needs ``topology``.
    vertex_start : (N + 1,) int, optional
        Sample i has ``vertices[vertex_start[i]:vertex_start[i + 1]]``; none is no prediction.
    triangles : (M, 3) int, optional
        Of ragged vertices, numbered from 0 within each sample.
    triangle_start : (N + 1,) int, optional
        As ``vertex_start``.
    runtime_ms : (N,) float, optional
        Milliseconds that each sample took, as the protocol ``runtime`` says; NaN where unknown.
    topology : str, optional
        ``unordered`` for ragged vertices.
    method : dict or str
        The method card (``name``, ``version``, ``url``, ``hardware``, ...), or only its name.

    Raises
    ------
    BenchError
        As :func:`open_predictions`, and of :func:`prn_bench.outfile.require_place`, before
        anything is written: ``unknown-suffix``, ``not-replaced``, ...
    """
    path = Path(path)
    store.require_place(path, FORMAT, *SUFFIXES)
    given: dict[str, Any] = {"landmarks": landmarks, "pose_deg": pose_deg, "vertices": vertices}
    given |= {"position_map": position_map, "vertex_start": vertex_start, "triangles": triangles}
    given |= {"triangle_start": triangle_start, RUNTIME: runtime_ms}
    arrays = {name: as_array(value) for name, value in given.items() if value is not None}
    card = {"name": method} if isinstance(method, str) else dict(method)
    texts = {"frame": frame, "topology": topology, "method": json.dumps(card, sort_keys=True)}
    ids = np.asarray(sample_ids)
    content = {"sample_id": ids, **texts, **arrays}
    for fault in structure_faults({k: v for k, v in content.items() if v is not None}, path):
        raise fault
    write_arrays(path, ids, arrays, texts)


def assemble(
    path: Path, content: Mapping[str, Any], faults: Sequence[BenchError] = ()
) -> Predictions:
    """Predictions from the content of a file, or the first fault of its structure."""
    for fault in (*faults, *structure_faults(content, path)):
        raise fault
    ids, frame = text_ids(np.asarray(content["sample_id"])), text_of(content["frame"]) or ""
    arrays = {name: _typed(name, as_array(content[name])) for name in NAMES if name in content}
    topology = text_of(content.get("topology")) if "vertices" in arrays else None
    card = method_card(content, path)
    return Predictions(ids, frame, arrays, card, topology, path, stored=True)


def _typed(name: str, values: Any) -> Any:
    """An array in the type that it is given out in; one in a file is converted when it is read."""
    if name in STARTS.values():
        return np.asarray(values, np.int64)
    dtype = number_type(values.dtype, len(values.shape))
    dtype = np.dtype("<i4") if name == "triangles" else dtype
    if isinstance(values, StoredRows):
        return StoredRows(values.source, values.name, values.shape, dtype)
    return to_type(values, dtype)


def numbers_of(values: NDArray) -> NDArray[np.floating]:
    """Stored numbers as float32 or float64; 16-bit maps are decoded from their fixed point."""
    return to_type(values, number_type(values.dtype, values.ndim))
