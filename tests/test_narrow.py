"""Convolutions of few channels: what trains on a CPU computes what evaluates, gradients too."""

import pytest

torch = pytest.importorskip("torch", reason="the reference network needs PyTorch")
from prn_bench.training import narrow  # noqa: E402
from reference_model.network import SameConv2d, SameConvTranspose2d  # noqa: E402

LAYERS = {
    "1 x 1": lambda: SameConv2d(6, 5, 1),
    "1 x 1, stride 2": lambda: SameConv2d(6, 12, 1, 2),
    "transposed": lambda: SameConvTranspose2d(6, 3),
    "transposed, equal": lambda: SameConvTranspose2d(3, 3),
}


def passed(layer, images):
    """Output, and gradients of its sum of squares by images and kernel."""
    images = images.clone().requires_grad_()
    output = layer(images)
    return [output, *torch.autograd.grad(output.square().sum(), [images, layer.weight])]


@pytest.mark.parametrize("name", LAYERS)
def test_the_fast_way_gives_the_same(name, monkeypatch) -> None:
    """To the rounding of float32; evaluation, and other devices, take PyTorch's own way."""
    torch.manual_seed(0)
    layer = LAYERS[name]()
    images = torch.rand(2, layer.in_channels, 8, 8)
    fast, slow = passed(layer.train(), images), passed(layer.eval(), images)
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert narrow.is_slow(images, layer.weight)
    assert not narrow.is_slow(images.to("meta"), layer.weight)


def test_many_channels_are_left_to_pytorch() -> None:
    """There oneDNN is the faster one."""
    assert not narrow.is_slow(torch.rand(2, 8, 4, 4), torch.rand(8, 8, 1, 1))
