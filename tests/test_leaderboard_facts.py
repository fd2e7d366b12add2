"""Facts of the leaderboard: mistakes in hand-written files are named; those in the repository are good."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prn_bench.errors import BenchError
from prn_bench.leaderboard.build import BIB_KEY, check_tables
from prn_bench.leaderboard.data import Leaderboard, open_leaderboard
from prn_bench.leaderboard.odd import odd_numbers, wrong_means
from prn_bench.leaderboard.table import make_tables
from tests.small_leaderboard import write_facts

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def data() -> Leaderboard:
    """The leaderboard in the repository."""
    return open_leaderboard(ROOT / "leaderboards")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("published.csv", "p002", "p001"),
        ("published.csv", ",2.50,", ",two,"),
        ("published.csv", "https://", "ftp://"),
        ("published.csv", ",thread,", ",rumour,"),
        ("published.csv", ",2018,", ",18,"),
        ("published.csv", ",mean,a", ",median,a"),
        ("published.csv", ",mean,b,", ",mean,c,"),
        ("published.csv", "how_known", "how"),
        ("methods/a.toml", 'licence = "unknown"', 'licence = ""'),
        ("methods/a.toml", "year = 2020", 'year = "2020"'),
        ("methods/a.toml", "code", "kode"),
        ("methods/a.toml", "@misc", "misc"),
        ("boards/board.toml", "figure = ", "figur = "),
        ("boards/board.toml", "3ddfa-fit", "none"),
        ("boards/board.toml", '"mean"', '"front"'),
        ("boards/board.toml", "order = 1", "order ="),
        ("disagreements.toml", "p001", "p999"),
        ("disagreements.toml", "[[disagreement]]", "[other]"),
    ],
)
def test_a_wrong_fact_is_refused(tmp_path: Path, name: str, old: str, new: str) -> None:
    """Each kind of mistake in the files that people write is a BenchError that names the file."""
    folder = write_facts(tmp_path / "board")
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BenchError) as error:
        open_leaderboard(folder)
    assert error.value.code == "bad-fact"
    assert name.split("/")[-1] in str(error.value)


def test_no_folder(tmp_path: Path) -> None:
    """A folder without published numbers is no leaderboard."""
    with pytest.raises(BenchError) as error:
        open_leaderboard(tmp_path)
    assert error.value.code == "no-leaderboard"


def test_the_published_numbers_keep_their_count(data: Leaderboard) -> None:
    """The numbers in the repository: 731 of them, known paper values where they belong."""
    numbers = data.published
    assert len(numbers) == 731
    table = {(n.board, n.column, n.method): n.value for n in numbers}
    assert table["prnet-table-1", "mean of bins", "PRN"] == "3.62"
    assert table["prnet-figure-5", "3D", "PRN"] == "4.7006"
    assert table["prnet-figure-8", "as printed", "PRN"] == "3.9625"
    assert table["prnet-table-1", "AFLW-LFPA", "PAWF"] == "4.72"


def test_the_tables_in_the_repository_are_current(data: Leaderboard) -> None:
    """What is committed is what the data give; CI runs `leaderboard check` through this."""
    assert [f for f in check_tables(data) if f.level != "note"] == []


def test_odd_numbers_are_noted(data: Leaderboard) -> None:
    """Printed means that are not those of their columns are told, and no rounded one is."""
    tables = {table.board.key: table for table in make_tables(data, {})}
    odd = {(row.label, one.value) for row, one, _ in wrong_means(tables["prnet-table-1"])}
    assert odd == {("SDM", "6.12")}
    odd = {(row.label, one.value) for row, one, _ in wrong_means(tables["aflw2000-pose"])}
    assert {("QuatNet", "4.15"), ("TriNet", "3.97")} <= odd
    assert wrong_means(tables["aflw2000-68-2d"]) == []
    notes = {finding.code for finding in odd_numbers(data, list(tables.values()))}
    assert notes == {"mean-disagrees", "other-unit", "about"}


def test_every_method_and_dataset_can_be_cited(data: Leaderboard) -> None:
    """Methods with a paper have a BibTeX entry, apart from those whose paper nobody named."""
    silent = {key for key, method in data.methods.items() if not method.bibtex}
    assert silent == {"dcn"}
    datasets = (data.folder / "datasets.bib").read_text(encoding="utf-8")
    named = "300W-LP AFLW-LFPA Florence NoW REALY FaceScape Stirling FaceWarehouse BU-3DFE BU-4DFE"
    notes = " ".join(re.findall(r"note *= *{(.*)}", datasets))
    assert [name for name in named.split() if name not in notes] == []


def test_bibtex_keys_are_unique() -> None:
    """Over both files, for who cites a method and a dataset; BibTeX stops at a key it meets twice."""
    texts = [
        (ROOT / "leaderboards" / name).read_text(encoding="utf-8")
        for name in ("datasets.bib", "tables/methods.bib")
    ]
    keys = [key for text in texts for key in BIB_KEY.findall(text)]
    assert len(keys) > 20
    assert len(set(keys)) == len(keys)
