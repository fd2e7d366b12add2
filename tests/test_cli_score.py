"""``prn-bench score`` and its tables: what is printed, what is left out, and when it fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from prn_bench.cli import tables
from prn_bench.dataset import open_dataset
from prn_bench.predictions import write_predictions

Run = Callable[..., tuple[int, str, str]]
FIT = "aflw2000/68/2d@3ddfa-fit"


@pytest.fixture
def dataset(datasets: dict[str, Path]) -> Path:
    """The synthetic test set."""
    return datasets["aflw2000-3d"]


def predict(dataset: Path, out: Path, *, shift_px: float = 3.0, name: str = "mine") -> Path:
    """Its landmarks, moved to the right."""
    opened = open_dataset(dataset)
    points = opened.read("landmarks") + np.float32([shift_px, 0, 0])
    write_predictions(out, opened.sample_ids, frame="image", landmarks=points, method=name)
    return out


@pytest.fixture
def mine(dataset: Path, tmp_path: Path) -> Path:
    """A prediction file."""
    return predict(dataset, tmp_path / "mine.h5")


def without(dataset: Path, name: str, folder: Path) -> Path:
    """A copy of a dataset that lacks one array."""
    copy = Path(shutil.copy(dataset, folder / "less.h5"))
    with h5py.File(copy, "r+") as file:
        del file[name]
    return copy


def flat(text: str) -> str:
    """Words as a person reads them, wherever the lines break."""
    return " ".join(text.split())


def test_pixels_are_not_per_cent(run: Run, mine: Path, dataset: Path) -> None:
    """Figures in px have a table of their own, with their unit."""
    code, out, _ = run("score", mine, dataset, "-p", "aflw2000/68/2d@*")
    assert code == 0
    before, after = out.split("aflw2000/68/2d, mean distance in px")
    assert "\npixels " not in before
    assert "\npixels " in after.split("NME in %")[0]


def test_choices_are_those_that_count(run: Run, mine: Path, dataset: Path) -> None:
    """SDRN's one draw has a seed and no number of draws; random subsets have both."""
    _, out, _ = run("score", mine, dataset, "-p", "aflw2000/68/2d@balanced894-sdrn")
    assert "seed 0" in flat(out)
    assert "draws" not in out
    _, out, _ = run("score", mine, dataset, "-p", "aflw2000/68/2d@balanced696")
    assert "draws 2000, seed 0" in flat(out)


def test_notes_name_their_protocols(run: Run, mine: Path, dataset: Path, tmp_path: Path) -> None:
    """Equal notes are one note, with the protocols it is about unless that is all of them."""
    copy = Path(shutil.copy(dataset, tmp_path / "turned.h5"))
    with h5py.File(copy, "r+") as file:
        file["yaw_deg/fitted"][:2] = 170.0
        n_beyond = int((np.abs(file["yaw_deg/fitted"][:]) > 90).sum())
    names = ("3ddfa-fit", "diagonal", "opentrack-bins")
    code, out, _ = run("score", mine, copy, *(f"-paflw2000/68/2d@{name}" for name in names))
    assert code == 0
    assert out.count("partial-dataset") == 1
    assert flat(out).count(f"{n_beyond} samples have a yaw beyond 90") == 1
    assert "no bin or not in the subset (2d@opentrack-bins)" in flat(out)
    _, out, _ = run("score", mine, copy, f"-p{FIT}", f"-p{FIT}+over_90=drop")
    assert "over_90 = last (2d@3ddfa-fit)" in flat(out)
    assert "over_90 = drop (2d@3ddfa-fit+over_90=drop)" in flat(out)


def test_an_id_without_variant(run: Run, mine: Path, dataset: Path, tmp_path: Path) -> None:
    """A protocol of one's own may have no ``@``: its row then has its whole id."""
    path = tmp_path / "own.toml"
    path.write_text(f'id = "own"\nversion = 1\ntitle = "t"\nsource = "s"\nextends = "{FIT}"\n')
    code, out, err = run("score", mine, dataset, "-p", path, "-p", f"{path}+seed=4")
    assert code == 0, err
    assert "\nown " in out
    assert "\nown+seed=4 " in out
    assert out.count(": own, NME in %") == 1


def test_defaults_leave_out_what_is_not_there(
    run: Run, mine: Path, dataset: Path, tmp_path: Path
) -> None:
    """Without the AFLW yaw the other usual protocols are scored, and a line says which one is not."""
    less = without(dataset, "yaw_deg/aflw", tmp_path)
    code, out, err = run("score", mine, less)
    assert code == 0, err
    assert "not scored: aflw2000/68/2d@3ddfa-aflw: this dataset holds no yaw_deg/aflw" in flat(out)
    code, out, err = run("score", mine, less, "--json")
    assert [r["protocol"]["id"].split("@")[1] for r in json.loads(out)] == ["3ddfa-fit", "z-mean"]
    assert "not scored: aflw2000/68/2d@3ddfa-aflw" in err
    code, out, err = run("score", mine, less, "-p", "aflw2000/68/2d@3ddfa-aflw")
    assert (code, out) == (2, "")


def test_equal_reasons_are_one_line(run: Run, mine: Path, dataset: Path, tmp_path: Path) -> None:
    """Protocols that lack the same array share a line."""
    less = without(dataset, "yaw_deg/aflw", tmp_path)
    _, out, _ = run("score", mine, less, "-p", "aflw2000/68/2d@*")
    assert out.count("not scored") == 1
    names = "aflw2000/68/2d@3ddfa-aflw, balanced696: this dataset"
    assert f"not scored: {names}" in flat(out)


@pytest.mark.parametrize("json_too", [False, True])
def test_nothing_scored(
    run: Run, mine: Path, datasets: dict[str, Path], tmp_path: Path, json_too: bool
) -> None:
    """Exit 2 with one message and an empty standard output."""
    words = ["--json"] if json_too else []
    code, out, err = run("score", mine, datasets["300w-lp"], "-p", "*", *words)
    assert (code, out) == (2, "")
    assert err.startswith("prn-bench: ")
    assert len(err.splitlines()) == 1
    assert "protocols can be scored" in err
    assert "not a protocol of this dataset" in err


def test_nothing_left(run: Run, mine: Path, dataset: Path, tmp_path: Path) -> None:
    """A file of failed detections is no result, whatever the policy."""
    opened = open_dataset(dataset)
    nothing = np.full((len(opened), 68, 2), np.nan)
    write_predictions(mine, opened.sample_ids, frame="image", landmarks=nothing, method="n")
    out = tmp_path / "results"
    code, _, err = run("score", mine, dataset, "-p", f"{FIT}+missing=drop", "-o", out)
    assert code == 2
    assert "nothing is left to score" in err
    assert not list(out.iterdir())


def test_a_bad_folder_is_said_first(run: Run, mine: Path, dataset: Path, tmp_path: Path) -> None:
    """Before anything is scored or printed."""
    (tmp_path / "file").write_text("")
    code, out, err = run("score", mine, dataset, "-o", tmp_path / "file" / "results")
    assert (code, out) == (2, "")
    assert "the folder cannot be made" in err


def test_replace(run: Run, mine: Path, dataset: Path, tmp_path: Path) -> None:
    """Other predictions of one method do not take the place of a result unless asked to."""
    results = tmp_path / "results"
    words = ("score", mine, dataset, "-p", FIT, "-o", results)
    assert [run(*words)[0] for _ in range(2)] == [0, 0]
    first = (results / "mine--aflw2000-68-2d@3ddfa-fit.json").read_bytes()
    predict(dataset, mine, shift_px=5)
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "--replace" in err
    assert (results / "mine--aflw2000-68-2d@3ddfa-fit.json").read_bytes() == first
    assert run(*words, "--replace")[0] == 0
    assert (results / "mine--aflw2000-68-2d@3ddfa-fit.json").read_bytes() != first


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("width", [20, 40, 80])
def test_numbers_are_never_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, terminal: bool
) -> None:
    """However narrow: a digit that is not shown is a wrong figure. Names are whole in a pipe."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TTY_COMPATIBLE", str(int(terminal)))
    monkeypatch.setenv("FORCE_COLOR", "1" if terminal else "")
    name, numbers = "3ddfa-fit+reference_frame=image", ["1234.567", "0.123*", "1999/2000"] * 2
    columns = ["variant", *(f"c{i}" for i in range(len(numbers)))]
    tables.print_table("T", columns, [[name, *numbers]], right=columns[1:])
    out = capsys.readouterr().out
    assert "…" not in out
    for number in numbers:
        assert out.count(number) == 2
    if not terminal:
        assert name in out


def test_ordinary_tables_fit_80_columns(run: Run, mine: Path, dataset: Path) -> None:
    """Every published protocol, piped."""
    for words in (("score", mine, dataset, "-p", "*"), ("protocols",)):
        code, out, _ = run(*words)
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80


def test_angles_and_further_figures(run: Run, dataset: Path, mine: Path, tmp_path: Path) -> None:
    """Pose says its three angles and no bins; an NME its area, its failures and the spread of bins."""
    opened = open_dataset(dataset)
    posed = tmp_path / "posed.h5"
    pose = opened.read("pose_deg") + np.float32([1, 2, 3])
    write_predictions(posed, opened.sample_ids, frame="image", pose_deg=pose, method="posed")
    name = "aflw2000/pose@2000-wrapped"
    code, out, err = run("score", posed, dataset, "-p", name, "-o", tmp_path / "r")
    assert code == 0, err
    head = next(line for line in out.splitlines() if line.startswith("variant"))
    assert head.split()[1:] == ["pitch", "yaw", "roll", "images", "median", "n"]
    row = next(line for line in out.splitlines() if line.startswith("2000-wrapped"))
    assert row.split()[1:5] == ["1.000", "2.000", "3.000", "2.000*"]
    code, out, err = run("score", mine, dataset, "-p", FIT, "-o", tmp_path / "r")
    assert code == 0, err
    words = " ".join(out.split())
    assert all(part in words for part in ("AUC@7 % ", "failures above 10 % ", "std of bins "))
