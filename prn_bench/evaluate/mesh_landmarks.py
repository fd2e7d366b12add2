"""The 68 landmarks of predicted meshes: the dataset's own, pixels of its UV map, or by an index map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.topology import load_index_map

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

VERTICES, PIXELS, MASK = "uv/landmark_vertices", "uv/landmark_pixels", "uv/face_mask"
BLOCK = 64  # meshes read at once: 40 MB

IndexMaps = Mapping[str, str | Path]
Corners = tuple[NDArray[np.intp], NDArray[np.float64]]


def landmark_corners(
    predictions: Predictions, dataset: Dataset, index_maps: IndexMaps
) -> Corners | None:
    """Vertices of the predicted meshes that make up each landmark, or None where nobody can say.

    In the dataset's topology they are the vertices that its face model names, as 3DDFA and 2DASL take
    them; on a mesh of the face mask's pixels, those of the UV layout, as PRNet does; on another mesh,
    the vertices that the user's index map gives for the face model's.

    Returns
    -------
    (68, k) intp and (68, k) float64, or None
        Vertices, and their weights.

    Raises
    ------
    BenchError
        Those of :func:`prn_bench.topology.load_index_map`.
    """
    topology, names = predictions.topology, dataset.names
    if "vertices" not in predictions.arrays or topology is None:
        return None
    if VERTICES in names:
        wanted = np.asarray(dataset.read(VERTICES), np.intp)
        if topology == dataset.attributes.get("topology"):
            return _single(wanted)
        if topology in index_maps:
            n_vertices = int(dataset.attributes["mesh_vertices"])
            chart = load_index_map(index_maps[topology], topology, n_vertices)
            found = chart.vertices[wanted], chart.weights[wanted]
            return found if chart.covered[wanted].all() else None
    if MASK not in names or PIXELS not in names:
        return None
    mask = np.asarray(dataset.read(MASK), bool)
    row, column = dataset.read(PIXELS).T
    if topology != f"prnet-{int(mask.sum())}" or not mask[row, column].all():
        return None
    order = np.cumsum(mask.reshape(-1)).reshape(mask.shape) - 1
    return _single(np.asarray(order[row, column], np.intp))


def _single(rows: NDArray[np.intp]) -> Corners:
    return rows[:, None], np.ones((len(rows), 1))


def mesh_landmarks(
    predictions: Predictions,
    dataset: Dataset,
    own_rows: NDArray[np.intp],
    index_maps: IndexMaps,
) -> NDArray[np.float64] | None:
    """(n, 68, 3) landmarks of some rows of the predictions, frame of the meshes; None as above."""
    found = landmark_corners(predictions, dataset, index_maps)
    if found is None:
        return None
    (corners, weights), vertices = found, predictions.arrays["vertices"]
    blocks = [
        np.asarray(vertices[own_rows[start : start + BLOCK]], np.float64)[:, corners]
        for start in range(0, len(own_rows), BLOCK)
    ]
    points = [(block * weights[..., None]).sum(2) for block in blocks]
    return np.concatenate(points) if points else np.zeros((0, 68, 3))
