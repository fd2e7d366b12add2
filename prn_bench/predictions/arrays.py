"""Rules for the arrays of a prediction file: names, shapes, types, ragged meshes; never the values.

Arrays are judged by ``shape`` and ``dtype``, so that they may lie in a file unread; only starts and
triangle numbers are looked at, block by block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.topology import UNORDERED

#: Shapes after the sample axis (0 = any length), and the same in words.
SHAPES: dict[str, tuple[tuple[tuple[int, ...], ...], str]] = {
    "landmarks": (((68, 2), (68, 3)), "(N, 68, 2) or (N, 68, 3)"),
    "pose_deg": (((3,),), "(N, 3)"),
    "position_map": (((3, 256, 256),), "(N, 3, 256, 256)"),
    "vertices": (((0, 3),), "(N, V, 3)"),
    "runtime_ms": (((),), "(N,)"),
}
#: How long each sample took: of the method, but no prediction.
RUNTIME = "runtime_ms"
#: Ragged arrays, and where each sample's part of them starts.
STARTS = {"vertices": "vertex_start", "triangles": "triangle_start"}
#: Everything that a prediction file may hold besides its texts and ids.
NAMES = (*SHAPES, "triangles", *STARTS.values())
TRIANGLES_AT_ONCE = 1 << 20


def array_faults(
    content: Mapping[str, Any], ids: NDArray | None, topology: str | None, path: Path
) -> Iterator[BenchError]:
    """Everything that is wrong with the arrays of a prediction file.

    Parameters
    ----------
    content : mapping
    ids : (N,) object array, or None where they are unusable
    topology : str or None
    path : Path
        For the messages.
    """
    present = {name: as_array(content[name]) for name in NAMES if name in content}
    if not set(present) & set(SHAPES) - {RUNTIME}:
        yield BenchError(
            "the file holds no predictions",
            code="no-arrays",
            where=path,
            expected=f"one or more of {', '.join(name for name in SHAPES if name != RUNTIME)}",
            found=", ".join(sorted(content))[:200] or "nothing",
            remedy="Name your array so; `landmarks` are the 68 points, in pixels.",
        )
    n_ids = None if ids is None else len(ids)
    ragged = is_ragged(present, topology)
    for name in SHAPES:
        if name in present and not (ragged and name == "vertices"):
            yield from _faults_of_array(name, present[name], n_ids, f"{path}, {name}")
    if "vertices" in present:
        yield from _topology_faults(present["vertices"].shape, topology, path, ragged=ragged)
    if ragged:
        yield from _ragged_faults(present, ids, path)


def as_array(value: Any) -> Any:
    """The value itself where it has a shape and type, else an array of it."""
    return value if hasattr(value, "shape") and hasattr(value, "dtype") else np.asarray(value)


def is_ragged(content: Mapping[str, Any], topology: str | None) -> bool:
    """Whether each sample has vertices of its own number."""
    flat = topology == UNORDERED and np.ndim(content.get("vertices", ())) == 2
    return flat or any(name in content for name in ("triangles", *STARTS.values()))


def shape_fits(name: str, shape: tuple[int, ...], n_ids: int | None) -> bool:
    """Whether an array of this name may have this shape, for this number of ids (None: any)."""
    fits = any(
        len(shape) == len(want) + 1
        and all(a == b if b else a > 0 for a, b in zip(shape[1:], want, strict=True))
        for want in SHAPES[name][0]
    )
    return fits and (n_ids is None or shape[0] == n_ids)


def _faults_of_array(name: str, values: Any, n_ids: int | None, where: str) -> Iterator[BenchError]:
    if not shape_fits(name, values.shape, n_ids):
        yield wrong_shape(
            values.shape,
            where,
            expected=SHAPES[name][1] + (f" with N = {n_ids}" if n_ids is not None else ""),
            remedy=_shape_hint(name, values.shape, n_ids),
        )
    if name == "position_map" and values.dtype in (np.uint8, np.int8):
        yield BenchError(
            "the position maps have 8 bits: positions below 0 and above 255 are lost",
            code="eight-bit-map",
            where=where,
            expected="float32 crop pixels",
            found=str(values.dtype),
            remedy="Store the network's own output, never a JPEG or PNG of it.",
        )
    elif values.dtype.kind not in "fiu":
        yield _wrong_type(values.dtype, where, "real numbers", "float32 or float64")


def wrong_shape(
    found: tuple[int, ...], where: str, *, expected: str, remedy: str | None = None
) -> BenchError:
    """The error for an array of another shape."""
    return BenchError(
        "the array has the wrong shape",
        code="wrong-shape",
        where=where,
        expected=expected,
        found=str(found),
        remedy=remedy or "Save the array in this shape.",
    )


def _wrong_type(dtype: np.dtype, where: str, kind: str, expected: str) -> BenchError:
    return BenchError(
        f"the array does not hold {kind}",
        code="wrong-type",
        where=where,
        expected=expected,
        found=str(dtype),
        remedy=f"Save plain numbers: array.astype('{expected.split()[0]}').",
    )


def _shape_hint(name: str, shape: tuple[int, ...], n_ids: int | None) -> str | None:
    if shape_fits(name, shape, None):
        return f"Give each of the {n_ids} ids its row, and no other row."
    if name == "landmarks" and len(shape) == 3 and shape[2] in (2, 3):
        return "Scoring wants all 68 points in the 300-W order; other mark-ups cannot be scored."
    if name in ("landmarks", "vertices") and len(shape) == 3 and shape[1] in (2, 3):
        return "Swap the last two axes: points first, then x, y, z."
    if name == "position_map" and shape[1:] == (256, 256, 3):
        return "Put the channels first: maps.transpose(0, 3, 1, 2)."
    return None


def _ragged_faults(
    present: Mapping[str, Any], ids: NDArray | None, path: Path
) -> Iterator[BenchError]:
    """Rules of meshes that have their own number of vertices each."""
    good: dict[str, NDArray[np.int64]] = {}
    for name, start in STARTS.items():
        if name not in present and start not in present:
            continue
        faults = list(_faults_of_part(name, present, ids, path))
        yield from faults
        if not faults:
            good[name] = np.asarray(present[start], np.int64)
    if "triangles" in present and "vertices" not in present:
        yield BenchError(
            "there are triangles, but no vertices",
            code="loose-triangles",
            where=path,
            expected="vertices (T, 3) with vertex_start (N + 1,)",
            remedy="Write both, or no triangles.",
        )
    if len(good) == len(STARTS) and len(good["vertices"]) == len(good["triangles"]):
        yield from _index_faults(present["triangles"], good, ids, f"{path}, triangles")


def _faults_of_part(
    name: str, present: Mapping[str, Any], ids: NDArray | None, path: Path
) -> Iterator[BenchError]:
    start = STARTS[name]
    if name not in present or start not in present:
        yield BenchError(
            f"{name} of each sample's own number need {start}, and {start} needs {name}",
            code="no-starts",
            where=path,
            expected=f"{name} (T, 3) and {start} (N + 1,)",
            found=name if name in present else start,
            remedy=f"Write both: the part of sample i is {name}[{start}[i]:{start}[i + 1]].",
        )
        return
    values, where = present[name], f"{path}, {name}"
    kinds = ("fiu", "real numbers", "float32") if name == "vertices" else ("iu", "numbers", "int32")
    if values.dtype.kind not in kinds[0]:
        yield _wrong_type(values.dtype, where, *kinds[1:])
    if len(values.shape) != 2 or values.shape[1] != 3:
        yield wrong_shape(values.shape, where, expected=f"(T, 3), beside {start}")
    else:
        yield from _start_faults(present[start], len(values), ids, f"{path}, {start}")


def _start_faults(start: Any, total: int, ids: NDArray | None, where: str) -> Iterator[BenchError]:
    if start.dtype.kind not in "iu":
        yield _wrong_type(start.dtype, where, "whole numbers", "int64")
        return
    if len(start.shape) != 1 or (ids is not None and len(start) != len(ids) + 1) or not len(start):
        words = "(N + 1,)" + ("" if ids is None else f" with N = {len(ids)}")
        yield wrong_shape(start.shape, where, expected=words)
        return
    numbers = np.asarray(start)
    falls = numbers[1:] < numbers[:-1]  # a difference of unsigned numbers would wrap round
    if int(numbers[0]) != 0 or int(numbers[-1]) != total or falls.any():
        found = f"{numbers[0]} to {numbers[-1]}"
        found += f", falling after row {int(falls.argmax())}" if falls.any() else ""
        yield BenchError(
            "the starts do not cut the array into one part for each sample",
            code="bad-starts",
            where=where,
            expected=f"numbers that never fall, from 0 to {total}",
            found=found,
            remedy="np.cumsum([0, *counts]) makes them.",
        )


def _index_faults(
    triangles: Any, starts: Mapping[str, NDArray[np.int64]], ids: NDArray | None, where: str
) -> Iterator[BenchError]:
    """Triangles that name a vertex which their sample does not have."""
    n_vertices = np.diff(starts["vertices"])
    for begin in range(0, len(triangles), TRIANGLES_AT_ONCE):
        block = np.asarray(triangles[begin : begin + TRIANGLES_AT_ONCE])
        place = np.arange(begin, begin + len(block))
        row = np.searchsorted(starts["triangles"], place, "right") - 1
        wrong = ((block < 0) | (block >= n_vertices[row, None])).any(1)
        if wrong.any():
            first = int(wrong.argmax())
            sample = row[first]
            yield BenchError(
                "a triangle names a vertex that its sample does not have",
                code="triangle-out-of-range",
                where=f"{where}, {sample if ids is None else ids[sample]}",
                expected=f"0 to {n_vertices[sample] - 1}",
                found=str(block[first].tolist()),
                remedy="Number each sample's vertices from 0.",
            )
            return


def _topology_faults(
    shape: tuple[int, ...], topology: str | None, path: Path, *, ragged: bool
) -> Iterator[BenchError]:
    """Whether the vertices say which mesh they are, and have its number."""
    number = re.search(r"-(\d+)$", topology or "")
    if not topology:
        yield BenchError(
            "the vertices do not say which mesh they belong to",
            code="no-topology",
            where=path,
            expected="topology, such as 'bfm-53215', or 'unordered'",
            found=f"vertices of shape {shape}",
            remedy="Write the file again with topology=...",
        )
    elif ragged and topology != UNORDERED:
        yield BenchError(
            "each sample has vertices of its own number, but a topology fixes it",
            code="wrong-topology",
            where=path,
            expected=repr(UNORDERED),
            found=repr(topology),
            remedy="Write (N, V, 3) vertices, or name the topology 'unordered'.",
        )
    elif number and len(shape) == 3 and int(number[1]) != shape[1]:
        yield BenchError(
            "the number of vertices does not belong to the topology",
            code="wrong-topology",
            where=path,
            expected=f"{number[1]} vertices ({topology})",
            found=str(shape[1]),
            remedy="Store all vertices of the mesh in its order, or name the topology they have.",
        )
