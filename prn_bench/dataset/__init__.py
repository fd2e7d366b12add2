"""Reading dataset files: lazy, picklable, and a ``torch.utils.data.Dataset`` without importing torch."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench import store
from prn_bench.dataset import derive, schema, structure
from prn_bench.errors import BenchError
from prn_bench.facemodel import LandmarkBasis
from prn_bench.images import decode_image
from prn_bench.store_guard import changed_file, stamp
from prn_bench.uvmap import decode_maps, encode_maps

if TYPE_CHECKING:
    import h5py

DIGESTS = ("fingerprint", "content_sha256")

Rows = slice | NDArray[np.integer] | list[int] | None


class Dataset:
    """One dataset file.

    The file is opened on first use, once per process, so that an object survives pickling and the fork,
    spawn and forkserver start methods. ``len(dataset)`` and ``dataset[i]`` serve a torch ``DataLoader``.

    Parameters
    ----------
    path : path

    Attributes
    ----------
    path : Path
    attributes : dict
        Root attributes: recipe, title, licence, fingerprint, ...

    Raises
    ------
    BenchError
        When the file is not a whole dataset file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._handle: tuple[int, h5py.File] | None = None
        self.attributes: dict[str, Any] = store.read_attributes(self._file)

    @property
    def _file(self) -> h5py.File:
        if self._handle is None or self._handle[0] != os.getpid():
            file = store.open_file(self.path, schema.DATASET_FORMAT, schema.DATASET_VERSION)
            self._refuse_another(file)
            self._handle, self._stamp = (os.getpid(), file), stamp(file)
        return self._handle[1]

    def _refuse_another(self, file: h5py.File) -> None:
        """What was read of one dataset is never mixed with rows of another of its name."""
        known = self.__dict__.get("attributes", {})
        if any(file.attrs.get(key) != known[key] for key in DIGESTS if key in known):
            file.close()
            raise changed_file(self.path)

    def __getstate__(self) -> dict[str, Any]:
        large = ("_uv_basis", "_landmark_basis")  # read again where they are needed
        kept = {name: value for name, value in self.__dict__.items() if name not in large}
        return {**kept, "_handle": None}

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._handle is not None and self._handle[0] == os.getpid():
            self._handle[1].close()
        self._handle = None

    def __len__(self) -> int:
        return len(self.sample_ids)

    @cached_property
    def sample_ids(self) -> NDArray[np.object_]:
        """(n,) str, sorted."""
        return self.read("sample_id")

    @cached_property
    def stored_names(self) -> frozenset[str]:
        """Names of the arrays in the file."""
        return frozenset(store.array_names(self._file))

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the arrays that can be read: stored, or derived in the coefficient layout."""
        if self.attributes.get("layout") != "coefficients":
            return self.stored_names
        return self.stored_names | derive.derivable(self.stored_names)

    def sizes(self) -> dict[str, int]:
        """Bytes on the disk of position maps, other rows of samples, arrays shared by all, and images.

        What HDF5 itself takes (a few hundred bytes a sample) counts with the images.
        """
        stored = store.stored_bytes(self._file)
        shared = sum(size for name, size in stored.items() if schema.column(name) is None)
        maps = stored.get(derive.MAP, 0)
        rows = sum(stored.values()) - shared - maps
        images = self.path.stat().st_size - shared - maps - rows
        return {"images": images, "maps": maps, "rows": rows, "shared": shared}

    def read(self, name: str, rows: Rows = None) -> NDArray:
        """One array, whole or some rows of it (any order).

        Position maps come in the fixed point of the file; see :meth:`position_maps` for pixels.

        Raises
        ------
        BenchError
            ``dataset-lacks`` when this dataset was built without it, ``changed-file`` when another one
        took its place. A file that was moved or removed is read on, in processes that have it open.
        """
        if name in self.stored_names:
            values = store.read_rows(self._file[name], rows)
            if stamp(self._file) == self._stamp:
                return values
            self.close()  # written over in its place, or only touched: opening it tells
            return store.read_rows(self._file[name], rows)
        if name not in self.names:
            raise BenchError(
                f"this dataset holds no {name}",
                code="dataset-lacks",
                where=self.path,
                found=", ".join(sorted(self.names)),
                remedy="Build it again with what gives this array (see `prn-bench build --help`).",
            )
        if name == derive.MAP:
            return self._codes(rows)
        return derive.derive(name, lambda other: self.read(other, rows), self._landmark_basis)

    def _codes(self, rows: Rows) -> NDArray[np.uint16]:
        """Position maps as the file of the other layout holds them; BenchError ``map-values``."""
        try:
            return encode_maps(self.position_maps(rows))
        except ValueError as error:
            raise BenchError(
                str(error),
                code="map-values",
                where=self.path,
                remedy="Build the dataset again; `prn-bench check` lists such samples.",
            ) from None

    @cached_property
    def _landmark_basis(self) -> LandmarkBasis:
        parts = (self.read(f"landmark_basis/{part}") for part in ("mean", "identity", "expression"))
        return LandmarkBasis(*parts)

    @cached_property
    def _uv_basis(self) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
        identity = self.read("uv_basis/identity")
        basis = np.concatenate([identity, self.read("uv_basis/expression")])
        return self.read("uv_basis/mean"), basis, len(identity)

    def stored_offset(self, name: str) -> NDArray[np.float64]:
        """(2,) or (3,) px: what to add to image-frame points to get the points as the raw file had them."""
        if name not in self.stored_names:
            return np.zeros(self.read(name, slice(0, 1)).shape[-1])
        node = self._file[name]
        default = np.zeros(node.shape[-1])
        return np.asarray(node.attrs.get("stored_offset", default), np.float64)

    def position_maps(self, rows: Rows = None) -> NDArray[np.float32]:
        """(n, 3, 256, 256) float32, crop frame, pixels."""
        if derive.MAP in self.stored_names or derive.MAP not in self.names:
            return decode_maps(self.read(derive.MAP, rows))
        return derive.position_maps(lambda name: self.read(name, rows), *self._uv_basis)

    def image(self, row: int) -> NDArray[np.uint8]:
        """(256, 256, 3) uint8 RGB, the crop of one sample."""
        encoded = self.read("image", [row])[0]
        where = f"{self.path}: {self.sample_ids[row]}"
        return np.asarray(decode_image(encoded.tobytes(), where))

    def __getitem__(self, row: int) -> dict[str, Any]:
        """One sample: id, image and position map where present, and every other array's row."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        sample: dict[str, Any] = {"sample_id": str(self.sample_ids[row])}
        for name in sorted(self.names):
            if schema.column(name) is None or name in ("sample_id", "row_sha256", "source_sha256"):
                continue
            if name == "image":
                sample[name] = self.image(row)
            elif name == "position_map":
                sample[name] = self.position_maps([row])[0]
            else:
                sample[name] = self.read(name, [row])[0]
        return sample


def open_dataset(path: str | Path) -> Dataset:
    """Open a dataset file.

    Examples
    --------
    >>> from prn_bench.errors import BenchError
    >>> try:
    ...     open_dataset("nowhere.h5")
    ... except BenchError as error:
    ...     print(error)
    nowhere.h5: there is no such file.
    """
    dataset = Dataset(path)
    structure.require(dataset._file, dataset.attributes, dataset.stored_names)
    return dataset
