"""The benchmark measures two ways that do the same."""

import numpy as np
import pytest

from prn_bench import bench, bench_plain
from prn_bench.dataset import open_dataset
from prn_bench.rawsource import open_raw
from prn_bench.recipes import find_recipe


def test_the_plain_way_makes_the_same_map(world, datasets, face_model, tmp_path):
    """A slow oracle for the whole pipeline: float64, one image at a time, rasterised anew."""
    source = open_raw(world / "raw-300w-lp")
    sample = find_recipe("300w-lp").module.find(source)[4]
    whole, rasterising = bench_plain.plain_sample(source, sample, face_model, tmp_path)
    assert 0 < rasterising < whole
    name = sample.sample_id.replace("/", "_")
    plain = np.load(tmp_path / f"{name}.npy").transpose(2, 0, 1)
    dataset = open_dataset(datasets["300w-lp"])
    row = list(dataset.sample_ids).index(sample.sample_id)
    assert np.abs(plain - dataset.position_maps([row])[0]).max() <= 0.006


def test_both_warps_cut_the_same_crop(monkeypatch):
    """Bilinear points, by scikit-image where it is there and by SciPy where not."""
    pytest.importorskip("skimage")
    image = np.random.default_rng(0).uniform(size=(90, 80, 3))
    crop = np.array([[4.1, 0, -20.3], [0, 4.1, -30.8], [0, 0, 1]])
    first = bench_plain._warp(image, crop)
    monkeypatch.setattr(bench_plain, "find_spec", lambda name: None)
    second = bench_plain._warp(image, crop)
    assert np.abs(first - second).max() < 1e-6


def test_rows_have_ratios(world):
    """One row per layout and worker count; what rasterising takes can only lower a ratio."""
    recipe, raw = find_recipe("300w-lp"), world / "raw-300w-lp"
    rows = bench.bench_build(recipe, raw, world / "face-model.h5", limit=4, jobs=2, repeats=2)
    assert [row.what for row in rows] == [
        "build, coefficients, 1 worker",
        "build, coefficients, 2 workers",
        "build, maps, 1 worker",
        "build, maps, 2 workers",
    ]
    assert all(0 < row.ratio_at_least < row.ratio for row in rows)


def test_a_ratio_by_hand():
    """12 ms, 8 of them rasterising, against 2: 6 times, at least 2."""
    row = bench.Row("x", 12.0, 2.0, 8.0)
    assert (row.ratio, row.ratio_at_least) == (6, 2)


def test_maps_row(face_model):
    """One sparse product is faster than rasterising, wherever this runs."""
    row = bench.bench_maps(face_model)
    assert row.ratio > 1
    assert row.ratio_at_least is None


def test_the_padded_face_is_the_same_face(face_model):
    """As many numbers as the BFM has, and the same surface in the end."""
    padded = bench.bfm_sized(face_model)
    assert (padded.n_vertices, padded.n_components) == (53215, (199, 29))
    own = np.random.default_rng(1).normal(size=(2, 40)) * face_model.identity_sigma
    rest = np.random.default_rng(2).normal(size=(2, 159))
    wide = np.concatenate([own, rest], 1)
    before = face_model.vertices(own, np.zeros((2, 10)))
    after = padded.vertices(wide, np.zeros((2, 29)))
    np.testing.assert_allclose(after[:, : face_model.n_vertices], before, rtol=1e-4)
