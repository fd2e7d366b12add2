"""AFLW faces with what the released 3DDFA-V2 predicts for them: training data of a distilled network.

One .npz holds all: 120 x 120 crops as WebP, and 62 coefficients each: a free 3 x 4 camera C, 40 identity
and 10 expression coefficients. With the 40 + 10 basis of the BFM, ``v = C[:, :3] (u + Ws a + We b) +
C[:, 3:]``, and the crop's own image frame is ``(v_x - 1, 120 - v_y, v_z - 1)``. The camera is no
similarity (its longest axis is 1.03 times its shortest in the median, 1.7 times at most), so the pose is
stored with its stretch.

A sample is ``image09928/image14653``: the photograph, named after the first of its crops, and the crop.
AFLW holds photographs several times, also those of AFLW2000-3D (``copies.py``); a *variant* says what is
left out: ``unseen`` what may show a test image, ``sure`` besides what lies 5 % or more off AFLW's 21
points, ``all`` nothing.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dataset_recipes.aflw_distill.copies import known_copies
from prn_bench.errors import BenchError
from prn_bench.formats import npyfile
from prn_bench.geometry import pose_para_of
from prn_bench.recipes.annotation import (
    N_EXPRESSION,
    N_IDENTITY,
    Annotation,
    Companions,
    Fit,
    SampleFiles,
    wide_angle_findings,
)
from prn_bench.recipes.rawsource import RawSource

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "aflw_crops_3ddfa_v2.npz"
VARIANTS = ("unseen", "sure", "all")
DEFAULT_VARIANT = "unseen"
SURE_PERCENT = 5.0
SIDE_PX = 120
N_CAMERA, N_SHAPE, N_EXPRESSIONS = 12, 40, 10
NAME = re.compile("image([0-9]{5})")
SHAPES: dict[str, tuple[int, ...]] = {
    "coefficients": (N_CAMERA + N_SHAPE + N_EXPRESSIONS,),
    "yaw_deg": (),
    "visible21_nme_percent": (),
    "roi_box": (4,),
}


@dataclass(frozen=True)
class Table:
    """The arrays of the file.

    Attributes
    ----------
    rows : dict
        AFLW number to row.
    images : (b,) uint8
        WebP files, one behind the other.
    starts : (n + 1,) int64
        Where they begin, and the end.
    arrays : dict
        The arrays named in ``SHAPES``, as stored.
    """

    rows: dict[int, int]
    images: NDArray[np.uint8]
    starts: NDArray[np.int64]
    arrays: dict[str, NDArray]


def find(source: RawSource, variant: str = DEFAULT_VARIANT) -> list[SampleFiles]:
    """Every crop that the variant keeps."""
    members = [name for name in source.names if PurePosixPath(name).name == FILE]
    if len(members) > 1:
        raise BenchError(
            f"{FILE} is there twice",
            code="duplicate-id",
            where=source.root,
            found=" and ".join(members[:2]),
            remedy="Name a folder that holds it once.",
        )
    return [
        SampleFiles(_sample_id(number), member, member)
        for member in members
        for number in _kept(_table(source, member), variant)
    ]


def read(source: RawSource, sample: SampleFiles, variant: str = DEFAULT_VARIANT) -> Annotation:
    """One crop's fit; its landmarks are projected from it."""
    table = _table(source, sample.annotation)
    row = table.rows[int(sample.sample_id[-5:])]
    values = {name: np.asarray(array[row], np.float64) for name, array in table.arrays.items()}
    picture = table.images[table.starts[row] : table.starts[row + 1]].tobytes()
    fit = _fit(values["coefficients"], sample.sample_id)
    return Annotation(
        fit,
        columns={"yaw_deg/aflw": values["yaw_deg"], "roi_box": values["roi_box"]},
        raw=b"".join([*(array.tobytes() for array in values.values()), picture]),
        picture=partial(_picture, picture, sample.sample_id),
        findings=wide_angle_findings(fit, sample.sample_id),
    )


def companions(
    source: RawSource, samples: Sequence[SampleFiles], variant: str = DEFAULT_VARIANT
) -> Companions:
    """There are no further arrays."""
    return Companions()


def _sample_id(number: int) -> str:
    return f"image{known_copies().first_of.get(number, number):05d}/image{number:05d}"


def _kept(table: Table, variant: str) -> list[int]:
    error = table.arrays["visible21_nme_percent"]
    unseen = [n for n in table.rows if variant == "all" or n not in known_copies().of_test]
    return [n for n in unseen if variant != "sure" or error[table.rows[n]] < SURE_PERCENT]


def _fit(values: NDArray[np.float64], where: str) -> Fit:
    """The fit in our convention: f R (I + S) in place of the camera's 3 x 3 part."""
    camera = values[:N_CAMERA].reshape(3, 4).copy()
    if not np.isfinite(values).all():
        raise BenchError("its coefficients are not finite", code="not-finite", where=where)
    if not np.linalg.det(camera[:, :3]) > 0:
        raise BenchError("its camera mirrors the face", code="mirrored-camera", where=where)
    camera[2, 3] -= 1.0  # the formula's z; those of x and y are part of every Pose_Para
    identity = np.pad(values[N_CAMERA : N_CAMERA + N_SHAPE], (0, N_IDENTITY - N_SHAPE))
    expression = np.pad(values[N_CAMERA + N_SHAPE :], (0, N_EXPRESSION - N_EXPRESSIONS))
    return Fit(pose_para_of(camera), identity, expression)


def _picture(content: bytes, where: str) -> Image:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("WEBP",)) as opened:
            return opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise BenchError(
            f"the image is cut short or damaged ({error})", code="truncated-image", where=where
        ) from None


@dataclass(frozen=True)
class _Place:
    """Where the file lies and when it was written: what one reading of it is good for."""

    archive: str
    offset: int | None
    changed_ns: int
    name: str = field(compare=False)
    source: RawSource = field(compare=False)


def _table(source: RawSource, name: str) -> Table:
    """The arrays, read once per process while the file stays the same."""
    member = source.members[name]
    try:
        changed_ns = os.stat(member.archive).st_mtime_ns
    except OSError as error:
        what = f"the file cannot be read ({error.strerror})"
        raise BenchError(what, code="unreadable", where=source.where(name)) from None
    return _read_table(_Place(member.archive, member.offset, changed_ns, name, source))


@lru_cache(maxsize=2)
def _read_table(place: _Place) -> Table:
    where, names = place.source.where(place.name), ("sample_id", "image_webp", "image_offset")
    arrays = npyfile.read_npz(where, [*names, *SHAPES], place.source.read(place.name))
    ids, images, starts = (arrays.pop(name) for name in names)
    found = [NAME.fullmatch(str(name)) for name in ids.ravel()]
    wrong = {n: a.shape for n, a in arrays.items() if a.shape != (len(found), *SHAPES[n])}
    numbers = [int(match[1]) for match in found if match]
    whole = starts.shape == (len(found) + 1,) and bool((np.diff(starts) > 0).all())
    if len(set(numbers)) < len(found):
        wrong["sample_id"] = ids.shape
    if not whole or starts[0] < 0 or starts[-1] > images.size or images.dtype != np.uint8:
        wrong["image_offset"] = starts.shape
    if wrong:
        raise BenchError(
            f"these arrays do not belong together: {', '.join(wrong)}",
            code="wrong-shape",
            where=where,
            expected=f"{len(found)} rows of image00000 names, each once, and their images",
            found=str(wrong),
        )
    return Table({n: row for row, n in enumerate(numbers)}, images.ravel(), starts, arrays)
