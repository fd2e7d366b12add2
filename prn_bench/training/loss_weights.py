"""Weights of the regions of the face in a loss over the UV pixels, in the ratios of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from prn_bench.dataset import Dataset
from prn_bench.errors import BenchError

#: Weights of 68 landmarks : eyes, nose, mouth : face : neck and ears (arXiv 1803.07835, section 4.5).
WEIGHT_RATIOS: Mapping[str, tuple[int, int, int, int]] = MappingProxyType(
    {"1:1:1:1": (1, 1, 1, 1), "1:1:1:0": (1, 1, 1, 0), "16:4:3:0": (16, 4, 3, 0)}
)
PAPER_RATIO = "16:4:3:0"


def region_weights(
    stored: NDArray[np.integer], ratio: str = PAPER_RATIO, *, where: str = ""
) -> NDArray[np.float32]:
    """(n, n) float32 weights of the UV pixels in one of the paper's ratios.

    ``stored`` is (n, n) ``uv/region_weights`` of the dataset ``where``: 16, 4, 3 and 0, which name the
    regions. Raises BenchError ``unknown-ratio``, ``bad-region-weights``.
    """
    if ratio not in WEIGHT_RATIOS:
        what, known = "no such ratio of loss weights", " or ".join(WEIGHT_RATIOS)
        raise BenchError(what, code="unknown-ratio", expected=known, found=ratio)
    regions = WEIGHT_RATIOS[PAPER_RATIO]
    if not np.isin(stored, regions).all():
        raise BenchError(
            "the loss weights of this dataset do not name the regions of the face",
            code="bad-region-weights",
            where=where or None,
            expected="16, 4, 3 and 0 in uv/region_weights",
            found=", ".join(map(str, np.unique(stored)[:8])),
            remedy="Build the dataset again.",
        )
    weights = np.zeros(stored.shape, np.float32)
    for region, weight in zip(regions, WEIGHT_RATIOS[ratio], strict=True):
        weights[stored == region] = weight
    return weights


def dataset_weights(
    dataset: Dataset, side_px: int, ratio: str = PAPER_RATIO
) -> NDArray[np.float32]:
    """(side, side) float32 weights of the UV pixels; a smaller map keeps its 68 landmark pixels.

    Raises BenchError as :func:`region_weights`, and ``dataset-lacks``.
    """
    stored, landmarks = dataset.read("uv/region_weights"), dataset.read("uv/landmark_pixels")
    last = len(stored) - 1
    nearest = np.rint(np.linspace(0, last, side_px)).astype(int)
    small = stored[np.ix_(nearest, nearest)]
    rows, columns = np.rint(landmarks * ((side_px - 1) / last)).astype(int).T
    small[rows, columns] = stored[tuple(landmarks.T)]
    return region_weights(small, ratio, where=str(dataset.path))
