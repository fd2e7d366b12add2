"""Dense scores on the synthetic AFLW2000-3D: planted errors, all ways to predict, a slow oracle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.dataset import Dataset, open_dataset
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.evaluate.blocks import make_blocks
from prn_bench.evaluate.common import common_inputs
from prn_bench.evaluate.dense_points import DensePoints
from prn_bench.evaluate.inputs import ScoreInputs, SubsetList
from prn_bench.facemodel.file import load_face_model
from prn_bench.predictions import Predictions

DENSE_2D, DENSE_3D = (f"aflw2000/dense/{d}d@prnet-mask" for d in (2, 3))
SPARSE = "aflw2000/dense/3d@sparse-box"
SHIFT = np.array([3.0, 4.0, 2.0])


@pytest.fixture(scope="module")
def meshes(dataset: Dataset, world: Path) -> NDArray[np.float32]:
    """(n, v, 3) true meshes in the image frame, straight from the model."""
    model = load_face_model(world / "face-model.h5")
    shapes = model.vertices(
        dataset.read("coefficients/identity"), dataset.read("coefficients/expression")
    )
    pose = geometry.pose_affine(dataset.read("coefficients/pose"), dataset.read("image_size")[:, 0])
    return geometry.apply_affine(pose, shapes.transpose(2, 1, 0)).astype(np.float32)


@pytest.fixture(scope="module")
def layout(dataset: Dataset, world: Path, datasets: dict[str, Path]) -> Dataset:
    """The same dataset in the coefficient layout."""
    from prn_bench.build import build
    from prn_bench.recipes import find_recipe

    path = world / "coefficients.h5"
    raw = world / "raw-aflw2000-3d"
    model = world / "face-model.h5"
    build(find_recipe("aflw2000-3d"), raw, path, face_model=model, layout="coefficients")
    return open_dataset(path)


def predicted(dataset: Dataset, vertices: NDArray, topology: str | None = None) -> Predictions:
    """Meshes as predictions in memory."""
    name = topology or str(dataset.attributes["topology"])
    return Predictions(
        dataset.sample_ids, "image", {"vertices": vertices}, {"name": "mesh"}, name, None, None
    )


def refused(*words: Any, **more: Any) -> str:
    """Code of the error that a score raises."""
    with pytest.raises(BenchError) as error:
        score(*words, **more)
    return error.value.code


def test_three_sources_of_the_ground_truth(
    dataset: Dataset, layout: Dataset, world: Path, meshes: NDArray
) -> None:
    """Maps, coefficients and the face model give the same points; so does the mesh itself."""
    rows = np.arange(len(dataset))
    model = ScoreInputs(face_model=world / "face-model.h5")
    sources = [DensePoints(dataset, model), DensePoints(layout, ScoreInputs())]
    exact = [source.reference(rows) for source in sources]
    np.testing.assert_allclose(exact[0], exact[1], atol=1e-3)
    codes = open_dataset(dataset.path)
    codes.__dict__["names"] = dataset.names - {"coefficients/identity"}
    maps = DensePoints(codes, ScoreInputs()).reference(rows)
    scale = geometry.crop_scale(dataset.read("crop"))[:, None, None]
    assert (np.abs(maps - exact[0]) * scale).max() < 0.006
    read = sources[0].predicted(predicted(dataset, meshes), rows, rows)
    np.testing.assert_allclose(read, exact[0], atol=2e-3)


def test_planted_error(dataset: Dataset, meshes: NDArray) -> None:
    """A shift of (3, 4, 2) px is 5 px in 2D, and in 3D too: the mean z is removed."""
    method = predicted(dataset, meshes + SHIFT.astype(np.float32))
    for name in (DENSE_2D, DENSE_3D):
        result = score(method, dataset, f"{name}+reference_frame=image")
        px = result.samples.errors * result.samples.normalizer_px / 100
        np.testing.assert_allclose(px, 5.0, atol=2e-3)
        assert (result.summary.n_missing, result.coverage) == (0, 1.0)
    raw = score(method, dataset, f"{DENSE_3D}+z_rule=none+reference_frame=image")
    px = raw.samples.errors * raw.samples.normalizer_px / 100
    np.testing.assert_allclose(px, np.linalg.norm(SHIFT), atol=2e-3)


def test_the_frames_of_the_reference(dataset: Dataset, meshes: NDArray) -> None:
    """Perfect predictions are sqrt(2) px off the stored (1, 1) and face3d's (1, -1) frame."""
    method = predicted(dataset, meshes)
    for frame, expected in (("image", 0.0), ("stored", np.sqrt(2)), ("face3d", np.sqrt(2))):
        result = score(method, dataset, f"{DENSE_2D}+reference_frame={frame}")
        px = result.samples.errors * result.samples.normalizer_px / 100
        np.testing.assert_allclose(px, expected, atol=0.01)


def test_against_a_slow_oracle(dataset: Dataset, meshes: NDArray) -> None:
    """Sample by sample in float64, both boxes."""
    rng = np.random.default_rng(0)
    noisy = (meshes + rng.normal(0, 2, meshes.shape)).astype(np.float32)
    points, rows = DensePoints(dataset, ScoreInputs()), np.arange(len(dataset))
    method = predicted(dataset, noisy)
    p = points.predicted(method, rows, rows).astype(np.float64)
    g = points.reference(rows).astype(np.float64) + np.array([1, 1, 0])[:, None]
    for name, box_of in ((DENSE_3D, g), (SPARSE, dataset.read("landmarks").swapaxes(1, 2))):
        expected = []
        for sample, truth, box in zip(p, g, box_of, strict=True):
            shift = sample[2].mean() - truth[2].mean()
            moved = sample - np.array([[0], [0], [shift]])
            distance = np.linalg.norm(moved - truth, axis=0).mean()
            expected.append(100 * distance / np.sqrt(np.prod(np.ptp(box[:2], axis=1))))
        found = score(method, dataset, name).samples.errors
        np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_maps_masks_and_meshes_agree(dataset: Dataset, meshes: NDArray) -> None:
    """The same shift as position maps (crop), as PRNet's pixels and as meshes scores alike."""
    maps = dataset.position_maps().copy()
    scale = geometry.crop_scale(dataset.read("crop"))[:, None, None, None]
    maps += (scale * SHIFT[:, None, None]).astype(np.float32)
    points, rows = DensePoints(dataset, ScoreInputs()), np.arange(len(dataset))
    in_crop = Predictions(
        dataset.sample_ids, "crop", {"position_map": maps}, {"name": "maps"}, None, None, None
    )
    pixels = points.predicted(in_crop, rows, rows).transpose(0, 2, 1)
    flat = predicted(dataset, pixels, f"prnet-{len(points.index)}")
    mesh = predicted(dataset, meshes + SHIFT.astype(np.float32))
    errors = [score(method, dataset, SPARSE).samples.errors for method in (in_crop, flat, mesh)]
    np.testing.assert_allclose(errors[0], errors[1], atol=1e-5)
    np.testing.assert_allclose(errors[0], errors[2], atol=0.01)


def test_a_part_of_the_mesh(dataset: Dataset, meshes: NDArray, tmp_path: Path) -> None:
    """A mesh without some vertices is scored on what it has, and says how much that is."""
    kept = np.flatnonzero(np.arange(meshes.shape[1]) % 50 != 7)
    np.save(tmp_path / "part.npy", kept)
    name = f"part-{len(kept)}"
    method = predicted(dataset, meshes[:, kept], name)
    assert refused(method, dataset, DENSE_2D) == "no-index-map"
    inputs = ScoreInputs(index_maps={name: tmp_path / "part.npy"})
    result = score(method, dataset, f"{DENSE_2D}+reference_frame=image", inputs=inputs)
    assert 0.5 < result.coverage < 1
    assert result.samples.errors.max() < 0.01
    assert "partial-coverage" in [finding.code for finding in result.findings]
    assert result.inputs[f"index_map {name}"].startswith("part.npy ")
    whole = score(predicted(dataset, meshes), dataset, f"{DENSE_2D}+reference_frame=image")
    assert result.reference_digest != whole.reference_digest


def test_a_common_region(dataset: Dataset, meshes: NDArray) -> None:
    """Points that other methods lack are left out when methods are compared on what they share."""
    common = np.zeros(len(DensePoints(dataset, ScoreInputs()).index), bool)
    common[::3] = True
    inputs = ScoreInputs(common=common)
    result = score(predicted(dataset, meshes), dataset, DENSE_2D, inputs=inputs)
    assert result.coverage == pytest.approx(common.mean())


def test_regions_and_strides(dataset: Dataset, meshes: NDArray, world: Path) -> None:
    """An error planted on the nose shows there and nowhere else; a stride leaves points out."""
    nose = DensePoints(dataset, ScoreInputs(), region="nose")
    corners = dataset.read("uv/vertices").reshape(-1, 3)[nose.index]
    moved = meshes.copy()
    moved[:, np.unique(corners)] += SHIFT.astype(np.float32)
    method = predicted(dataset, moved)
    by_region = {
        name: score(method, dataset, f"aflw2000/dense/3d@{name}+z_rule=none+reference_frame=image")
        for name in ("nose", "chin")
    }
    px = {k: r.samples.errors * r.samples.normalizer_px / 100 for k, r in by_region.items()}
    np.testing.assert_allclose(px["nose"], np.linalg.norm(SHIFT), atol=0.01)
    np.testing.assert_allclose(px["chin"], 0.0, atol=0.01)
    mesh = DensePoints(
        dataset, ScoreInputs(face_model=world / "face-model.h5"), on_map=False, stride=50
    )
    assert len(mesh.index) == -(-meshes.shape[1] // 50)
    rows = np.arange(3)
    np.testing.assert_allclose(mesh.reference(rows), meshes[:3, ::50].transpose(0, 2, 1), atol=2e-3)


def test_missing_and_partly_missing(dataset: Dataset, meshes: NDArray) -> None:
    """Strict refuses NaN rows and absent ids; drop counts them; NaN beside numbers is an error."""
    lacking = meshes.copy()
    lacking[2] = np.nan
    method = predicted(dataset, lacking)
    assert refused(method, dataset, DENSE_2D) == "missing-predictions"
    result = score(method, dataset, f"{DENSE_2D}+missing=drop")
    assert result.summary.n_missing == 1
    first = replace(method, sample_ids=method.sample_ids[:1], arrays={"vertices": lacking[:1]})
    assert refused(first, dataset, DENSE_2D) == "missing-predictions"
    subset = ScoreInputs(subset=SubsetList("one", frozenset(first.sample_ids)))
    assert score(first, dataset, DENSE_2D, inputs=subset).summary.n == 1
    lacking[3, 1000:2000, 1] = np.inf
    assert refused(method, dataset, f"{DENSE_2D}+missing=drop") == "partly-missing"


def test_blocks_do_not_matter(dataset: Dataset, meshes: NDArray) -> None:
    """Cut into blocks of two, on two processes, in another order: the same errors."""
    method = predicted(dataset, meshes + SHIFT.astype(np.float32))
    blocks = make_blocks(method, np.arange(5), np.array([4, 2, 3, 0, 1]), 2)
    assert [len(block.rows) for block in blocks] == [2, 2, 1]
    np.testing.assert_array_equal(
        blocks[1].predictions.arrays["vertices"][blocks[1].own_rows],
        method.arrays["vertices"][[3, 0]],
    )
    backwards = replace(
        method,
        sample_ids=method.sample_ids[::-1],
        arrays={"vertices": method.arrays["vertices"][::-1]},
    )
    one, two = (score(m, dataset, SPARSE).samples.errors for m in (method, backwards))
    np.testing.assert_array_equal(one, two)


def test_constant_output(dataset: Dataset, meshes: NDArray) -> None:
    """The same mesh for every sample is said aloud."""
    same = np.repeat(meshes[:1], len(meshes), 0)
    result = score(predicted(dataset, same), dataset, SPARSE)
    assert "constant-predictions" in [finding.code for finding in result.findings]


def test_what_cannot_be_scored(
    dataset: Dataset, meshes: NDArray, datasets: dict[str, Path]
) -> None:
    """Landmarks alone, unordered meshes, a mesh protocol without a model, an empty dataset."""
    sparse = replace(predicted(dataset, meshes), arrays={"landmarks": dataset.read("landmarks")})
    assert refused(sparse, dataset, DENSE_2D) == "no-dense-points"
    loose = predicted(dataset, meshes, "unordered")
    assert refused(loose, dataset, DENSE_2D) == "no-dense-points"
    assert (
        refused(predicted(dataset, meshes), dataset, "aflw2000/dense/2d@2dasl")
        == "face-model-needed"
    )
    lfpa = open_dataset(datasets["aflw-lfpa"])
    changed = f"{DENSE_2D}+dataset=aflw-lfpa+yaw_source=none"
    other = replace(predicted(dataset, meshes[:12]), sample_ids=lfpa.sample_ids[:12])
    assert refused(other, lfpa, changed) in ("face-model-needed", "dataset-lacks")


def test_methods_on_what_they_share(dataset: Dataset, meshes: NDArray, tmp_path: Path) -> None:
    """Scored over the common region, a whole and a cut mesh have one digest and can be compared."""
    kept = np.flatnonzero(np.arange(meshes.shape[1]) % 50 != 7)
    np.save(tmp_path / "part.npy", kept)
    name = f"part-{len(kept)}"
    methods = [predicted(dataset, meshes), predicted(dataset, meshes[:, kept], name)]
    inputs = ScoreInputs(index_maps={name: tmp_path / "part.npy"})
    shared = common_inputs(methods, dataset, SPARSE, inputs)
    results = [score(method, dataset, SPARSE, inputs=shared) for method in methods]
    assert results[0].reference_digest == results[1].reference_digest
    assert results[0].coverage == results[1].coverage < 1
    np.testing.assert_allclose(results[0].samples.errors, results[1].samples.errors, atol=1e-5)
    with pytest.raises(BenchError) as error:
        common_inputs(methods, dataset, "aflw2000/68/2d@all")
    assert error.value.code == "not-dense"


def test_landmarks_of_meshes(dataset: Dataset, meshes: NDArray) -> None:
    """Meshes without landmarks are read at the model's, and at the map's when they are its pixels."""
    name = "aflw2000/68/3d@z-none+reference_frame=image"
    result = score(predicted(dataset, meshes + SHIFT.astype(np.float32)), dataset, name)
    px = result.samples.errors * result.samples.normalizer_px / 100
    np.testing.assert_allclose(px, np.linalg.norm(SHIFT), atol=2e-3)
    points, rows = DensePoints(dataset, ScoreInputs()), np.arange(len(dataset))
    pixels = points.predicted(predicted(dataset, meshes), rows, rows).transpose(0, 2, 1)
    flat = predicted(dataset, pixels, f"prnet-{len(points.index)}")
    inside = points.layout.face_mask[tuple(points.layout.landmark_pixels.T)].all()
    if inside:
        assert score(flat, dataset, f"{name}+reference=uv-index").samples.errors.max() < 0.05
    else:
        assert refused(flat, dataset, name) == "no-landmarks"
    assert refused(predicted(dataset, meshes, "unordered"), dataset, name) == "no-landmarks"


@pytest.mark.parametrize("target", ["points", "surface"])
def test_nearest_points_and_surfaces(dataset: Dataset, meshes: NDArray, target: str) -> None:
    """A mesh shifted far along z: the nearest place on the surface is never farther than a point."""
    name = f"aflw2000/rec@nn-plain+z_rule=none+reference_frame=image+target={target}"
    inputs = ScoreInputs(subset=SubsetList("two", frozenset(dataset.sample_ids[:2])))
    shift = np.array([0.3, 0.2, 0.4], np.float32)
    result = score(predicted(dataset, meshes + shift), dataset, name, inputs=inputs)
    px = (result.samples.errors * result.samples.normalizer_px / 100)[:2]
    assert (px <= np.linalg.norm(shift) + 1e-3).all()
    assert (px > 0.05).all()
    if target == "surface":
        nearest = score(
            predicted(dataset, meshes + shift), dataset,
            name.replace("surface", "points"), inputs=inputs,
        )  # fmt: skip
        assert (result.samples.errors[:2] < nearest.samples.errors[:2]).all()
