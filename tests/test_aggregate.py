"""Averages of errors that others measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.evaluate.aggregate import aggregate
from prn_bench.results import load_result, save

VRN, ALL = "florence/rec@vrn591", "florence/rec@vrn921"


def table(folder: Path, text: str) -> Path:
    """A CSV with that text."""
    path = folder / "errors.csv"
    path.write_text(text)
    return path


SMALL = "name,subject,yaw,used,err\na,00,-70,1,0.04\nb,00,3,1,0.01\nc,01,0,1,0.03\nd,01,90,0,9\n"


def test_bins_by_the_nearest_centre_and_used_samples(tmp_path: Path) -> None:
    """Yaw -70 goes to -80; an unused sample counts nowhere; fractions become per cent."""
    result = aggregate(table(tmp_path, SMALL), VRN, column="err", method="M", fraction=True)
    bins = {part.label: (part.n, part.mean) for part in result.summary.bins}
    assert bins["-80"] == (1, pytest.approx(4.0))
    assert bins["0"] == (2, pytest.approx(2.0))
    assert bins["80"][0] == 0
    assert result.summary.mean_of_images == pytest.approx(8 / 3)
    assert result.samples.ids.tolist() == ["00/a", "00/b", "01/c", "01/d"]
    assert [finding.code for finding in result.findings] == ["errors-given"]


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    """Written and read, it is the same."""
    result = aggregate(table(tmp_path, SMALL), VRN, column="err", method="M", fraction=True)
    path, _ = save(result, tmp_path / "out")
    assert load_result(path).as_dict() == result.as_dict()


@pytest.mark.parametrize(
    ("text", "column", "code"),
    [
        (SMALL, "error", "bad-errors"),
        (SMALL.replace("0.04", "x"), "err", "bad-errors"),
        (SMALL.replace("0.04", "-1"), "err", "bad-errors"),
        (SMALL.replace("0.04", "inf"), "err", "bad-errors"),
        (SMALL.replace("0.04", ""), "err", "missing-predictions"),
        (SMALL.replace("yaw", "angle"), "err", "bad-errors"),
        (SMALL.replace("b,00", "a,00"), "err", "bad-errors"),
        (SMALL + "e,1\n", "err", "bad-errors"),
        ("name,err\n", "err", "bad-errors"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, column: str, code: str) -> None:
    """Each says what is wrong."""
    with pytest.raises(BenchError) as error:
        aggregate(table(tmp_path, text), VRN, column=column, method="M")
    assert error.value.code == code


def test_the_command(run: Any, tmp_path: Path) -> None:
    """The command prints the table and writes the result."""
    path = table(tmp_path, SMALL)
    words = ("aggregate", path, "-p", VRN, "--column", "err", "--method", "M", "--fraction")
    code, out, err = run(*words, "--out", tmp_path / "r")
    assert (code, err) == (0, "")
    assert "2.667" in out
    assert len(list((tmp_path / "r").iterdir())) == 2


#: Mean of the 591 images, and means at yaw -80, -40, 0, 40, 80: published by VRN's author (per cent).
PUBLISHED = {
    "vrn_guided": (5.09, (6.35, 4.67, 4.34, 4.55, 6.30)),
    "vrn_guided_icp": (4.29, (6.05, 3.70, 3.22, 3.50, 6.01)),
}


@pytest.mark.parametrize("column", PUBLISHED)
def test_published_means_of_vrn(real_data: Path, column: str) -> None:
    """VRN's Florence means and counts by yaw come out of its per-image errors."""
    name = VRN + "-icp" * column.endswith("icp")
    path = real_data / "florence" / "vrn_per_image.csv"
    summary = aggregate(path, name, column=column, method="VRN", fraction=True).summary
    mean, by_yaw = PUBLISHED[column]
    assert (summary.n, summary.n_left_out) == (591, 330)
    assert [part.n for part in summary.bins] == [99, 99, 195, 99, 99]
    assert summary.headline == pytest.approx(mean, abs=0.0051)
    found = np.array([part.mean for part in summary.bins])
    np.testing.assert_allclose(found, by_yaw, atol=0.0051)
