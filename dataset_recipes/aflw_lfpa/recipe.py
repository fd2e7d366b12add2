"""AFLW-LFPA: 1,299 AFLW images of balanced yaw with 34 points, each visible or hidden, and a box.

The layout is that of the ``aflw-pifa`` folder: row n of ``phisT`` and ``bboxesT`` belongs to
``TestImages/n.jpg`` (``phisTr``, ``bboxesTr`` to ``TrainImages``). A row of ``phisT`` is 34 x, 34 y and
34 flags, where 0 means visible. There is no 3DDFA fit and there are no 68 landmarks.

Nobody states whether pixels count from 1 or from 0. They are taken as 1-based, as MATLAB files and
AFLW2000-3D are, and the way back to the stored numbers stays with the arrays (``stored_offset``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, Finding
from prn_bench.formats.matfile import read_mat
from prn_bench.landmarks import POINT_SETS
from prn_bench.recipes.annotation import IMAGE_SUFFIXES, Annotation, Companions, SampleFiles
from prn_bench.recipes.rawsource import RawSource
from prn_bench.recipes.rawzip import Member

POINTS = "aflw-lfpa-34"
N_POINTS = POINT_SETS[POINTS]
STORED_OFFSET = (1.0, 1.0)  # an assumption, see the module's docstring
SUFFIX_OF = {"TestImages": "T", "TrainImages": "Tr"}  # of the two arrays; the first split wins
LANDMARK_FILE, BOX_FILE = "Landmark.mat", "BoundingBox.mat"
ID_DIGITS = 4
MAX_PX = 1e6
NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Table:
    """Both arrays of one split.

    Attributes
    ----------
    points : (n, 34, 2) float64
        As stored.
    flags : (n, 34) float64
        0 means visible.
    boxes : (n, 4) float64
        x, y, width, height, as stored.
    """

    points: NDArray[np.float64]
    flags: NDArray[np.float64]
    boxes: NDArray[np.float64]


@dataclass(frozen=True)
class _Place:
    """Which files a table comes from: equal while the files are the same, whoever asks."""

    landmarks: Member
    boxes: Member
    changed_ns: tuple[int, int]
    split: str
    source: RawSource = field(compare=False)
    folder: str = field(compare=False)


def find(source: RawSource) -> list[SampleFiles]:
    """Every image of the test split and every row without one; the id is such as ``TestImages/0007``.

    Zeros fill the number up, so that ids sort as the rows do. Where there are no test images, the
    training split is read. Images that are no numbers are passed over.

    Raises
    ------
    BenchError
        ``no-annotation`` when one of the two files is missing, ``row-count`` when they disagree,
        ``duplicate-id``, and what reading them raises.
    """
    images = _numbered_images(source)
    if not images:
        return []
    split, folder = _split_and_folder(next(iter(images.values())))
    landmarks = _member(folder, LANDMARK_FILE)
    n_rows = len(_table(source, landmarks, split).boxes)
    return [
        SampleFiles(f"{split}/{n:0{ID_DIGITS}d}", landmarks, images.get(n, ""))
        for n in sorted(images.keys() | range(1, n_rows + 1))
    ]


def read(source: RawSource, sample: SampleFiles) -> Annotation:
    """One sample's points (image frame, NaN where hidden), their visibility and the annotated box.

    The raw coordinates of a hidden point are left out: what they mean is nowhere stated, and a number
    that is not there cannot slip into a score, a box or a picture.
    """
    split, digits = sample.sample_id.split("/")
    row = int(digits) - 1
    table = _table(source, sample.annotation, split)
    _check_row(table, row, sample)
    visible = table.flags[row] == 0
    points = np.where(visible[:, None], table.points[row], np.nan) - STORED_OFFSET
    x, y, width, height = table.boxes[row]
    left, top = np.array((x, y)) - STORED_OFFSET
    box = np.array([left, top, left + width, top + height])
    columns = {f"points/{POINTS}": points, f"points_visible/{POINTS}": visible}
    own = table.points[row].tobytes() + table.flags[row].tobytes() + table.boxes[row].tobytes()
    return Annotation(box=box, columns={**columns, "boxes/annotated": box}, raw=own)


def companions(source: RawSource, samples: Sequence[SampleFiles]) -> Companions:
    """No further arrays; how the stored numbers follow from ours, and what had to be assumed."""
    words = "points are taken as 1-based pixels: no source says whether they are"
    findings = [Finding("note", "assumed-1-based", str(source.root), words)]
    if samples and not samples[0].sample_id.startswith("TestImages/"):
        words = "there are no TestImages: this is the training split, not the benchmark"
        findings.append(Finding("note", "training-split", str(source.root), words))
    offsets = {f"points/{POINTS}": STORED_OFFSET, "boxes/annotated": 2 * STORED_OFFSET}
    return Companions(stored_offsets=offsets, findings=tuple(findings))


def _numbered_images(source: RawSource) -> dict[int, str]:
    """Number to member name, of the first split that is there."""
    for split in SUFFIX_OF:
        found: dict[int, str] = {}
        for name in source.names:
            path = PurePosixPath(name)
            is_image = path.parent.name == split and path.suffix.lower() in IMAGE_SUFFIXES
            if not is_image or not NUMBER.fullmatch(path.stem):
                continue
            other = found.get(int(path.stem)) or next(iter(found.values()), name)
            if int(path.stem) in found or PurePosixPath(other).parent != path.parent:
                raise BenchError(
                    f"{split} is there twice, or one of its numbers is",
                    code="duplicate-id",
                    where=source.root,
                    found=f"{other} and {name}",
                    remedy="Name a folder that holds the set once.",
                )
            found[int(path.stem)] = name
        if found:
            return found
    return {}


def _split_and_folder(image: str) -> tuple[str, str]:
    folder = PurePosixPath(image).parent
    return folder.name, str(folder.parent)


def _member(folder: str, file: str) -> str:
    return str(PurePosixPath(folder, file))


def _table(source: RawSource, landmarks: str, split: str) -> Table:
    """Both arrays of a split, read once per process while the files stay the same."""
    folder = str(PurePosixPath(landmarks).parent)
    files = [landmarks, _member(folder, BOX_FILE)]
    for name in files:
        if name not in source:
            raise BenchError(
                f"{PurePosixPath(name).name} does not lie beside {split}",
                code="no-annotation",
                where=source.where(name),
                remedy=f"Put {LANDMARK_FILE} and {BOX_FILE} into the folder that holds {split}.",
            )
    first, second = (source.members[name] for name in files)
    changed = _changed_ns(source, files[0]), _changed_ns(source, files[1])
    return _read_table(_Place(first, second, changed, split, source, folder))


def _changed_ns(source: RawSource, name: str) -> int:
    """When a member's file was last written: a file that was replaced is read again."""
    try:
        return os.stat(source.members[name].archive).st_mtime_ns
    except OSError as error:
        raise BenchError(
            f"the file cannot be read ({error.strerror})",
            code="unreadable",
            where=source.where(name),
        ) from None


@lru_cache(maxsize=4)
def _read_table(place: _Place) -> Table:
    ending = SUFFIX_OF[place.split]
    rows = _array(place, LANDMARK_FILE, f"phis{ending}", 3 * N_POINTS)
    boxes = _array(place, BOX_FILE, f"bboxes{ending}", 4)
    if len(rows) != len(boxes):
        raise BenchError(
            f"phis{ending} and bboxes{ending} do not have the same number of rows",
            code="row-count",
            where=place.source.where(_member(place.folder, BOX_FILE)),
            expected=f"{len(rows)} rows, as {LANDMARK_FILE} has",
            found=str(len(boxes)),
            remedy="Take both files from the same copy of the data.",
        )
    x, y, flags = rows.reshape(-1, 3, N_POINTS).swapaxes(0, 1)
    return Table(np.stack([x, y], -1), flags, boxes)


def _array(place: _Place, file: str, name: str, n_columns: int) -> NDArray[np.float64]:
    member = _member(place.folder, file)
    where = place.source.where(member)
    values = read_mat(place.source.read(member), where, (name,))[name]
    if values.ndim != 2 or values.shape[1] != n_columns:
        raise BenchError(
            f"{name} has the wrong shape",
            code="wrong-shape",
            where=where,
            expected=f"(n, {n_columns})",
            found=str(values.shape),
        )
    return values.astype(np.float64)


def _check_row(table: Table, row: int, sample: SampleFiles) -> None:
    """What is wrong with one row, in one message."""
    n_rows, fault = len(table.boxes), None
    if not 0 <= row < n_rows:
        fault = "no-annotation", f"there is no row {row + 1}; the arrays have {n_rows} rows"
    elif not sample.image:
        fault = "no-image", f"row {row + 1} has no image; its size is part of the dataset"
    else:
        visible = table.flags[row] == 0
        if not np.isfinite(table.flags[row]).all():
            fault = "not-finite", "the flags hold values that are not finite"
        elif not visible.any():
            fault = "no-visible-point", "none of its 34 points is visible"
        elif not np.isfinite(table.points[row][visible]).all():
            fault = "not-finite", "a visible point is not finite"
        elif not (table.boxes[row, 2:].min() >= 1 and np.abs(table.boxes[row]).max() < MAX_PX):
            fault = "bad-box", f"x, y, width, height of its box cannot be: {table.boxes[row]}"
    if fault is not None:
        raise BenchError(fault[1], code=fault[0], where=sample.sample_id)
