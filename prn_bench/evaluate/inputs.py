"""What a score may need beside predictions, dataset and protocol; all of it is named in the result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, first_few
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.file import load_face_model
from prn_bench.landmark_map import LandmarkMap

MAX_LIST_BYTES = 64 << 20
USED = ("used", "keep", "selected")  # columns of a list that mark its members


@dataclass(frozen=True)
class SubsetList:
    """Samples that count, by a list of the user's.

    Attributes
    ----------
    name : str
        Of the file.
    ids : frozenset of str
    """

    name: str
    ids: frozenset[str]

    @cached_property
    def sha256(self) -> str:
        """Of the sorted ids."""
        return hashlib.sha256("\n".join(sorted(self.ids)).encode()).hexdigest()


@dataclass(frozen=True)
class ScoreInputs:
    """Further inputs of a score.

    Attributes
    ----------
    face_model : path or None
        Where the dataset holds no maps, or the protocol is about the vertices of the mesh.
    index_maps : mapping of str to path
        Files by predicted topology, see :func:`prn_bench.topology.load_index_map`.
    landmark_map : LandmarkMap or None
        From the 68 landmarks to the named points of a dataset.
    subset : SubsetList or None
    common : (p,) bool or None
        Points of the map that all compared methods have.
    """

    face_model: str | Path | None = None
    index_maps: Mapping[str, str | Path] = field(default_factory=dict)
    landmark_map: LandmarkMap | None = None
    subset: SubsetList | None = None
    common: NDArray[np.bool_] | None = None

    @property
    def model(self) -> FaceModel | None:
        """The face model, read once per process."""
        return None if self.face_model is None else _model(str(self.face_model))


@lru_cache(maxsize=2)
def _model(path: str) -> FaceModel:
    return load_face_model(path)


def load_subset(path: str | Path) -> SubsetList:
    """Read a list of sample ids: one a line, or a CSV with the ids first.

    A CSV with a column ``used`` (or ``keep``, ``selected``) counts the lines where it is 1.

    Raises
    ------
    BenchError
        ``no-such-file``, ``bad-subset``.
    """
    import csv

    path = Path(path)
    if not path.is_file():
        raise BenchError("there is no such file", code="no-such-file", where=path)
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise ValueError(f"larger than {MAX_LIST_BYTES} bytes")
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8").splitlines()) if row]
    except (ValueError, OSError, csv.Error) as error:
        raise _bad(path, str(error)[:80]) from None
    header = [name.strip().lower() for name in rows[0]] if rows else []
    flag = next((header.index(name) for name in USED if name in header), None)
    if flag is not None:
        rows = [row for row in rows[1:] if len(row) > flag and row[flag].strip() == "1"]
    elif header and header[0] in ("sample_id", "name", "id"):
        rows = rows[1:]
    ids = [row[0].strip() for row in rows]
    if not ids or "" in ids:
        raise _bad(path, "no ids" if not ids else "an empty line among the ids")
    return SubsetList(path.name, frozenset(ids))


def subset_rows(subset: SubsetList, sample_ids: NDArray) -> NDArray[np.bool_]:
    """(n,) bool: samples of the list.

    Raises
    ------
    BenchError
        ``unknown-ids`` for names that the dataset lacks.
    """
    unknown = sorted(subset.ids - set(map(str, sample_ids)))
    if unknown:
        raise BenchError(
            f"{len(unknown)} ids of the subset are not in the dataset: {first_few(unknown)}",
            code="unknown-ids",
            where=subset.name,
            expected=f"ids like {', '.join(map(str, sample_ids[:2]))}",
        )
    return np.array([str(name) in subset.ids for name in sample_ids], bool)


def _bad(path: Path, found: str) -> BenchError:
    return BenchError(
        "this is no list of sample ids",
        code="bad-subset",
        where=path,
        expected="a text file with one id a line, or a CSV with the ids first",
        found=found,
    )
