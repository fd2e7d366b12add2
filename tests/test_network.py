"""The network: TensorFlow's arithmetic layer by layer, the paper's size, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the reference network needs PyTorch")
from prn_bench.training.prnet_weights import tf_name  # noqa: E402
from reference_model import network as net  # noqa: E402
from reference_model.weights import import_tf, load_checkpoint  # noqa: E402
from tests.regenerate_tf_golden import GOLDEN, PIXELS, pictures  # noqa: E402

LAYERS = {
    "conv_1": lambda: net.SameConv2d(4, 5, 4),
    "conv_2": lambda: net.SameConv2d(4, 5, 4, 2),
    "conv_point_2": lambda: net.SameConv2d(4, 5, 1, 2),
    "transpose_1": lambda: net.SameConvTranspose2d(4, 5),
    "transpose_2": lambda: net.SameConvTranspose2d(4, 5, 2),
    "norm": lambda: torch.nn.BatchNorm2d(4, net.BATCH_NORM_EPSILON),
    "norm_training": lambda: torch.nn.BatchNorm2d(
        4, net.BATCH_NORM_EPSILON, 1 - net.BATCH_NORM_DECAY
    ),
    "block_1": lambda: net.ResidualBlock(4, 4, 1),
    "block_2": lambda: net.ResidualBlock(4, 8, 2),
}

ROOT = Path(net.__file__).parent
LINES = 900  # what one person reads in one sitting; it may fall


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two cores are shared by many tests."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    """What TensorFlow computed."""
    with np.load(GOLDEN / "tf_layers.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def names_in_tensorflow(layer: Any) -> dict[str, str]:
    """TensorFlow's name of each tensor of a single layer, by ours."""
    found = {}
    for name in layer.state_dict():
        if name.endswith("num_batches_tracked"):
            continue
        if isinstance(layer, net.ResidualBlock):
            found[name] = tf_name(f"blocks.0.{name}").removeprefix("resfcn256/")
        elif isinstance(layer, torch.nn.BatchNorm2d):
            found[name] = tf_name(f"first.norm.{name}").removeprefix("resfcn256/Conv/")
        else:
            prefix = "Conv2d_transpose/" if isinstance(layer, net.SameConvTranspose2d) else "Conv/"
            found[name] = prefix + "weights"
    return found


def planar(values: np.ndarray) -> Any:
    """TensorFlow's (b, h, w, c), or a kernel, in PyTorch's order."""
    if values.ndim != 4:
        return torch.from_numpy(values)
    return torch.from_numpy(values.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_computes_what_tensorflow_does(kind: str, golden: dict[str, np.ndarray]) -> None:
    """Every kind of layer is within 1e-5 of TF-slim: padding, cutting, epsilon and order of steps."""
    layer = LAYERS[kind]().train(kind == "norm_training")
    names = names_in_tensorflow(layer)
    variables = {key for key in golden if key.startswith(f"{kind}/variables/")}
    assert variables == {f"{kind}/variables/{name}" for name in names.values()}
    for ours, theirs in names.items():
        values = torch.from_numpy(golden[f"{kind}/variables/{theirs}"])
        tensor = layer.state_dict()[ours]
        tensor.copy_(values.permute(3, 2, 0, 1) if values.ndim == 4 else values)
    with torch.no_grad():
        found = layer(planar(golden[f"{kind}/input"]))
    expected = planar(golden[f"{kind}/output"])
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    if kind == "norm_training":  # running statistics move by the same step, unbiased as there
        for ours, theirs in names.items():
            after = torch.from_numpy(golden[f"{kind}/after/{theirs}"])
            torch.testing.assert_close(layer.state_dict()[ours], after, atol=1e-6, rtol=0)


def test_the_whole_network_computes_what_tensorflow_does(tmp_path: Path) -> None:
    """A TensorFlow checkpoint, imported, gives its outputs at corners and inside, at 256 px."""
    import_tf(GOLDEN / "tf_network.index", tmp_path / "model")
    network, _ = load_checkpoint(tmp_path / "model")
    with torch.no_grad():
        maps = network(planar(pictures())).numpy() / net.MAX_POSITION_PX
    expected = np.load(GOLDEN / "tf_network_output.npy", allow_pickle=False)
    found = maps[:, :, PIXELS][..., PIXELS].transpose(0, 2, 3, 1)
    assert np.abs(found - expected).max() <= 1e-5
    # Pictures and pixels differ, or agreement would mean nothing.
    assert np.ptp(expected, 0).max((0, 1)).min() > 0.05
    assert np.ptp(expected, (1, 2)).min() > 0.05


def test_size_of_the_paper() -> None:
    """13.35 million parameters, one convolution, ten blocks, seventeen transposed convolutions."""
    with torch.device("meta"):
        network = net.PRN()
    assert sum(p.numel() for p in network.parameters()) == 13_353_618
    assert len(network.blocks) == 10
    transposed = [m for m in network.modules() if isinstance(m, net.SameConvTranspose2d)]
    assert len(transposed) == 17
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {(m.eps, round(m.momentum, 6)) for m in norms} == {(0.001, 0.001)}


@pytest.mark.parametrize("side", [32, 96])
def test_any_multiple_of_32_goes_through(side: int) -> None:
    """Small variants take small images, and their maps stay within 0 to 281.6 pixels."""
    maps = net.PRN(1)(torch.rand(2, 3, side, side)).detach()
    assert maps.shape == (2, 3, side, side)
    assert float(maps.min()) >= 0
    assert float(maps.max()) <= 256 * 1.1


def test_misuse_is_refused() -> None:
    """An image side that cannot be halved five times, and a network without channels."""
    with pytest.raises(ValueError, match="multiples of 32"):
        net.PRN(1)(torch.zeros(1, 3, 100, 100))
    with pytest.raises(ValueError, match="at least 1"):
        net.PRN(0)


def test_positions_stay_fine_under_bfloat16() -> None:
    """Autocast changes a map by less than a pixel, and never makes it coarser than float32."""
    torch.manual_seed(0)
    network = net.PRN(2).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = network(images)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(images)
    assert found.dtype == torch.float32
    assert not torch.equal(found, found.bfloat16().float())
    assert float((found - expected).abs().max()) < 1


def test_gradients_reach_every_parameter() -> None:
    """One backward pass leaves a finite gradient on all of them."""
    network = net.PRN(2)
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())
    assert any(float(p.grad.abs().sum()) > 0 for p in network.first.parameters())


def test_it_can_be_read_in_one_sitting() -> None:
    """All of reference_model, blank lines and docstrings included."""
    counts = {path.name: len(path.read_text("utf-8").splitlines()) for path in ROOT.glob("*.py")}
    assert sum(counts.values()) <= LINES, counts
