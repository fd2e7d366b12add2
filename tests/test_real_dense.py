"""Dense and reconstruction figures on real meshes, as a user runs them: import, score.

PRNet, 3DDFA and 2DASL on 10 images; the figures were computed independently of this project (README of
the data), with the first 40 + 10 components of the Basel model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.test_real_chain import ROUNDING, prn_bench

PROTOCOLS = (
    "aflw2000/dense/2d@sparse-box",
    "aflw2000/dense/2d@prnet-mask",
    "aflw2000/dense/3d@sparse-box",
    "aflw2000/dense/3d@prnet-mask",
    "aflw2000/rec@corr-rigid",
    "aflw2000/rec@corr-umeyama",
)
#: Per cent, mean of the 10 images, in the order of the protocols.
FIGURES = {
    "prnet": (4.396, 3.593, 6.362, 5.202, 4.630, 3.966),
    "3ddfa": (3.679, 2.998, 5.344, 4.358, 4.186, 3.107),
    "2dasl": (3.372, 2.747, 4.823, 3.934, 3.300, 2.992),
}


@pytest.fixture(scope="module")
def dataset(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AFLW2000-3D with the 40 + 10 basis, in the coefficient layout, and the list of the 10 images."""
    folder = tmp_path_factory.mktemp("dense")
    model, path = folder / "bfm.h5", folder / "aflw.h5"
    raw = real_data / "aflw2000_3d_annotations"
    prn_bench("face-model", real_data / "bfm", "-o", model)
    words = ("--no-images", "--face-model", model, "--layout", "coefficients")
    prn_bench("build", "aflw2000-3d", raw, *words, "-o", path)
    names = sorted(file.stem for file in (real_data / "predictions" / "2dasl").glob("*.mat"))
    (folder / "ten.txt").write_text("\n".join(names))
    return path


@pytest.mark.parametrize("method", FIGURES)
def test_published_methods(
    real_data: Path, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    """All six figures of a method, to the third decimal."""
    mine = tmp_path / "mine.h5"
    prn_bench(
        "import", method, real_data / "predictions" / method, "--dataset", dataset, "-o", mine
    )
    asked = [word for name in PROTOCOLS for word in ("-p", name)]
    capsys.readouterr()
    subset = dataset.with_name("ten.txt")
    prn_bench("score", mine, dataset, "--subset", subset, *asked, "--json", "--no-cache")
    found: dict[str, Any] = {
        result["protocol"]["id"]: result for result in json.loads(capsys.readouterr().out)
    }
    headlines = [found[name]["summary"]["headline"] for name in PROTOCOLS]
    assert headlines == pytest.approx(list(FIGURES[method]), abs=ROUNDING)
    for result in found.values():
        assert (result["summary"]["n"], result["summary"]["n_missing"]) == (10, 0)
        assert result["coverage"] == 1.0
        low, high = (result["summary"]["interval"][side] for side in ("low", "high"))
        assert low < result["summary"]["headline"] < high
