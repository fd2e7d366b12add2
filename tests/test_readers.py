"""Import readers: tables and arrays as others write them, and ids as others spell them."""

import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.errors import BenchError
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.readers import available_readers, find_reader, match_ids, read_csv, read_npz

POINTS = np.random.default_rng(1).uniform(0, 450, (2, 68, 3)).round(3)
IDS = ["image00002", "image00004"]
DATASET = types.SimpleNamespace(sample_ids=np.array(IDS, object))


def code_of(reader, path, frame="image", dataset=None):
    with pytest.raises(BenchError) as error:
        reader(path, frame=frame, dataset=dataset)
    return error.value.code


def npz(path, **members):
    np.savez(path, **{"sample_id": np.array(IDS), "landmarks": POINTS, **members})
    return path


def test_readers_are_found_by_name():
    """Those of other packages too, through the entry points."""
    assert {"npz", "csv"} <= set(available_readers())
    assert find_reader("csv") is read_csv


def test_unknown_reader_suggests():
    """A typing mistake gets the name that was meant; all names are listed."""
    with pytest.raises(BenchError) as error:
        find_reader("NPY")
    assert error.value.code == "unknown-reader"
    assert "csv, npz" in str(error.value)
    assert "'npz'" in error.value.remedy


def test_broken_reader(monkeypatch):
    """A reader whose package is not whole is one message."""
    point = types.SimpleNamespace(value="no.such:thing", load=lambda: __import__("no_such_module"))
    monkeypatch.setattr("prn_bench.readers.registry.available_readers", lambda: {"mine": point})
    with pytest.raises(BenchError) as error:
        find_reader("mine")
    assert error.value.code == "broken-reader"


@pytest.mark.parametrize("name", ["sample_id", "names", "ids", "name"])
def test_npz_of_plain_arrays(tmp_path, name):
    """The usual names of the ids; the file is named as the method."""
    np.savez(tmp_path / "best.npz", **{name: np.array(IDS), "landmarks": POINTS})
    found = read_npz(tmp_path / "best.npz", frame="crop")
    assert found.sample_ids.tolist() == IDS
    assert (found.frame, found.method) == ("crop", {"name": "best"})
    np.testing.assert_array_equal(found.arrays["landmarks"], POINTS)


def test_turned_axes_are_put_right(tmp_path):
    """Coordinates first, as 3DDFA and SynergyNet keep them; said in a note."""
    maps = np.arange(2 * 256 * 256 * 3, dtype=np.float32).reshape(2, 256, 256, 3)
    path = npz(
        tmp_path / "p.npz",
        landmarks=POINTS.swapaxes(1, 2),
        vertices=np.ones((2, 3, 53215), np.float32),
        position_map=maps,
    )
    found = read_npz(path, frame="image")
    np.testing.assert_array_equal(found.arrays["landmarks"], POINTS)
    np.testing.assert_array_equal(found.arrays["position_map"], maps.transpose(0, 3, 1, 2))
    assert found.arrays["vertices"].shape == (2, 53215, 3)
    assert found.topology == "bfm-53215"
    assert [note.split()[0] for note in found.method["notes"]] == [
        *("landmarks", "vertices", "position_map", "topology")
    ]


@pytest.mark.parametrize(
    ("members", "frame", "code"),
    [
        ({}, None, "frame-needed"),
        ({}, "world", "unknown-frame"),
        ({"frame": "crop"}, "image", "frame-conflict"),
        ({"landmarks": POINTS[:, :50]}, "image", "wrong-shape"),
        ({"sample_id": np.array(["a", "a"])}, "image", "duplicate-ids"),
        ({"landmarks": np.array([{}, {}])}, "image", "object-array"),
        ({"vertices": np.ones((2, 7, 3))}, "image", "no-topology"),
        ({"method": np.array("{}")}, "image", "bad-method"),
    ],
)
def test_bad_npz(tmp_path, members, frame, code):
    """Each by its own code."""
    assert code_of(read_npz, npz(tmp_path / "p.npz", **members), frame) == code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xff\xd8\xff\xe0", "not-an-npz"),
        (b"sample_id,x0\n", "not-an-npz"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs-pointer"),
        (b"PK\x03\x04" + bytes(50), "damaged-npz"),
    ],
)
def test_what_is_no_npz(tmp_path, content, code):
    """Named for what it is; only an .npz is called a damaged one."""
    (tmp_path / "p.npz").write_bytes(content)
    assert code_of(read_npz, tmp_path / "p.npz") == code


@pytest.mark.parametrize("reader", [read_npz, read_csv])
def test_no_such_file(tmp_path, reader):
    """Also when a folder is named."""
    assert code_of(reader, tmp_path / "p") == code_of(reader, tmp_path) == "no-such-file"


def test_the_frame_of_the_file_is_enough(tmp_path):
    """Our own files need no second word."""
    assert read_npz(npz(tmp_path / "p.npz", frame="crop"), frame=None).frame == "crop"


@pytest.mark.parametrize(
    ("given_id", "known", "expected"),
    [
        ("image00002", ["image00002"], "image00002"),
        ("image00002.jpg", ["image00002"], "image00002"),
        ("AFLW2000/image00002.mat", ["image00002"], "image00002"),
        ("C:\\data\\image00002.jpg", ["image00002"], "image00002"),
        ("300W_LP/AFW/AFW_1_0.jpg", ["AFW/AFW_1_0", "AFW_Flip/AFW_1_0"], "AFW/AFW_1_0"),
        ("AFW_1_0.jpg", ["AFW/AFW_1_0"], "AFW/AFW_1_0"),
        ("face.v2.jpg", ["face.v2"], "face.v2"),
        ("face.v2", ["face.v2", "face"], "face.v2"),
        ("nobody.jpg", ["image00002"], "nobody.jpg"),
    ],
)
def test_ids_are_matched(given_id, known, expected):
    """An exact id stays; else the longest tail of the path without its extension counts."""
    assert match_ids([given_id], known) == ([expected], int(given_id != expected))


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["AFW_1_0.jpg"], ["AFW/AFW_1_0", "AFW_Flip/AFW_1_0"]),
        (["a/x.jpg", "b/x.jpg"], ["x"]),
        (["x", "x.jpg"], ["x"]),
    ],
)
def test_ambiguous_ids(names, known):
    """A name that fits two samples, and two names that fit one."""
    with pytest.raises(BenchError) as error:
        match_ids(names, known)
    assert error.value.code == "ambiguous-id"


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="/\\."), min_size=1), unique=True
    )
)
def test_every_id_finds_itself_behind_a_folder(known):
    """Whatever the script of its name."""
    given_ids = [f"folder/{name}.jpg" for name in known]
    assert match_ids(given_ids, known) == (known, len(known))


def test_renaming_is_noted(tmp_path):
    """How many, and of how many."""
    path = npz(tmp_path / "p.npz", sample_id=np.array(["image00002", "AFLW2000/image00004.jpg"]))
    found = read_npz(path, frame="image", dataset=DATASET)
    assert found.sample_ids.tolist() == IDS
    assert found.method["notes"] == ["1 of 2 ids renamed to the dataset's"]


def test_import_then_write_then_open(tmp_path):
    """What is imported can be written as our own file, with the same digest."""
    lines = ["sample_id,point,x,y", *(f"a/{IDS[0]}.jpg,{i},{i},{2 * i}" for i in range(68))]
    (tmp_path / "p.csv").write_text("\n".join(lines))
    found = read_csv(tmp_path / "p.csv", frame="image", dataset=DATASET)
    assert found.sample_ids.tolist() == IDS[:1]
    write_predictions(
        tmp_path / "p.h5", found.sample_ids, frame=found.frame, method=found.method, **found.arrays
    )
    again = open_predictions(tmp_path / "p.h5")
    assert again.sha256 == found.sha256
    assert again.method == found.method


def test_real_predictions(real_data):
    """The released 3DDFA-V2 on the 2,000 images of AFLW2000-3D."""
    path = real_data / "predictions" / "3ddfa_v2_mb05_aflw2000.npz"
    found = find_reader("npz")(path, frame="image")
    assert found.arrays["landmarks"].shape == (2000, 68, 3)
    assert found.sample_ids[0] == "image00002"
    with pytest.raises(BenchError) as error:
        open_predictions(path)
    assert error.value.code == "no-frame"
