"""From two files to a scene: rows joined by id, and the 68 points of whatever was predicted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose.scene import Rows, Scene, read_spaces
from prn_bench.errors import BenchError
from prn_bench.evaluate.mesh_landmarks import mesh_landmarks
from prn_bench.evaluate.reference import read_reference
from prn_bench.protocol import Protocol
from prn_bench.uvmap import decode_maps

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

Array = NDArray[np.float64]

BLOCK = 64  # samples of dense arrays read at once


def join(predictions: Predictions, dataset: Dataset) -> tuple[Rows, Rows]:
    """Rows of the predictions that the dataset knows, and its rows for them.

    Raises
    ------
    BenchError
        ``unknown-ids`` when it knows none, ``duplicate-ids``.
    """
    ids = [str(name) for name in predictions.sample_ids]
    row_of = {str(name): row for row, name in enumerate(dataset.sample_ids)}
    if len(set(ids)) < len(ids):
        raise BenchError(
            "sample ids occur more than once", code="duplicate-ids", where=predictions.path
        )
    own = np.array([row for row, name in enumerate(ids) if name in row_of], np.intp)
    if not len(own):
        raise BenchError(
            "none of the sample ids is in the dataset",
            code="unknown-ids",
            where=predictions.path,
            expected=f"ids like {', '.join(map(str, dataset.sample_ids[:2]))}",
            found=", ".join(ids[:2]) or "no id",
            remedy="`prn-bench import` matches names such as image00002.jpg.",
        )
    return own, np.array([row_of[ids[row]] for row in own], np.intp)


def read_scene(
    predictions: Predictions, dataset: Dataset, protocol: Protocol, own: Rows, rows: Rows
) -> Scene:
    """The 68 points of both sides in the image frame's terms.

    Parameters
    ----------
    predictions, dataset : Predictions, Dataset
    protocol : Protocol
        Of 68 landmarks; its normaliser and reference are used.
    own, rows : (n,) int
        See :func:`join`.

    Raises
    ------
    BenchError
        ``no-landmarks``, ``dataset-lacks``, and those of
        :func:`prn_bench.evaluate.reference.read_reference`.
    """
    reference = read_reference(dataset, protocol)
    points = _reference_points(dataset, protocol)[rows]
    with_shift = protocol.z_rule != "min-mesh"  # that rule compares z as the network gives it
    if reference.mesh_min is not None:
        points = points - reference.mesh_min[rows, None, None] * [0.0, 0.0, 1.0]
    return Scene(
        np.asarray(predictions.sample_ids)[own],
        rows,
        read_landmarks(predictions, dataset, own),
        predictions.frame,
        points,
        reference.scale_px[rows],
        read_spaces(dataset, rows, with_z_shift=with_shift),
    )


def _reference_points(dataset: Dataset, protocol: Protocol) -> Array:
    """(n, 68, 3) in the image frame: of the original annotation, whose frame is known from the fits."""
    rules = replace(protocol, annotation="original", reference_frame="image", dims=3)
    return read_reference(dataset, rules).points


def read_landmarks(predictions: Predictions, dataset: Dataset, own: Rows) -> Array:
    """The 68 points of some rows as the file has them: its frame, unit and axes.

    Returns
    -------
    (n, 68, 2|3) float64
        NaN for a sample without a prediction, or with one that is not finite throughout.

    Raises
    ------
    BenchError
        ``no-landmarks`` when nothing in the file is known to hold them.
    """
    arrays = predictions.arrays
    if "landmarks" in arrays:
        points = np.asarray(arrays["landmarks"])[own].astype(np.float64)
    elif "position_map" in arrays and "uv/landmark_pixels" in dataset.names:
        points = _at_pixels(predictions, own, [tuple(dataset.read("uv/landmark_pixels").T)])[0]
    else:
        known = mesh_landmarks(predictions, dataset, own, {})  # as a score reads them
        if known is None:
            raise _no_landmarks(predictions)
        points = known
    points[~np.isfinite(points).all((1, 2))] = np.nan
    return points


def map_variants(
    predictions: Predictions, dataset: Dataset, own: Rows
) -> list[tuple[str, str, Array]]:
    """Position maps that lie otherwise on the UV square: cause, remedy, and their 68 points."""
    names = predictions.arrays
    if "landmarks" in names or "position_map" not in names:
        return []
    row, column = dataset.read("uv/landmark_pixels").T
    last = names["position_map"].shape[-1] - 1
    places = {
        "rows and columns of the maps exchanged": (column, row),
        "the maps turned upside down": (last - row, column),
        "the maps mirrored from left to right": (row, last - column),
    }
    remedy = "Write the maps as (3, rows, columns), row 0 at the top of the UV square."
    found = _at_pixels(predictions, own, list(places.values()))
    return [(cause, remedy, points) for cause, points in zip(places, found, strict=True)]


def _at_pixels(
    predictions: Predictions, own: Rows, places: list[tuple[NDArray, ...]]
) -> list[Array]:
    """(n, 68, 3) values of maps at each list of (rows, columns)."""
    parts: list[list[NDArray]] = [[] for _ in places]
    for maps in _blocks(predictions, "position_map", own):
        for part, (row, column) in zip(parts, places, strict=True):
            part.append(maps[:, :, row, column])
    whole = [np.concatenate(part).swapaxes(1, 2) for part in parts]
    return [
        np.array(decode_maps(one) if one.dtype == np.uint16 else one, np.float64) for one in whole
    ]


def _blocks(predictions: Predictions, name: str, own: Rows) -> Iterator[NDArray]:
    """Some rows of a dense array, a few at a time."""
    values = predictions.arrays[name]
    return (np.asarray(values[own[i : i + BLOCK]]) for i in range(0, len(own), BLOCK))


def _no_landmarks(predictions: Predictions) -> BenchError:
    return BenchError(
        "the 68 landmarks of these predictions are not known, so there is nothing to compare",
        code="no-landmarks",
        where=predictions.path,
        found=", ".join(sorted(predictions.arrays)),
        remedy="Write landmarks (n, 68, 2 or 3) too; position maps and meshes need a dataset that was "
        "built with a face model of their own layout.",
    )
