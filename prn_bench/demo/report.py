"""What the demo shows: one HTML page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench import gallery, geometry, plots
from prn_bench.dataset import Dataset
from prn_bench.evaluate.face_errors import error_map
from prn_bench.predictions import open_predictions
from prn_bench.site.embed import Picture, asset, drawing, photograph, write_page
from prn_bench.site.views import Cell, Grid, Page

if TYPE_CHECKING:
    from prn_bench.demo import Outcome
    from prn_bench.predictions import Predictions

SHEET_SAMPLES, TEST_SAMPLES = 6, 12


def write(outcome: Outcome, files: Mapping[str, Path], training: Dataset, test: Dataset) -> None:
    """Write ``outcome.report``, and the figures beside it.

    Parameters
    ----------
    outcome : Outcome
    files : dict
        Prediction file of each method; the first is drawn.
    training, test : Dataset
    """
    method, *_ = files
    values = {
        "lead": _lead(outcome, method, len(training), len(test)),
        "scores": _scores(outcome),
        "curve": _curve(outcome),
        "pictures": list(_test_pictures(method, files[method], test)),
        "training": [*_training_data(training), *_training_curve(outcome.report.parent)],
        "planted": _planted(outcome),
    }
    page = Page(outcome.report.name, "demo.html", "The demo", values)
    write_page(outcome.report, page, [asset("site.js")])


def _lead(outcome: Outcome, method: str, n_training: int, n_test: int) -> str:
    people = "Every face here was made by code and belongs to nobody."
    if not outcome.training_s:
        return f"PyTorch is not installed, so no network was trained. {people}"
    own, mean = (outcome.results[name][0].summary.mean_of_images for name in (method, "mean face"))
    return (
        f"A small PRN, trained for {outcome.training_s:.0f} s on {n_training} pictures, has an NME of "
        f"{own:.2f} % on {n_test} pictures of other people; the mean face has {mean:.2f} %, "
        f"{mean / own:.1f} times as much. {people}"
    )


def _training_data(training: Dataset) -> list[Picture]:
    rows = list(range(SHEET_SAMPLES))
    maps = (
        "Their position maps: x, y, z of each face point in the crop as red, green, blue. "
        "This is what the network learns to predict."
    )
    return [
        photograph(gallery.sample_sheet(training, rows, columns=3), "Crops with landmarks"),
        drawing(gallery.map_sheet(training, rows, columns=3), maps),
    ]


def _training_curve(root: Path) -> Iterator[Picture]:
    log = root / "training" / "log.jsonl"
    if log.is_file():
        lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        plots.training_figure(lines, out=root / "loss.png")
        caption = "Error on the training pictures, and NME on people held out of them"
        yield drawing(root / "loss.png", caption)


def _scores(outcome: Outcome) -> list[Grid]:
    return [
        _table(
            f"scores-{at}",
            group[0].protocol.id,
            ["method", "mean of bins", "mean of images", "median", "n"],
            [
                [name, *(f"{v:.3f}" for v in (s.mean_of_bins, s.mean_of_images, s.median)), s.n]
                for name, s in zip(outcome.results, (r.summary for r in group), strict=True)
            ],
        )
        for at, group in enumerate(zip(*outcome.results.values(), strict=True))
    ]


def _curve(outcome: Outcome) -> Picture:
    out = outcome.report.with_name("ced.png")
    plots.ced_figure([first for first, *_ in outcome.results.values()], out=out, limit=30.0)
    return drawing(out, "Cumulative error distribution of all methods")


def _test_pictures(method: str, file: Path, test: Dataset) -> Iterator[Picture]:
    """Pictures from the left profile to the right one, and the error over the face."""
    predictions = open_predictions(file)
    yaw = (test.read("yaw_deg/fitted") + 180) % 360 - 180
    rows = np.argsort(yaw)[np.linspace(0, len(yaw) - 1, min(TEST_SAMPLES, len(yaw))).astype(int)]
    points = _in_image(predictions, test, rows)
    sheet = gallery.sample_sheet(test, rows.tolist(), predicted=points, columns=4)
    yield photograph(sheet, f"Reference (green) and {method} (red), by yaw")
    if "position_map" in predictions.arrays:
        out = file.with_name("uv-error.png")
        marks, error = test.read("uv/landmark_pixels"), error_map(predictions, test).error
        plots.uv_figure(error, title=method, landmarks=marks, out=out)
        yield drawing(out, "Where on the face it errs: mean 3D error on the UV map")


def _in_image(
    predictions: Predictions, test: Dataset, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(n, 68, 3) landmarks of some rows, crop frame to image frame."""
    points = np.asarray(predictions.rows("landmarks", rows), np.float64)
    crop = geometry.crop_affine(test.read("crop", rows), test.read("z_shift", rows))
    return geometry.apply_affine(geometry.invert_affine(crop), points)


def _planted(outcome: Outcome) -> Grid:
    rows = [[label, f"{planted:.3f}", f"{found:.3f}"] for label, planted, found in outcome.planted]
    columns = ["yaw (degrees)", "planted %", "found %"]
    return _table("planted", "Planted and found", columns, rows)


def _table(name: str, caption: str, columns: list[str], rows: Sequence[Sequence[object]]) -> Grid:
    """A grid whose first column holds words, the others numbers."""
    cells = [[Cell(str(value)) for value in row] for row in rows]
    return Grid(name, caption, columns, cells, frozenset(columns[1:]))
