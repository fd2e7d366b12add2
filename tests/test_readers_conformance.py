"""What every reader must do, on files as each method writes them."""

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from prn_bench.checks import check_file
from prn_bench.errors import BenchError
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.readers import available_readers, find_reader
from tests.reader_files import CASES, EVERYWHERE, HOSTILE, NAMES, ToyDataset, known_points

MEMORY_BYTES = 48 << 20


def read(case, path, dataset=None):
    dataset = dataset or ToyDataset(size=case.size)
    return find_reader(case.reader)(path, frame=case.frame, dataset=dataset, **case.options)


def refusal(case, path, dataset=None):
    with pytest.raises(BenchError) as error:
        read(case, path, dataset)
    return error.value


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """One native format."""
    return CASES[request.param]


@pytest.fixture(scope="module")
def folder(case, tmp_path_factory):
    """Its files for two samples."""
    folder = tmp_path_factory.mktemp("native")
    for name in NAMES:
        case.write(folder, name, known_points(name))
    return folder


@pytest.fixture(scope="module")
def found(case, folder):
    """What its reader makes of them."""
    return read(case, folder)


def test_known_points_come_out(case, found):
    """In 0-based pixels, y down, as exactly as the format prints them."""
    assert found.sample_ids.tolist() == list(NAMES)
    for array, kind in case.expected.items():
        for row, name in enumerate(NAMES):
            mesh = array == "vertices"
            values = found.mesh(row)[0] if mesh else found.rows(array, row)
            np.testing.assert_allclose(
                values, known_points(name)[kind], atol=case.tolerance, rtol=0
            )
    assert set(found.arrays) - {"triangles", "triangle_start", "vertex_start"} == set(case.expected)
    assert found.frame == (case.frame or ("crop" if case.reader == "sadrnet" else "image"))


def test_what_was_done_is_noted(case, folder, found):
    """The card says what the coordinates are, and how many files were read."""
    notes = found.method["notes"]
    assert found.method["name"]
    assert any(note.startswith("read 2 ") for note in notes)
    assert any(
        "written" in n or "writes" in n or "times" in n or "moved" in n or "topology" in n
        for n in notes
    )


def test_it_can_be_written_and_opened(found, tmp_path):
    """With the digest that the import has."""
    write_predictions(
        tmp_path / "p.h5",
        found.sample_ids,
        frame=found.frame,
        topology=found.topology,
        method=found.method,
        **found.arrays,
    )
    again = open_predictions(tmp_path / "p.h5")
    assert (again.sha256, again.method) == (found.sha256, found.method)
    assert [f for f in check_file(tmp_path / "p.h5") if f.level == "error"] == []


def test_a_zip_is_as_good_as_a_folder(case, folder, found, tmp_path):
    """With the folder in it, as archivers pack it."""
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"results/{file.name}")
    assert read(case, tmp_path / "out.zip").sha256 == found.sha256


def test_wrong_and_empty_folders(case, tmp_path):
    """Three different messages."""
    assert refusal(case, tmp_path / "no").code == "no-such-path"
    (tmp_path / "empty").mkdir()
    assert refusal(case, tmp_path / "empty").code == "empty-folder"
    (tmp_path / "empty" / "readme.md").write_text("hello")
    error = refusal(case, tmp_path / "empty")
    assert error.code == "no-output-files"
    assert "NAME" in error.expected
    assert "readme.md" in error.found


def test_files_of_other_samples(case, folder):
    """Left out and counted, both ways; a folder of nothing but strangers is refused."""
    found = read(case, folder, ToyDataset([NAMES[1], "image00006", "image00008"], case.size))
    assert found.sample_ids.tolist() == [NAMES[1]]
    notes = " ".join(found.method["notes"])
    assert f"1 names are no samples of toy.h5, and were left out: {NAMES[0]}" in notes
    assert "2 of 3 samples have no file: image00006, image00008" in notes
    assert refusal(case, folder, ToyDataset(["nobody"], case.size)).code == "no-known-ids"


def test_a_damaged_file_among_good_ones(case, folder, tmp_path):
    """Named; never a sample that silently is missing."""
    victim = next(
        f
        for f in sorted(folder.iterdir())
        if f.name.startswith(NAMES[1]) and "camera" not in f.name
    )
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        half = data[: len(data) // 2 - 3]
        (tmp_path / file.name).write_bytes(half if file == victim else data)
    error = refusal(case, tmp_path)
    assert NAMES[1] in str(error.where)
    assert error.remedy or error.expected


def test_nan_beside_numbers(case, tmp_path):
    """Refused, with the file's name."""
    case.write(tmp_path, NAMES[0], known_points(NAMES[0], spoilt=True))
    error = refusal(case, tmp_path)
    assert error.code == "not-finite"
    assert NAMES[0] in str(error.where)


def hostile(case, folder):
    """Every hostile content of a suffix that the case writes, in place of that file."""
    for file in sorted(folder.iterdir()):
        if not file.name.startswith(NAMES[0]) or "camera" in file.name or file.suffix == ".roibox":
            continue
        for code, data in {**EVERYWHERE, **HOSTILE.get(file.suffix, {})}.items():
            yield file, code, data


def test_hostile_files(case, folder, tmp_path):
    """Refused by their own codes, without taking memory or running anything."""
    for file, code, data in hostile(case, folder):
        place = tmp_path / "hostile"
        place.mkdir(exist_ok=True)
        for other in folder.iterdir():
            if other.name.startswith(NAMES[0]):
                (place / other.name).write_bytes(data if other == file else other.read_bytes())
        tracemalloc.start()
        error = refusal(case, place)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (error.code, file.name in str(error.where)) == (code, True), (file.name, error)
        assert peak < MEMORY_BYTES, (file.name, code)
    assert not Path("owned").exists()


def test_another_frame_is_refused(case, folder):
    """A reader that knows its frame does not let it be changed by a slip."""
    if case.frame is not None:
        with pytest.raises(BenchError) as error:
            find_reader(case.reader)(folder, frame=None, dataset=ToyDataset(), **case.options)
        assert error.value.code == "frame-needed"
        return
    with pytest.raises(BenchError) as error:
        find_reader(case.reader)(folder, frame="world", dataset=ToyDataset(), **case.options)
    assert error.value.code == "frame-conflict"


def test_every_reader_of_ours_is_here():
    """A new reader needs a case; npz and csv have their own tests."""
    own = {n for n, point in available_readers().items() if point.value.startswith("prn_bench.")}
    assert own == {case.reader for case in CASES.values()} | {"npz", "csv"}


def test_temporary_files_go_with_the_predictions(tmp_path, monkeypatch):
    """As soon as nothing uses them; and at once after an error."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    case = CASES["2dasl"]
    case.write(tmp_path, NAMES[0], known_points(NAMES[0]))
    found = read(case, tmp_path / ".")
    assert len(list((tmp_path / "temp").iterdir())) == 1
    del found
    assert list((tmp_path / "temp").iterdir()) == []
    (tmp_path / f"{NAMES[0]}.mat").write_bytes(b"")
    refusal(case, tmp_path)
    assert list((tmp_path / "temp").iterdir()) == []
