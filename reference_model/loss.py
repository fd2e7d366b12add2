"""The loss: squared distance at every UV pixel, weighted by the region of the face it lies in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from prn_bench.errors import BenchError
from reference_model.network import MAX_POSITION_PX

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


def weighted_loss(predicted: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of the squared distance over UV pixels and samples; z counts like x and y.

    Position maps are (b, 3, n, n) in crop pixels, the weights (n, n); only their ratios matter. The
    loss is in units of the sigmoid: 1 is a distance of 281.6 pixels, see :func:`rms_px`. The paper
    prints an unsquared norm where its words say "mean squared error"; we follow the words.
    """
    difference = (predicted.float() - target.float()) / MAX_POSITION_PX
    return (difference.square().sum(1) * weights).mean(0).sum() / weights.sum()


def rms_px(loss: float) -> float:
    """The weighted RMS distance in crop pixels that a loss stands for."""
    return MAX_POSITION_PX * loss**0.5
