"""Writing prediction files: whole arrays, or one sample at a time in flat memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench import store
from prn_bench.predictions.arrays import RUNTIME, STARTS, wrong_shape
from prn_bench.predictions.rows import (
    Array,
    StoredFile,
    bytes_of_row,
    number_type,
    row_blocks,
    stored_rows,
    to_type,
)
from prn_bench.predictions.structure import FORMAT, FORMAT_VERSION, structure_faults, text_ids
from prn_bench.topology import UNORDERED

if TYPE_CHECKING:
    import h5py

SUFFIXES = (".h5", ".npz")
SMALL_BYTES = (
    1 << 13
)  # rows up to this size share packed chunks, larger ones lie plain, one a chunk
ROWS_PER_CHUNK, RAGGED_PER_CHUNK = 256, 1 << 14


def write_arrays(
    path: Path, ids: NDArray, arrays: Mapping[str, Array], texts: Mapping[str, str | None]
) -> None:
    """Write content whose structure is known to be good, block by block into an ``.h5``.

    Raises
    ------
    BenchError
        Of :func:`prn_bench.outfile.atomic_path`.
    """
    names = np.array(text_ids(ids).tolist(), dtype=str)
    with store.atomic_path(path, FORMAT) as part:
        if path.suffix == ".h5":
            with store.new_file(part) as file:
                _write_head(file, names, texts)
                for name, values in arrays.items():
                    blocks = row_blocks(len(values), bytes_of_row(values))
                    for block in blocks:
                        _put(file, name, block.start, np.asarray(values[block]))
            return
        _save_npz(part, {"sample_id": names, **arrays}, texts)


def _write_head(file: h5py.File, ids: NDArray, texts: Mapping[str, str | None]) -> None:
    store.write_attributes(file, {"format": FORMAT, "format_version": FORMAT_VERSION, **texts})
    store.write_array(file, "sample_id", ids)


def _save_npz(part: Path, arrays: Mapping[str, Array], texts: Mapping[str, str | None]) -> None:
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, **texts}
    members = {key: np.array(value) for key, value in head.items() if value is not None}
    members |= {name: np.asarray(values) for name, values in arrays.items()}
    with open(part, "wb") as stream:
        np.savez(stream, allow_pickle=False, **members)


def _put(file: h5py.File, name: str, start: int, values: NDArray) -> None:
    """Write rows from a place on; the array is made on first use, and unwritten rows are NaN.

    Coordinates are noise to gzip: packing dense rows would make reading them ten times slower.
    """
    if name not in file:
        shape, row_bytes = values.shape[1:], bytes_of_row(values)
        ragged = name in STARTS and values.ndim == 2
        n_rows = RAGGED_PER_CHUNK if ragged else ROWS_PER_CHUNK if row_bytes <= SMALL_BYTES else 1
        file.create_dataset(
            name,
            (0, *shape),
            values.dtype,
            maxshape=(None, *shape),
            chunks=(n_rows, *shape),
            fillvalue=np.nan if values.dtype.kind == "f" else 0,
            **(store.FILTERS if n_rows == ROWS_PER_CHUNK else {}),
        )
    node = file[name]
    if start + len(values) > len(node):
        node.resize(start + len(values), axis=0)
    if len(values):
        node[start : start + len(values)] = values


@contextmanager
def writing_predictions(
    path: str | Path,
    *,
    frame: str,
    method: Mapping[str, Any] | str,
    topology: str | None = None,
) -> Iterator[PredictionsWriter]:
    """Write a prediction file sample by sample, in flat memory.

    The file appears under its name when the block ends without error. An ``.npz``, which cannot grow,
    is put together in memory at the end.

    Parameters
    ----------
    path : path
        ``.h5`` or ``.npz``.
    frame, method, topology
        As for :func:`prn_bench.predictions.write_predictions`.

    Raises
    ------
    BenchError
        As :func:`prn_bench.predictions.write_predictions`: faults of one sample when it is added, the
        others when the block ends.

    Examples
    --------
    >>> import tempfile
    >>> from prn_bench import open_predictions
    >>> path = Path(tempfile.mkdtemp()) / "p.h5"
    >>> with writing_predictions(path, frame="image", method="M", topology="unordered") as writer:
    ...     writer.add("face", vertices=np.eye(3), triangles=[[0, 1, 2]])
    ...     writer.add("no face found")
    >>> open_predictions(path).mesh(0)[1].tolist()
    [[0, 1, 2]]
    """
    path = Path(path)
    store.require_place(path, FORMAT, *SUFFIXES)
    with ExitStack() as stack:
        part = stack.enter_context(store.atomic_path(path, FORMAT))
        work = part if path.suffix == ".h5" else part.with_name(f"{part.name}.h5")
        if work != part:
            stack.callback(work.unlink, missing_ok=True)
        with store.new_file(work) as file:
            writer = PredictionsWriter(file, path, frame, method, topology)
            yield writer
            writer.finish()
        arrays: dict[str, Any] = dict(stored_rows(StoredFile(work)))
        ids = arrays.pop("sample_id")[:]
        for fault in structure_faults({**writer.texts, "sample_id": ids, **arrays}, path):
            raise fault
        if work != part:
            _save_npz(part, {"sample_id": ids.astype(str), **arrays}, writer.texts)


class PredictionsWriter:
    """Takes the samples of a file that :func:`writing_predictions` makes."""

    def __init__(
        self,
        file: h5py.File,
        path: Path,
        frame: str,
        method: Mapping[str, Any] | str,
        topology: str | None,
    ) -> None:
        self._file, self._path, self._frame, self._topology = file, path, frame, topology
        self._card: dict[str, Any] = {"name": method} if isinstance(method, str) else {**method}
        self._ids: list[str] = []
        self._given: dict[str, list[bool]] = {}
        self._counts: dict[str, list[int]] = {}
        probe = {"sample_id": np.array(["a"]), "landmarks": np.zeros((1, 68, 2))}
        self._refuse({**probe, **self.texts}, path)  # before hours of work, not after them

    @property
    def texts(self) -> dict[str, str]:
        """Frame, method card and topology, as they are stored."""
        texts = {"frame": self._frame, "method": json.dumps(self._card, sort_keys=True)}
        return texts | ({"topology": self._topology} if self._topology else {})

    def note(self, *lines: str) -> None:
        """Add to the notes of the method card."""
        earlier = self._card.get("notes", [])
        self._card["notes"] = [*(earlier if isinstance(earlier, list) else [earlier]), *lines]

    def add(
        self,
        sample_id: str,
        *,
        landmarks: ArrayLike | None = None,
        pose_deg: ArrayLike | None = None,
        position_map: ArrayLike | None = None,
        vertices: ArrayLike | None = None,
        triangles: ArrayLike | None = None,
        runtime_ms: float | None = None,
    ) -> None:
        """Add one sample; what is not given is missing.

        Parameters
        ----------
        sample_id : str
        landmarks : (68, 2|3) float, optional
        pose_deg : (3,) float, optional
        position_map : (3, 256, 256) float, or uint16 in the fixed point of ``uvmap``, optional
        vertices : (v, 3) float, optional
        triangles : (t, 3) int, optional
            0-based rows of these vertices; only with the topology ``unordered``.
        runtime_ms : float, optional
            What this sample took.
        """
        given: dict[str, Any] = {"landmarks": landmarks, "pose_deg": pose_deg}
        given |= {"position_map": position_map, "vertices": vertices, "triangles": triangles}
        given[RUNTIME] = runtime_ms
        row = {name: np.asarray(value) for name, value in given.items() if value is not None}
        ragged = ("triangles", "vertices") if self._topology == UNORDERED else ("triangles",)
        parts = {name: len(row[name]) for name in ragged if name in row and row[name].ndim}
        content = {name: value if name in parts else value[None] for name, value in row.items()}
        starts = {STARTS[name]: np.array([0, count]) for name, count in parts.items()}
        if row:
            known = {"sample_id": np.array([sample_id]), **self.texts, **content, **starts}
            if set(row) == {RUNTIME}:  # of a sample in which nothing was found
                known["landmarks"] = np.zeros((1, 68, 2))
            self._refuse(known, Path(f"{self._path}, {sample_id}"))
        for name, value in content.items():
            self._append(name, to_type(value, _type_of(name, value)), ragged=name in parts)
        self._ids.append(sample_id)

    def _append(self, name: str, values: NDArray, *, ragged: bool) -> None:
        n_rows = len(self._ids)
        if ragged:
            counts = self._counts.setdefault(name, [])
            _put(self._file, name, sum(counts), values)
            counts += [0] * (n_rows - len(counts)) + [len(values)]
            return
        if name in self._file and self._file[name].shape[1:] != values.shape[1:]:
            raise wrong_shape(
                values.shape[1:],
                f"{self._path}, {self._ids[-1]} or the sample after it, {name}",
                expected=f"{self._file[name].shape[1:]}, as the samples before",
            )
        given = self._given.setdefault(name, [])
        given += [False] * (n_rows - len(given)) + [True]
        _put(self._file, name, n_rows, values)

    def finish(self) -> None:
        """Write what is known only at the end: rows of NaN, starts, ids and texts."""
        n_rows = len(self._ids)
        for name, given in self._given.items():
            blank = np.full((1, *self._file[name].shape[1:]), np.nan, self._file[name].dtype)
            given += [False] * (n_rows - len(given))
            for row in np.flatnonzero(~np.array(given)):
                _put(self._file, name, int(row), blank)
        for name, counts in self._counts.items():
            counts += [0] * (n_rows - len(counts))
            store.write_array(self._file, STARTS[name], np.cumsum([0, *counts], dtype=np.int64))
        _write_head(self._file, np.array(self._ids, dtype=str), self.texts)

    @staticmethod
    def _refuse(content: Mapping[str, Any], path: Path) -> None:
        for fault in structure_faults(content, path):
            raise fault


def _type_of(name: str, values: NDArray) -> np.dtype:
    return np.dtype(np.int32) if name == "triangles" else number_type(values.dtype, values.ndim)
