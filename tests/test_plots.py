"""CED figures: what is drawn, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.plots import DASHES, ced_figure
from prn_bench.results import Result
from tests.fakes import face_world

FIT = "aflw2000/68/2d@3ddfa-fit"


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
    assert label == f"A: {one.summary.mean_of_images:.3f} %"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("NME (%)", "images (%)")


def test_missing_samples_are_failures() -> None:
    """The curve of a method without a quarter of the images ends at 75 %, and the legend says so."""
    axes = ced_figure(result(f"{FIT}+missing=drop", missing=10), limit=90).axes[0]
    assert axes.lines[0].get_data()[1][-1] == pytest.approx(75)
    assert "(10 missing)" in axes.get_legend().get_texts()[0].get_text()


def test_curves_differ_without_colour() -> None:
    """Neighbouring curves differ in their dashes as well as in their colours."""
    lines = ced_figure([result(method=name) for name in "ABCD"]).axes[0].lines
    assert len({line.get_color() for line in lines}) == 4
    assert [line.is_dashed() for line in lines] == [False, True, True, True]
    assert len(set(DASHES)) == len(DASHES)


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_same_bytes(tmp_path: Path, suffix: str) -> None:
    """Saving twice gives the same file, whole, under its name."""
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        ced_figure([result(), result(method="_odd $name$")], out=path)
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
