"""Predictions as clouds of points, whatever they are: meshes of any topology, or position maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, Finding
from prn_bench.geometry import apply_affine, crop_affine, invert_affine
from prn_bench.topology import UNORDERED
from prn_bench.uvmap import decode_maps

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.evaluate.inputs import ScoreInputs
    from prn_bench.predictions import Predictions

Values = NDArray[np.float64]


@dataclass(frozen=True)
class PredictedClouds:
    """One cloud a sample, image frame.

    Attributes
    ----------
    predictions : Predictions
    dataset : Dataset
        For crops, and for the face mask of position maps.
    inputs : ScoreInputs
        Its face model's mask serves where the dataset has none.
    """

    predictions: Predictions
    dataset: Dataset
    inputs: ScoreInputs

    def __post_init__(self) -> None:
        """Fail before the work, not in it."""
        if not {"vertices", "position_map"} & set(self.predictions.arrays):
            raise BenchError(
                "these predictions hold no surface",
                code="no-clouds",
                where=self.predictions.path,
                found=", ".join(sorted(self.predictions.arrays)),
                remedy="Import the method's meshes or position maps (prn-bench import).",
            )

    def points(self, row: int, own_row: int) -> Values:
        """(n, 3) float64 of one sample: row of the dataset, row of the predictions."""
        predictions = self.predictions
        if "vertices" not in predictions.arrays:
            values = np.asarray(predictions.arrays["position_map"][[own_row]])[0]
            maps = decode_maps(values) if values.dtype == np.uint16 else values
            points = maps.reshape(3, -1)[:, self._mask().reshape(-1)].T.astype(np.float64)
        elif predictions.topology == UNORDERED:
            points = predictions.mesh(own_row)[0]
        else:
            points = np.asarray(predictions.arrays["vertices"][[own_row]], np.float64)[0]
        return self._to_image(points, row)

    def landmarks(self, row: int, own_row: int) -> Values | None:
        """(68, 3) float64 of one sample, where the predictions have them with z."""
        found = self.predictions.arrays.get("landmarks")
        if found is None or found.shape[-1] != 3:
            return None
        points = np.asarray(found[[own_row]], np.float64)[0]
        return self._to_image(points, row) if np.isfinite(points).all() else None

    def findings(self, where: str) -> Iterator[Finding]:
        """What a reader of the figures should know."""
        on_maps = "vertices" not in self.predictions.arrays
        if on_maps and self.inputs.model is None and "uv/face_mask" not in self.dataset.names:
            words = (
                "the whole position map counts, neck and ears too: nothing says where its face is"
            )
            remedy = "Give --face-model FM.h5 of the maps' layout."
            yield Finding("warning", "no-face-mask", where, words, remedy)

    def _mask(self) -> NDArray[np.bool_]:
        model = self.inputs.model
        if model is not None and model.uv_layout.face_mask is not None:
            return model.uv_layout.face_mask
        if "uv/face_mask" in self.dataset.names:
            return np.asarray(self.dataset.read("uv/face_mask"), bool)
        return np.ones(self.predictions.arrays["position_map"].shape[-2:], bool)

    def _to_image(self, points: Values, row: int) -> Values:
        if self.predictions.frame != "crop" or not len(points):
            return points
        names = self.dataset.names
        shift = self.dataset.read("z_shift", [row])[0] if "z_shift" in names else 0.0
        affine = invert_affine(crop_affine(self.dataset.read("crop", [row])[0], shift))
        return apply_affine(affine, points)
