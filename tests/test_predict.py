"""Predicting a dataset: whole, in its order, in the declared frame, and scored like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the reference network needs PyTorch")
from prn_bench import open_predictions  # noqa: E402
from prn_bench.errors import BenchError  # noqa: E402
from prn_bench.training.devices import choose_device  # noqa: E402
from prn_bench.uvmap import MAP_SCALE_PX  # noqa: E402
from reference_model.network import PRN  # noqa: E402
from reference_model.predict import (  # noqa: E402
    network_input,
    predict,
    predict_maps,
)
from reference_model.weights import load_checkpoint, save_checkpoint  # noqa: E402
from tests.toy_prn import toy_checkpoint  # noqa: E402

SIDE = 64


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Two cores are shared by many tests."""
    torch.set_num_threads(1)


@pytest.fixture
def checkpoint(dataset: Any, tmp_path: Path) -> Path:
    """A checkpoint for the layout of the synthetic dataset."""
    toy_checkpoint(tmp_path / "model", dataset.attributes["uv_layout"], SIDE)
    return tmp_path / "model"


@pytest.mark.parametrize("suffix", [".h5", ".npz"])
def test_predictions_of_a_dataset(
    checkpoint: Path, dataset: Any, tmp_path: Path, suffix: str
) -> None:
    """Every sample has its own map, within half a step, and the landmarks are read from it."""
    (network, _), out, seen = load_checkpoint(checkpoint), tmp_path / f"p{suffix}", []
    predict(
        checkpoint, dataset.path, out, batch=5, device="cpu", progress=lambda *n: seen.append(n)
    )
    found = open_predictions(out)
    assert found.frame == "crop"
    assert found.sample_ids.tolist() == dataset.sample_ids.tolist()
    assert seen == [(5, 12), (10, 12), (12, 12)]
    rows, columns = dataset.read("uv/landmark_pixels").T
    for row in range(len(dataset)):
        expected = predict_maps(network, dataset.image(row)[None], SIDE)[0]
        maps = np.asarray(found.arrays["position_map"][row : row + 1])[0]
        assert np.abs(maps - expected).max() <= MAP_SCALE_PX / 2 + 1e-3
        landmarks = np.asarray(found.arrays["landmarks"][row : row + 1])[0]
        np.testing.assert_allclose(landmarks, expected[:, rows, columns].T, atol=1e-3)
    apart = np.diff(np.asarray(found.arrays["position_map"]), axis=0)
    assert np.abs(apart).max((1, 2, 3)).min() > 0.1  # or any order would do


def test_the_method_card(checkpoint: Path, dataset: Any, tmp_path: Path) -> None:
    """Name, terms, provenance, and the run time with what it is the time of."""
    predict(checkpoint, dataset.path, tmp_path / "p.h5", device="cpu")
    card = open_predictions(tmp_path / "p.h5").method
    assert card["name"] == "PRN (reference)"
    assert card["licence"] == "ours"
    assert card["training"] == {"seed": 0}
    assert card["runtime_ms"] > 0
    assert "batch 1, CPU, 1 threads" in card["runtime_of"]


def test_the_batch_changes_nothing(checkpoint: Path, dataset: Any, tmp_path: Path) -> None:
    """One at a time or all at once: the same maps to a step of the fixed point."""
    maps = []
    for batch in (1, 12):
        predict(checkpoint, dataset.path, tmp_path / "p.h5", batch=batch, device="cpu")
        maps.append(np.asarray(open_predictions(tmp_path / "p.h5").arrays["position_map"]))
    assert np.abs(maps[0] - maps[1]).max() <= 1.01 * MAP_SCALE_PX


def test_another_layout_is_refused(dataset: Any, tmp_path: Path) -> None:
    """A model of another UV layout would give landmarks of other places."""
    toy_checkpoint(tmp_path / "model", "bfm-256")
    with pytest.raises(BenchError) as error:
        predict(tmp_path / "model", dataset.path, tmp_path / "p.h5", device="cpu")
    assert error.value.code == "wrong-uv-layout"
    assert not (tmp_path / "p.h5").exists()


def test_a_broken_network_is_named(checkpoint: Path, dataset: Any, tmp_path: Path) -> None:
    """Finite weights whose result is none leave no file."""
    network, config = load_checkpoint(checkpoint)
    network.first.norm.running_var.fill_(-1)
    save_checkpoint(checkpoint, network, config)
    with pytest.raises(BenchError) as error:
        predict(checkpoint, dataset.path, tmp_path / "p.h5", device="cpu")
    assert error.value.code == "not-finite"
    assert not (tmp_path / "p.h5").exists()


def test_inputs_are_never_replaced(checkpoint: Path, dataset: Any) -> None:
    """Neither the dataset nor the weights can be the file to write."""
    for place in (dataset.path, checkpoint / "model.safetensors"):
        with pytest.raises(BenchError) as error:
            predict(checkpoint, dataset.path, place)
        assert error.value.code == "overwrites-input"


def test_input_of_the_network() -> None:
    """Bytes become 0..1, channels first; a smaller side averages."""
    images = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    images[:, ::2, :, 1] = 255  # every other row is green
    whole = network_input(images, 64)
    assert whole.shape == (1, 3, 64, 64)
    assert whole[0, 1, :4, 0].tolist() == [1, 0, 1, 0]
    half = network_input(images, 32)
    assert half.shape == (1, 3, 32, 32)
    np.testing.assert_allclose(half[0, 1, 4:-4], 0.5, atol=0.01)
    assert float(half[0, 0].max()) == 0


def test_a_small_map_grows_from_corner_to_corner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A map that is linear in u and v stays that linear function on the 256 pixels."""
    ramp = torch.linspace(0, 255, 32)
    small = torch.stack([ramp.expand(32, 32), ramp[:, None].expand(32, 32), torch.ones(32, 32)])
    network = PRN(1)
    monkeypatch.setattr(network, "forward", lambda images: small[None])
    maps = predict_maps(network, np.zeros((1, 256, 256, 3), np.uint8), 32)
    np.testing.assert_allclose(maps[0, 0, 7], np.arange(256), atol=1e-3)
    np.testing.assert_allclose(maps[0, 1, :, 9], np.arange(256), atol=1e-3)


def test_devices() -> None:
    """A device that is none, and one that this PyTorch lacks, are named."""
    assert choose_device("cpu").type == "cpu"
    for name in ("abacus", "cuda:97"):
        with pytest.raises(BenchError) as error:
            choose_device(name)
        assert error.value.code == "no-such-device"
