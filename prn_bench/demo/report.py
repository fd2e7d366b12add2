"""What the demo shows: one HTML page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench import gallery, geometry, plots
from prn_bench.dataset import Dataset
from prn_bench.evaluate.face_errors import error_map
from prn_bench.predictions import open_predictions
from prn_bench.report import Page

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
    page = Page("prn_bench demo", _lead(outcome, method, len(training), len(test)))
    _training_data(page, training)
    _training_curve(page, outcome.report.parent)
    _scores(page, outcome)
    _test_pictures(page, method, files[method], test)
    _planted(page, outcome)
    page.save(outcome.report)


def _lead(outcome: Outcome, method: str, n_training: int, n_test: int) -> str:
    people = "Every face here was made by code and belongs to nobody."
    if not outcome.training_s:
        return f"PyTorch is not installed, so no network was trained. {people}"
    own, mean = (outcome.results[name][0].summary.mean_of_images for name in (method, "mean face"))
    return (
        f"A small PRN, trained for {outcome.training_s:.0f} s on {n_training} pictures, has an NME of "
        f"{own:.2f} % on {n_test} pictures of other people: {mean / own:.1f} times better than the "
        f"mean face ({mean:.2f} %). {people}"
    )


def _training_data(page: Page, training: Dataset) -> None:
    rows = list(range(SHEET_SAMPLES))
    page.heading("Training data: 300W-LP layout")
    page.paragraph(
        "One face seen from further and further aside. Green: the 68 landmarks, projected from the fit."
    )
    page.picture(
        gallery.sample_sheet(training, rows, columns=3), "Crops with landmarks", kind="jpeg"
    )
    caption = (
        "Their position maps: x, y, z of each face point in the crop as red, green, blue. "
        "This is what the network learns to predict."
    )
    page.picture(gallery.map_sheet(training, rows, columns=3), caption)


def _training_curve(page: Page, root: Path) -> None:
    log = root / "training" / "log.jsonl"
    if not log.is_file():
        return
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    plots.training_figure(lines, out=root / "loss.png")
    page.heading("Training")
    caption = "Error on the training pictures, and NME on people held out of them"
    page.picture((root / "loss.png").read_bytes(), caption)


def _scores(page: Page, outcome: Outcome) -> None:
    page.heading("Scores")
    page.paragraph("NME in per cent under three protocols, which differ in frame and dimensions.")
    for group in zip(*outcome.results.values(), strict=True):
        rows = [
            [name, *(f"{v:.3f}" for v in (s.mean_of_bins, s.mean_of_images, s.median)), s.n]
            for name, s in zip(outcome.results, (result.summary for result in group), strict=True)
        ]
        page.table([group[0].protocol.id, "mean of bins", "mean of images", "median", "n"], rows)
    out = outcome.report.with_name("ced.png")
    plots.ced_figure([group[0] for group in outcome.results.values()], out=out, limit=30.0)
    page.picture(out.read_bytes(), "Cumulative error distribution of all methods")


def _test_pictures(page: Page, method: str, file: Path, test: Dataset) -> None:
    """Pictures from the left profile to the right one, and the error over the face."""
    predictions = open_predictions(file)
    yaw = (test.read("yaw_deg/fitted") + 180) % 360 - 180
    rows = np.argsort(yaw)[np.linspace(0, len(yaw) - 1, min(TEST_SAMPLES, len(yaw))).astype(int)]
    page.heading("Test pictures")
    points = _in_image(predictions, test, rows)
    sheet = gallery.sample_sheet(test, rows.tolist(), predicted=points, columns=4)
    page.picture(sheet, f"Reference (green) and {method} (red), by yaw", kind="jpeg")
    if "position_map" in predictions.arrays:
        out = file.with_name("uv-error.png")
        plots.uv_figure(error_map(predictions, test).error, title=method, out=out)
        page.picture(out.read_bytes(), "Where on the face it errs: mean 3D error on the UV map")


def _in_image(
    predictions: Predictions, test: Dataset, rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(n, 68, 3) landmarks of some rows, crop frame to image frame."""
    points = np.asarray(predictions.rows("landmarks", rows), np.float64)
    crop = geometry.crop_affine(test.read("crop", rows), test.read("z_shift", rows))
    return geometry.apply_affine(geometry.invert_affine(crop), points)


def _planted(page: Page, outcome: Outcome) -> None:
    page.heading("Can the scores be trusted?")
    page.paragraph(
        "The planted method moves every point by a known share of the face box; the scoring engine, "
        "which knows nothing of that, must find the same number."
    )
    rows = [[label, f"{planted:.3f}", f"{found:.3f}"] for label, planted, found in outcome.planted]
    page.table(["yaw (degrees)", "planted %", "found %"], rows)
