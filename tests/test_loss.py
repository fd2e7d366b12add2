"""The loss: its regions, the three ratios of the ablation, and its value by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the reference network needs PyTorch")
from prn_bench.errors import BenchError  # noqa: E402
from prn_bench.training.loss_weights import WEIGHT_RATIOS, region_weights  # noqa: E402
from reference_model.loss import rms_px, weighted_loss  # noqa: E402


def test_value_by_hand() -> None:
    """Two pixels, weights 3 and 1: the mean of squared distances, in units of 281.6 pixels."""
    predicted, target = torch.zeros(1, 3, 1, 2), torch.zeros(1, 3, 1, 2)
    predicted[0, :, 0, 0] = torch.tensor([2.0, 3.0, 6.0])  # 7 px away
    target[0, :, 0, 1] = torch.tensor([0.0, 0.0, 5.0])  # 5 px away, in z alone
    loss = float(weighted_loss(predicted, target, torch.tensor([[3.0, 1.0]])))
    assert loss == pytest.approx((3 * 49 + 25) / 4 / 281.6**2)
    assert rms_px(loss) == pytest.approx(np.sqrt((3 * 49 + 25) / 4))


def test_depth_counts_like_the_other_axes() -> None:
    """The same difference in x, y or z gives the same loss."""
    target = torch.rand(2, 3, 4, 4)
    losses = []
    for axis in range(3):
        predicted = target.clone()
        predicted[:, axis] += 1
        losses.append(float(weighted_loss(predicted, target, torch.ones(4, 4))))
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


def test_only_the_ratios_of_weights_matter() -> None:
    """Ten times the weights is the same loss, and a batch of copies is that of one sample."""
    predicted, target, weights = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4), torch.rand(4, 4)
    once = float(weighted_loss(predicted, target, weights))
    assert float(weighted_loss(predicted, target, 10 * weights)) == pytest.approx(once)
    copies = (values.expand(5, -1, -1, -1) for values in (predicted, target))
    assert float(weighted_loss(*copies, weights)) == pytest.approx(once)


def test_a_pixel_of_weight_zero_gets_no_gradient() -> None:
    """The neck does not teach the network."""
    predicted = torch.rand(1, 3, 1, 2, requires_grad=True)
    weighted_loss(predicted, torch.zeros(1, 3, 1, 2), torch.tensor([[0.0, 2.0]])).backward()
    assert predicted.grad is not None
    assert float(predicted.grad[..., 0].abs().sum()) == 0
    assert float(predicted.grad[..., 1].abs().min()) > 0


@pytest.mark.parametrize("ratio", WEIGHT_RATIOS)
def test_the_ratios_of_the_ablation(ratio: str) -> None:
    """Each region of the stored weights takes its number of the ratio."""
    stored = np.array([[16, 4], [3, 0]], np.uint8)
    expected = np.array([int(part) for part in ratio.split(":")]).reshape(2, 2)
    found = region_weights(stored, ratio)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_the_regions_of_a_layout(face_model: Any) -> None:
    """68 pixels of weight 16 where the landmarks are, nothing outside the face."""
    layout = face_model.uv_layout
    weights = region_weights(layout.region_weights)
    assert (weights == 16).sum() == len(np.unique(layout.landmark_pixels, axis=0)) == 68
    assert (weights[tuple(layout.landmark_pixels.T)] == 16).all()
    outside = ~layout.face_mask
    outside[tuple(layout.landmark_pixels.T)] = False
    assert (weights[outside] == 0).all()
    assert {*np.unique(weights)} == {0, 3, 4, 16}


def test_what_cannot_be_used_is_named() -> None:
    """An unknown ratio, and a weight mask such as PRNet's own picture of 8 bits."""
    with pytest.raises(BenchError) as error:
        region_weights(np.zeros((2, 2), np.uint8), "16:4:3")
    assert error.value.code == "unknown-ratio"
    with pytest.raises(BenchError) as error:
        region_weights(np.array([[255, 48], [64, 0]], np.uint8), where="d.h5")
    assert error.value.code == "bad-region-weights"
    assert "d.h5" in str(error.value)
