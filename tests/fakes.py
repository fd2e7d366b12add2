"""Stand-ins in memory for a dataset and a prediction file, with what scoring reads of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.protocol import Protocol, protocols


@dataclass
class FakeDataset:
    """Arrays by name; offsets for those that the raw files stored in another frame."""

    arrays: dict[str, NDArray]
    offsets: dict[str, tuple[float, ...]] = field(default_factory=dict)
    attributes: dict[str, Any] = field(
        default_factory=lambda: {"recipe": "aflw2000-3d", "title": "fake", "origin": "synthetic"}
    )
    path: Path = Path("fake.h5")

    @property
    def sample_ids(self) -> NDArray:
        return self.arrays["sample_id"]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.arrays)

    def __len__(self) -> int:
        return len(self.sample_ids)

    def read(self, name: str, rows: Any = None) -> NDArray:
        if name not in self.arrays:
            raise BenchError(f"no {name}", code="dataset-lacks")
        return self.arrays[name] if rows is None else self.arrays[name][rows]

    def stored_offset(self, name: str) -> NDArray[np.float64]:
        return np.array(self.offsets.get(name, (0.0,) * self.arrays[name].shape[-1]))

    def position_maps(self, rows: Any = None) -> NDArray[np.float32]:
        return np.asarray(self.read("position_map", rows), np.float32)


@dataclass
class FakePredictions:
    """What a method predicts, in memory."""

    sample_ids: NDArray
    arrays: dict[str, NDArray]
    frame: str = "image"
    method: dict[str, Any] = field(default_factory=lambda: {"name": "Fake"})
    topology: str | None = None
    path: Path | None = Path("predictions.npz")
    sha256: str | None = "0" * 64


def names(n: int) -> NDArray:
    """Ids of n samples, sorted."""
    return np.array([f"image{i:05d}" for i in range(n)], object)


def face_world(n: int = 40, seed: int = 0) -> tuple[FakeDataset, FakePredictions]:
    """A small world with every array that a protocol can ask for, and noisy predictions of it.

    Maps have only the 68 landmark pixels, one in each of their first columns.
    """
    rng = np.random.default_rng(seed)
    stored = rng.uniform(0, 100, (1, 68, 3)) + rng.normal(0, 5, (n, 68, 3)) + 150
    image = stored - [1, 1, 0]
    scale, z_shift = rng.uniform(1.0, 2.0, n), rng.uniform(100, 200, n)
    crop = np.zeros((n, 3, 3))
    crop[:, 0, 0] = crop[:, 1, 1] = scale
    crop[:, :2, 2], crop[:, 2, 2] = rng.uniform(-90, 90, (n, 2)), 1
    in_crop = image * scale[:, None, None]
    in_crop += np.concatenate([crop[:, :2, 2], z_shift[:, None]], 1)[:, None]
    pixels = np.stack([np.zeros(68, int), np.arange(68)], 1)
    yaw = np.concatenate([[30.0, -60.0, 187.8, -351.2], rng.uniform(-95, 95, n - 4)])
    lowest = image[..., :2].min(1) - 20
    side = np.ptp(image[..., :2], axis=1).max(1, keepdims=True) + 40
    arrays = {
        "sample_id": names(n),
        "landmarks": image,
        "annotation/reannotated": image[..., :2] + rng.normal(0, 2, (n, 68, 2)),
        "yaw_deg/fitted": yaw,
        "yaw_deg/aflw": np.abs(np.clip(yaw + rng.normal(0, 5, n), -110, 110)),
        "crop": crop,
        "z_shift": z_shift,
        "roi_box": np.concatenate([lowest, lowest + side], 1),
        "position_map": in_crop.swapaxes(1, 2)[:, :, None, :],
        "uv/landmark_pixels": pixels,
    }
    offsets = {"landmarks": (1.0, 1.0, 0.0), "annotation/reannotated": (1.0, 1.0)}
    predicted = image + rng.normal(0, 3, (n, 68, 3))
    return FakeDataset(arrays, offsets), FakePredictions(names(n), {"landmarks": predicted})


def refusal(
    predictions: FakePredictions, dataset: FakeDataset, name: str = "aflw2000/68/2d@3ddfa-fit"
) -> BenchError:
    """The error that a score raises."""
    with pytest.raises(BenchError) as error:
        score(predictions, dataset, name)
    return error.value


def sparse_protocols() -> list[Protocol]:
    """The published protocols about the 68 landmarks, which the world in memory can answer."""
    return [p for p in protocols() if p.point_set == "landmarks" and p.z_rule != "mixed-sdrn"]
