"""Topologies: which ordered vertex sets methods predict in, and index maps between them.

An index map says which vertices of a predicted mesh stand for each vertex of the reference mesh. Maps
between the Basel topologies are licensed with it, so they come from the user's files: 3DDFA-V2's
``indices.npy`` (38,365 of 53,215), ``trimIndex`` of ``model_info.mat`` (53,215 of 53,490), ...
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats.npyfile import read_npy

UNORDERED = "unordered"
#: Topology of each number of vertices that published methods write.
TOPOLOGIES: Mapping[int, str] = {
    53490: "bfm-53490",
    53215: "bfm-53215",
    38365: "bfm-noneck-38365",
    43867: "prnet-43867",
    35709: "bfm-front-35709",
    5023: "flame-5023",
    26719: "ict-26719",
}
MAX_BYTES = 64 << 20
FIELDS = ("indices", "trimIndex", "idx", "index", "ind")


@dataclass(frozen=True)
class IndexMap:
    """Vertices of a reference mesh as weighted means of vertices of a predicted one.

    Attributes
    ----------
    name : str
        Topology of the predicted mesh.
    source : str
        Name of the file it came from, or ``identity``.
    n_predicted : int or None
        Vertices of the predicted mesh, where the map tells.
    vertices : (r, 3) int64
        Rows of the predicted mesh; -1 where it has no such vertex.
    weights : (r, 3) float64
        Sum to 1; zeros where not covered.
    sha256 : str
    """

    name: str
    source: str
    n_predicted: int | None
    vertices: NDArray[np.int64]
    weights: NDArray[np.float64]
    sha256: str

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(r,) bool: reference vertices that the predicted mesh has."""
        return np.asarray((self.vertices >= 0).all(1))


def topology_of(n_vertices: int) -> str:
    """The published topology with that many vertices, or ``unordered``."""
    return TOPOLOGIES.get(n_vertices, UNORDERED)


def identity_map(name: str, n_vertices: int) -> IndexMap:
    """The map of a topology to itself."""
    return _one_to_one(name, "identity", n_vertices, np.arange(n_vertices))


def load_index_map(path: str | Path, name: str, n_reference: int) -> IndexMap:
    """Read an index map.

    Parameters
    ----------
    path : path
        ``.npy`` or ``.txt`` with one 0-based index a vertex, ``.mat`` with 1-based ``trimIndex`` or
        ``indices``, or ``.npz`` with ``indices`` (0-based) or with ``vertices`` and ``weights`` (r, 3),
        which give every reference vertex from three predicted ones.
    name : str
        Topology of the predicted mesh, such as ``bfm-noneck-38365``.
    n_reference : int
        Vertices of the reference mesh. A list of another length says which reference vertex each
        predicted vertex is; one of this length, which predicted vertex each reference vertex is.

    Raises
    ------
    BenchError
        ``no-such-file``, ``bad-index-map``, and those of the file's reader.
    """
    path = Path(path)
    arrays = _read(path)
    if "vertices" in arrays and "weights" in arrays:
        return _barycentric(arrays, name, n_reference, path)
    found = next((arrays[field] for field in FIELDS if field in arrays), None)
    if found is None:
        raise _bad(path, f"one of {', '.join(FIELDS)}", ", ".join(sorted(arrays)) or "nothing")
    values = np.asarray(found).reshape(-1)
    if values.dtype.kind not in "iuf" or (values != np.rint(values)).any() or not len(values):
        raise _bad(path, "whole numbers", f"{found.dtype} {found.shape}")
    indices = values.astype(np.int64) - (1 if path.suffix == ".mat" else 0)
    n_predicted = _number_in(name)
    if len(indices) != n_reference:  # each predicted vertex names its reference vertex
        if n_predicted not in (None, len(indices)):
            raise _bad(path, f"{n_predicted} or {n_reference} indices", str(len(indices)))
        _check_range(indices, n_reference, path)
        return _from_subset(name, path.name, indices, n_reference)
    _check_range(indices, n_predicted or int(indices.max()) + 1, path)
    return _one_to_one(name, path.name, n_predicted, indices)


def _from_subset(name: str, source: str, indices: NDArray, n_reference: int) -> IndexMap:
    inverse = np.full(n_reference, -1, np.int64)
    inverse[indices] = np.arange(len(indices))
    return _one_to_one(name, source, len(indices), inverse)


def _one_to_one(name: str, source: str, n_predicted: int | None, indices: NDArray) -> IndexMap:
    vertices = np.repeat(indices.astype(np.int64)[:, None], 3, 1)
    weights = np.zeros((len(indices), 3))
    weights[indices >= 0, 0] = 1.0
    return IndexMap(name, source, n_predicted, vertices, weights, _digest(vertices, weights))


def _barycentric(arrays: Mapping[str, NDArray], name: str, n: int, path: Path) -> IndexMap:
    vertices, weights = np.asarray(arrays["vertices"]), np.asarray(arrays["weights"], np.float64)
    if vertices.shape != (n, 3) or weights.shape != (n, 3) or vertices.dtype.kind not in "iu":
        raise _bad(path, f"vertices and weights ({n}, 3)", f"{vertices.shape}, {weights.shape}")
    vertices = vertices.astype(np.int64)
    n_predicted = _number_in(name)
    known = np.asarray((vertices >= 0).all(1))
    _check_range(vertices[known].reshape(-1), n_predicted or 10**8, path)
    if not np.allclose(weights[known].sum(1), 1, atol=1e-4):
        raise _bad(path, "weights that sum to 1", f"up to {weights[known].sum(1).max():.3f}")
    weights = np.where(known[:, None], weights, 0.0)
    return IndexMap(name, path.name, n_predicted, vertices, weights, _digest(vertices, weights))


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise BenchError("there is no such file", code="no-such-file", where=path)
    if path.stat().st_size > MAX_BYTES:
        raise _bad(path, f"at most {MAX_BYTES} bytes", str(path.stat().st_size))
    if path.suffix == ".mat":
        from prn_bench.formats.matfile import read_mat

        return read_mat(path, str(path))
    if path.suffix == ".npz":
        from prn_bench.formats.npyfile import read_npz_members

        arrays, faults = read_npz_members(path)
        if faults:
            raise faults[0]
        return arrays
    if path.suffix == ".npy":
        return {"indices": read_npy(path, path)}
    try:
        return {"indices": np.loadtxt(path, np.float64, ndmin=1)}
    except (ValueError, OSError, EOFError, UnicodeDecodeError) as error:
        raise _bad(path, "an array of indices", str(error)[:80]) from None


def _number_in(name: str) -> int | None:
    tail = name.rpartition("-")[2]
    return int(tail) if tail.isdecimal() else None


def _check_range(indices: NDArray, n: int, path: Path) -> None:
    if len(indices) and (indices.min() < 0 or indices.max() >= n):
        raise _bad(path, f"indices from 0 to {n - 1}", f"{indices.min()} to {indices.max()}")


def _digest(vertices: NDArray, weights: NDArray) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(vertices, "<i8").data)
    digest.update(np.rint(weights * 1e6).astype("<i8").tobytes())
    return digest.hexdigest()


def _bad(path: Path, expected: str, found: str) -> BenchError:
    return BenchError(
        "this is no index map between the two meshes",
        code="bad-index-map",
        where=path,
        expected=expected,
        found=found,
        remedy="Give the file that lists, vertex by vertex, where the predicted mesh's vertices lie "
        "in the reference mesh (docs/topologies.md).",
    )
