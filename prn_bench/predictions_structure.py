"""What a prediction file must look like: names, shapes, types, ids and frame, never the values.

Every rule yields its fault and goes on, so that ``prn-bench check`` can show all of them at once;
:func:`prn_bench.predictions.open_predictions` raises the first. Values are judged in
``check_predictions``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, first_few

FORMAT, FORMAT_VERSION = "prn-bench/predictions", 1
FRAMES = ("image", "crop")
#: Shapes after the sample axis (0 = any length), and the same in words.
SHAPES: dict[str, tuple[tuple[tuple[int, ...], ...], str]] = {
    "landmarks": (((68, 2), (68, 3)), "(N, 68, 2) or (N, 68, 3)"),
    "position_map": (((3, 256, 256),), "(N, 3, 256, 256)"),
    "vertices": (((0, 3),), "(N, V, 3)"),
}


def structure_faults(content: Mapping[str, Any], path: Path) -> Iterator[BenchError]:
    """Everything that is wrong with the structure of a prediction file.

    Parameters
    ----------
    content : mapping
        Arrays and texts by name, as they lie in the file; texts may be 0-d arrays.
    path : Path
        For the messages.
    """
    for rule in (_format_faults, _frame_faults, _id_faults, _array_faults, _topology_faults):
        yield from rule(content, path)
    try:
        method_card(content, path)
    except BenchError as error:
        yield error


def text_of(value: Any) -> str | None:
    """A text attribute or 0-d array as ``str``; None for anything else."""
    if isinstance(value, np.ndarray | np.generic) and np.ndim(value) == 0:
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def text_ids(ids: NDArray) -> NDArray:
    """Sample ids, as stored (str or utf-8 bytes), to an object array of str.

    Raises
    ------
    ValueError
        When they are neither.
    """
    values = ids.tolist()
    if ids.dtype.kind == "S":
        values = [value.decode("utf-8") for value in values]
    if ids.ndim != 1 or not all(isinstance(value, str) for value in values):
        raise ValueError("ids must be one row of texts")
    return np.array(values, dtype=object)


def method_card(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The method card; a file without one is named after itself.

    Raises
    ------
    BenchError
        ``bad-method``.
    """
    if "method" not in content:
        return {"name": path.stem}
    text = text_of(content["method"])
    try:
        card = json.loads(text or "")
    except ValueError:
        card = text
    if isinstance(card, dict) and isinstance(card.get("name"), str) and card["name"]:
        return card
    raise BenchError(
        "the method card is unusable",
        code="bad-method",
        where=path,
        expected='JSON such as {"name": "PRN", "version": "1.0"}',
        found=repr(card)[:60],
        remedy="Write the file again with such a method card.",
    )


def _format_faults(content: Mapping[str, Any], path: Path) -> Iterator[BenchError]:
    found = text_of(content.get("format", FORMAT))
    version = str(content.get("format_version", FORMAT_VERSION))
    if found != FORMAT:
        yield BenchError(
            "this file is of another kind",
            code="wrong-format",
            where=path,
            expected=f"format = {FORMAT!r}",
            found=repr(found),
            remedy="See with `prn-bench info` what your files are.",
        )
    elif not (version.isdecimal() and int(version[:9]) <= FORMAT_VERSION):
        yield BenchError(
            "this file was written by a newer prn-bench",
            code="newer-format",
            where=path,
            expected=f"format_version <= {FORMAT_VERSION}",
            found=version[:20],
            remedy="Upgrade prn-bench.",
        )


def _frame_faults(content: Mapping[str, Any], path: Path) -> Iterator[BenchError]:
    remedy = (
        f"If its pixels are those of the original image, run `prn-bench import npz {path.name} "
        "--frame image` (with --dataset and --out); for the 256 x 256 crop say --frame crop."
        if path.suffix == ".npz"
        else "Set the root attribute `frame` to 'image' or 'crop', or write the file again with "
        "prn_bench.write_predictions(..., frame=...); `prn-bench import npz FILE --frame image` "
        "takes arrays without a frame."
    )
    if "frame" not in content:
        yield BenchError(
            "the file does not say in which frame its pixels are",
            code="no-frame",
            where=path,
            expected="frame = 'image' or 'crop'",
            remedy=remedy,
        )
    elif text_of(content["frame"]) not in FRAMES:
        yield BenchError(
            "this frame is unknown",
            code="unknown-frame",
            where=path,
            expected="'image' or 'crop'",
            found=repr(text_of(content["frame"])),
            remedy="Write the file again with one of the two frames.",
        )


def _id_faults(content: Mapping[str, Any], path: Path) -> Iterator[BenchError]:
    if "sample_id" not in content:
        yield BenchError(
            "there are no sample ids",
            code="no-ids",
            where=path,
            expected="an array `sample_id` of N texts",
            found=", ".join(sorted(content))[:200] or "nothing",
            remedy="Store the ids of the dataset beside the predictions, one for each row.",
        )
        return
    stored = np.asarray(content["sample_id"])
    try:
        ids = text_ids(stored)
    except ValueError:
        yield BenchError(
            "the sample ids are not texts",
            code="bad-ids",
            where=path,
            expected="sample_id (N,) of utf-8 texts",
            found=f"shape {stored.shape} of {stored.dtype}",
            remedy="Store the dataset's ids, not row numbers.",
        )
        return
    yield from _odd_ids(ids, path)


def _odd_ids(ids: NDArray, path: Path) -> Iterator[BenchError]:
    if not len(ids):
        yield BenchError(
            "the file holds no samples",
            code="no-samples",
            where=path,
            remedy="Write one row for each sample of the dataset; a row of NaN says «none found».",
        )
    twice = sorted(name for name, n in Counter(ids.tolist()).items() if n > 1)
    if twice:
        yield BenchError(
            f"{len(twice)} sample ids occur more than once: {first_few(twice)}",
            code="duplicate-ids",
            where=path,
            remedy="Keep one row for each sample; `prn-bench info DATASET` shows how its ids look.",
        )
    odd = [i for i, name in enumerate(ids) if not name.strip() or "\0" in name]
    if odd:
        yield BenchError(
            f"{len(odd)} sample ids are empty or hold a NUL, first in row {odd[0]}",
            code="empty-id",
            where=path,
            remedy="Give every row the id of its sample.",
        )


def _array_faults(content: Mapping[str, Any], path: Path) -> Iterator[BenchError]:
    present = {name: np.asarray(content[name]) for name in SHAPES if name in content}
    if not present:
        yield BenchError(
            "the file holds no predictions",
            code="no-arrays",
            where=path,
            expected=f"one or more of {', '.join(SHAPES)}",
            found=", ".join(sorted(content))[:200] or "nothing",
            remedy="Name your array so; `landmarks` are the 68 points, in pixels.",
        )
    ids = np.asarray(content.get("sample_id"))
    n_ids = len(ids) if ids.ndim == 1 else None
    for name, values in present.items():
        yield from _faults_of_array(name, values, n_ids, f"{path}, {name}")


def _faults_of_array(
    name: str, values: NDArray, n_ids: int | None, where: str
) -> Iterator[BenchError]:
    if not shape_fits(name, values.shape, n_ids):
        yield BenchError(
            "the array has the wrong shape",
            code="wrong-shape",
            where=where,
            expected=SHAPES[name][1] + (f" with N = {n_ids}" if n_ids is not None else ""),
            found=str(values.shape),
            remedy=_shape_hint(name, values.shape, n_ids) or "Save the array in this shape.",
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
        yield BenchError(
            "the array does not hold real numbers",
            code="wrong-type",
            where=where,
            expected="float32 or float64",
            found=str(values.dtype),
            remedy="Save plain numbers: array.astype('float32').",
        )


def shape_fits(name: str, shape: tuple[int, ...], n_ids: int | None) -> bool:
    """Whether an array of this name may have this shape, for this number of ids (None: any)."""
    fits = any(
        len(shape) == len(want) + 1
        and all(a == b if b else a > 0 for a, b in zip(shape[1:], want, strict=True))
        for want in SHAPES[name][0]
    )
    return fits and (n_ids is None or shape[0] == n_ids)


def _shape_hint(name: str, shape: tuple[int, ...], n_ids: int | None) -> str | None:
    if shape_fits(name, shape, None):
        return f"Give each of the {n_ids} ids its row, and no other row."
    if name == "landmarks" and len(shape) == 3 and shape[2] in (2, 3):
        return "Scoring wants all 68 points in the 300-W order; other mark-ups cannot be scored."
    if name != "position_map" and len(shape) == 3 and shape[1] in (2, 3):
        return "Swap the last two axes: points first, then x, y, z."
    if name == "position_map" and shape[1:] == (256, 256, 3):
        return "Put the channels first: maps.transpose(0, 3, 1, 2)."
    return None


def _topology_faults(content: Mapping[str, Any], path: Path) -> Iterator[BenchError]:
    if "vertices" not in content:
        return
    topology, shape = text_of(content.get("topology")), np.shape(content["vertices"])
    if not topology:
        yield BenchError(
            "the vertices do not say which mesh they belong to",
            code="no-topology",
            where=path,
            expected="topology, such as 'bfm-53215', or 'unordered'",
            found=f"vertices of shape {shape}",
            remedy="Write the file again with topology=...",
        )
        return
    number = re.search(r"-(\d+)$", topology)
    if number and len(shape) == 3 and int(number[1]) != shape[1]:
        yield BenchError(
            "the number of vertices does not belong to the topology",
            code="wrong-topology",
            where=path,
            expected=f"{number[1]} vertices ({topology})",
            found=str(shape[1]),
            remedy="Store all vertices of the mesh in its order, or name the topology they have.",
        )
