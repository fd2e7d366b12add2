"""The network learns: eight pictures by heart, and unseen people better than the mean face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the reference network needs PyTorch")
from prn_bench.build import build  # noqa: E402
from prn_bench.dataset import Dataset, open_dataset  # noqa: E402
from prn_bench.demo import write_mean_face  # noqa: E402
from prn_bench.metrics import nme_68  # noqa: E402
from prn_bench.predictions import open_predictions  # noqa: E402
from prn_bench.recipes import find_recipe  # noqa: E402
from reference_model.config import load_config  # noqa: E402
from reference_model.predict import predict  # noqa: E402
from reference_model.train import train  # noqa: E402

PICTURES = {"300w-lp": 192, "aflw2000-3d": 24}


def landmarks(dataset: Dataset) -> NDArray:
    """(n, 68, 3) of every picture, crop frame."""
    rows, columns = dataset.read("uv/landmark_pixels").T
    return dataset.position_maps()[:, :, rows, columns].swapaxes(1, 2)


def nme(predictions: Path, dataset: Dataset) -> float:
    """Mean NME, per cent, 2D, of landmarks in the crop frame."""
    points = np.asarray(open_predictions(predictions).arrays["landmarks"])
    return float(nme_68(points, landmarks(dataset), dims=2).mean())


def trained(data: Path, folder: Path, test: Path, *changes: str) -> Path:
    """Predictions for a test set after a training."""
    usual = ("batch=16", "learning_rate=1e-3", "warm_up=100", "validation_share=0")
    config = load_config("demo", [*usual, *changes])
    checkpoint = train(config, data, folder / "run", device="cpu", say=lambda _: None)
    predict(checkpoint, test, folder / "p.h5", device="cpu")
    return folder / "p.h5"


@pytest.fixture(scope="module")
def eight(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Eight synthetic pictures."""
    data, recipe = tmp_path_factory.mktemp("eight") / "eight.h5", find_recipe("300w-lp")
    raw, model = world / "raw-300w-lp", world / "face-model.h5"
    build(recipe, raw, data, face_model=model, layout="coefficients", limit=8)
    return open_dataset(data)


def test_a_hundred_steps(eight: Dataset, tmp_path: Path) -> None:
    """Of eight pictures, a quarter of what the mean face is wrong by; ten seconds of one core."""
    small = ("base_channels=4", "batch=8", "epochs=100", "batch_norm_decay=0.5", "warm_up=20")
    reference = landmarks(eight)
    mean = np.broadcast_to(reference.mean(0), reference.shape)
    found = nme(trained(eight.path, tmp_path, eight.path, *small), eight)
    assert found < float(nme_68(mean, reference, dims=2).mean()) / 4


@pytest.mark.slow
def test_eight_pictures_are_learnt_by_heart(eight: Dataset, tmp_path: Path) -> None:
    """NME under 1 %, of which 0.3 is the price of maps of 96 px; two minutes of one core."""
    small = ("side_px=96", "base_channels=4", "batch=8", "epochs=1000", "batch_norm_decay=0.5")
    assert nme(trained(eight.path, tmp_path, eight.path, *small), eight) < 1


@pytest.mark.slow
def test_people_whom_it_has_not_seen(world: Path, face_model: object, tmp_path: Path) -> None:
    """Half a minute of training is worth twice the mean face; the demo's, five times."""
    files = {}
    for name, n_samples in PICTURES.items():
        recipe, raw = find_recipe(name), tmp_path / f"raw-{name}"
        recipe.write_synthetic(raw, face_model, n_samples, seed=len(files) + 11)
        files[name] = tmp_path / f"{name}.h5"
        model = world / "face-model.h5"
        build(recipe, raw, files[name], face_model=model, layout="coefficients")
    training, test = (open_dataset(path) for path in files.values())
    write_mean_face(tmp_path / "mean.h5", training, test)
    short = (
        "epochs=24",
        "base_channels=4",
        "kernel_rate=0.03",
        "warm_up=50",
        "batch_norm_decay=0.9",
    )
    found = trained(training.path, tmp_path, test.path, *short)
    assert nme(tmp_path / "mean.h5", test) > 2 * nme(found, test)
