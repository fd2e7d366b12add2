"""Import readers: other people's output files to :class:`Predictions`.

A reader is a function ``read(path, *, frame, dataset) -> Predictions``; any package can bring one as an
entry point of the group ``prn_bench.readers``. Here are the registry and the two generic readers, for
``.npz`` and ``.csv``. They change the order of axes and the spelling of ids, never a coordinate, and
write what they did into the ``notes`` of the method card.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from prn_bench.errors import BenchError
from prn_bench.predictions import Predictions, assemble, read_npz_members
from prn_bench.predictions_csv import Table, long_points, wide_points
from prn_bench.predictions_structure import FORMAT, method_card, text_ids, text_of
from prn_bench.sniff import fault, format_of, kind_of

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

GROUP = "prn_bench.readers"
ID_NAMES = ("sample_id", "sample_ids", "names", "name", "ids", "id", "image", "filename", "file")
TOPOLOGIES = {
    53490: "bfm-53490",
    53215: "bfm-53215",
    38365: "bfm-noneck-38365",
    43867: "prnet-43867",
    35709: "bfm-front-35709",
    5023: "flame-5023",
}


class Reader(Protocol):
    """What an entry point of the group ``prn_bench.readers`` must be."""

    def __call__(
        self, path: Path, *, frame: str | None, dataset: Dataset | None = None
    ) -> Predictions:
        """Read one file or folder of a method's own output."""
        ...


def available_readers() -> dict[str, EntryPoint]:
    """Entry points of all readers by name, those of other packages included; nothing is loaded."""
    own = [EntryPoint(name, f"{__name__}:read_{name}", GROUP) for name in ("csv", "npz")]
    return {point.name: point for point in (*own, *entry_points(group=GROUP))}


def find_reader(name: str) -> Reader:
    """The reader of this name.

    Raises
    ------
    BenchError
        ``unknown-reader`` with the known names, ``broken-reader`` when its package does not load.
    """
    known = available_readers()
    if name not in known:
        close = difflib.get_close_matches(name.lower(), known, 1)
        raise BenchError(
            f"there is no reader {name!r}",
            code="unknown-reader",
            expected="one of " + ", ".join(sorted(known)),
            remedy=f"Did you mean {close[0]!r}?" if close else None,
        )
    try:
        return known[name].load()
    except (ImportError, AttributeError) as error:
        raise BenchError(
            f"the reader {name!r} does not load ({error})",
            code="broken-reader",
            where=known[name].value,
            remedy="Install what it needs, or ask its author.",
        ) from None


def read_npz(path: Path, *, frame: str | None, dataset: Dataset | None = None) -> Predictions:
    """Predictions from an .npz with arrays of the usual names.

    Parameters
    ----------
    path : Path
        Holds ``sample_id`` (or ``names``, ``ids``, ...) and one or more of ``landmarks``
        (N, 68, 2|3), ``position_map`` (N, 3, 256, 256), ``vertices`` (N, V, 3); arrays with their
        axes in the other usual order, such as (N, 3, 68), are transposed.
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
        Wide: ``sample_id, x0, y0[, z0], x1, ...``; long: ``sample_id, point, x, y[, z]``. Points
        count from 0, or from 1 throughout. Fields are separated by commas, semicolons or tabs; an
        empty field is a missing value.
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


def match_ids(
    given: list[str], known: Iterable[str], *, where: str | Path = ""
) -> tuple[list[str], int]:
    """Sample ids for file names: folders and the extension are dropped where nothing else fits.

    Parameters
    ----------
    given : list of str
        Such as ``AFLW2000/image00002.mat``; an id that is known is kept, and so is one that fits
        nothing.
    known : iterable of str
        The dataset's ids, which may have folders themselves.
    where : path
        For the message.

    Returns
    -------
    tuple
        The ids, and how many of them were changed.

    Raises
    ------
    BenchError
        ``ambiguous-id``, when a name fits several samples or two names fit one.
    """
    ids = set(known)
    by_stem: Mapping[str, list[str]] = _by_stem(ids)
    matched = []
    owner = {name: name for name in given if name in ids}
    for name in given:
        fits = [name] if name in ids else _fitting(name, ids, by_stem)
        if len(fits) > 1 or (fits and owner.setdefault(fits[0], name) != name):
            other = " and ".join(sorted(fits)[:2]) if len(fits) > 1 else f"{fits[0]}, like another"
            raise BenchError(
                f"the id {name!r} could mean {other}",
                code="ambiguous-id",
                where=where,
                remedy="Name the samples as the dataset does (`prn-bench info` shows its ids).",
            )
        matched.append(fits[0] if fits else name)
    return matched, sum(a != b for a, b in zip(given, matched, strict=True))


def _by_stem(ids: Iterable[str]) -> dict[str, list[str]]:
    stems: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        stems[name.rsplit("/", 1)[-1]].append(name)
    return stems


def _fitting(name: str, ids: set[str], by_stem: Mapping[str, list[str]]) -> list[str]:
    bare = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name.replace("\\", "/"))
    parts = bare.split("/")
    for start in range(len(parts)):  # the longest tail that is an id
        tail = "/".join(parts[start:])
        if tail in ids:
            return [tail]
    return by_stem.get(parts[-1], [])
