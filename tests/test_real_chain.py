"""The whole chain on real data, as a user runs it: zip, build, import, score.

The figures were computed independently of this project (README of the data). Without
``PRN_BENCH_REAL_DATA`` all of it is skipped, visibly.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from prn_bench.cli import main

ROUNDING = 5.01e-4  # the figures are printed with three decimals
FIT, AFLW = "aflw2000/68/2d@3ddfa-fit", "aflw2000/68/2d@3ddfa-aflw"
IMAGE = "+reference_frame=image"

#: Counts of the bins, their means, mean of bins, mean of images, median; per cent.
BY_YAW = {
    FIT: ((1312, 383, 305), (2.925, 3.667, 4.784, 3.792, 3.350, 2.912)),
    AFLW: ((1306, 462, 232), (2.947, 3.707, 4.910, 3.855, 3.350, 2.912)),
    FIT + IMAGE: ((1312, 383, 305), (2.812, 3.658, 4.804, 3.758, 3.278, 2.799)),
}
#: Mean of bins by the fitted yaw, one choice changed at a time.
OTHER_CHOICES = {
    "aflw2000/68/2d@reannotated": 3.022,
    "aflw2000/68/2d@diagonal": 2.673,
    "aflw2000/68/2d@max": 3.628,
    "aflw2000/68/2d@mean-side": 3.786,
    "aflw2000/68/3d@z-none": 48.658,
    "aflw2000/68/3d@z-min": 6.275,
    "aflw2000/68/3d@z-median": 5.457,
    "aflw2000/68/3d@z-mean": 5.287,
}


def prn_bench(*words: object) -> None:
    """Run ``prn-bench`` in this process; anything but exit code 0 fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["prn-bench", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code


@pytest.fixture(scope="module")
def chain(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The dataset built from the zip beside its companion arrays, and the imported predictions."""
    folder = tmp_path_factory.mktemp("chain")
    raw = real_data / "aflw2000_3d_annotations"
    points = real_data / "predictions" / "3ddfa_v2_mb05_aflw2000.npz"
    dataset, mine = folder / "aflw.h5", folder / "mine.h5"
    assert (raw / "AFLW2000-3D.zip").is_file()
    prn_bench("build", "aflw2000-3d", raw, "--no-images", "-o", dataset)
    prn_bench("import", "npz", points, "--frame", "image", "--dataset", dataset, "-o", mine)
    return dataset, mine


@pytest.fixture
def scores(
    chain: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> dict[str, dict[str, Any]]:
    """Results by protocol, from one call of ``score --json``."""
    dataset, mine = chain
    asked = [word for name in (*BY_YAW, *OTHER_CHOICES) for word in ("-p", name)]
    capsys.readouterr()
    prn_bench("score", mine, dataset, *asked, "--json")
    return {result["protocol"]["id"]: result for result in json.loads(capsys.readouterr().out)}


def test_must_show(scores: dict[str, dict[str, Any]]) -> None:
    """Every figure for 68 points in the README of the data, to the third decimal."""
    for name, (counts, figures) in BY_YAW.items():
        summary = scores[name]["summary"]
        assert tuple(part["n"] for part in summary["bins"]) == counts, name
        found = [part["mean"] for part in summary["bins"]]
        found += [summary[key] for key in ("mean_of_bins", "mean_of_images", "median")]
        assert found == pytest.approx(list(figures), abs=ROUNDING), name
    for name, figure in OTHER_CHOICES.items():
        summary = scores[name]["summary"]
        assert summary["mean_of_bins"] == pytest.approx(figure, abs=ROUNDING), name
    for name, result in scores.items():
        summary, codes = result["summary"], [f["code"] for f in result["findings"]]
        assert (summary["n"], summary["n_missing"], summary["n_left_out"]) == (2000, 0, 0), name
        assert codes in ([], ["yaw-beyond-90"]), name
