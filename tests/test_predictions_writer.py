"""Writing sample by sample: what is not given is missing, a bad sample is named, nothing half stays."""

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.predictions.writer import writing_predictions

POINTS = np.random.default_rng(0).uniform(0, 450, (68, 3))
MAP = np.random.default_rng(1).uniform(0, 255, (3, 256, 256)).astype(np.float32)
CARRIERS = (".h5", ".npz")


def start(path, **changes):
    return writing_predictions(path, **{"frame": "image", "method": "M", **changes})


def write(path, rows, **changes):
    """Rows of (id, arrays)."""
    with start(path, **changes) as writer:
        for name, values in rows:
            writer.add(name, **values)


def refusal(path, rows, **changes):
    with pytest.raises(BenchError) as error:
        write(path, rows, **changes)
    return error.value


@pytest.mark.parametrize("suffix", CARRIERS)
def test_the_same_file_as_from_whole_arrays(tmp_path, suffix):
    """Rows that were not given are NaN, wherever they stand."""
    path = tmp_path / f"p{suffix}"
    with start(path, frame="crop") as writer:
        writer.add("a")
        writer.add("b", landmarks=POINTS)
        writer.add("c", landmarks=POINTS + 1, pose_deg=[1, 2, 3], position_map=MAP)
        writer.add("d", pose_deg=[4.0, 5.0, 6.0])
    nothing = np.full((68, 3), np.nan)
    whole = {
        "landmarks": [nothing, POINTS, POINTS + 1, nothing],
        "pose_deg": [[np.nan] * 3, [np.nan] * 3, [1, 2, 3], [4, 5, 6]],
        "position_map": np.stack([0 * MAP + np.nan, 0 * MAP + np.nan, MAP, 0 * MAP + np.nan]),
    }
    write_predictions(tmp_path / "q.h5", [*"abcd"], frame="crop", method="M", **whole)
    found, expected = open_predictions(path), open_predictions(tmp_path / "q.h5")
    assert found.sha256 == expected.sha256
    assert found.method == {"name": "M"}
    assert np.isnan(found.rows("position_map", 1)).all()
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted({path.name, "q.h5"})


def test_missing_dense_rows_are_in_the_file(tmp_path, monkeypatch):
    """Rows left out would make the file look like one that declares more than it holds."""
    monkeypatch.setattr("prn_bench.store_guard.PLAIN_BYTES", 1 << 10)
    with start(tmp_path / "p.h5", topology="m-4000") as writer:
        writer.add("first", vertices=np.ones((4000, 3), np.float32))
        for i in range(400):
            writer.add(f"{i}")
    assert np.isnan(open_predictions(tmp_path / "p.h5").rows("vertices", 400)).all()


def test_notes_are_added_to_the_card(tmp_path):
    """To those that are there, in whatever form."""
    for earlier in ("old", ["old"]):
        with start(tmp_path / "p.h5", method={"name": "M", "notes": earlier}) as writer:
            writer.add("a", landmarks=POINTS)
            writer.note("one", "two")
        assert open_predictions(tmp_path / "p.h5").method["notes"] == ["old", "one", "two"]


SQUARE = np.zeros((4, 3))
BAD_SAMPLES = {
    "67 points": ("wrong-shape", {"landmarks": POINTS[:67]}),
    "two dimensions after three": ("wrong-shape", {"landmarks": POINTS[:, :2]}),
    "texts": ("wrong-type", {"landmarks": POINTS.astype(str)}),
    "other mesh": ("wrong-topology", {"vertices": np.zeros((7, 3))}),
    "triangles of a fixed mesh": ("wrong-topology", {"vertices": SQUARE, "triangles": [[0, 1, 2]]}),
    "8 bits": ("eight-bit-map", {"position_map": MAP.astype(np.uint8)}),
}


@pytest.mark.parametrize("what", BAD_SAMPLES)
def test_a_bad_sample_is_named(tmp_path, what):
    """By its id; and no file is left."""
    code, values = BAD_SAMPLES[what]
    rows = [("good", {"landmarks": POINTS}), ("bad", values)]
    error = refusal(tmp_path / "p.h5", rows, topology="m-4")
    assert error.code == code
    assert "bad" in str(error.where)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("face", [[0, 1, 4], [0, -1, 2], [2**40, 0, 1]])
def test_triangles_stay_within_their_sample(tmp_path, face):
    """Another sample's vertices are none of this one's."""
    rows = [("good", {"vertices": np.zeros((9, 3))})]
    rows += [("bad", {"vertices": SQUARE, "triangles": [face]})]
    error = refusal(tmp_path / "p.h5", rows, topology="unordered")
    assert error.code == "triangle-out-of-range"
    assert "bad" in str(error.where)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"frame": "world"}, "unknown-frame"),
        ({"method": ""}, "bad-method"),
        ({"path": "p.mat"}, "unknown-suffix"),
        ({"path": "no/p.h5"}, "no-such-folder"),
    ],
)
def test_refused_before_any_work(tmp_path, changes, code):
    """Not after an hour of inference."""
    path = tmp_path / changes.pop("path", "p.h5")
    with pytest.raises(BenchError) as error, start(path, **changes):
        pytest.fail("the block was entered")
    assert error.value.code == code


@pytest.mark.parametrize("suffix", CARRIERS)
def test_what_shows_only_at_the_end(tmp_path, suffix):
    """Ids twice, and nothing at all; the file that was there stays."""
    path, some = tmp_path / f"p{suffix}", {"landmarks": POINTS}
    write(path, [("a", some)])
    before = path.read_bytes()
    assert refusal(path, [("a", some), ("a", some)]).code == "duplicate-ids"
    assert refusal(path, [("a", {}), ("b", {})]).code == "no-arrays"
    assert refusal(path, []).code in ("no-samples", "no-arrays")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def failing_rows():
    yield "a", {"landmarks": POINTS}
    raise KeyError("mine")


def test_an_error_in_the_block_leaves_nothing(tmp_path):
    """It comes through as it is."""
    with pytest.raises(KeyError, match="mine"):
        write(tmp_path / "p.npz", failing_rows())
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_copied_block_by_block(tmp_path):
    """Arrays in a file are as good as arrays in memory."""
    with start(tmp_path / "p.h5", topology="m-9") as writer:
        for name in "ab":
            writer.add(name, vertices=np.full((9, 3), ord(name)), landmarks=POINTS)
    found = open_predictions(tmp_path / "p.h5")
    for suffix in CARRIERS:
        path = tmp_path / f"q{suffix}"
        write_predictions(
            path,
            found.sample_ids,
            frame=found.frame,
            topology=found.topology,
            method=found.method,
            **found.arrays,
        )
        assert open_predictions(path).sha256 == found.sha256
