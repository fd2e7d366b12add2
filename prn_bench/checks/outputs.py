"""Checks of folders that a method wrote: meshes, position maps, what PRNet and 3DDFA save.

Such a folder is judged by the rules of the reader that ``prn-bench import`` has for it, file by file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, Finding
from prn_bench.formats.matfile import read_mat
from prn_bench.formats.npyfile import read_npy

if TYPE_CHECKING:
    from prn_bench.recipes.rawsource import RawSource

Check = Callable[["RawSource", str], Iterator[Finding]]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
OTHER_DATA = (".mat", ".npy", ".npz", ".obj", ".txt", ".csv")  # beside pictures: no folder of maps
MAP_SIDE, MAP_CHANNELS = 256, 3
FIT = (
    0.87  # R2 of x and y as quadratics of column and row: maps 0.91 and more, photographs under 0.8
)
RAW_FIELDS = {"Pose_Para", "pt2d", "pt3d_68"}
PRNET_FIELDS = {"vertices", "colors", "triangles"}


def check_outputs(source: RawSource) -> Iterator[Finding] | None:
    """Findings on a folder of .mat files or pictures that is a method's output; None when it is not.

    Raw datasets have such files too, so these are told by the content of the first.
    """
    if matlab := _with_suffix(source, ".mat"):
        kind = _matlab_kind(source, matlab[0])
        return None if kind is None else _by_reader(source, kind)
    pictures = _with_suffix(source, *PICTURES)
    if pictures and not _with_suffix(source, *OTHER_DATA) and _is_map(source, pictures[0]):
        return _by_reader(source, "position-map")
    return None


def check_arrays(source: RawSource) -> Iterator[Finding] | None:
    """Findings on a folder of position maps as .npy, or of .obj meshes; None when it is neither.

    For folders in which no recipe finds samples: raw data of scans are meshes too.
    """
    if meshes := _with_suffix(source, ".obj"):
        return _each(source, meshes, _check_mesh, "meshes (.obj)", "obj")
    arrays = _with_suffix(source, ".npy")
    if arrays and _has_map_shape(source, arrays[0]):
        return _each(source, arrays, _check_map, "position maps (.npy)", "position-map")
    return None


def _with_suffix(source: RawSource, *suffixes: str) -> list[str]:
    return [name for name in source.names if PurePosixPath(name).suffix.lower() in suffixes]


def _each(
    source: RawSource, names: list[str], check: Check, what: str, reader: str
) -> Iterator[Finding]:
    words = f"{what}, {len(names)} of them; `prn-bench import {reader}` reads them"
    yield Finding("note", "method-output", str(source.root), words)
    for name in names:
        try:
            yield from check(source, name)
        except BenchError as error:
            yield Finding.from_error(error)


def _check_mesh(source: RawSource, name: str) -> Iterator[Finding]:
    from prn_bench.checks.raw import mesh_findings
    from prn_bench.formats.objfile import read_obj

    where = source.where(name)
    found = mesh_findings(read_obj(source.read(name), where), where)
    yield from (finding for finding in found if finding.level != "note")  # one a file is too many


def _check_map(source: RawSource, name: str) -> Iterator[Finding]:
    from prn_bench.readers.posmap import map_of

    where = source.where(name)
    try:
        missing = map_of(read_npy(source.read(name), where), where, scale=None) is None
    except BenchError as error:
        if error.code != "scale-needed":
            raise
        yield replace(Finding.from_error(error), level="note")  # no fault: the import asks for it
        return
    if missing:
        yield Finding("warning", "no-prediction", where, "all values are NaN: no prediction")


def _by_reader(source: RawSource, kind: str) -> Iterator[Finding]:
    """What the reader says of the whole folder: its notes, or the first fault."""
    from prn_bench.readers import find_reader

    where = str(source.root)
    found = find_reader(kind)(source.root, frame="crop" if kind == "position-map" else None)
    words = (
        f"a method's output, {len(found.sample_ids)} samples; `prn-bench import {kind}` reads it"
    )
    words += ", or that of 2dasl or synergynet" * (kind == "3ddfa")  # files alike
    yield Finding("note", "method-output", where, words)
    for words in found.method.get("notes", ()):
        yield Finding("note", "reader-note", where, str(words))


def _matlab_kind(source: RawSource, name: str) -> str | None:
    """The reader for a folder whose first .mat file is this one, where it is no annotation."""
    try:
        fields = set(read_mat(source.read(name), source.where(name)))
    except BenchError:
        return None  # the recipes say what is wrong with it
    if fields & RAW_FIELDS:
        return None
    return "3ddfa" if "vertex" in fields else "prnet" if fields >= PRNET_FIELDS else None


def _has_map_shape(source: RawSource, name: str) -> bool:
    try:
        shape = read_npy(source.read(name), source.where(name)).shape
    except BenchError:
        return False
    return sorted(n for n in shape if n != 1) == [MAP_CHANNELS, MAP_SIDE, MAP_SIDE]


def _is_map(source: RawSource, name: str) -> bool:
    """Whether a picture holds positions: red and green grow smoothly over the face."""
    from prn_bench.images import load_image, open_image

    where = source.where(name)
    try:
        picture = open_image(source.read(name), where)
        if picture.size != (MAP_SIDE, MAP_SIDE):
            return False
        pixels = np.asarray(load_image(picture, where), np.float64)
    except BenchError:
        return False
    face = pixels.any(-1)
    y, x = np.nonzero(face) / np.array(MAP_SIDE)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)
    return all(_explained(terms, pixels[face][:, channel]) >= FIT for channel in (0, 1))


def _explained(terms: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """R2 of a least-squares fit; 0 for values that are all the same."""
    if len(values) <= terms.shape[1] or not np.ptp(values):
        return 0.0
    rest = values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
    return float(1 - rest.var() / values.var())
