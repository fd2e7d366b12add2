"""Arrays that stay in their file: rows on demand, pickling, the digest, damage found when it is met."""

import pickle
import resource
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.errors import BenchError
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.predictions.rows import BLOCK_BYTES, StoredRows, row_blocks
from prn_bench.predictions.structure import FORMAT
from prn_bench.predictions.writer import writing_predictions

IDS = ["d", "a", "c", "b"]
VERTICES = np.random.default_rng(0).uniform(0, 450, (4, 7, 3)).astype(np.float32)
CARRIERS = (".h5", ".npz")


def dense(path, values=VERTICES, ids=IDS):
    write_predictions(path, ids, frame="image", vertices=values, topology="mine-7", method="M")
    return open_predictions(path)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Dense predictions in a file."""
    return dense(tmp_path_factory.mktemp("rows") / "p.h5")


def test_dense_arrays_stay_in_the_file(stored):
    """Shape, type and length are known without reading."""
    values = stored.arrays["vertices"]
    assert isinstance(values, StoredRows)
    assert (values.shape, values.ndim, values.dtype, len(values)) == ((4, 7, 3), 3, np.float32, 4)


@given(
    rows=st.one_of(
        st.integers(-4, 3),
        st.slices(4),
        st.lists(st.integers(0, 3), max_size=6).map(lambda rows: np.array(rows, int)),
        st.lists(st.booleans(), min_size=4, max_size=4).map(np.array),
    )
)
def test_rows_are_those_of_an_array_in_memory(stored, rows):
    """By number, slice, list in any order, or mask."""
    if isinstance(rows, slice) and (rows.step or 1) < 0:
        rows = slice(None)
    np.testing.assert_array_equal(stored.rows("vertices", rows), VERTICES[rows])


def test_a_row_that_is_not_there(stored):
    """As with arrays in memory."""
    for rows in (4, -5, np.array([0, 4])):
        with pytest.raises(IndexError):
            stored.arrays["vertices"][rows]


def test_rows_of_what_is_not_there(stored):
    """A programmer's mistake."""
    with pytest.raises(ValueError, match="no landmarks"):
        stored.rows("landmarks", 0)


def test_pickling_takes_the_name_along_and_not_the_content(stored):
    """As a worker process gets it."""
    packed = pickle.dumps(stored.arrays["vertices"])
    assert len(packed) < 1000
    np.testing.assert_array_equal(pickle.loads(packed)[2], VERTICES[2])


def test_a_file_that_was_replaced_is_noticed(tmp_path):
    """A worker must not read other predictions than those that were hashed."""
    packed = pickle.dumps(dense(tmp_path / "p.h5"))
    dense(tmp_path / "p.h5", VERTICES[:3], IDS[:3])
    with pytest.raises(BenchError) as error:
        pickle.loads(packed).rows("vertices", 0)
    assert error.value.code == "changed-file"


def test_stored_types_become_floats(tmp_path):
    """Whole numbers, half floats, and the fixed point of maps, row by row."""
    codes = np.arange(2 * 3 * 256 * 256, dtype=np.uint16).reshape(2, 3, 256, 256)
    path = tmp_path / "p.h5"
    whole = np.arange(42, dtype=np.int16).reshape(2, 7, 3)
    write_predictions(
        path,
        ["a", "b"],
        frame="crop",
        position_map=codes,
        vertices=whole,
        topology="m-7",
        method="M",
    )
    found = open_predictions(path)
    assert found.arrays["vertices"].dtype == np.float64
    assert found.arrays["position_map"].dtype == found.rows("position_map", [1]).dtype == np.float32
    np.testing.assert_allclose(found.rows("position_map", 0)[0, 0, :2], [-192, -192 + 10 / 1024])


def test_the_digest_is_that_of_the_carrier_in_memory(tmp_path):
    """Whatever the carrier, the order of rows and the sizes of blocks."""
    values = VERTICES.copy()
    values[1] = np.nan
    values[2, 0] = -0.0
    order = np.array([2, 0, 3, 1])
    found = {dense(tmp_path / f"p{suffix}", values).sha256 for suffix in CARRIERS}
    turned = [IDS[i] for i in order]
    found |= {dense(tmp_path / f"p{s}", values[order], turned).sha256 for s in CARRIERS}
    assert len(found) == 1


def test_the_digest_of_a_known_file_stays(tmp_path):
    """Results that were saved before name their predictions by it."""
    points = np.arange(2 * 68 * 2, dtype=np.float32).reshape(2, 68, 2)
    write_predictions(tmp_path / "p.h5", ["b", "a"], frame="image", landmarks=points, method="M")
    known = "57d2fe40f887dc00ae09493da428c7be3764371ba7b847cf12a58dfca9b44660"
    assert open_predictions(tmp_path / "p.h5").sha256 == known


def test_blocks_cover_all_rows():
    """In order, once each, whatever the size of a row; a row is never cut."""
    for n_rows, size in ((0, 1), (5, 1), (7, BLOCK_BYTES // 3), (3, 9 * BLOCK_BYTES)):
        rows = [row for block in row_blocks(n_rows, size) for row in range(n_rows)[block]]
        assert rows == list(range(n_rows))
    assert [block.stop for block in row_blocks(7, BLOCK_BYTES // 3)] == [3, 6, 7]


def test_damaged_rows_are_one_message(tmp_path):
    """Found when its rows are read, by the digest or by whoever asks."""
    path = tmp_path / "p.h5"
    maps = np.random.default_rng(0).uniform(0, 255, (2, 3, 256, 256))
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": FORMAT, "frame": "crop"})
        file["sample_id"] = np.array([b"a", b"b"])
        file.create_dataset("position_map", data=maps, chunks=(1, 3, 256, 256), compression=1)
        place = file["position_map"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place : place + 64] = bytes(64)
    path.write_bytes(content)
    found = open_predictions(path)
    for read in (lambda: found.sha256, lambda: found.rows("position_map", [1])):
        with pytest.raises(BenchError) as error:
            read()
        assert error.value.code == "damaged-hdf5"


MEMORY = """
import resource, sys
import numpy as np
from prn_bench.predictions import open_predictions
from prn_bench.predictions.structure import FORMAT
from prn_bench.predictions.writer import writing_predictions
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
face = np.random.default_rng(0).uniform(0, 450, (43867, 3)).astype(np.float32)
with writing_predictions(sys.argv[1], frame="image", method="M", topology="prnet-43867") as writer:
    for i in range(400):
        writer.add(f"{i:04}", vertices=face + i)
found = open_predictions(sys.argv[1])
assert found.rows("vertices", [399])[0, 0, 0] == face[0, 0] + np.float32(399)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_dense_meshes_are_written_and_opened_in_flat_memory(tmp_path):
    """400 meshes are 210 MB; a block and the libraries are all that is taken."""
    words = [sys.executable, "-c", MEMORY, str(tmp_path / "p.h5")]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 130 * 1024


def test_meshes_of_one_size(stored):
    """Without triangles; numbers from the end count."""
    vertices, triangles = stored.mesh(-1)
    np.testing.assert_array_equal(vertices, VERTICES[3])
    assert (vertices.dtype, triangles) == (np.float64, None)


def ragged(path, order=(0, 1, 2)):
    """Three samples: two triangles, nothing, one triangle."""
    corners = [np.arange(12.0).reshape(4, 3), None, np.full((3, 3), 5.0)]
    faces = [[[0, 1, 2], [1, 2, 3]], None, [[2, 1, 0]]]
    with writing_predictions(path, frame="image", method="M", topology="unordered") as writer:
        for i in order:
            writer.add("abc"[i], vertices=corners[i], triangles=faces[i])
    return open_predictions(path)


@pytest.mark.parametrize("suffix", CARRIERS)
def test_ragged_meshes(tmp_path, suffix):
    """Each sample its own number of vertices and triangles; none is no prediction."""
    found = ragged(tmp_path / f"p{suffix}")
    assert found.arrays["vertex_start"].tolist() == [0, 4, 4, 7]
    assert found.arrays["triangle_start"].tolist() == [0, 2, 2, 3]
    vertices, triangles = found.mesh(2)
    np.testing.assert_array_equal(vertices, np.full((3, 3), 5.0))
    assert triangles.tolist() == [[2, 1, 0]]
    assert triangles.dtype == np.int32
    assert [len(part) for part in found.mesh(1)] == [0, 0]
    with pytest.raises(ValueError, match="of one size"):
        found.rows("vertices", 0)
    with pytest.raises(IndexError):
        found.mesh(3)


def test_the_digest_of_ragged_meshes(tmp_path):
    """The same for any order and carrier; another for other triangles or another cut."""
    same = {ragged(tmp_path / f"p{s}", o).sha256 for s in CARRIERS for o in ((0, 1, 2), (2, 0, 1))}
    assert len(same) == 1
    values = {"vertices": np.zeros((6, 3)), "vertex_start": [0, 3, 6], "topology": "unordered"}
    faces = {"triangles": [[0, 1, 2], [0, 1, 2]], "triangle_start": [0, 1, 2]}
    for changes in (
        faces,
        {},
        {"vertex_start": [0, 0, 6]},
        {**faces, "triangle_start": [0, 2, 2]},
        {**faces, "triangles": [[0, 1, 2], [0, 2, 1]]},
    ):
        members = values | changes
        write_predictions(tmp_path / "q.h5", ["a", "b"], frame="image", method="M", **members)
        same.add(open_predictions(tmp_path / "q.h5").sha256)
    assert len(same) == 6


def test_peak_memory_is_measured_in_kilobytes():
    """What the memory test above relies on."""
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 10_000
