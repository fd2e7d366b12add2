"""The loss: squared distance at every UV pixel, weighted by the region of the face it lies in."""

from __future__ import annotations

from torch import Tensor

from reference_model.network import MAX_POSITION_PX


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
