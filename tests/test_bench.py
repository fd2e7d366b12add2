"""The benchmark measures two ways that do the same."""

import numpy as np

from prn_bench import bench
from prn_bench.dataset import open_dataset
from prn_bench.rawsource import open_raw
from prn_bench.recipes import find_recipe


def test_the_plain_way_makes_the_same_map(world, datasets, face_model, tmp_path):
    """A slow oracle for the whole pipeline: float64, one image at a time, rasterised anew."""
    source = open_raw(world / "raw-300w-lp")
    sample = find_recipe("300w-lp").module.find(source)[4]
    bench.plain_sample(source, sample, face_model, tmp_path)
    name = sample.sample_id.replace("/", "_")
    plain = np.load(tmp_path / f"{name}.npy").transpose(2, 0, 1)
    dataset = open_dataset(datasets["300w-lp"])
    row = list(dataset.sample_ids).index(sample.sample_id)
    assert np.abs(plain - dataset.position_maps([row])[0]).max() <= 0.006


def test_rows_have_ratios(world):
    """One row per layout and worker count; times are positive."""
    rows = bench.bench_build(
        find_recipe("300w-lp"), world / "raw-300w-lp", world / "face-model.h5", limit=4, jobs=2
    )
    assert [row.what for row in rows] == [
        "build, coefficients, 1 worker",
        "build, coefficients, 2 workers",
        "build, maps, 1 worker",
        "build, maps, 2 workers",
    ]
    assert all(row.ratio > 0 for row in rows)


def test_maps_row(face_model):
    """One sparse product is faster than rasterising, wherever this runs."""
    assert bench.bench_maps(face_model).ratio > 1
