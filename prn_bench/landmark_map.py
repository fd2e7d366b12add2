"""Landmark maps: which points of one set stand for the points of another.

A method that predicts 68 landmarks can be scored on AFLW-LFPA's 34 points only through such a map.
Nobody has published one, so the map is an explicit file, its known part is built in, and the rest can
be fitted to annotations (:func:`fit_landmark_map`). The hash of a map's content goes with a score.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats import sniff
from prn_bench.formats.texts import parse_toml
from prn_bench.landmarks import POINT_SETS, GroupFit, aflw21_groups, fit_groups
from prn_bench.store import atomic_path

UNKNOWN = "unknown"
MAX_BYTES = 4 << 20
MAX_POINTS, MAX_FROM = 10_000, 10_000_000
MAX_WEIGHT, WEIGHT_TOLERANCE = 1e3, 1e-6
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
REQUIRED, OPTIONAL = {"name", "source", "from", "to", "points"}, {"from_size", "weights"}

Group = tuple[int, ...] | None  # None: nobody knows
Weights = tuple[float, ...] | None  # None: all alike


@dataclass(frozen=True)
class LandmarkMap:
    """Points of one set as weighted means of points of another.

    Attributes
    ----------
    name, source : str
        ``source`` says who stated it, or how it was fitted.
    from_set, to_set : str
        Names of the sets: one of ``landmarks.POINT_SETS``, or a mesh topology.
    from_size : int
        Points of ``from_set``.
    groups : tuple of (tuple of int, or None)
        For each point of ``to_set`` the 0-based points of ``from_set``; None where unknown.
    weights : tuple of (tuple of float, or None)
        Beside each group: weights that sum to 1, or None for a plain mean.
    """

    name: str
    source: str
    from_set: str
    to_set: str
    from_size: int
    groups: tuple[Group, ...]
    weights: tuple[Weights, ...]

    @property
    def known(self) -> NDArray[np.bool_]:
        """(k,) bool: points of ``to_set`` that the map gives."""
        return np.array([group is not None for group in self.groups])

    @property
    def sha256(self) -> str:
        """Digest of what decides a number: sets, groups and weights; name and source are prose."""
        content = [self.from_set, self.to_set, self.from_size, self.groups, self.weights]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """The points of ``to_set``.

        Parameters
        ----------
        points : (..., from_size, d) float
            Any frame.

        Returns
        -------
        (..., k, d) float64
            Same frame; NaN where the map does not know the point.

        Raises
        ------
        ValueError
            For another number of points.
        """
        points = np.asarray(points)
        if points.ndim < 2 or points.shape[-2] != self.from_size:
            raise ValueError(f"points must be (..., {self.from_size}, d), got {points.shape}")
        mapped = np.full((*points.shape[:-2], len(self.groups), points.shape[-1]), np.nan)
        for k, (group, weights) in enumerate(zip(self.groups, self.weights, strict=True)):
            if group is not None:
                chosen = points[..., list(group), :].astype(np.float64)
                mapped[..., k, :] = (
                    chosen.mean(-2) if weights is None else np.einsum("...gd,g", chosen, weights)
                )
        return mapped


def built_in_landmark_maps() -> dict[str, LandmarkMap]:
    """The maps that need no file, by name.

    ``aflw21-3ddfa``: 68 to AFLW-LFPA's 34 points. The first 21 are AFLW's own and follow 3DDFA's
    groups; which points the other 13 are is published nowhere.

    References
    ----------
    3DDFA, benchmark_aflw.py, calc_nme, ind_68to21.
    """
    groups = (*aflw21_groups(), *(None,) * 13)
    source = "3DDFA benchmark_aflw.py, ind_68to21, for points 1 to 21; 22 to 34 are unpublished"
    known = LandmarkMap("aflw21-3ddfa", source, "68", "aflw-lfpa-34", 68, groups, (None,) * 34)
    return {known.name: known}


def load_landmark_map(name: str | Path) -> LandmarkMap:
    """A built-in map by name, or the map in a ``.toml`` file.

    Raises
    ------
    BenchError
        ``unknown-landmark-map``; for files ``unreadable``, ``landmark-map-file`` (not TOML),
        ``landmark-map-key`` for keys that are unknown or missing, and ``landmark-map-value``.
    """
    if not str(name).endswith(".toml"):
        maps = built_in_landmark_maps()
        if str(name) not in maps:
            raise BenchError(
                f"no landmark map is called {str(name)!r}",
                code="unknown-landmark-map",
                expected=f"a .toml file or {', '.join(maps)}",
            )
        return maps[str(name)]
    path = Path(name)
    try:
        table = parse_toml(sniff.read_bytes(path, path, MAX_BYTES))
    except ValueError as error:
        raise BenchError(
            f"this is not TOML ({error})", code="landmark-map-file", where=path
        ) from None
    return landmark_map_from_dict(table, where=path)


def save_landmark_map(landmark_map: LandmarkMap, path: str | Path) -> None:
    """Write a map as a ``.toml`` file that :func:`load_landmark_map` reads back to the last bit.

    Raises
    ------
    BenchError
        ``landmark-map-value`` for a map that no file can hold, ``no-such-folder``, ``cannot-write``.
    """
    m = landmark_map
    rows: list[Any] = [UNKNOWN if group is None else list(group) for group in m.groups]
    table = {"name": m.name, "source": m.source, "from": m.from_set, "from_size": m.from_size}
    table |= {"to": m.to_set, "points": rows}
    if any(weights is not None for weights in m.weights):
        table["weights"] = [list(weights or ()) for weights in m.weights]
    landmark_map_from_dict(table, where=path)
    lines = [f"{key} = {_toml(value)}\n" for key, value in table.items()]
    with atomic_path(path) as part:
        part.write_text("".join(lines), encoding="utf-8")


def fit_landmark_map(
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    visible: NDArray[np.bool_],
    *,
    name: str,
    from_set: str,
    to_set: str = "aflw-lfpa-34",
    data: str = "annotations at hand",
    keep: LandmarkMap | None = None,
    **options: Any,
) -> tuple[LandmarkMap, GroupFit]:
    """A map fitted to annotations: see :func:`prn_bench.landmarks.fit_groups`, which takes ``options``.

    Fit on images that are not scored, such as the training half.

    Parameters
    ----------
    predicted : (n, v, 2 or 3) float, image frame, px
        68 landmarks, or the vertices of fitted meshes.
    annotated : (n, k, 2) float
    visible : (n, k) bool
    name, from_set, to_set, data : str
        As in :class:`LandmarkMap`; ``data``, what it was fitted to, enters ``source``.
    keep : LandmarkMap, optional
        Its known points are kept and measured; only the others are fitted.

    Returns
    -------
    LandmarkMap, GroupFit
        The fit has the residual and the number of samples of each point.
    """
    if keep is not None and keep.from_size != predicted.shape[1]:
        raise ValueError(f"the map to keep takes {keep.from_size} points, got {predicted.shape[1]}")
    kept = [] if keep is None else list(zip(keep.groups, keep.weights, strict=True))
    fit = fit_groups(predicted, annotated, visible, keep=kept, **options)
    source = f"least squares over {len(annotated)} images, {data}"
    source += "" if keep is None else f"; points known to {keep.name} kept"
    sizes = (from_set, to_set, int(predicted.shape[1]))
    return LandmarkMap(name, source, *sizes, fit.groups, fit.weights), fit


def landmark_map_from_dict(table: dict[str, Any], *, where: str | Path) -> LandmarkMap:
    """Check the content of a map file.

    Parameters
    ----------
    table : dict
        ``name``, ``source``, ``from``, ``to`` (text), ``points`` (for each target point a list of
        0-based points, or ``"unknown"``); ``from_size`` where ``from`` is not a named set; ``weights``
        (lists beside ``points``, an empty one for a plain mean).
    where : str or Path
        For messages.

    Raises
    ------
    BenchError
        ``landmark-map-key``, ``landmark-map-value``.
    """
    keys = set(table)
    if not REQUIRED <= keys <= REQUIRED | OPTIONAL:
        raise BenchError(
            "the keys of this landmark map are not the expected ones",
            code="landmark-map-key",
            where=where,
            expected=", ".join(sorted(REQUIRED)) + f"; at will {', '.join(sorted(OPTIONAL))}",
            found=", ".join(sorted(keys)),
        )
    for key in ("name", "from", "to"):
        _need(isinstance(table[key], str) and NAME.fullmatch(table[key]), where, key, table[key])
    _need(isinstance(table["source"], str) and table["source"].isprintable(), where, "source", "")
    size: Any = table.get("from_size", POINT_SETS.get(table["from"]))
    right = _is_index(size, MAX_FROM + 1) and POINT_SETS.get(table["from"], size) == size > 0
    _need(right, where, "from_size", size)
    groups = _groups(table, size, where)
    texts = (table["name"], table["source"], table["from"], table["to"])
    return LandmarkMap(*texts, size, groups, _weights(table.get("weights"), groups, where))


def _groups(table: dict[str, Any], size: int, where: str | Path) -> tuple[Group, ...]:
    points = table["points"]
    _need(isinstance(points, list) and 0 < len(points) <= MAX_POINTS, where, "points", points)
    n_wanted = POINT_SETS.get(table["to"], len(points))
    _need(len(points) == n_wanted, where, f"points (there are {n_wanted})", f"{len(points)} points")
    for k, group in enumerate(points):
        good = group == UNKNOWN or (
            isinstance(group, list)
            and len(group) > 0
            and all(_is_index(i, size) for i in group)
            and len(set(group)) == len(group)
        )
        words = f"points, entry {k + 1} ({UNKNOWN!r}, or different indices 0 to {size - 1})"
        _need(good, where, words, group)
    return tuple(None if group == UNKNOWN else tuple(group) for group in points)


def _weights(rows: Any, groups: Sequence[Group], where: str | Path) -> tuple[Weights, ...]:
    if rows is None:
        return (None,) * len(groups)
    _need(isinstance(rows, list) and len(rows) == len(groups), where, "weights", "another length")
    for k, (row, group) in enumerate(zip(rows, groups, strict=True)):
        good = row == [] or (
            isinstance(row, list)
            and len(row) == len(group or ())
            and all(type(w) in (int, float) and abs(w) <= MAX_WEIGHT for w in row)
            and abs(sum(row) - 1) <= WEIGHT_TOLERANCE
        )
        _need(good, where, f"weights, entry {k + 1} (one per point, sum 1; [] for a mean)", row)
    return tuple(tuple(float(w) for w in row) if row else None for row in rows)


def _is_index(value: Any, stop: int) -> bool:
    return type(value) is int and 0 <= value < stop


def _need(good: object, where: str | Path, key: str, found: object) -> None:
    if not good:
        raise BenchError(
            f"the landmark map has a value that cannot be: {key}",
            code="landmark-map-value",
            where=where,
            found=repr(found)[:100],
        )


def _toml(value: Any) -> str:
    """A value as TOML writes it: for text, numbers and lists that is JSON; one line per inner list."""
    if isinstance(value, list):
        return "[\n" + "".join(f"    {json.dumps(item)},\n" for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
