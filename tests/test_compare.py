"""Comparing results: what may be compared, what it says, and how it is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import prn_bench
from prn_bench.comparison import Comparison, compare
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.ranking import pairwise
from prn_bench.results import Result, load_result, save
from tests.fakes import face_world

Run = Callable[..., tuple[int, str, str]]
FIT = "aflw2000/68/2d@3ddfa-fit"


def result(
    name: str = "PRN", *, noise_px: float = 0.0, protocol: str = FIT, missing: int = 0, n: int = 60
) -> Result:
    """A score in the small world, with more noise than the others have."""
    dataset, predictions = face_world(n)
    points = predictions.arrays["landmarks"]
    points += np.random.default_rng(1).normal(0, 1, points.shape) * noise_px
    points[:missing] = np.nan
    predictions.method["name"] = name
    return score(predictions, dataset, protocol)


@pytest.fixture(scope="module")
def three() -> list[Result]:
    """Two that are alike, and a worse one."""
    return [result("Worse", noise_px=3), result("PRN"), result("Copy")]


def refusal(results: list[Result], **how) -> BenchError:
    """The error that a comparison raises."""
    with pytest.raises(BenchError) as error:
        compare(results, **how)
    return error.value


def test_two_copies_and_a_worse_one(three: list[Result]) -> None:
    """In order of the headline, ties as ties, every pair once."""
    found = compare(three)
    assert [entry.method for entry in found.entries] == ["Copy", "PRN", "Worse"]
    assert [entry.ranks for entry in found.entries] == ["1-2", "1-2", "3"]
    assert [entry.interval for entry in found.entries] == [
        three[i].summary.interval for i in (2, 1, 0)
    ]
    pairs = [(d.first, d.second, d.verdict) for d in found.differences]
    assert pairs == [
        ("Copy", "PRN", "tie"),
        ("Copy", "Worse", "Copy"),
        ("PRN", "Worse", "PRN"),
    ]
    tie = found.differences[0]
    assert (tie.difference, tie.low, tie.high, tie.first_better) == (0, 0, 0, 0.5)
    gap = found.differences[2].difference
    assert gap == pytest.approx(three[1].summary.headline - three[0].summary.headline)
    assert found.differences[1:][0].high < 0


def test_it_is_public(three: list[Result]) -> None:
    """``prn_bench.compare`` is this function, and gives the same digits again."""
    assert prn_bench.compare is compare
    again = prn_bench.compare(three)
    assert isinstance(again, Comparison)
    assert again.differences == compare(three).differences


def test_groups_are_those_of_the_protocol(three: list[Result]) -> None:
    """Under a protocol that draws subjects, ids up to the slash are drawn whole."""
    by_subject = []
    for one in three:
        ids = np.array([f"{i % 9}/{name}" for i, name in enumerate(one.samples.ids)], object)
        samples = replace(one.samples, ids=ids)
        by_subject.append(
            replace(one, protocol=replace(one.protocol, group="subject"), samples=samples)
        )
    found = compare(by_subject)
    order = (2, 1, 0)
    pairs = pairwise(
        np.stack([three[i].samples.errors for i in order], 1),
        three[0].samples.bins,
        "mean-of-bins",
        groups=np.arange(60) % 9,
    )
    assert pairs is not None
    assert [d.low for d in found.differences] == pytest.approx(pairs.low)
    assert found.differences[2].low != compare(three).differences[2].low


def test_for_programs(three: list[Result]) -> None:
    """The JSON form holds the CED as steps, AUC and failure rate with intervals, and verdicts."""
    found = compare(three).as_dict()
    entry = found["entries"][0]
    assert entry["ced"]["error"] == pytest.approx(np.sort(three[1].samples.errors))
    assert entry["ced"]["fraction"][-1] == 1
    assert entry["auc_interval"]["low"] < entry["auc"] < entry["auc_interval"]["high"]
    assert entry["failure_interval"]["low"] <= entry["failure_rate"]
    assert [d["verdict"] for d in found["differences"]] == ["tie", "Copy", "PRN"]
    assert (found["protocol_hash"], found["n_unpaired"]) == (three[0].protocol.hash, 0)


def test_nothing_to_compare(three: list[Result]) -> None:
    """One result is refused."""
    assert refusal(three[:1]).code == "too-few-results"


def test_other_rules(three: list[Result]) -> None:
    """Another protocol is refused, and the fields in which it differs are named."""
    other = result(protocol=f"{FIT}+closed=left+normalizer=bbox-max")
    error = refusal([*three, other])
    assert error.code == "mixed-protocols"
    assert "closed right and left" in str(error)
    assert "normalizer bbox-sqrt-wh and bbox-max" in str(error)
    assert "yaw_source" not in str(error)


def test_another_reference(three: list[Result]) -> None:
    """Another reference is refused; where a region is missing, the way out is named."""
    other = replace(three[0], reference_digest="1" * 64)
    error = refusal([three[1], other])
    assert error.code == "mixed-references"
    assert "1" * 12 in str(error)
    assert "--common-region" not in str(error)
    assert "--common-region" in str(refusal([three[1], replace(other, coverage=0.8)]))


def test_other_samples(three: list[Result]) -> None:
    """Other ids, and other samples that count, are refused."""
    samples = three[0].samples
    ids = samples.ids.copy()
    ids[0] = "stranger"
    error = refusal([three[1], replace(three[0], samples=replace(samples, ids=ids))])
    assert (error.code, "stranger" in str(error)) == ("mixed-samples", True)
    bins = samples.bins.copy()
    bins[:5] = -1
    error = refusal([three[1], replace(three[0], samples=replace(samples, bins=bins))])
    assert error.code == "mixed-samples"
    assert "60 and 55" in str(error)


def test_unpaired_samples() -> None:
    """What only some predict is refused, or left out for all and counted."""
    drop = f"{FIT}+missing=drop"
    whole, holes = result("Whole", protocol=drop), result("Holes", protocol=drop, missing=4)
    error = refusal([whole, holes])
    assert error.code == "unpaired-samples"
    assert "4 samples" in str(error)
    assert "Whole 0, Holes 4" in str(error)
    found = compare([whole, holes], unpaired="drop")
    assert found.n_unpaired == 4
    assert [entry.n - entry.n_missing for entry in found.entries] == [56, 56]
    assert found.entries[0].headline == found.entries[1].headline == holes.summary.headline
    assert found.differences[0].verdict == "tie"
    both = compare([holes, replace(holes, method={"name": "Other"})])
    assert both.n_unpaired == 0


def test_a_penalty_is_an_error_like_any_other() -> None:
    """Under a penalty nothing is unpaired: who predicts less is worse."""
    protocol = f"{FIT}+missing=penalise"
    found = compare(
        [result("Holes", protocol=protocol, missing=12), result("Whole", protocol=protocol)]
    )
    assert [entry.ranks for entry in found.entries] == ["1", "2"]
    assert found.entries[1].n_missing == 12
    assert found.entries[1].fraction[-1] == pytest.approx(48 / 60)


def test_no_headline() -> None:
    """A bin that is left empty leaves nothing to compare, and the message says so."""
    empty = f"{FIT}+bin_edges=0,1e-9,60"
    results = [result("A", protocol=empty), result("B", protocol=empty, noise_px=1)]
    assert refusal(results).code == "no-headline"


def test_too_few_samples_to_say() -> None:
    """With a single sample in a bin there are figures and no intervals, so every rank is open."""
    protocol = f"{FIT}+bin_edges=0,350,360"
    found = compare([result("A", protocol=protocol), result("B", protocol=protocol, noise_px=9)])
    assert [entry.ranks for entry in found.entries] == ["1-2", "1-2"]
    assert found.entries[0].interval is None
    assert (found.differences[0].low, found.differences[0].verdict) == (-np.inf, "tie")


@pytest.fixture
def folder(three: list[Result], tmp_path: Path) -> Path:
    """The three, written."""
    for one in three:
        save(one, tmp_path)
    return tmp_path


def test_what_is_written_comes_back(folder: Path, three: list[Result]) -> None:
    """The interval is part of a result file, to the last digit."""
    loaded = load_result(folder / f"{three[0].key}.json")
    assert loaded.summary.interval == three[0].summary.interval
    table = json.loads((folder / f"{three[0].key}.json").read_text())["summary"]["interval"]
    assert table["resamples"] == 2000
    assert loaded.summary.interval is not None
    assert (table["low"], table["high"]) == (
        loaded.summary.interval.low,
        loaded.summary.interval.high,
    )


def test_an_edited_interval(folder: Path, three: list[Result]) -> None:
    """One changed end is noticed."""
    path = folder / f"{three[0].key}.json"
    path.write_text(path.read_text().replace('"low": ', '"low": 1', 1))
    with pytest.raises(BenchError) as error:
        load_result(path)
    assert error.value.code == "result-edited"


def test_the_tables(run: Run, folder: Path) -> None:
    """Method, headline, interval, rank and n; below it the differences, all in 80 columns."""
    code, out, err = run("compare", folder)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    lines = [line.split() for line in out.splitlines()]
    ranks = {words[0]: words[-2:] for words in lines if words and words[-1:] == ["60"]}
    assert ranks == {"Copy": ["1-2", "60"], "PRN": ["1-2", "60"], "Worse": ["3", "60"]}
    assert [words[-1] for words in lines if words[:2] == ["Copy", "PRN"]] == ["tie"]
    assert [words[-2:] for words in lines if words[:2] == ["PRN", "Worse"]] == [["A", "better"]]
    assert "bootstrap-t, drawing images within bins, 2000 resamples, seed 0" in " ".join(
        out.split()
    )


def test_files_folders_and_json(run: Run, folder: Path, three: list[Result]) -> None:
    """A file named twice counts once, by either of its names."""
    first = folder / f"{three[0].key}.json"
    code, out, _ = run("compare", first, folder / f"{three[0].key}.csv.gz", folder, "--json")
    assert code == 0
    assert [entry["method"] for entry in json.loads(out)["entries"]] == ["Copy", "PRN", "Worse"]
    code, _, err = run("compare", first, first)
    assert code == 2
    assert "nothing to compare" in err


def test_many_methods(run: Run, three: list[Result], tmp_path: Path) -> None:
    """Of many methods only neighbours are printed; a line says so."""
    for i in range(6):
        save(replace(three[i % 3], method={"name": f"M{i}"}), tmp_path)
    code, out, _ = run("compare", tmp_path)
    assert code == 0
    assert sum(line.split()[-1:] in (["tie"], ["better"]) for line in out.splitlines()) == 5
    assert "10 differences of methods that are no neighbours" in " ".join(out.split())


def test_a_folder_of_several_protocols(run: Run, folder: Path) -> None:
    """They are not mixed: a table for each that two methods have; --protocol takes those of one."""
    save(result("PRN", protocol="aflw2000/68/2d@all"), folder)
    code, out, _ = run("compare", folder)
    assert code == 0
    assert out.count("verdict") == 1
    assert "not compared: aflw2000/68/2d@all, with a result of PRN only" in out
    save(result("Copy", protocol="aflw2000/68/2d@all"), folder)
    code, out, _ = run("compare", folder, "--json")
    assert (code, [len(one["entries"]) for one in json.loads(out)]) == (0, [3, 2])
    one, other = sorted(folder.glob("prn--*.json"))
    code, _, err = run("compare", one, other)
    assert (code, "aggregate" in err, "--protocol" in err) == (2, True, True)
    code, out, _ = run("compare", folder, "-p", FIT, "--json")
    assert (code, len(json.loads(out)["entries"])) == (0, 3)
    code, _, err = run("compare", folder, "-p", "aflw2000/68/2d@max")
    assert (code, "none of 5 results" in err) == (2, True)


def test_bad_use(run: Run, tmp_path: Path) -> None:
    """An empty folder, an absent file and a choice that is none end with code 2 and a message."""
    assert run("compare", tmp_path)[0] == 2
    assert "there is no such file" in run("compare", tmp_path / "none.json")[2]
    assert "refuse or drop" in run("compare", tmp_path, "--unpaired", "keep")[2]


def test_names_twice(three: list[Result]) -> None:
    """Two results of one name are told apart by a number."""
    found = compare([three[1], replace(three[0], method={"name": "PRN"})])
    assert [entry.method for entry in found.entries] == ["PRN", "PRN (2)"]
