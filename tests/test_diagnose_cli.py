"""``prn-bench doctor``: exit codes, what a person reads in 80 columns, JSON."""

from __future__ import annotations

import json

import pytest
from faults import good_points, upside_down

from prn_bench.predictions import write_predictions


@pytest.fixture
def written(tmp_path, dataset):
    """A function that writes points and gives the path of the file."""

    def write(points, **options):
        path = tmp_path / "p.h5"
        ids = dataset.sample_ids
        write_predictions(path, ids, frame="image", landmarks=points, method="mine", **options)
        return path

    return write


def flat(text):
    """Words as a person reads them, wherever the lines break."""
    return " ".join(text.split())


def test_a_fault_is_named_with_its_remedy(run, written, dataset):
    """Exit code 1, figures before and after, what to do; the file is untouched."""
    truth = dataset.read("landmarks").astype(float)
    path = written(upside_down(good_points(dataset, truth)))
    before = path.read_bytes()
    code, out, err = run("doctor", path, dataset.path)
    assert (code, err) == (1, "")
    assert "error y-flip" in out
    assert "y runs up; y -> h - 1 - y brings the 68-point 2D NME from" in flat(out)
    assert "-> Write the file again with y down." in flat(out)
    assert max(map(len, out.splitlines())) <= 80
    assert path.read_bytes() == before


def test_good_predictions(run, written, dataset):
    """Exit code 0, the offset from both references, and one line that nothing improves."""
    code, out, _ = run("doctor", written(dataset.read("landmarks")), dataset.path)
    assert code == 0
    assert "Nothing that is tried here improves these predictions." in out
    stored = next(line for line in out.splitlines() if line.startswith("stored points"))
    assert stored.split()[2] == "-1.00"
    assert "correct predictions lie at (-1, -1)" in flat(out)


def test_an_offset_says_both_figures(run, written, dataset):
    """Undoing a 1-based offset brings the figure up where the reference is 1-based, too."""
    code, out, _ = run("doctor", written(dataset.read("landmarks") + [1, 1, 0]), dataset.path)
    assert code == 1
    assert "1-based pixels (MATLAB's) would give; x - 1, y - 1 brings" in flat(out)
    assert "against 0-based points from" in flat(out)
    assert "of this protocol (1-based) from 0.00 % to" in flat(out)


def test_json(run, written, dataset):
    """The same content for programs, without infinities."""
    code, out, _ = run(
        "doctor", written(dataset.read("landmarks") * [1, 1, -1]), dataset.path, "--json"
    )
    assert code == 1
    found = json.loads(out)
    assert not found["good"]
    assert found["mistakes"][0]["family"] == "z-sign"
    assert found["mistakes"][0]["sentence"].startswith(
        "z runs away from the viewer; z -> -z brings"
    )
    assert found["figure"]["protocol"] == "aflw2000/68/2d@3ddfa-fit"


def test_bad_input(run, written, dataset, tmp_path):
    """Exit code 2 and one message."""
    path = written(dataset.read("landmarks"))
    for words in (
        (tmp_path / "none.h5", dataset.path),
        (dataset.path, dataset.path),
        (path, dataset.path, "-p", "no-such-protocol"),
        (path, path),
    ):
        code, out, err = run("doctor", *words)
        assert (code, out) == (2, "")
        assert err.startswith("prn-bench: ")
        assert "Traceback" not in err


def test_few_samples_are_said(run, tmp_path, dataset):
    """A reader of three faces knows what silence means."""
    path = tmp_path / "few.h5"
    ids, points = dataset.sample_ids[:3], dataset.read("landmarks", slice(0, 3))
    write_predictions(path, ids, frame="image", landmarks=points, method="mine")
    code, out, _ = run("doctor", path, dataset.path)
    assert code == 0
    assert "fewer than 8 samples" in out
    assert "inf" not in out
