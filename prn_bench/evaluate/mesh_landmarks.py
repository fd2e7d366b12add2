"""The 68 landmarks of predicted meshes, where the mesh is the dataset's own or its UV map's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

VERTICES, PIXELS, MASK = "uv/landmark_vertices", "uv/landmark_pixels", "uv/face_mask"
BLOCK = 64  # meshes read at once: 40 MB


def landmark_rows(predictions: Predictions, dataset: Dataset) -> NDArray[np.intp] | None:
    """(68,) rows of the predicted meshes that are the landmarks, or None where nobody can say.

    In the dataset's topology they are the vertices that its face model names, as 3DDFA and 2DASL take
    them; on a mesh of the face mask's pixels, those of the UV layout, as PRNet does.
    """
    topology, names = predictions.topology, dataset.names
    if "vertices" not in predictions.arrays or topology is None:
        return None
    if topology == dataset.attributes.get("topology") and VERTICES in names:
        return np.asarray(dataset.read(VERTICES), np.intp)
    if MASK not in names or PIXELS not in names:
        return None
    mask = np.asarray(dataset.read(MASK), bool)
    row, column = dataset.read(PIXELS).T
    if topology != f"prnet-{int(mask.sum())}" or not mask[row, column].all():
        return None
    order = np.cumsum(mask.reshape(-1)).reshape(mask.shape) - 1
    return np.asarray(order[row, column], np.intp)


def mesh_landmarks(
    predictions: Predictions, dataset: Dataset, own_rows: NDArray[np.intp]
) -> NDArray[np.float64] | None:
    """(n, 68, 3) landmarks of some rows of the predictions, frame of the meshes; None as above."""
    chosen = landmark_rows(predictions, dataset)
    if chosen is None:
        return None
    vertices = predictions.arrays["vertices"]
    blocks = [
        np.asarray(vertices[own_rows[start : start + BLOCK]], np.float64)[:, chosen]
        for start in range(0, len(own_rows), BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.zeros((0, 68, 3))
