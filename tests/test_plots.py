"""Figures: what is drawn, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.intervals import ced_band
from prn_bench.plots import (
    DASHES,
    bar_figure,
    ced_figure,
    samples_figure,
    uv_figure,
    yaw_figure,
)
from prn_bench.results import Result, save
from tests.fakes import face_world

FIT = "aflw2000/68/2d@3ddfa-fit"


@cache
def result(name: str = FIT, *, method: str = "A", missing: int = 0) -> Result:
    """A score of the small world."""
    dataset, predictions = face_world()
    predictions.method["name"] = method
    predictions.arrays["landmarks"][:missing] = np.nan
    return score(predictions, dataset, name)


def test_the_curve_is_the_ced() -> None:
    """One rising line from 0 to the share below the limit, named with its mean."""
    one = result()
    axes = ced_figure(one, limit=5).axes[0]
    x, y = axes.lines[0].get_data()
    assert (x[0], y[0], x[-1]) == (0, 0, 5)
    assert (np.diff(y) >= 0).all()
    assert y[-1] == pytest.approx(100 * np.mean(one.samples.errors <= 5))
    label = axes.get_legend().get_texts()[0].get_text()
    summary = one.summary
    assert label == f"A: {summary.headline:.3f} % ({summary.mean_of_images:.3f} %)"
    assert axes.get_legend().get_title().get_text() == "mean of bins (mean over images)"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("NME (%)", "images (%)")


def test_missing_samples_are_failures() -> None:
    """The curve of a method without a quarter of the images ends at 75 %, and the legend says so."""
    axes = ced_figure(result(f"{FIT}+missing=drop", missing=10), limit=90).axes[0]
    assert axes.lines[0].get_data()[1][-1] == pytest.approx(75)
    assert "10 missing" in axes.get_legend().get_texts()[0].get_text()


def test_one_figure_where_it_is_the_protocols_own() -> None:
    """A protocol of all images has no second mean to tell apart."""
    one = result("aflw2000/68/3d@all")
    legend = ced_figure(one, limit=50).axes[0].get_legend()
    assert legend.get_texts()[0].get_text() == f"A: {one.summary.headline:.3f} %"
    assert legend.get_title().get_text() == "mean over images"


def test_a_subset_beside_the_whole_says_so() -> None:
    """Where the numbers of images differ, each name in the legend has its own."""
    one, few = result(), result(method="B")
    few = replace(few, summary=replace(few.summary, n=1700))
    texts = [t.get_text() for t in ced_figure([one, few]).axes[0].get_legend().get_texts()]
    assert [text.rpartition(", ")[2] for text in texts] == ["40 images", "1,700 images"]


def test_curves_differ_without_colour() -> None:
    """Neighbouring curves differ in their dashes as well as in their colours."""
    lines = ced_figure([result(method=name) for name in "ABCD"]).axes[0].lines
    assert len({line.get_color() for line in lines}) == 4
    assert [line.is_dashed() for line in lines] == [False, True, True, True]
    assert len(set(DASHES)) == len(DASHES)


def test_the_band_is_the_interval() -> None:
    """The band's edges are the pointwise interval, in per cent; it can be left out."""
    one = result()
    (band,) = ced_figure(one, limit=5).axes[0].collections
    _, low, high = ced_band(one.samples.errors, one.samples.bins, [5.0])
    edges = band.get_paths()[0].vertices
    assert edges[edges[:, 0] == 5.0, 1].min() == pytest.approx(100 * low[0])
    assert edges[edges[:, 0] == 5.0, 1].max() == pytest.approx(100 * high[0])
    assert not ced_figure(one, limit=5, band=False).axes[0].collections


def test_sorted_images_as_the_paper_draws_them() -> None:
    """The same curve with its axes swapped."""
    one = result()
    plain = ced_figure(one, limit=5).axes[0].lines[0].get_data()
    axes = ced_figure(one, limit=5, sorted_images=True).axes[0]
    swapped = axes.lines[0].get_data()
    assert np.array_equal(plain[0], swapped[1])
    assert np.array_equal(plain[1], swapped[0])
    assert axes.get_ylabel() == "NME (%)"


def test_lines_by_yaw() -> None:
    """One point a bin, at its mean, with an interval around it."""
    one, other = result(), result(method="B")
    axes = yaw_figure([one, other]).axes[0]
    means = [part.mean for part in one.summary.bins]
    assert axes.containers[0].lines[0].get_ydata() == pytest.approx(means)
    labels = [part.label for part in one.summary.bins]
    assert labels[-1] == "(60, inf)"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [*labels[:-1], "> 60"]
    low, high = (line.get_ydata() for line in axes.containers[0].lines[1])
    assert (low < means).all()
    assert (high > means).all()


def test_lines_by_yaw_at_bin_centres() -> None:
    """Where a protocol has centres, they are the x axis."""
    one = result(f"{FIT}+bin_centres=-40,0,40+over_90=last")
    axes = yaw_figure(one).axes[0]
    assert axes.get_xticks() == pytest.approx([-40, 0, 40])


def test_bars() -> None:
    """A group for each bin and one for the headline, a bar for each method."""
    one = result()
    axes = bar_figure([one, result(method="B")]).axes[0]
    groups = [container for container in axes.containers if hasattr(container, "patches")]
    assert len(groups) == 2
    heights = [bar.get_height() for bar in groups[0].patches]
    expected = [*(part.mean for part in one.summary.bins), one.summary.headline]
    assert heights == pytest.approx(expected)
    assert axes.get_xticklabels()[-1].get_text() == "mean of bins"


@pytest.mark.parametrize(
    ("names", "columns"), [("AB", 2), ("ABC", 3), ("ABCD", 4), ("ABCDE", 1), ("ABCDEF", 3)]
)
def test_rows_of_a_legend_are_equal(names: str, columns: int) -> None:
    """No row is shorter than the others; long names stand below each other."""
    one = result()
    legend = bar_figure([replace(one, method={"name": name}) for name in names]).legends[0]
    assert legend._ncols == columns
    long = [replace(one, method={"name": name * 60}) for name in names]
    assert bar_figure(long).legends[0]._ncols == 1


def test_an_unknown_interval_is_not_drawn_as_an_exact_figure() -> None:
    """Too few samples: a bar without a cap."""
    one = result()
    bare = replace(one, summary=replace(one.summary, interval=None))
    for known, drawn in ((one, True), (bare, False)):
        caps = bar_figure([known]).axes[0].containers[0]
        ends = caps.lines[1][0].get_ydata()
        assert bool(np.isfinite(ends[-1])) == drawn


def moved(one: Result, *, by: float) -> Result:
    """Another method, worse by a constant on every sample."""
    samples = replace(one.samples, errors=one.samples.errors + by)
    method = {"name": "worse"}
    return replace(one, samples=samples, summary=samples.summarize(one.protocol), method=method)


def test_two_methods_sample_by_sample() -> None:
    """A point a sample; the title gives the paired difference, of which the interval is certain."""
    one = result()
    axes = samples_figure(one, moved(one, by=1.0)).axes[0]
    points = np.concatenate([np.asarray(group.get_offsets()) for group in axes.collections])
    assert len(points) == one.summary.n
    assert points[:, 1] - points[:, 0] == pytest.approx(1.0)
    title = axes.get_title(loc="left")
    assert "worse is better on 0 of 40 images" in title
    assert "worse - A = +1.000 % (+1.000 to +1.000), mean of bins" in title
    assert [text.get_text() for text in axes.get_legend().get_texts()][-1] == "yaw > 60"
    fewer = replace(one.samples, ids=one.samples.ids[::-1])
    with pytest.raises(BenchError) as error:
        samples_figure(one, replace(one, samples=fewer))
    assert error.value.code == "mixed-samples"


def test_few_samples_are_large_points_without_an_interval() -> None:
    """Ten samples: their difference is that of the headlines of these, and they can be seen."""
    one = result()
    kept = np.arange(len(one.samples.errors)) % 4 == 0
    errors = np.where(kept, one.samples.errors, np.nan)
    samples = replace(one.samples, errors=errors, missing=~kept)
    few = replace(one, samples=samples, summary=samples.summarize(one.protocol))
    other = moved(few, by=-0.5)
    axes = samples_figure(few, other).axes[0]
    title = axes.get_title(loc="left")
    assert "worse is better on 10 of 10 images" in title
    assert "worse - A = -0.500 %" in title
    assert axes.collections[0].get_sizes()[0] > 30


def test_map_of_errors(tmp_path: Path) -> None:
    """The map is drawn as it is, with a scale from zero; a map of nothing is refused."""
    error = np.full((4, 4), np.nan)
    error[1:3] = 2.0
    shown = uv_figure(error, title="t", out=tmp_path / "uv.png").axes[0].images[0]
    assert np.array_equal(shown.get_array().mask, np.isnan(error))
    assert shown.get_clim()[0] == 0
    with pytest.raises(ValueError, match="at least one pixel"):
        uv_figure(np.full((2, 2), np.nan))


def test_landmarks_on_the_map() -> None:
    """Nine outlines through the 68 pixels, column as x and row as y; eyes and lips are closed."""
    pixels = np.stack([np.arange(68), 100 + np.arange(68)], 1)
    lines = uv_figure(np.ones((256, 256)), landmarks=pixels).axes[0].lines
    assert len(lines) == 9
    x, y = np.concatenate([one.get_xydata() for one in lines]).T
    assert set(zip(y, x, strict=True)) == set(map(tuple, pixels.tolist()))
    assert len(x) == 68 + 4


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
@pytest.mark.parametrize("draw", [ced_figure, yaw_figure, bar_figure])
def test_same_bytes(tmp_path: Path, draw: Any, suffix: str) -> None:
    """Saving twice gives the same file, whole, under its name."""
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        draw([result(), result(method="_odd $name$")], out=path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_odd_names_are_shown() -> None:
    """A leading underscore would hide a legend entry, dollars would be read as a formula."""
    legend = ced_figure(result(method="_odd $name$")).axes[0].get_legend()
    assert legend.get_texts()[0].get_text().startswith(r" _odd \$name\$")


def test_mixed_protocols() -> None:
    """Curves of different protocols are not comparable; one has to say that one wants them."""
    several = [result(), result("aflw2000/68/2d@max")]
    with pytest.raises(BenchError) as error:
        ced_figure(several)
    assert error.value.code == "mixed-protocols"
    figure = ced_figure(several, mixed=True)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[1].endswith("aflw2000/68/2d@max")


def test_refusals(tmp_path: Path) -> None:
    """No result, and a file type that is not offered."""
    with pytest.raises(ValueError, match="at least one"):
        ced_figure([])
    with pytest.raises(BenchError) as error:
        ced_figure(result(), out=tmp_path / "ced.jpg")
    assert error.value.code == "unknown-suffix"
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path: Path, run: Any) -> None:
    """Each kind of plot by the command line; wrong kinds and counts of files end in exit code 2."""
    paths = [save(result(method=name), tmp_path / "results")[0] for name in "AB"]
    for kind in ("ced", "yaw", "bars", "samples"):
        code, out, _ = run("plot", kind, *paths, "--out", tmp_path / f"{kind}.svg")
        assert (code, (tmp_path / f"{kind}.svg").exists()) == (0, True), out
    assert run("plot", "samples", paths[0], "-o", tmp_path / "x.svg")[0] == 2
    assert run("plot", "pie", paths[0], "-o", tmp_path / "x.svg")[0] == 2
    assert run("plot", "ced", tmp_path / "none.json", "-o", tmp_path / "x.svg")[0] == 2
    assert not (tmp_path / "x.svg").exists()
