"""Prediction files: two carriers, one content; every bad one refused by its own code."""

import json
import pickle
from itertools import permutations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prn_bench import store, uvmap
from prn_bench.errors import BenchError
from prn_bench.predictions import FORMAT, numbers_of, open_predictions, write_predictions

IDS = ["image00004", "image00002", "顔"]
CARRIERS = (".h5", ".npz")


@pytest.fixture
def points():
    """Three faces in pixels; the last has no prediction."""
    values = np.random.default_rng(0).uniform(50, 400, (3, 68, 3)).astype(np.float32)
    values[2] = np.nan
    return values


def good(points, **changes):
    """Members of a good .npz, some of them changed; None leaves one out."""
    members = {
        "format": FORMAT,
        "frame": "image",
        "method": json.dumps({"name": "PRN"}),
        "sample_id": np.array(IDS),
        "landmarks": points,
        **changes,
    }
    return {key: np.asarray(value) for key, value in members.items() if value is not None}


def save(path, members, *, compressed=False, **options):
    """An .npz or .h5 of these members, as somebody else's script would write it."""
    if path.suffix == ".npz":
        (np.savez_compressed if compressed else np.savez)(path, **members, **options)
        return path
    with h5py.File(path, "w") as file:
        for name, value in members.items():
            if value.ndim == 0 and value.dtype.kind == "U":
                file.attrs[name] = str(value)
            elif value.dtype.kind == "U":
                file.create_dataset(name, data=value.astype(object), dtype=h5py.string_dtype())
            elif value.ndim == 0:
                file.attrs[name] = value
            else:
                file[name] = value
    return path


def code_of(path):
    with pytest.raises(BenchError) as error:
        open_predictions(path)
    assert str(path) in str(error.value)
    return error.value.code


@pytest.mark.parametrize("suffix", CARRIERS)
def test_round_trip(tmp_path, points, suffix):
    """Everything that goes in comes out, in the order of the file."""
    card = {"name": "PRN", "version": "1", "runtime_ms": 9.8}
    write_predictions(
        tmp_path / f"p{suffix}",
        IDS,
        frame="crop",
        landmarks=points,
        vertices=np.ones((3, 5, 3)),
        topology="mine-5",
        method=card,
    )
    found = open_predictions(tmp_path / f"p{suffix}")
    assert found.sample_ids.tolist() == IDS
    assert (found.frame, found.topology, found.method) == ("crop", "mine-5", card)
    assert found.path == tmp_path / f"p{suffix}"
    assert len(found) == 3
    np.testing.assert_array_equal(found.arrays["landmarks"], points)
    assert found.arrays["landmarks"].dtype == np.float32
    assert found.arrays["vertices"].dtype == np.float64


def test_digest_is_of_the_content(tmp_path, points):
    """The same for both carriers and any order of rows; another for any other content."""
    digests = set()
    for suffix in CARRIERS:
        for order in permutations(range(3)):
            path, ids = tmp_path / f"p{suffix}", [IDS[i] for i in order]
            write_predictions(path, ids, frame="image", landmarks=points[[*order]], method="PRN")
            digests.add(open_predictions(path).sha256)
    assert len(digests) == 1
    for ids, frame, values in (
        (IDS[::-1], "image", points),
        (IDS, "crop", points),
        (IDS, "image", points + np.float32(1e-3)),
        (IDS, "image", points[..., :2]),
    ):
        write_predictions(tmp_path / "p.h5", ids, frame=frame, landmarks=values, method="PRN")
        digests.add(open_predictions(tmp_path / "p.h5").sha256)
    assert len(digests) == 5


@settings(max_examples=20, deadline=None)
@given(values=arrays(np.float32, (2, 68, 2), elements=st.floats(width=32)))
def test_every_float_survives(tmp_path_factory, values):
    """NaN, infinity, subnormals and negative zero, bit for bit where NumPy keeps them."""
    folder, digests = tmp_path_factory.mktemp("floats"), set()
    for suffix in CARRIERS:
        write_predictions(
            folder / f"p{suffix}", ["a", "b"], frame="image", landmarks=values, method="m"
        )
        found = open_predictions(folder / f"p{suffix}")
        np.testing.assert_array_equal(found.arrays["landmarks"], values)
        digests.add(found.sha256)
    assert len(digests) == 1


@pytest.mark.parametrize("suffix", CARRIERS)
def test_position_maps(tmp_path, suffix):
    """Floats as they are; uint16 in the fixed point of the dataset file."""
    codes = np.arange(3 * 256 * 256, dtype=np.uint16).reshape(1, 3, 256, 256)
    decoded = uvmap.decode_maps(codes)
    digests = []
    for maps in (codes, decoded):
        write_predictions(
            tmp_path / f"p{suffix}", ["a"], frame="crop", position_map=maps, method="m"
        )
        found = open_predictions(tmp_path / f"p{suffix}")
        np.testing.assert_array_equal(found.arrays["position_map"], decoded)
        digests.append(found.sha256)
    assert digests[0] == digests[1]


@pytest.mark.parametrize("suffix", CARRIERS)
def test_a_strangers_file(tmp_path, points, suffix):
    """Written with plain NumPy or h5py: byte ids, float16, no method card."""
    members = good(points.astype(np.float16)[:2], method=None)
    members["sample_id"] = np.array([b"image00004", b"image00002"])
    path = save(tmp_path / f"theirs{suffix}", members)
    found = open_predictions(path)
    assert found.sample_ids.tolist() == IDS[:2]
    assert found.method == {"name": "theirs"}
    assert found.arrays["landmarks"].dtype == np.float32


BAD = {
    "no-frame": {"frame": None},
    "wrong-format": {"format": "prn-bench/dataset"},
    "newer-format": {"format_version": 2},
    "bad-ids": {"sample_id": np.array([IDS])},
    "duplicate-ids": {"sample_id": np.array(["a", "b", "a"])},
    "wrong-shape": {"landmarks": np.ones((3, 3, 68))},
    "wrong-type": {"landmarks": np.full((3, 68, 3), "1.0")},
    "eight-bit-map": {"position_map": np.zeros((3, 3, 256, 256), np.uint8)},
    "bad-method": {"method": "[1]"},
}


@pytest.mark.parametrize("suffix", CARRIERS)
@pytest.mark.parametrize("code", BAD)
def test_bad_content_is_refused(tmp_path, points, code, suffix):
    """On both carriers (the other rules: test_predictions_structure)."""
    path = save(tmp_path / f"p{suffix}", good(points, **BAD[code]))
    assert code_of(path) == code


def test_no_frame_names_the_command(tmp_path, points):
    """The remedy of the commonest fault can be copied to the shell."""
    path = save(tmp_path / "p.npz", good(points, frame=None))
    with pytest.raises(BenchError) as error:
        open_predictions(path)
    assert "prn-bench import npz p.npz --frame image" in str(error.value.remedy)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not-predictions"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "not-predictions"),
        (b"<!DOCTYPE html><html></html>", "not-predictions"),
        (bytes(1000), "not-predictions"),
        (pickle.dumps({"landmarks": [1]}), "not-predictions"),
        (b"PK\x03\x04" + bytes(100), "damaged-npz"),
    ],
)
def test_other_files(tmp_path, content, code):
    """What downloads end as."""
    (tmp_path / "p.npz").write_bytes(content)
    assert code_of(tmp_path / "p.npz") == code


def test_no_such_file(tmp_path):
    """Nor is a folder one."""
    assert code_of(tmp_path / "p.npz") == code_of(tmp_path) == "no-such-file"


def test_bad_input_is_not_written(tmp_path, points):
    """By the same codes as when reading, and the file that was there stays."""
    path = tmp_path / "p.h5"
    write_predictions(path, IDS, frame="image", landmarks=points, method="PRN")
    before = path.read_bytes()
    for changes, code in (
        ({"frame": "world"}, "unknown-frame"),
        ({"sample_ids": ["a", "a", "b"]}, "duplicate-ids"),
        ({"sample_ids": [1, 2, 3]}, "bad-ids"),
        ({"landmarks": points[:2]}, "wrong-shape"),
        ({"landmarks": None}, "no-arrays"),
        ({"vertices": np.ones((3, 5, 3))}, "no-topology"),
        ({"method": ""}, "bad-method"),
        ({"method": {"version": 1}}, "bad-method"),
    ):
        arguments = {"sample_ids": IDS, "frame": "image", "landmarks": points, "method": "PRN"}
        arguments |= changes
        with pytest.raises(BenchError) as error:
            write_predictions(path, arguments.pop("sample_ids"), **arguments)
        assert error.value.code == code
    for name, code in (("p.mat", "unknown-suffix"), ("no/p.h5", "no-such-folder")):
        with pytest.raises(BenchError) as error:
            write_predictions(tmp_path / name, IDS, frame="image", landmarks=points, method="PRN")
        assert error.value.code == code
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["p.h5"]


def test_extra_arrays_do_no_harm(tmp_path, points):
    """A method may keep its own notes beside."""
    path = save(tmp_path / "p.npz", good(points, confidence=np.ones(3)))
    assert set(open_predictions(path).arrays) == {"landmarks"}


def test_another_file_of_ours(tmp_path):
    """A dataset given for predictions is named as such."""
    store.write_tree(tmp_path / "d.h5", "prn-bench/dataset", 1, {"x": np.ones(3)}, {})
    assert code_of(tmp_path / "d.h5") == "wrong-format"


@pytest.mark.parametrize("suffix", CARRIERS)
def test_a_strangers_arrays_are_not_replaced(tmp_path, points, suffix):
    """Somebody's own file stays; a prediction file and an empty one give way."""
    path = tmp_path / f"p{suffix}"
    arguments = {"frame": "image", "landmarks": points, "method": "PRN"}
    if suffix == ".npz":
        np.savez(path, sample_id=np.array(IDS), landmarks=points)
    else:
        store.write_tree(path, "prn-bench/dataset", 1, {"x": np.ones(3)}, {})
    before = path.read_bytes()
    with pytest.raises(BenchError) as error:
        write_predictions(path, IDS, **arguments)
    assert error.value.code == "not-replaced"
    assert path.read_bytes() == before
    path.write_bytes(b"")
    for _ in range(2):
        write_predictions(path, IDS, **arguments)
    assert len(open_predictions(path)) == 3


@pytest.mark.parametrize(("dtype", "kept"), [("<f4", True), ("<f8", True), ("<f2", False)])
def test_numbers_are_copied_only_to_change_their_type(dtype, kept):
    """2,000 maps take 1.5 GB once, not twice."""
    values = np.ones((2, 68, 3), dtype)
    assert (numbers_of(values) is values) is kept
