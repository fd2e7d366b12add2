"""TensorFlow checkpoints without TensorFlow: every byte of the index counts."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.errors import BenchError
from prn_bench.formats import tfbundle

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A copy of the small checkpoint that TensorFlow wrote, by its common name."""
    for name in ("tf_network.index", "tf_network.data-00000-of-00001"):
        shutil.copy(GOLDEN / name, tmp_path)
    return tmp_path / "tf_network"


def bitwise(data: bytes) -> int:
    """CRC-32C by its definition."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_crc_of_the_standard() -> None:
    """The check value of CRC-32C, and the one of 32 zeros in RFC 3720."""
    assert tfbundle.crc32c(b"123456789") == 0xE3069283
    assert tfbundle.crc32c(bytes(32)) == 0x8A9136AA


@given(st.binary(min_size=1, max_size=64), st.integers(1, 300))
def test_crc_of_long_data(data: bytes, repeats: int) -> None:
    """Lanes side by side give what one bit after the other does."""
    assert tfbundle.crc32c(data * repeats) == bitwise(data * repeats)


def test_an_index_of_tensorflow(checkpoint: Path) -> None:
    """Names, shapes and places, whichever of its files is named; values as TensorFlow wrote them."""
    entries = tfbundle.read_index(checkpoint)
    assert entries == tfbundle.read_index(f"{checkpoint}.index")
    assert entries == tfbundle.read_index(f"{checkpoint}.data-00000-of-00001")
    assert len(entries) == 245 + 2
    assert entries["resfcn256/Conv/weights"].shape == (4, 4, 3, 1)
    assert entries["beta1_power"].shape == ()
    size = (checkpoint.parent / "tf_network.data-00000-of-00001").stat().st_size
    assert sum(entry.size for entry in entries.values()) == size
    gamma = tfbundle.read_tensor(checkpoint, entries["resfcn256/Conv/BatchNorm/gamma"])
    assert gamma.dtype == np.float32
    assert gamma.min() >= 0.5  # the script drew it so


@pytest.mark.parametrize("place", range(0, 9238, 193))
def test_a_changed_byte_is_noticed(checkpoint: Path, place: int) -> None:
    """No flipped byte of the index goes unnoticed, nor does any raise something else."""
    index = tfbundle.index_path(checkpoint)
    data = bytearray(index.read_bytes())
    before = tfbundle.read_index(checkpoint)
    data[place] ^= 0xFF
    index.write_bytes(data)
    found = None
    with contextlib.suppress(BenchError):
        found = tfbundle.read_index(checkpoint)
    assert found in (None, before)  # the same only in the padding


@pytest.mark.parametrize("length", [0, 10, 48, 4000, 9230])
def test_an_index_cut_short(checkpoint: Path, length: int) -> None:
    """The beginning of an index is none."""
    index = tfbundle.index_path(checkpoint)
    index.write_bytes(index.read_bytes()[:length])
    with pytest.raises(BenchError) as error:
        tfbundle.read_index(checkpoint)
    assert error.value.code == ("not-a-tf-checkpoint" if length else "empty-file")


def test_data_that_changed(checkpoint: Path) -> None:
    """A flipped byte of a tensor, a data file cut short, and none at all."""
    data = Path(f"{checkpoint}.data-00000-of-00001")
    entry = tfbundle.read_index(checkpoint)["resfcn256/Conv/weights"]
    content = bytearray(data.read_bytes())
    content[entry.offset + 5] ^= 1
    for changed in (bytes(content), bytes(content[: entry.offset + 9])):
        data.write_bytes(changed)
        with pytest.raises(BenchError) as error:
            tfbundle.read_tensor(checkpoint, entry)
        assert error.value.code == "damaged-tf-checkpoint"
    data.unlink()
    with pytest.raises(BenchError) as error:
        tfbundle.read_tensor(checkpoint, entry)
    assert error.value.code == "no-such-file"
    assert data.name in str(error.value)


def test_a_planted_size_takes_no_memory(checkpoint: Path) -> None:
    """A tensor larger than its file, and one whose bytes do not make its shape."""
    entry = tfbundle.read_index(checkpoint)["resfcn256/Conv/weights"]
    for shape, size in (((1 << 50,), 4 << 50), ((1 << 50,), entry.size)):
        fields = (shape, "<f4", 0, 1, entry.offset, size, entry.crc)
        with pytest.raises(BenchError) as error:
            tfbundle.read_tensor(checkpoint, tfbundle.Entry(*fields))
        assert error.value.code == "damaged-tf-checkpoint"


def test_not_an_index(tmp_path: Path) -> None:
    """A web page in its place, and nothing."""
    (tmp_path / "x.index").write_bytes(b"<!DOCTYPE html><html></html>" * 9)
    for name, code in (("x", "html-page"), ("y", "no-such-file")):
        with pytest.raises(BenchError) as error:
            tfbundle.read_index(tmp_path / name)
        assert error.value.code == code
