"""Writing dataset files: rows are appended batch by batch, the file appears only when whole."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench import store, uvmap
from prn_bench.dataset import Dataset, schema
from prn_bench.dataset.digests import file_digests

if TYPE_CHECKING:
    import h5py

ROWS_PER_CHUNK = 256  # of the small columns; images and maps have one sample per chunk


class DatasetWriter:
    """A context manager that appends rows to a new file.

    Parameters
    ----------
    path : path
        A place aside: the caller moves the file to its name when it is whole. Its folder is made
        with the first row.
    map_size_px : int
        Side of the position maps.
    stored_offsets : mapping of array name to tuple
        See ``Dataset.stored_offset``.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        map_size_px: int = uvmap.UV_SIZE_PX,
        stored_offsets: Mapping[str, tuple[float, ...]] | None = None,
    ) -> None:
        self._part = Path(path)
        self._open: h5py.File | None = None
        self._stack = ExitStack()
        self._map_size_px, self._stored_offsets = map_size_px, dict(stored_offsets or {})
        self._waiting: list[Mapping[str, NDArray]] = []

    def __enter__(self) -> DatasetWriter:
        return self

    @property
    def _file(self) -> h5py.File:
        if self._open is None:
            self._part.parent.mkdir(exist_ok=True)
            self._open = self._stack.enter_context(store.new_file(self._part))
        return self._open

    def append(
        self, columns: Mapping[str, NDArray], images: list[bytes], maps: list[bytes]
    ) -> None:
        """Add rows.

        Parameters
        ----------
        columns : mapping of (n, ...) arrays
            The same names in every call.
        images : list of n encoded images, or empty
        maps : list of n compressed position-map chunks (``store.compress_map``), or empty
        """
        if images:
            store.append_images(self._file, "image", images)
        if maps:
            self._append_maps(maps)
        self._waiting.append(columns)
        if sum(len(part["sample_id"]) for part in self._waiting) >= ROWS_PER_CHUNK:
            self._append_waiting()

    def _append_waiting(self) -> None:
        """Rows of the small columns, a chunk at a time: part of one would be packed again and again."""
        for name in self._waiting[0] if self._waiting else ():
            is_new = name not in self._file
            values = np.concatenate([part[name] for part in self._waiting])
            store.append_rows(self._file, name, values, ROWS_PER_CHUNK)
            if is_new and (offset := self._stored_offsets.get(name)) is not None:
                self._file[name].attrs["stored_offset"] = np.asarray(offset, np.float64)
        self._waiting.clear()

    def _append_maps(self, maps: list[bytes]) -> None:
        side, is_new = self._map_size_px, "position_map" not in self._file
        node = store.append_maps(self._file, "position_map", maps, (3, side, side))
        if is_new:
            node.attrs["scale_factor"] = uvmap.MAP_SCALE_PX
            node.attrs["add_offset"] = uvmap.MAP_OFFSET_PX
            node.attrs["units"] = "px"
            node.attrs["frame"] = "crop"

    def finish(self, uv: Mapping[str, NDArray], attributes: Mapping[str, Any]) -> dict[str, str]:
        """Write the arrays of the UV layout, the attributes and the digests; returns the digests."""
        self._append_waiting()
        for name, values in uv.items():
            store.write_array(self._file, name, values)
        for name, note in ((name, schema.column(name)) for name in store.array_names(self._file)):
            if note is not None:
                self._file[name].attrs["note"] = note.note
        store.write_attributes(
            self._file,
            {
                "format": schema.DATASET_FORMAT,
                "format_version": schema.DATASET_VERSION,
                **attributes,
            },
        )
        self._stack.close()
        with_digests = file_digests(Dataset(self._part))
        with store.new_file(self._part, again=True) as file:
            store.write_attributes(file, with_digests)
        return with_digests

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
