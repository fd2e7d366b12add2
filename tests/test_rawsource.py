import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from prn_bench.errors import BenchError
from prn_bench.recipes.rawsource import open_raw


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip with these members."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def code_of(call: Callable[[], object]) -> str:
    """Code of the BenchError that a call raises."""
    with pytest.raises(BenchError) as error:
        call()
    return error.value.code


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_folder_and_zip_show_the_same(tmp_path: Path, method: int) -> None:
    """The names and contents do not depend on whether the download was unpacked."""
    content = {"A/b.mat": b"b" * 1000, "A/a.mat": b"", "c.txt": b"c"}
    for name, data in content.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    archive = make_zip(tmp_path / "a.zip", {**content, "A/": b""}, method)
    for source in (open_raw(tmp_path / "folder"), open_raw(archive)):
        assert source.names == ("A/a.mat", "A/b.mat", "c.txt")
        assert {name: source.read(name) for name in source.names} == content
        assert "A/b.mat" in source
        assert "A" not in source


def test_zips_in_a_folder_are_looked_through(tmp_path: Path) -> None:
    """Members stand where the zip does; a file on disk wins over one in a zip."""
    (tmp_path / "sub").mkdir()
    make_zip(tmp_path / "x.zip", {"A/a.mat": b"zip", "A/b.mat": b"zip"})
    make_zip(tmp_path / "sub" / "Y.ZIP", {"c.mat": b"c"})
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "a.mat").write_bytes(b"disk")
    source = open_raw(tmp_path)
    assert source.names == ("A/a.mat", "A/b.mat", "sub/c.mat")
    assert source.read("A/a.mat") == b"disk"
    assert source.read("A/b.mat") == b"zip"
    assert source.where("A/b.mat") == f"{tmp_path / 'x.zip'}: A/b.mat"


def test_debris_is_passed_over(tmp_path: Path) -> None:
    """Hidden files and what macOS and Windows leave behind are no samples."""
    names = ("a.mat", ".DS_Store", "__MACOSX/a.mat", "A/._a.mat", "Thumbs.db")
    source = open_raw(make_zip(tmp_path / "a.zip", dict.fromkeys(names, b"1")))
    assert source.names == ("a.mat",)


def test_backslashes_are_separators(tmp_path: Path) -> None:
    """Some Windows programs write backslashes into zips."""
    source = open_raw(make_zip(tmp_path / "a.zip", {"A\\a.mat": b"1"}))
    assert source.read("A/a.mat") == b"1"


@pytest.mark.parametrize("name", ["../a.mat", "A/../../a.mat", "/etc/a.mat", "C:/a.mat", "..\\a"])
def test_members_that_point_outside_are_refused(tmp_path: Path, name: str) -> None:
    """Absolute names and ``..`` are refused by name, though nothing is ever extracted."""
    archive = make_zip(tmp_path / "a.zip", {"good.mat": b"1", name: b"2"})
    with pytest.raises(BenchError, match=r"a\.mat|\.\.") as error:
        open_raw(archive)
    assert error.value.code == "unsafe-member-name"


def test_links_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    """A link to a file or folder outside is refused; a link within is a name like any other."""
    (tmp_path / "secret").write_bytes(b"s")
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.mat").write_bytes(b"a")
    (raw / "b.mat").symlink_to(raw / "a.mat")
    assert open_raw(raw).read("b.mat") == b"a"
    for target in (tmp_path / "secret", tmp_path):
        link = raw / "link"
        link.symlink_to(target)
        assert code_of(lambda: open_raw(raw)) == "link-leaves-folder"
        link.unlink()
    (raw / "self").symlink_to(raw)
    assert open_raw(raw).names == ("a.mat", "b.mat")


def test_pipes_are_passed_over(tmp_path: Path) -> None:
    """Reading a pipe would hang for ever."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.mat").write_bytes(b"a")
    assert open_raw(tmp_path).names == ("a.mat",)


def test_wrong_places_have_their_codes(tmp_path: Path) -> None:
    """A missing path, an empty folder, an empty zip and a file that is no zip."""
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    (tmp_path / "a.zip").write_bytes(b"Rar!\x1a\x07 rest of it")
    (tmp_path / "lfs.zip").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert code_of(lambda: open_raw(tmp_path / "none")) == "no-such-path"
    assert code_of(lambda: open_raw(tmp_path / "empty")) == "empty-folder"
    assert code_of(lambda: open_raw(make_zip(tmp_path / "no.zip", {}))) == "empty-folder"
    assert code_of(lambda: open_raw(tmp_path / "lfs.zip")) == "git-lfs-pointer"
    with pytest.raises(BenchError, match="found a RAR archive"):
        open_raw(tmp_path / "a.zip")


def test_a_truncated_zip_is_named(tmp_path: Path) -> None:
    """Cut anywhere, a zip is refused when it is opened, also when it lies in a folder."""
    whole = make_zip(tmp_path / "a.zip", {f"{i}.mat": os.urandom(300) for i in range(5)})
    data = whole.read_bytes()
    for length in (10, len(data) // 2, len(data) - 1):
        whole.write_bytes(data[:length])
        assert code_of(lambda: open_raw(whole)) == "damaged-zip"
        assert code_of(lambda: open_raw(tmp_path)) == "damaged-zip"


def test_an_encrypted_zip_is_named(tmp_path: Path) -> None:
    """The flag in the list of members is enough to say so."""
    path = make_zip(tmp_path / "a.zip", {"a.mat": b"1" * 50})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert code_of(lambda: open_raw(path)) == "encrypted-zip"


def test_damaged_members_are_named_and_the_others_read(tmp_path: Path) -> None:
    """A flipped byte fails the checksum of its own member only."""
    path = make_zip(tmp_path / "a.zip", {"a.mat": os.urandom(500), "b.mat": b"b" * 500})
    data = bytearray(path.read_bytes())
    data[100] ^= 0xFF
    path.write_bytes(data)
    source = open_raw(path)
    assert source.read("b.mat") == b"b" * 500
    with pytest.raises(BenchError, match=r"a\.zip: a\.mat: this member") as error:
        source.read("a.mat")
    assert error.value.code == "damaged-zip-member"


def test_random_damage_ends_in_a_bench_error(tmp_path: Path) -> None:
    """300 seeded flips and cuts: right contents or a BenchError, nothing else."""
    import numpy as np

    content = {f"{i}.mat": bytes([i]) * 200 for i in range(4)}
    data = make_zip(tmp_path / "a.zip", content).read_bytes()
    draw = np.random.default_rng(1)
    for trial in range(300):
        changed = bytearray(data)
        place = int(draw.integers(len(data)))
        if trial % 4:
            changed[place] ^= 1 << int(draw.integers(8))
        else:
            del changed[place:]
        (tmp_path / "b.zip").write_bytes(changed)
        try:
            source = open_raw(tmp_path / "b.zip")
            found = {name: source.read(name) for name in source.names}
        except BenchError:
            continue
        assert set(found.values()) <= set(content.values())


def test_large_members_are_refused(tmp_path: Path) -> None:
    """A claim beyond 256 MiB is refused before anything is read; a bomb never unpacks."""
    path = make_zip(tmp_path / "a.zip", {"a.mat": b"\0" * 10_000_000})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 300 << 20)
    path.write_bytes(data)
    assert code_of(lambda: open_raw(path).read("a.mat")) == "too-large"
    data[at : at + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    assert code_of(lambda: open_raw(path).read("a.mat")) == "damaged-zip-member"
    with (tmp_path / "big.bin").open("wb") as stream:
        stream.truncate((256 << 20) + 1)
    path.unlink()
    assert code_of(lambda: open_raw(tmp_path).read("big.bin")) == "too-large"


def test_unsupported_compression_is_named(tmp_path: Path) -> None:
    """The remedy is to unpack the zip."""
    source = open_raw(make_zip(tmp_path / "a.zip", {"a.mat": b"1"}, zipfile.ZIP_BZIP2))
    with pytest.raises(BenchError, match="Unpack the zip"):
        source.read("a.mat")


def test_unknown_names_are_a_bench_error(tmp_path: Path) -> None:
    """Only listed names are read: a path cannot be smuggled in."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.mat").write_bytes(b"a")
    (tmp_path / "b.mat").write_bytes(b"b")
    assert code_of(lambda: open_raw(tmp_path / "raw").read("../b.mat")) == "no-such-member"


def test_two_thousand_members_are_read_fast_and_pickled(tmp_path: Path) -> None:
    """The list of members is read once, and goes to workers with the source."""
    content = {f"AFLW2000/image{i:05}.mat": os.urandom(3000) for i in range(2000)}
    path = make_zip(tmp_path / "a.zip", content)
    start = time.perf_counter()
    source = open_raw(path)
    assert all(source.read(name) == content[name] for name in source.names)
    assert time.perf_counter() - start < 1
    again = pickle.loads(pickle.dumps(source))
    assert again.names == source.names
    assert again.read(source.names[7]) == content[source.names[7]]
