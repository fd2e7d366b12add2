"""Published-practice figures of the released 3DDFA-V2 x0.5 on the real AFLW2000-3D annotations.

Computed independently of this project (PROTOCOLS 1.7 and the README of the data); research-only
arrays, read where they lie.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prn_bench.evaluate import score
from prn_bench.metrics import nme_68
from tests.fakes import FakeDataset, FakePredictions

FIT, Z = "aflw2000/68/2d@3ddfa-fit", "aflw2000/68/3d@z-"
ROUNDING = 5.01e-4  # the figures are printed with three decimals


@pytest.fixture(scope="module")
def world(real_data: Path) -> tuple[FakeDataset, FakePredictions]:
    """The arrays of the 3DDFA benchmark script in the frames of our files, and real predictions."""
    folder = real_data / "aflw2000_3d_annotations"

    def load(name: str) -> np.ndarray:
        return np.load(folder / f"{name}.npy").astype(np.float64)

    one_based = np.array([1.0, 1.0, 0.0])
    arrays = {
        "sample_id": np.array((folder / "names.txt").read_text().split(), object),
        "landmarks": (load("AFLW2000-3D.pts68").swapaxes(1, 2) - one_based).astype(np.float32),
        "annotation/reannotated": load("AFLW2000-3D-Reannotated.pts68").swapaxes(1, 2) - 1,
        "yaw_deg/fitted": load("AFLW2000-3D.pose"),
        "yaw_deg/aflw": load("AFLW2000-3D-new.pose"),
        "roi_box": load("AFLW2000-3D_crop.roi_box"),
    }
    offsets = {"landmarks": (1.0, 1.0, 0.0), "annotation/reannotated": (1.0, 1.0)}
    with np.load(real_data / "predictions/3ddfa_v2_mb05_aflw2000.npz") as file:
        predictions = FakePredictions(file["sample_id"], {"landmarks": file["landmarks"]})
    return FakeDataset(arrays, offsets), predictions


@pytest.mark.parametrize(
    ("protocol", "counts", "bins", "mean_of_bins", "mean_of_images", "median"),
    [
        (FIT, (1312, 383, 305), (2.925, 3.667, 4.784), 3.792, 3.350, 2.912),
        (f"{FIT[:-3]}aflw", (1306, 462, 232), (2.947, 3.707, 4.910), 3.855, 3.350, 2.912),
        (
            f"{FIT}+reference_frame=image",
            *((1312, 383, 305), (2.812, 3.658, 4.804), 3.758, 3.278, 2.799),
        ),
    ],
)
def test_both_tables(
    world: tuple[FakeDataset, FakePredictions],
    protocol: str,
    counts: tuple[int, ...],
    bins: tuple[float, ...],
    mean_of_bins: float,
    mean_of_images: float,
    median: float,
) -> None:
    """Every figure of the README's table, and the same in the image frame, to the third decimal."""
    dataset, predictions = world
    summary = score(predictions, dataset, protocol).summary
    assert tuple(part.n for part in summary.bins) == counts
    found = [part.mean for part in summary.bins]
    found += [summary.mean_of_bins, summary.mean_of_images, summary.median]
    expected = [*bins, mean_of_bins, mean_of_images, median]
    assert found == pytest.approx(expected, abs=ROUNDING)
    assert summary.headline == summary.mean_of_bins


@pytest.mark.parametrize(
    ("protocol", "headline"),
    [
        ("aflw2000/68/2d@all", 3.350),
        ("aflw2000/68/2d@reannotated", 3.022),
        ("aflw2000/68/2d@diagonal", 2.673),
        ("aflw2000/68/2d@max", 3.628),
        ("aflw2000/68/2d@mean-side", 3.786),
        ("aflw2000/68/2d@roi-side", 2.580),
        (f"{Z}none", 48.658),
        (f"{Z}min", 6.275),
        (f"{Z}median", 5.457),
        (f"{Z}mean", 5.287),
        (f"{Z}min+aggregate=mean-of-images", 5.572),
        ("aflw2000/68/3d@all", 4.699),
        # Run over the script's arrays with SDRN's own lines (torchrun.py l.448-475).
        ("aflw2000/68/2d@balanced894-sdrn", 3.734),
    ],
)
def test_other_choices(
    world: tuple[FakeDataset, FakePredictions], protocol: str, headline: float
) -> None:
    """The headline of each variant, to the third decimal."""
    dataset, predictions = world
    assert score(predictions, dataset, protocol).summary.headline == pytest.approx(
        headline, abs=ROUNDING
    )


def test_random_balanced_subsets(world: tuple[FakeDataset, FakePredictions]) -> None:
    """696 = 3 x 232 images: mean 3.855, sd 0.041 in another 2,000 draws; the exact sd is 0.0405."""
    dataset, predictions = world
    summary = score(predictions, dataset, "aflw2000/68/2d@balanced696").summary
    draws = summary.draws
    assert draws is not None
    assert (draws.size, draws.draws) == (232, 2000)
    assert summary.headline == pytest.approx(3.855, abs=ROUNDING)
    assert draws.mean == pytest.approx(3.855, abs=0.003)
    assert draws.sd == pytest.approx(0.0405, abs=0.0015)
    assert 3.69 < draws.min < 3.78
    assert 3.95 < draws.max < 4.05


def test_one_call_on_plain_arrays(world: tuple[FakeDataset, FakePredictions]) -> None:
    """``nme_68`` gives what the protocol averages, without any file."""
    dataset, predictions = world
    stored = dataset.arrays["landmarks"] + dataset.stored_offset("landmarks")
    errors = nme_68(predictions.arrays["landmarks"], stored)
    assert errors.mean() == pytest.approx(3.350, abs=ROUNDING)
    errors = nme_68(predictions.arrays["landmarks"], stored, dims=3)
    assert errors.mean() == pytest.approx(4.699, abs=ROUNDING)


def test_label_noise(world: tuple[FakeDataset, FakePredictions]) -> None:
    """The re-annotated points scored against the original ones: 2.81, 3.23, 4.10, mean 3.38."""
    dataset, _ = world
    stored = dataset.arrays["annotation/reannotated"] + 1
    # Stored points on both sides: the second annotation stands where a prediction would.
    predictions = FakePredictions(dataset.sample_ids, {"landmarks": stored})
    summary = score(predictions, dataset, FIT).summary
    found = [part.mean for part in summary.bins] + [summary.mean_of_bins, summary.mean_of_images]
    assert found == pytest.approx([2.81, 3.23, 4.10, 3.38, 3.09], abs=0.00501)


def test_yaw_beyond_90(world: tuple[FakeDataset, FakePredictions]) -> None:
    """Seven fitted yaws lie beyond 90 degrees; each rule puts them elsewhere."""
    dataset, predictions = world
    counts = {}
    for rule in ("last", "drop", "wrap", "fold", "previous"):
        result = score(predictions, dataset, f"{FIT}+over_90={rule}")
        counts[rule] = tuple(part.n for part in result.summary.bins)
    assert "7 samples have a yaw beyond 90" in result.findings[0].message
    assert counts["last"] == (1312, 383, 305)
    assert counts["drop"] == (1312, 383, 298)
    assert counts["wrap"] == (1313, 383, 304)  # -351.2 is 8.8; 187.8 is 172.2
    assert counts["fold"] == (1314, 383, 303)  # 187.8 is 7.8 too
    assert sum(counts["previous"]) == 2000
