"""The report of one run: one page with scores, curves, worst samples and surfaces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.evaluate.face_errors import error_map, surface_of
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.site.build import require_parts
from prn_bench.site.pictures import worst_pictures
from prn_bench.site.report import NO_INPUTS, PICTURES, write_report

FIT = "aflw2000/68/2d@3ddfa-fit"
DENSE = "aflw2000/dense/3d@prnet-mask"
SHIFT_PX = 4.0


@pytest.fixture(scope="module")
def predictions(dataset: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Position maps: the reference shifted to the right by four pixels of the image."""
    path = tmp_path_factory.mktemp("report") / "p.h5"
    maps = dataset.position_maps(list(range(len(dataset)))).astype(np.float32)
    scale = np.array([crop[0, 0] for crop in dataset.read("crop")])
    maps[:, 0] += SHIFT_PX * scale[:, None, None]
    write_predictions(
        path, dataset.sample_ids, frame="crop", position_map=maps, method={"name": "<shifted>"}
    )
    return open_predictions(path)


def test_errors_over_the_face(dataset: Any, predictions: Any) -> None:
    """A constant shift is a constant error, relative to each box; outside the face there is none."""
    found = error_map(predictions, dataset)
    assert found.n_samples == len(dataset)
    face = found.error[np.isfinite(found.error)]
    assert 0 < len(face) < found.error.size
    assert face == pytest.approx(face.mean(), rel=0.01)
    expected = score(predictions, dataset, f"{DENSE}+reference_frame=image").summary.headline
    assert face.mean() == pytest.approx(expected, rel=0.01)


def test_a_surface(dataset: Any, predictions: Any) -> None:
    """Both sides lie four pixels apart; unknown samples have none."""
    name = str(dataset.sample_ids[3])
    surface = surface_of(predictions, dataset, name, step=4)
    assert surface is not None
    gap = surface.predicted - surface.reference
    assert gap[:, 0] == pytest.approx(SHIFT_PX, abs=0.1)
    assert np.abs(gap[:, 1:]).max() < 0.1
    assert surface_of(predictions, dataset, "nobody") is None


def test_the_report(dataset: Any, predictions: Any, tmp_path: Path) -> None:
    """One file that fetches nothing, with every view, the names escaped, the same bytes twice."""
    results = [score(predictions, dataset, name) for name in (DENSE, FIT)]
    paths = [write_report(results, dataset, predictions, tmp_path / f"{n}.html") for n in "ab"]
    text = paths[0].read_text(encoding="utf-8")
    assert text == paths[1].read_text(encoding="utf-8")
    assert "&lt;shifted&gt;" in text
    body = text.split("<script>")[0]
    assert "<shifted>" not in body
    kinds = re.findall(r'data-kind="(\w+)"', text)
    assert kinds == ["ced", "yaw", "ced", "yaw", "uv", "surface", "surface"]
    for result in results:
        assert f"{result.summary.headline:.3f}" in text
        assert result.protocol.hash in text
    assert not re.search(r'(?:src|href)="(?!data:|#)', body)


def test_sparse_predictions_have_no_surface(dataset: Any, faces: Any, tmp_path: Path) -> None:
    """Landmarks give scores, curves and pictures of the worst samples."""
    path = tmp_path / "p.h5"
    write_predictions(
        path, dataset.sample_ids, frame="image", landmarks=faces, method={"name": "A"}
    )
    predictions = open_predictions(path)
    report = write_report(
        [score(predictions, dataset, FIT)], dataset, predictions, tmp_path / "r.html"
    )
    text = report.read_text(encoding="utf-8")
    assert re.findall(r'data-kind="(\w+)"', text) == ["ced", "yaw"]
    assert text.count("data:image/jpeg;base64,") == PICTURES


def test_pictures_of_any_frame(dataset: Any, predictions: Any) -> None:
    """Position maps in the crop frame are drawn on the worst samples as landmarks are."""
    result = score(predictions, dataset, FIT)
    found = worst_pictures(result, dataset, predictions, NO_INPUTS, 3)
    worst = np.argsort(-result.samples.errors, kind="stable")[:3]
    assert [one.caption.split(":")[0] for one in found] == [
        str(result.samples.ids[i]) for i in worst
    ]
    assert len({one.address for one in found}) == 3


def test_from_the_command_line(run: Any, dataset: Any, faces: Any, tmp_path: Path) -> None:
    """`score --report` writes the page; a place where it cannot be is refused before any score."""
    path = tmp_path / "p.h5"
    write_predictions(path, dataset.sample_ids, frame="image", landmarks=faces, method="A")
    page = tmp_path / "r.html"
    code, out, _ = run("score", path, dataset.path, "-p", FIT, "--report", page)
    assert code == 0
    assert "r.html" in out
    assert FIT in page.read_text(encoding="utf-8")
    for name, words in (("r.pdf", "expected .html"), ("p.h5", "one of the files to read")):
        code, out, err = run("score", path, dataset.path, "-p", FIT, "--report", tmp_path / name)
        assert (code, out) == (2, "")
        assert words in " ".join(err.split())
    assert open_predictions(path).method["name"] == "A"


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a package of the extra is missing, the message says how to get it."""
    monkeypatch.setattr("prn_bench.site.build.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"prn-bench\[site\]") as error:
        require_parts()
    assert error.value.code == "site-parts-missing"


def test_refusals(dataset: Any, predictions: Any, tmp_path: Path) -> None:
    """Nothing to tell, and a file that is no page."""
    with pytest.raises(ValueError, match="at least one"):
        write_report([], dataset, predictions, tmp_path / "r.html")
    one = score(predictions, dataset, FIT)
    with pytest.raises(BenchError) as error:
        write_report([one], dataset, predictions, tmp_path / "r.pdf")
    assert error.value.code == "unknown-suffix"
    assert list(tmp_path.iterdir()) == []
