"""The benchmark measures two ways that do the same."""

import json

import numpy as np
import pytest

from prn_bench.bench import build as bench
from prn_bench.bench import icp as bench_icp
from prn_bench.bench import plain as bench_plain
from prn_bench.bench import score as bench_score
from prn_bench.dataset import open_dataset
from prn_bench.icp import icp
from prn_bench.recipes import find_recipe
from prn_bench.recipes.rawsource import open_raw
from tests.checking import need_open3d


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


@pytest.fixture(scope="module")
def small_pairs(face_model):
    """Two pairs of faces of some 700 points."""
    return [(p[::60], r[::60]) for p, r in bench_icp.face_pairs(face_model, 2)]


def test_dense_rows(world):
    """Ours beside the loop in both precisions, which must give the same errors."""
    recipe, raw = find_recipe("aflw2000-3d"), world / "raw-aflw2000-3d"
    rows = bench_score.bench_dense(recipe, raw, world / "face-model.h5", jobs=1)
    assert [row.what.rpartition(" ")[2] for row in rows] == ["float32", "float64"]
    assert all(row.plain_ms > 0 and row.ours_ms > 0 and row.rasterising_ms is None for row in rows)


def test_a_dense_difference_is_refused(world, monkeypatch):
    """A bench of two different things would be worth nothing."""
    recipe, raw = find_recipe("aflw2000-3d"), world / "raw-aflw2000-3d"
    real = bench_score._PlainLoop._nme
    monkeypatch.setattr(bench_score._PlainLoop, "_nme", lambda *args: 1.01 * real(*args))
    with pytest.raises(ValueError, match="differ"):
        bench_score.bench_dense(recipe, raw, world / "face-model.h5", jobs=1)


def test_icp_rows(small_pairs):
    """All ways end at the fixed point of the plain algorithm; ratios are to ours."""
    need_open3d()
    pytest.importorskip("sklearn")
    rows = bench_icp.bench_icp(small_pairs, jobs=1, n_loop=1, repeats=1)
    assert [row.what.partition(" ")[0].strip(",") for row in rows] == [
        "prn-bench",
        "Open3D",
        "Open3D",
        "loop",
    ]
    assert rows[0].ratio == 1
    assert all(row.ratio == row.seconds / rows[0].seconds for row in rows)
    assert rows[0].difference < 1e-9
    assert all(row.difference < 1e-3 for row in rows)


def test_the_ways_agree_without_open3d(small_pairs):
    """Ours and the circulating loop against the plain algorithm, where Open3D is not there either."""
    pytest.importorskip("sklearn")
    predicted, reference = small_pairs[0]
    fixed = bench_icp.fixed_point(predicted, reference, workers=1)
    for motion in (
        icp(predicted, reference).motion,
        bench_icp.sklearn_icp(predicted, reference, 1),
    ):
        np.testing.assert_allclose(motion.apply(predicted), fixed.apply(predicted), atol=0.05)


def test_face_pairs_are_different_turned_faces(face_model):
    """The face's pixels, 180 px wide; the same faces every time."""
    (first, other), again = (
        bench_icp.face_pairs(face_model, 1)[0],
        bench_icp.face_pairs(face_model, 1),
    )
    assert first.shape == other.shape == (int(face_model.uv_layout.face_mask.sum()), 3)
    assert np.abs(first - other).max() > 1
    assert (again[0][0] == first).all()
    assert 100 < np.ptp(first[:, 0]) < 260


@pytest.mark.parametrize("option", ["--dense", "--icp"])
def test_the_bench_command(run, monkeypatch, option, small_pairs):
    """From the command line, at a tiny size: a table, or one document."""
    if option == "--icp":
        need_open3d()
        pytest.importorskip("sklearn")
    monkeypatch.setattr(bench, "bfm_sized", lambda model: model)
    monkeypatch.setattr(bench_icp, "face_pairs", lambda *_: small_pairs)
    words = ("bench", option, "--samples", 4, "--repeats", 1, "--jobs", 1)
    code, out, _ = run(*words, "--json")
    assert code == 0
    rows = json.loads(out)["icp" if option == "--icp" else "rows"]
    assert len(rows) == (4 if option == "--icp" else 2)
    assert all(row["ratio"] > 0 for row in rows)
    code, out, _ = run(*words)
    assert code == 0
    assert ("Rigid ICP" if option == "--icp" else "Milliseconds a sample") in out


def test_raw_data_need_their_model(run, tmp_path):
    """Said before anything is measured."""
    code, _, err = run("bench", tmp_path, "--dense")
    assert code == 2
    assert "--face-model" in err
