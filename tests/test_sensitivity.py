"""One prediction file under all variants of a family, and whether methods keep their order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prn_bench.cli.comparing import _patterns
from prn_bench.comparison.sensitivity import Family, differences, sensitivity
from prn_bench.dataset import open_dataset
from prn_bench.errors import Finding
from prn_bench.evaluate import score
from prn_bench.predictions import write_predictions
from prn_bench.protocol import match_protocols, protocol
from prn_bench.results import Result
from tests.fakes import face_world

Run = Callable[..., tuple[int, str, str]]
TWO_D, THREE_D = "aflw2000/68/2d@3ddfa-fit", "aflw2000/68/3d@z-mean"


def results(*names: str, depth_px: float = 0.0, noise_px: float = 0.0) -> list[Result]:
    """Scores in the small world of a method with a wrong depth, or with noise."""
    dataset, predictions = face_world()
    points = predictions.arrays["landmarks"]
    points += np.random.default_rng(1).normal(0, 1, points.shape) * noise_px
    points[..., 2] += depth_px
    return [score(predictions, dataset, name) for name in names]


def family_of(scored: dict[str, list[Result]], **how) -> Family:
    """The only family."""
    (family,) = sensitivity(scored, **how).families
    return family


def test_one_method() -> None:
    """Every variant with its figure, its interval, what it changes and by how much."""
    scored = results("aflw2000/68/2d@all", f"{TWO_D}+closed=left", TWO_D, "aflw2000/68/2d@pixels")
    family = family_of({"PRN": scored}, defaults=(TWO_D,))
    assert (family.name, family.default) == ("aflw2000/68/2d", TWO_D)
    assert family.variants[0].protocol == TWO_D
    found = {variant.protocol.partition("@")[2]: variant for variant in family.variants}
    assert [*found] == ["3ddfa-fit", "3ddfa-fit+closed=left", "all", "pixels"]
    assert [variant.changes for variant in found.values()] == [
        {},
        {"closed": "left"},
        {"aggregate": "mean-of-images"},
        {"normalizer": "none", "unit": "px"},
    ]
    headlines = {one.protocol.id.partition("@")[2]: one.summary for one in scored}
    for name, variant in found.items():
        assert variant.headlines == (headlines[name].headline,)
        assert variant.intervals == (headlines[name].interval,)
        assert np.isnan(variant.tau)
    gap = headlines["all"].mean_of_images - headlines["all"].mean_of_bins
    assert found["all"].shifts == pytest.approx((gap,))
    assert found["3ddfa-fit"].shifts == (0.0,)
    assert np.isnan(found["pixels"].shifts[0])


def test_a_figure_in_doubt_has_no_order() -> None:
    """A warning that a figure is an artefact keeps the variant out of tau and of who changed places."""
    names = (THREE_D, "aflw2000/68/3d@z-min")
    scored = {"A": results(*names), "B": results(*names, noise_px=3.0)}
    plain = family_of(scored, defaults=(THREE_D,)).variants[1]
    assert (plain.doubt, plain.tau) == ((), 1.0)
    odd = Finding("warning", "depth-origin", "p.h5", "z begins elsewhere")
    scored["B"][1] = replace(scored["B"][1], findings=(odd,))
    doubted = family_of(scored, defaults=(THREE_D,)).variants[1]
    assert (doubted.doubt, doubted.swapped) == (("depth-origin",), ())
    assert np.isnan(doubted.tau)
    assert doubted.headlines == plain.headlines


def test_families_are_apart() -> None:
    """2D and 3D have a default each: the first named one that the family holds."""
    scored = {"PRN": results(THREE_D, "aflw2000/68/3d@z-min", TWO_D)}
    found = sensitivity(scored, defaults=("aflw2000/dense/2d@prnet-mask", TWO_D, THREE_D)).families
    assert [(one.default, len(one.variants)) for one in found] == [(TWO_D, 1), (THREE_D, 2)]


def test_the_default_when_none_is_named() -> None:
    """It is the variant that the others are made from: fewest differences from all of them."""
    names = [one.id for one in match_protocols("aflw2000/68/2d@*") if one.reference == "landmarks"]
    assert family_of({"PRN": results(*names)}).default == TWO_D
    assert family_of({"PRN": results("aflw2000/68/2d@max", TWO_D)}).default == TWO_D


def test_a_choice_that_turns_the_order() -> None:
    """A wrong depth does not show once the mean z is removed, and is the worst without."""
    names = (THREE_D, "aflw2000/68/3d@z-none", "aflw2000/68/3d@z-median")
    scored = {"deep": results(*names, depth_px=50), "noisy": results(*names, noise_px=4)}
    family = family_of(scored, defaults=(THREE_D,))
    found = {variant.protocol.partition("@")[2]: variant for variant in family.variants}
    assert {name: variant.tau for name, variant in found.items()} == pytest.approx(
        {"z-mean": 1, "z-none": -1, "z-median": 1}
    )
    assert found["z-none"].swapped == (("noisy", "deep"),)
    assert found["z-median"].swapped == ()
    assert found["z-none"].shifts[0] > 10 > found["z-none"].shifts[1] > -1


def test_a_method_without_an_answer() -> None:
    """Its figure is missing under that variant; the others are ranked without it."""
    other = "aflw2000/68/3d@z-min"
    scored = {
        "A": results(THREE_D, other),
        "B": results(THREE_D),
        "C": results(THREE_D, other, noise_px=9),
    }
    variant = family_of(scored, defaults=(THREE_D,)).variants[1]
    assert np.isnan(variant.headlines).tolist() == [False, True, False]
    assert variant.intervals[1] is None
    assert np.isnan(variant.shifts[1])
    assert variant.tau == 1


def test_differences() -> None:
    """Only what decides a figure, with the values of the first protocol."""
    mine, default = protocol("aflw2000/68/2d@opentrack-bins"), protocol(TWO_D)
    assert differences(mine, default) == {"bin_edges": "0,30,60,90", "closed": "left"}
    assert differences(default, default) == {}


def test_nothing() -> None:
    """Without results there is no table."""
    with pytest.raises(ValueError, match="no result"):
        sensitivity({"PRN": []})


@pytest.fixture
def dataset(datasets: dict[str, Path]) -> Path:
    """The synthetic test set."""
    return datasets["aflw2000-3d"]


def predict(
    dataset: Path, out: Path, *, name: str, depth_px: float = 0.0, shift_px: float = 0.0
) -> Path:
    """Its landmarks, moved."""
    opened = open_dataset(dataset)
    points = opened.read("landmarks") + np.float32([shift_px, 0, depth_px])
    write_predictions(out, opened.sample_ids, frame="image", landmarks=points, method=name)
    return out


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Results are kept for this test only."""
    monkeypatch.setenv("PRN_BENCH_CACHE", str(tmp_path / "cache"))


def test_the_table_of_one_method(run: Run, dataset: Path, tmp_path: Path) -> None:
    """The usual family without asking; a line a variant, and the reason of what is left out."""
    mine = predict(dataset, tmp_path / "mine.h5", name="PRN", shift_px=3)
    code, out, err = run("sensitivity", mine, dataset)
    assert (code, err) == (0, "")
    assert "PRN under every aflw2000/68/2d" in out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line[:1].strip()}
    assert rows["3ddfa-fit"][-3:] == ["+0.000", "the", "default"]
    assert rows["max"][-2:] == ["normalizer", "bbox-max"]
    assert "px" in rows["pixels"]
    assert max(map(len, out.split("not scored")[0].splitlines())) <= 80


def test_the_table_of_several_methods(run: Run, dataset: Path, tmp_path: Path) -> None:
    """Figures side by side, tau, and which methods change places."""
    deep = predict(dataset, tmp_path / "a.h5", name="deep", depth_px=90, shift_px=1)
    wide = predict(dataset, tmp_path / "b.h5", name="wide", shift_px=5)
    code, out, _ = run("sensitivity", deep, wide, dataset, "--family", "aflw2000/68/3d")
    assert code == 0
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line[:1].strip()}
    assert (rows["z-mean"][-1], rows["z-none"][-1]) == ("1.00", "-1.00")
    assert "order under z-none" in out
    assert "wide before deep" in out


def test_for_programs(run: Run, dataset: Path, tmp_path: Path) -> None:
    """The variants of a pattern, all methods, and what could not be scored, with reasons."""
    mine = predict(dataset, tmp_path / "a.h5", name="PRN", shift_px=3)
    twin = predict(dataset, tmp_path / "b.h5", name="PRN", shift_px=4)
    code, out, _ = run(
        "sensitivity", mine, twin, dataset, "--family", "aflw2000/68/2d@m*", "--json"
    )
    assert code == 0
    table = json.loads(out)
    (family,) = table["families"]
    assert (table["methods"], table["not_scored"]) == (["PRN", "PRN (2)"], [])
    assert [v["protocol"].partition("@")[2] for v in family["variants"]] == ["max", "mean-side"]
    assert len(family["variants"][0]["headlines"]) == 2
    code, out, _ = run("sensitivity", mine, dataset, "--family", "aflw2000/68/3d", "--json")
    table = json.loads(out)
    assert [family["default"] for family in table["families"]] == [THREE_D]
    assert all(one["protocol"] and one["reason"] for one in table["not_scored"])


def test_what_a_family_is() -> None:
    """The beginning of an id up to a slash or an at sign, or a pattern."""
    assert _patterns("aflw2000/68") == ["aflw2000/68/*"]
    assert _patterns("aflw2000/68/2d") == ["aflw2000/68/2d@*"]
    assert _patterns("aflw2000/*/3d@z-*") == ["aflw2000/*/3d@z-*"]


def test_an_unknown_family(run: Run, dataset: Path, tmp_path: Path) -> None:
    """A family that does not exist is refused with those that do."""
    mine = predict(dataset, tmp_path / "a.h5", name="PRN")
    code, out, err = run("sensitivity", mine, dataset, "--family", "aflw2000/6")
    assert (code, out) == (2, "")
    assert "aflw2000/68/2d" in err
