"""The coefficient layout gives what the maps layout stores."""

import pickle

import numpy as np
import pytest

from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.dataset.digests import recompute_digests
from prn_bench.recipes import find_recipe

FITTED = ("300w-lp", "aflw2000-3d")


@pytest.fixture(scope="module")
def compact(world, tmp_path_factory):
    """Both fitted datasets in the coefficient layout."""
    folder = tmp_path_factory.mktemp("compact")
    files = {}
    for name in FITTED:
        files[name] = folder / f"{name}.h5"
        build(
            find_recipe(name),
            world / f"raw-{name}",
            files[name],
            face_model=world / "face-model.h5",
            layout="coefficients",
        )
    return files


@pytest.mark.parametrize("name", FITTED)
def test_position_maps_agree(name, datasets, compact):
    """To the fixed point of the maps layout."""
    maps = open_dataset(datasets[name]).position_maps()
    derived = open_dataset(compact[name]).position_maps()
    assert derived.dtype == np.float32
    assert np.abs(maps - derived).max() <= 0.005


@pytest.mark.parametrize("name", FITTED)
def test_every_other_array_is_equal(name, datasets, compact):
    """Bit for bit, stored or derived."""
    full, small = open_dataset(datasets[name]), open_dataset(compact[name])
    assert full.names <= small.names
    for array in full.names - {"position_map", "row_sha256", "image"}:
        np.testing.assert_array_equal(full.read(array), small.read(array), err_msg=array)
    assert "position_map" not in small.stored_names
    assert "crop" not in small.stored_names


@pytest.mark.parametrize("name", FITTED)
def test_fingerprints_agree(name, datasets, compact):
    """One content, two ways to keep it."""
    full, small = open_dataset(datasets[name]), open_dataset(compact[name])
    assert full.attributes["fingerprint"] == small.attributes["fingerprint"]
    assert full.attributes["content_sha256"] != small.attributes["content_sha256"]
    found = recompute_digests(compact[name])
    assert found["damaged"] == []
    assert found["content_sha256"] == small.attributes["content_sha256"]


def test_stored_landmarks_stay_stored(compact):
    """AFLW2000-3D keeps the points of its files; those of 300W-LP are the projected fit."""
    assert "landmarks" in open_dataset(compact["aflw2000-3d"]).stored_names
    assert "landmarks" not in open_dataset(compact["300w-lp"]).stored_names


def test_samples_and_rows(compact, datasets):
    """One sample, some rows, and after pickling."""
    full, small = open_dataset(datasets["300w-lp"]), open_dataset(compact["300w-lp"])
    small.position_maps([0])
    again = pickle.loads(pickle.dumps(small))
    assert len(pickle.dumps(small)) < 100_000, "the bases are read again, not carried along"
    for dataset in (small, again):
        sample = dataset[3]
        assert np.abs(sample["position_map"] - full[3]["position_map"]).max() <= 0.005
        np.testing.assert_array_equal(sample["landmarks"], full[3]["landmarks"])
    rows = [7, 2]
    np.testing.assert_allclose(small.position_maps(rows), small.position_maps()[rows], atol=1e-3)


def test_scores_are_the_same(compact, datasets):
    """A result does not know the layout: same digest of the reference."""
    from prn_bench.evaluate import score
    from prn_bench.predictions import open_predictions, write_predictions
    from prn_bench.protocol import protocol

    dataset = open_dataset(datasets["aflw2000-3d"])
    path = compact["aflw2000-3d"].with_name("p.h5")
    points = dataset.read("landmarks") + np.float32([1, 2, 3])
    write_predictions(
        path, dataset.sample_ids, frame="image", landmarks=points, method={"name": "m"}
    )
    for name in ("aflw2000/68/2d@3ddfa-fit", "aflw2000/68/3d@z-min-mesh"):
        full, small = (
            score(open_predictions(path), open_dataset(file["aflw2000-3d"]), protocol(name))
            for file in (datasets, compact)
        )
        assert full.reference_digest == small.reference_digest
        assert full.summary == small.summary


def test_size_beyond_the_image(compact, datasets):
    """The point of the layout, on 12 samples without the shared bases."""
    import h5py

    def stored(path):
        total = 0
        with h5py.File(path) as file:
            n = len(file["sample_id"])
            for name in ("position_map", "landmarks", "crop", "coefficients/identity"):
                total += file[name].id.get_storage_size() if name in file else 0
        return total / n

    assert stored(compact["300w-lp"]) < stored(datasets["300w-lp"]) / 50


def test_info_states_the_sizes(compact, datasets):
    """Its parts add up to the file; what the coefficient layout saves is the maps."""
    for path in (compact["300w-lp"], datasets["300w-lp"]):
        assert sum(open_dataset(path).sizes().values()) == path.stat().st_size
    assert open_dataset(compact["300w-lp"]).sizes()["maps"] == 0
    assert open_dataset(datasets["300w-lp"]).sizes()["maps"] > 12 * 50_000
