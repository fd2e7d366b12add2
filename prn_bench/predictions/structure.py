"""What a prediction file must look like: names, shapes, types, ids and frame, never the values.

Every rule yields its fault and goes on, so that ``prn-bench check`` can show all of them at once;
:func:`prn_bench.predictions.open_predictions` raises the first. Values are judged in
``check_predictions``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, first_few
from prn_bench.formats.texts import parse_json
from prn_bench.predictions.arrays import array_faults

FORMAT, FORMAT_VERSION = "prn-bench/predictions", 1
FRAMES = ("image", "crop")


def structure_faults(content: Mapping[str, Any], path: Path) -> Iterator[BenchError]:
    """Everything that is wrong with the structure of a prediction file.

    Parameters
    ----------
    content : mapping
        Arrays and texts by name, as they lie in the file; texts may be 0-d arrays.
    path : Path
        For the messages.
    """
    for rule in (_format_faults, _frame_faults, _id_faults):
        yield from rule(content, path)
    topology = text_of(content.get("topology"))
    yield from array_faults(content, readable_ids(content), topology, path)
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


def readable_ids(content: Mapping[str, Any]) -> NDArray | None:
    """The sample ids as an object array of str, or None where there are none that can be read."""
    try:
        return text_ids(np.asarray(content["sample_id"]))
    except (KeyError, ValueError):
        return None


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
        card = parse_json(text or "")
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
