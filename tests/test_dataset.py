"""The dataset reader: lazy, picklable, honest about its digests."""

import multiprocessing
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import h5py
import numpy as np
import pytest

from prn_bench.dataset import Dataset, digests, open_dataset
from prn_bench.dataset.digests import recompute_digests
from prn_bench.errors import BenchError


@pytest.fixture
def path(datasets):
    return datasets["300w-lp"]


def checksum(dataset, row):
    """A number that depends on every byte of one sample."""
    sample = dataset[row]
    return (
        float(sample["position_map"].sum())
        + int(sample["image"].sum())
        + hash(sample["sample_id"]) % 1
    )


def test_a_sample_has_everything(path):
    """Arrays, shapes, dtypes and frames of one item."""
    sample = open_dataset(path)[0]
    assert sample["image"].shape == (256, 256, 3)
    assert sample["image"].dtype == np.uint8
    assert sample["position_map"].shape == (3, 256, 256)
    assert sample["position_map"].dtype == np.float32
    assert sample["landmarks"].shape == (68, 3)
    assert sample["crop"].shape == (3, 3)
    assert "row_sha256" not in sample


def test_negative_and_outside_rows(path):
    """As a sequence behaves."""
    dataset = open_dataset(path)
    assert dataset[-1]["sample_id"] == dataset[len(dataset) - 1]["sample_id"]
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_rows_come_in_the_order_asked_for(path):
    """HDF5 wants sorted unique rows; we do not."""
    dataset = open_dataset(path)
    rows = [5, 0, 5, 3]
    np.testing.assert_array_equal(dataset.read("landmarks", rows), dataset.read("landmarks")[rows])
    assert list(dataset.read("sample_id", rows)) == [dataset.sample_ids[r] for r in rows]


def test_what_is_missing_is_named(path):
    """The error lists what there is."""
    with pytest.raises(BenchError) as error:
        open_dataset(path).read("yaw_deg/aflw")
    assert error.value.code == "dataset-lacks"
    assert "yaw_deg/fitted" in str(error.value)


def test_survives_pickling(path):
    """Without its open handle."""
    dataset = open_dataset(path)
    dataset[0]
    again = pickle.loads(pickle.dumps(dataset))
    assert checksum(again, 1) == checksum(dataset, 1)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_read_the_same(path, method):
    """Under every start method, from a dataset that is already open here."""
    dataset = open_dataset(path)
    expected = [checksum(dataset, row) for row in range(4)]
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        assert list(executor.map(checksum, [dataset] * 4, range(4))) == expected


def test_threads_read_the_same(path):
    """One object, several threads."""
    dataset = open_dataset(path)
    expected = [checksum(dataset, row) for row in range(8)]
    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(lambda row: checksum(dataset, row), range(8))) == expected


def test_plain_h5py_reads_the_maps(path):
    """Any HDF5 reader opens them: scale_factor and add_offset are all it needs."""
    with h5py.File(path) as file:
        node = file["position_map"]
        assert node.compression == "gzip"
        assert node.chunks == (1, 3, 256, 256)
        plain = node[0] * node.attrs["scale_factor"] + node.attrs["add_offset"]
    np.testing.assert_allclose(plain, open_dataset(path).position_maps([0])[0], atol=1e-4)


def test_digests_are_what_the_file_says(path):
    """Recomputed from the content."""
    found = recompute_digests(path)
    attributes = open_dataset(path).attributes
    assert found["fingerprint"] == attributes["fingerprint"]
    assert found["content_sha256"] == attributes["content_sha256"]
    assert found["damaged"] == []


def test_compression_and_chunks_do_not_matter(path, tmp_path):
    """The fingerprint is of the content, not of how it is packed."""
    copy = tmp_path / "copy.h5"
    with h5py.File(path) as source, h5py.File(copy, "w") as target:
        target.attrs.update(source.attrs)

        def rewrite(name, node):
            if isinstance(node, h5py.Dataset):
                plain = node.dtype.kind != "O"
                target.create_dataset(name, data=node[...], dtype=node.dtype, chunks=plain or None)
                target[name].attrs.update(node.attrs)

        source.visititems(rewrite)
    assert recompute_digests(copy)["fingerprint"] == open_dataset(path).attributes["fingerprint"]
    assert recompute_digests(copy)["damaged"] == []


@pytest.mark.parametrize(
    ("name", "moves_fingerprint"), [("landmarks", True), ("position_map", False), ("crop", True)]
)
def test_an_edit_is_seen(path, tmp_path, name, moves_fingerprint):
    """An annotation moves the fingerprint; a pixel is traced to its sample."""
    copy = tmp_path / "copy.h5"
    shutil.copy(path, copy)
    with h5py.File(copy, "r+") as file:
        node = file[name]
        row = node[2]
        row.reshape(-1)[100 % row.size] += 1
        node[2] = row
    found, attributes = recompute_digests(copy), open_dataset(path).attributes
    assert (found["fingerprint"] != attributes["fingerprint"]) == moves_fingerprint
    if not moves_fingerprint:
        assert found["damaged"] == [open_dataset(path).sample_ids[2]]


def test_canonical_bytes():
    """One NaN, one zero, one byte order."""
    plain = np.array([0.0, np.nan, 1.5])
    odd = np.array([-0.0, -np.nan, 1.5]).astype(">f8")
    assert bytes(digests.canonical_bytes(plain)) == bytes(digests.canonical_bytes(odd))
    assert bytes(digests.canonical_bytes(plain)) == plain.astype("<f8").tobytes()


def test_close_and_read_again(path):
    """A closed dataset opens itself again."""
    dataset = Dataset(path)
    first = checksum(dataset, 0)
    dataset.close()
    assert checksum(dataset, 0) == first


def test_another_kind_of_file_is_refused(world):
    """A face model is no dataset."""
    with pytest.raises(BenchError) as error:
        open_dataset(world / "face-model.h5")
    assert error.value.code == "wrong-format"
