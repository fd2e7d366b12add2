"""The two generic readers, for ``.npz`` and ``.csv``.

They change the order of axes and the spelling of ids, never a coordinate, and write what they did into
the ``notes`` of the method card.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prn_bench.errors import BenchError
from prn_bench.formats.npyfile import read_npz_members
from prn_bench.formats.sniff import fault, format_of, kind_of
from prn_bench.predictions import Predictions, assemble
from prn_bench.predictions.arrays import RUNTIME
from prn_bench.predictions.csv import Table, long_points, wide_points
from prn_bench.predictions.structure import FORMAT, method_card, text_ids, text_of
from prn_bench.readers.ids import match_ids
from prn_bench.topology import TOPOLOGIES

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

ID_NAMES = ("sample_id", "sample_ids", "names", "name", "ids", "id", "image", "filename", "file")


def read_npz(path: Path, *, frame: str | None, dataset: Dataset | None = None) -> Predictions:
    """Predictions from an .npz with arrays of the usual names.

    Parameters
    ----------
    path : Path
        Holds ``sample_id`` (or ``names``, ``ids``, ...) and one or more of ``landmarks``
        (N, 68, 2|3), ``position_map`` (N, 3, 256, 256), ``vertices`` (N, V, 3), and perhaps
        ``runtime_ms`` (N,); arrays with their axes in the other usual order, such as (N, 3, 68), are
        transposed.
    frame : str or None
        ``image`` or ``crop``; None only when the file itself says it.
    dataset : Dataset, optional
        Its ids give file names such as ``AFLW2000/image00002.jpg`` their sample.

    Raises
    ------
    BenchError
        ``not-an-npz``, ``frame-needed``, ``frame-conflict``, ``ambiguous-id``, and those of
        :func:`prn_bench.predictions.open_predictions`.
    """
    path = Path(path)
    _need_file(path)
    _need_npz(path)
    content: dict[str, Any]
    content, faults = read_npz_members(path)
    if faults:
        raise faults[0]
    said = text_of(content.get("frame"))
    if said and frame and said != frame:
        raise BenchError(
            "the file declares another frame",
            code="frame-conflict",
            where=path,
            expected=f"frame {frame!r}, as asked for",
            found=repr(said),
        )
    if text_of(content.get("format")) != FORMAT:
        content.pop("format", None)  # somebody else's key of that name
    for name in ID_NAMES:
        if name in content:
            content["sample_id"] = content.pop(name)
            break
    return _finish(path, content, frame or said, dataset, _turn_axes(content))


def _turn_axes(content: dict[str, Any]) -> list[str]:
    """Bring arrays to our order of axes, in place; what was done."""
    notes = []
    for name, order in (
        ("landmarks", (0, 2, 1)),
        ("vertices", (0, 2, 1)),
        ("position_map", (0, 3, 1, 2)),
    ):
        values = np.asarray(content.get(name))
        if values.ndim != len(order) or not _is_turned(name, values.shape):
            continue
        content[name] = values.transpose(order)
        notes.append(f"{name} transposed from {values.shape}")
    number = np.asarray(content.get("vertices")).shape[1:2]
    if number and "topology" not in content and number[0] in TOPOLOGIES:
        content["topology"] = TOPOLOGIES[number[0]]
        notes.append(f"topology {content['topology']} by its number of vertices")
    return notes


def _is_turned(name: str, shape: tuple[int, ...]) -> bool:
    if name == "position_map":
        return shape[1:] == (256, 256, 3)
    return shape[1] in ((2, 3) if name == "landmarks" else (3,)) and shape[2] > 3


def read_csv(path: Path, *, frame: str | None, dataset: Dataset | None = None) -> Predictions:
    """Landmarks from a table, one row a sample or one row a point.

    Parameters
    ----------
    path : Path
        Wide: ``sample_id, x0, y0[, z0], x1, ...``, and perhaps ``runtime_ms``; long: ``sample_id,
        point, x, y[, z]``. Points count from 0, or from 1 throughout. Fields are separated by commas,
        semicolons or tabs; an empty field is a missing value.
    frame, dataset
        As for :func:`read_npz`.

    Raises
    ------
    BenchError
        ``not-a-csv``, ``ragged-csv``, ``not-a-number`` (naming line and column),
        ``missing-points``, ``duplicate-points``, ``frame-needed``, ``ambiguous-id``,
        ``duplicate-ids``.
    """
    path = Path(path)
    _need_file(path)
    table = Table(path, ID_NAMES)
    is_long = {"point", "x", "y"} <= set(table.header)
    ids, points, notes = long_points(table) if is_long else wide_points(table)
    content = {"sample_id": np.array(ids, dtype=object), "landmarks": points}
    if RUNTIME in table.header and not is_long:
        content[RUNTIME] = table.numbers(RUNTIME)
    return _finish(path, content, frame, dataset, notes)


def _need_file(path: Path) -> None:
    if not path.is_file():
        raise BenchError("there is no such file", code="no-such-file", where=path)


def _need_npz(path: Path) -> None:
    kind = kind_of(path)
    if kind.words == "a zip (or npz) archive":
        return
    if kind.code is not None:
        raise fault(kind.code, path, expected="NumPy's .npz")
    ours = format_of(path) == FORMAT
    raise BenchError(
        "this is not an .npz",
        code="not-an-npz",
        where=path,
        expected="NumPy's .npz",
        found="a prediction file already" if ours else kind.words,
        remedy="Score it as it is."
        if ours
        else "Save your arrays with np.savez, or take `prn-bench import csv` for a table.",
    )


def _finish(
    path: Path,
    content: dict[str, Any],
    frame: str | None,
    dataset: Dataset | None,
    notes: list[str],
) -> Predictions:
    if frame is None:
        raise BenchError(
            "the file does not say in which frame its pixels are",
            code="frame-needed",
            where=path,
            remedy="Add --frame image (pixels of the original image) or --frame crop.",
        )
    if dataset is not None and "sample_id" in content:
        try:
            given = text_ids(np.asarray(content["sample_id"])).tolist()
        except ValueError:
            given = []  # assemble says what is wrong with them
        matched, n_renamed = match_ids(given, dataset.sample_ids, where=path)
        if n_renamed:
            content["sample_id"] = np.array(matched, dtype=object)
            notes.append(f"{n_renamed} of {len(given)} ids renamed to the dataset's")
    card = method_card(content, path)
    if notes:
        earlier = card.get("notes", [])
        card["notes"] = [*(earlier if isinstance(earlier, list) else [earlier]), *notes]
    return assemble(path, {**content, "frame": frame, "method": json.dumps(card)})
