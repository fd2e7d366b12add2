"""Prediction files: what a method says about each sample, in a declared frame.

One format, ``prn-bench/predictions``, on two carriers: HDF5 (``.h5``) and NumPy's ``.npz``. Rows
are joined to a dataset by sample id, so their order means nothing. A row of NaN says "no
prediction". Nothing is ever unpickled, and a declared size is compared with the file before
memory is taken.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prn_bench import store
from prn_bench.errors import BenchError
from prn_bench.predictions_structure import (
    FORMAT,
    FORMAT_VERSION,
    SHAPES,
    method_card,
    structure_faults,
    text_ids,
    text_of,
)
from prn_bench.uvmap import decode_maps

PLAIN_BYTES = 1 << 28  # unpacked sizes that no machine minds
SUFFIXES = (".h5", ".npz")
SQUEEZE = 256  # real predictions never compress that well, planted zeros do


@dataclass(frozen=True)
class Predictions:
    """What one method predicts.

    Attributes
    ----------
    sample_ids : (n,) object array of str
        Unique, in the order of the file.
    frame : str
        ``image`` or ``crop``; pixels, 0-based, y down (DESIGN 3).
    arrays : dict
        ``landmarks`` (n, 68, 2|3), ``position_map`` (n, 3, 256, 256), ``vertices`` (n, V, 3);
        float32 or float64, a row of NaN where the method gave nothing.
    method : dict
        The method card; ``name`` is always there.
    topology : str, optional
        Of ``vertices``, such as ``bfm-53215``.
    path : Path, optional
        For messages.
    sha256 : str, optional
        Digest of ids, frame, topology and arrays: the same for both carriers and any row order.
    """

    sample_ids: NDArray
    frame: str
    arrays: dict[str, NDArray]
    method: dict[str, Any]
    topology: str | None = None
    path: Path | None = None
    sha256: str | None = None

    def __len__(self) -> int:
        """Number of rows, those without a prediction included."""
        return len(self.sample_ids)


def open_predictions(path: str | Path) -> Predictions:
    """Read a prediction file.

    Raises
    ------
    BenchError
        ``no-such-file``, ``not-predictions``, ``damaged-npz``, ``object-array``,
        ``implausible-size``, ``wrong-format``, ``newer-format``, ``no-frame``, ``unknown-frame``,
        ``no-ids``, ``bad-ids``, ``duplicate-ids``, ``empty-id``, ``no-arrays``, ``wrong-shape``,
        ``wrong-type``, ``eight-bit-map``, ``no-topology``, ``wrong-topology``, ``bad-method``, and
        those of :func:`prn_bench.store.open_file`. Values are judged by ``check`` and ``score``.
    """
    path = Path(path)
    content, faults = read_content(path)
    return assemble(path, content, faults)


def read_content(path: Path) -> tuple[dict[str, Any], list[BenchError]]:
    """Arrays and texts of a prediction file as they are, and the members that could not be read.

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
        arrays, attributes = store.read_tree(path, FORMAT, FORMAT_VERSION)
        return {**attributes, **arrays}, []
    if head[:4] != b"PK\x03\x04":
        from prn_bench.sniff import describe

        raise BenchError(
            "this is not a prediction file",
            code="not-predictions",
            where=path,
            expected="HDF5 (.h5) or NumPy's .npz",
            found=describe(path),
            remedy="Write it with prn_bench.write_predictions or `prn-bench import`.",
        )
    return read_npz_members(path)


def read_npz_members(path: Path) -> tuple[dict[str, NDArray], list[BenchError]]:
    """Every array of an .npz, and a fault for each member that cannot or must not be read."""
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
        with archive.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            newer = np.lib.format.read_array_header_2_0
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else newer
            shape, _, dtype = header(stream)
            start = stream.tell()
        if dtype.hasobject or dtype.names:
            raise BenchError(
                "this array holds Python objects or records, which only pickle could load",
                code="object-array",
                where=where,
                remedy="Save plain arrays of numbers, and ids as text: np.array(ids, dtype=str).",
            )
        _refuse_wrong_size(shape, dtype, info.file_size - start, where)
        with archive.open(info) as stream:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    except BenchError:
        raise
    except Exception as error:  # so does a damaged header, zipfile and NumPy share no base class
        raise _damaged(where, error) from None


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


def _damaged(where: str | Path, error: BaseException) -> BenchError:
    return BenchError(
        f"the .npz is damaged or cut short ({str(error) or type(error).__name__})",
        code="damaged-npz",
        where=where,
        remedy="Copy or write it again.",
    )


def write_predictions(
    path: str | Path,
    sample_ids: Sequence[str] | NDArray,
    *,
    frame: str,
    landmarks: ArrayLike | None = None,
    position_map: ArrayLike | None = None,
    vertices: ArrayLike | None = None,
    topology: str | None = None,
    method: Mapping[str, Any] | str,
) -> None:
    """Write a prediction file; it appears under its name only when whole.

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
    position_map : (N, 3, 256, 256) float, or uint16 in the fixed point of ``uvmap``, optional
    vertices : (N, V, 3) float, optional
        Needs ``topology``.
    topology : str, optional
    method : dict or str
        The method card (``name``, ``version``, ``url``, ``runtime_ms``, ...), or only its name.

    Raises
    ------
    BenchError
        As :func:`open_predictions`, and of :func:`prn_bench.outfile.require_place`, before
        anything is written: ``unknown-suffix``, ``not-replaced``, ...
    """
    path = Path(path)
    store.require_place(path, FORMAT, *SUFFIXES)
    given = {"landmarks": landmarks, "position_map": position_map, "vertices": vertices}
    arrays = {name: np.asarray(value) for name, value in given.items() if value is not None}
    card = {"name": method} if isinstance(method, str) else dict(method)
    texts = {"frame": frame, "topology": topology, "method": json.dumps(card, sort_keys=True)}
    ids = np.asarray(sample_ids)
    content = {"sample_id": ids, **texts, **arrays}
    assemble(path, {key: value for key, value in content.items() if value is not None})
    arrays["sample_id"] = np.array(text_ids(ids).tolist(), dtype=str)
    if path.suffix == ".h5":
        store.write_tree(path, FORMAT, FORMAT_VERSION, arrays, texts)
        return
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, **texts}
    members = {key: np.array(value) for key, value in head.items() if value is not None}
    with store.atomic_path(path, FORMAT) as part, open(part, "wb") as stream:
        np.savez(stream, allow_pickle=False, **members, **arrays)


def assemble(
    path: Path, content: Mapping[str, Any], faults: Sequence[BenchError] = ()
) -> Predictions:
    """Predictions from the content of a file, or the first fault of its structure."""
    for fault in (*faults, *structure_faults(content, path)):
        raise fault
    ids, frame = text_ids(np.asarray(content["sample_id"])), text_of(content["frame"]) or ""
    arrays = {name: numbers_of(np.asarray(content[name])) for name in SHAPES if name in content}
    topology = text_of(content.get("topology")) if "vertices" in arrays else None
    digest = _digest(ids, frame, topology, arrays)
    return Predictions(ids, frame, arrays, method_card(content, path), topology, path, digest)


def numbers_of(values: NDArray) -> NDArray[np.floating]:
    """Stored numbers as float32 or float64; 16-bit maps are decoded from their fixed point."""
    if values.dtype == np.uint16 and values.ndim == 4:
        return decode_maps(values)
    dtype = "<f8" if values.dtype.kind in "iu" or values.itemsize > 4 else "<f4"
    return values.astype(dtype, copy=False)  # 2,000 maps take 1.5 GB, which nobody has twice


def _digest(ids: NDArray, frame: str, topology: str | None, arrays: dict[str, NDArray]) -> str:
    """Hash in the order of the ids, with one NaN and one zero, whatever the carrier."""
    order = np.argsort(ids)
    shapes = {name: [str(a.dtype), *a.shape] for name, a in sorted(arrays.items())}
    head = [FORMAT, frame, topology, shapes, ids[order].tolist()]
    digest = hashlib.sha256(json.dumps(head).encode())
    for name in sorted(arrays):
        for row in order:
            values = arrays[name][row] + 0  # turns -0 into 0
            values[np.isnan(values)] = np.nan
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()
