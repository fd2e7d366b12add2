"""The leaderboard: facts in, tables out, byte for byte; what is edited or misfiled is named."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.leaderboard.build import build_tables, check_tables, first_difference, render
from prn_bench.leaderboard.data import Leaderboard, open_leaderboard
from prn_bench.leaderboard.facts import read_methods
from prn_bench.leaderboard.filed import add_result, read_filed
from prn_bench.leaderboard.table import make_tables
from prn_bench.results import save
from prn_bench.results.samples import Samples
from tests.fakes import face_world
from tests.small_leaderboard import BOARD, FIT, file_result, write_facts

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT / "leaderboards"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    """The small leaderboard with a result of each method, b worse than a; not to be changed."""
    tmp = tmp_path_factory.mktemp("leaderboard")
    folder = write_facts(tmp / "board")
    file_result(folder, tmp, "a")
    file_result(folder, tmp, "b", shift=3.0)
    return open_leaderboard(folder)


@pytest.fixture
def facts(whole: Leaderboard, tmp_path: Path) -> Path:
    """A copy of its folder."""
    return Path(shutil.copytree(whole.folder, tmp_path / "board"))


@pytest.fixture
def data(whole: Leaderboard, facts: Path) -> Leaderboard:
    """The leaderboard over that copy."""
    return replace(whole, folder=facts)


def test_reported_and_recomputed_rows_stay_apart(data: Leaderboard) -> None:
    """Reported rows have no rank; the best is marked among equals only, on each side."""
    (table,) = make_tables(data)
    assert [row.label for row in table.reported] == ["A", "B & C", "Other"]
    best = {row.label: [c.text for c in row.cells.values() if c.best] for row in table.reported}
    assert best == {"A": [], "B & C": ["2.90"], "Other": []}
    assert all(c.rank == "" for row in table.reported for c in row.cells.values())
    first, second = table.recomputed
    assert (first.method.key, second.method.key) == ("a", "b")
    assert [row.cells["mean"].rank for row in table.recomputed] == ["1", "2"]
    assert first.cells["mean"].best
    assert not second.cells["mean"].best
    assert first.cells["mean"].number < second.cells["mean"].number


def test_a_cell_is_the_figure_of_its_result(data: Leaderboard) -> None:
    """Recomputed cells show three digits of the bin mean and of the headline with its interval."""
    row = make_tables(data)[0].recomputed[0]
    summary = row.filed[0].result.summary
    assert row.cells["front"].number == Decimal(f"{summary.bins[0].mean:.3f}")
    assert row.cells["mean"].text == f"{summary.headline:.3f}"
    assert row.cells["mean"].interval == summary.interval
    assert row.cells["front"].interval is None


def test_tables_are_rebuilt_byte_for_byte(data: Leaderboard) -> None:
    """Deleted tables come back the same; a second build changes nothing."""
    build_tables(data)
    tables = data.folder / "tables"
    before = {path.name: path.read_bytes() for path in tables.iterdir()}
    assert set(before) >= {"board.md", "board.csv", "board.tex", "README.md", "recomputed.md"}
    assert build_tables(data) == []
    shutil.rmtree(tables)
    build_tables(open_leaderboard(data.folder))
    assert {path.name: path.read_bytes() for path in tables.iterdir()} == before
    assert check_tables(data) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("board.md", "2.90", "2.80", "column mean, row B & C: expected **2.90**, found **2.80**"),
        ("board.csv", ",2.50,", ",2.40,", "column value, row A, front: expected 2.50, found 2.40"),
        ("board.tex", "3.10", "3.1", "column mean, row A: expected 3.10, found 3.1"),
    ],
)
def test_an_edited_digit_is_named(
    data: Leaderboard, name: str, old: str, new: str, words: str
) -> None:
    """`check` says file, column, row, and both numbers."""
    build_tables(data)
    path = data.folder / "tables" / name
    path.write_text(path.read_text().replace(old, new, 1))
    (finding,) = check_tables(data)
    assert (finding.code, finding.where) == ("table-differs", str(path))
    assert words in finding.message


def test_tables_that_are_not_there_or_too_many(data: Leaderboard) -> None:
    """A missing table, a stranger, and a stale one are different findings."""
    build_tables(data)
    tables = data.folder / "tables"
    (tables / "board.tex").unlink()
    (tables / "stranger.md").write_text("x")
    assert [f.code for f in check_tables(data)] == ["table-missing", "table-unknown"]
    assert len(build_tables(data)) == 2
    assert check_tables(data) == []


@pytest.mark.parametrize(
    ("suffix", "expected", "found", "words"),
    [
        (".md", "a\n", "a\nb\n", "line 2: a line too many"),
        (".md", "a\nb\n", "a\n", "line 2: lines are missing"),
        (".md", "| x | y |", "| x |", "line 1: expected 'x y', found 'x'"),
        (".csv", "a\n", "a\r\n", "the line ends differ"),
    ],
)
def test_other_differences(suffix: str, expected: str, found: str, words: str) -> None:
    """What is no cell is told by its line."""
    assert first_difference(suffix, expected, found) == words


def test_every_number_names_its_source(data: Leaderboard) -> None:
    """Each line of a CSV has a source and an address; recomputed ones the hash of the protocol."""
    rows = list(csv.DictReader(render(data)["board.csv"].splitlines()))
    assert len(rows) == 8
    for row in rows:
        assert row["source"]
        assert row["url"].startswith("https://" if row["kind"] == "reported" else "results/")
        assert bool(row["protocol_hash"]) == (row["kind"] == "recomputed")
    assert [row["rank"] for row in rows if row["column"] == "mean"][:2] == ["1", "2"]


def test_latex(data: Leaderboard) -> None:
    """Booktabs, the whole hash in a comment, bold for the best, special characters escaped."""
    text = render(data)["board.tex"]
    hash_ = data.filed[0].result.protocol.hash
    assert f"% generated by prn-bench leaderboard build; {FIT} protocol hash {hash_}\n" in text
    assert r"B \& C &  & \textbf{2.90}" in text
    for command in (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"):
        assert command in text


def test_markdown_keeps_its_columns(data: Leaderboard) -> None:
    """Every line of a table has as many cells as its head; a bar in a text is escaped."""
    blocks = [block.splitlines() for block in render(data)["board.md"].split("\n\n")]
    tables = [block for block in blocks if block[0].startswith("| ")]
    assert len(tables) == 2
    for lines in tables:
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_stale_results_are_ranked_no_more(data: Leaderboard) -> None:
    """A result of another version of a protocol leaves the boards, and `check` says so."""
    build_tables(data)
    old = data.filed[0]
    result = replace(old.result, protocol=replace(old.result.protocol, version=7))
    changed = replace(data, filed=(replace(old, result=result), *data.filed[1:]))
    assert old.stale is False
    (table,) = make_tables(changed)
    assert [row.method.key for row in table.recomputed] == ["b"]
    assert table.recomputed[0].cells["mean"].rank == ""
    assert "stale-result" in [f.code for f in check_tables(changed)]
    assert "stale: the protocol has changed" in render(changed)["recomputed.md"]


def code_of(action: Any) -> str:
    """The code of the BenchError that a call ends in."""
    with pytest.raises(BenchError) as error:
        action()
    return error.value.code


def test_add_refuses(facts: Path, tmp_path: Path) -> None:
    """Unknown methods, changed protocols, paths of a machine, and another result in the place."""
    methods = read_methods(facts / "methods")
    dataset, predictions = face_world()
    good = score(predictions, dataset, FIT)

    def add(result: Any, **more: Any) -> Any:
        written, _ = save(result, tmp_path / "new", replace=True)
        return add_result(written, facts, methods, **more)

    stranger = replace(good, method={"name": "nobody"})
    assert code_of(lambda: add(stranger)) == "unknown-method"
    other = score(predictions, dataset, f"{FIT}+aggregate=median")
    assert code_of(lambda: add(other, method_key="a")) == "protocol-not-published"
    traced = replace(good, method={"name": "a", "weights": "/home/me/w.pt"})
    assert code_of(lambda: add(traced)) == "machine-path"
    moved = replace(good, method={"name": "b"})
    assert code_of(lambda: add(moved)) == "filed-already"
    assert add(moved, replace=True).is_file()
    silent = {"a": replace(methods["a"], predictions="")}
    written, _ = save(good, tmp_path / "silent")
    call = lambda: add_result(written, facts, silent, method_key="a")  # noqa: E731
    assert code_of(call) == "unknown-predictions"


def test_a_misfiled_result_is_found(facts: Path) -> None:
    """A result under another method's or protocol's name is refused; so is an edited one."""
    methods = read_methods(facts / "methods")
    (one,) = {one.path.parent for one in read_filed(facts, methods)}
    shutil.copytree(facts / one, facts / "results" / "elsewhere")
    assert code_of(lambda: open_leaderboard(facts)) == "misfiled"
    shutil.rmtree(facts / "results" / "elsewhere")
    path = next((facts / one).glob("*.json"))
    path.write_text(path.read_text().replace('"n": 40', '"n": 41', 1))
    assert code_of(lambda: open_leaderboard(facts)) == "result-edited"


def test_the_command_line(facts: Path, run: Any) -> None:
    """build, check and add in the words of a user; an edited table ends in exit code 1."""
    code, out, _ = run("leaderboard", "build", "--data", facts)
    assert (code, "6 files" in out) == (0, True)
    assert run("leaderboard", "check", "--data", facts)[0] == 0
    path = facts / "tables" / "board.md"
    path.write_text(path.read_text().replace("2.90", "2.80"))
    code, out, _ = run("leaderboard", "check", "--data", facts)
    assert code == 1
    assert "board.md" in "".join(out.split())  # a long path is folded
    assert run("leaderboard", "check", "--data", facts, "--json")[0] == 1
    filed = next((facts / "results").glob("*/a@*.json"))
    code, out, _ = run("leaderboard", "add", filed, "--data", facts)
    assert (code, "filed" in out) == (0, True)


def test_subsets_have_rows_of_their_own(tmp_path: Path) -> None:
    """A score on fewer real samples is filed beside the whole one, and says how many it is about."""
    folder = write_facts(tmp_path / "board", origin="real")
    methods = read_methods(folder / "methods")
    dataset, predictions = face_world()
    predictions.method["name"] = "a"
    dataset.attributes["origin"] = "real"
    few = score(predictions, dataset, FIT)
    whole = replace(few, samples=repeated(few.samples, 50))
    whole = replace(whole, summary=whole.samples.summarize(whole.protocol))
    names = []
    for at, result in enumerate((few, whole, replace(few, inputs={"subset": "list 1"}))):
        written, _ = save(result, tmp_path / f"r{at}")
        names.append(add_result(written, folder, methods, replace=True).name)
    assert names == ["a@subset40.json", "a.json", "a@subset40.json"]
    (table,) = make_tables(open_leaderboard(folder))
    assert [row.label for row in table.recomputed] == [
        "Name of a",
        "Name of a (subset: 40 of 2,000)",
    ]


def test_synthetic_samples_never_meet_real_ones(tmp_path: Path) -> None:
    """A board shows rows of its own origin only; what is filed says which it is."""
    folder = write_facts(tmp_path / "board", origin="real")
    path = file_result(folder, tmp_path, "a")
    assert path.name == "a@synthetic40.json"
    data = open_leaderboard(folder)
    assert [(one.origin, one.scope) for one in data.filed] == [
        ("synthetic", "40 synthetic samples")
    ]
    assert [table.recomputed for table in make_tables(data)] == [()]
    assert "40 synthetic samples" in render(data)["recomputed.md"]
    (folder / "boards" / "other.toml").write_text(BOARD.format(origin="synthetic"))
    tables = make_tables(open_leaderboard(folder))
    assert [len(table.recomputed) for table in tables] == [0, 1]


def test_another_reference_is_told(tmp_path: Path) -> None:
    """Where a face model was given to the score, every kind of table names it."""
    folder = write_facts(tmp_path / "board")
    dataset, predictions = face_world()
    predictions.method["name"] = "a"
    found = replace(score(predictions, dataset, FIT), inputs={"face_model": "short model 12ab"})
    written, _ = save(found, tmp_path / "r")
    add_result(written, folder, read_methods(folder / "methods"))
    files = render(open_leaderboard(folder))
    note = "front; mean (Name of a): the reference is made with the face model short model,"
    assert note in files["board.md"]
    assert f"% {note}" in files["board.tex"]
    assert "face_model: short model 12ab" in files["board.csv"]


def repeated(samples: Samples, times: int) -> Samples:
    """The same samples many times over, under new names."""
    ids = np.array([f"{name}-{at}" for at in range(times) for name in samples.ids], object)
    names = ("errors", "normalizer_px", "yaw_deg", "bins", "missing")
    return replace(samples, ids=ids, **{n: np.tile(getattr(samples, n), times) for n in names})
