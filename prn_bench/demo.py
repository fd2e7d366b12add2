"""The demo: the whole way on synthetic faces, with errors planted so that the score can be proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench import gallery, plots
from prn_bench.build import build
from prn_bench.dataset import Dataset, open_dataset
from prn_bench.evaluate import score
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel_file import save_face_model
from prn_bench.geometry import landmark_box
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.protocol import protocol
from prn_bench.recipes import find_recipe
from prn_bench.report import Page
from prn_bench.results import Result, save
from prn_bench.subsets import yaw_bins
from prn_bench.synthetic.face import synthetic_face_model

PLANTED_PERCENT = (2.0, 3.0, 5.0)  # NME of the planted method by yaw bin
NOISE_PX = 4.0  # of a second, noisy method
HEADLINE = "aflw2000/68/2d@3ddfa-fit"
PROTOCOLS = (HEADLINE, f"{HEADLINE}+reference_frame=image", "aflw2000/68/3d@z-mean")
SHEET_SAMPLES = 6

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What the demo made.

    Attributes
    ----------
    results : list of Result
        Of the planted method.
    planted : list of (bin label, planted per cent, found per cent)
    report : Path
        The HTML page.
    """

    results: list[Result]
    planted: list[tuple[str, float, float]]
    report: Path


def run_demo(folder: str | Path, *, n_samples: int, jobs: int, say: Say) -> Outcome:
    """Make everything under ``folder``.

    Parameters
    ----------
    folder : path
    n_samples : int
        Pictures in each of the two synthetic datasets.
    jobs : int
        Worker processes of the builds.
    say : callable
        Told what is being done.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    say("making the synthetic face model")
    model = synthetic_face_model()
    save_face_model(model, root / "face-model.h5")
    datasets = {}
    for name in ("300w-lp", "aflw2000-3d"):
        say(f"taking {n_samples} pictures in the layout of {name}")
        find_recipe(name).write_synthetic(root / f"raw-{name}", model, n_samples)
        say(f"building {name}.h5")
        datasets[name] = _built(root, name, jobs)
    say("planting known errors, and scoring them")
    test = datasets["aflw2000-3d"]
    methods = {"planted": planted_predictions(test), "noisy": noisy_predictions(test)}
    results = {name: _scored(root, name, points, test) for name, points in methods.items()}
    say("drawing and writing the report")
    planted = _planted_found(results["planted"][0])
    report = _write_report(root, model, datasets, methods, results, planted)
    return Outcome(results["planted"], planted, report)


def planted_predictions(dataset: Dataset) -> NDArray[np.float64]:
    """(n, 68, 3) landmarks whose NME is exactly 2, 3 and 5 per cent in the three yaw bins.

    Every point is moved by that share of the box, in one random direction a sample, from the points as
    they are stored: the frame that the published protocol compares in.
    """
    stored = dataset.read("landmarks").astype(np.float64) + dataset.stored_offset("landmarks")
    box = landmark_box(stored)
    side = np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]))
    share = np.asarray(PLANTED_PERCENT)[_bins(dataset)] / 100
    turn = np.random.default_rng(1).uniform(0, 2 * np.pi, len(stored))
    moved = stored.copy()
    moved[:, :, 0] += (share * side * np.cos(turn))[:, None]
    moved[:, :, 1] += (share * side * np.sin(turn))[:, None]
    return moved


def noisy_predictions(dataset: Dataset) -> NDArray[np.float64]:
    """(n, 68, 3) landmarks with Gaussian noise, larger in profile."""
    points = dataset.read("landmarks").astype(np.float64)
    size = NOISE_PX * (1 + _bins(dataset) / 2)
    noise = np.random.default_rng(2).normal(size=points.shape)
    return points + noise * size[:, None, None]


def _bins(dataset: Dataset) -> NDArray[np.intp]:
    chosen = protocol(HEADLINE)
    yaw = dataset.read("yaw_deg/fitted")
    return yaw_bins(yaw, edges=chosen.bin_edges, closed=chosen.closed, over_90=chosen.over_90)


def _built(root: Path, name: str, jobs: int) -> Dataset:
    out = root / f"{name}.h5"
    recipe, raw = find_recipe(name), root / f"raw-{name}"
    build(recipe, raw, out, face_model=root / "face-model.h5", jobs=jobs)
    return open_dataset(out)


def _scored(root: Path, name: str, points: NDArray[np.float64], dataset: Dataset) -> list[Result]:
    path = root / f"{name}.predictions.h5"
    write_predictions(
        path, dataset.sample_ids, frame="image", landmarks=points, method={"name": name}
    )
    results = [score(open_predictions(path), dataset, protocol(key)) for key in PROTOCOLS]
    (root / "results").mkdir(exist_ok=True)
    for result in results:
        save(result, root / "results", replace=True)
    return results


def _planted_found(result: Result) -> list[tuple[str, float, float]]:
    parts = zip(result.summary.bins, PLANTED_PERCENT, strict=True)
    return [(part.label, planted, part.mean) for part, planted in parts]


def _write_report(
    root: Path,
    model: FaceModel,
    datasets: dict[str, Dataset],
    methods: dict[str, NDArray[np.float64]],
    results: dict[str, list[Result]],
    planted: list[tuple[str, float, float]],
) -> Path:
    test = datasets["aflw2000-3d"]
    page = Page(
        "prn_bench demo",
        f"{len(test)} synthetic test pictures, scored under the protocols of AFLW2000-3D. "
        "Every face here was made by code and belongs to nobody.",
    )
    page.heading("Training data: 300W-LP layout")
    page.paragraph(
        "One face seen from further and further aside. Green: the 68 landmarks, projected from the fit."
    )
    rows = list(range(SHEET_SAMPLES))
    page.picture(
        gallery.sample_sheet(datasets["300w-lp"], rows), "Crops with landmarks", kind="jpeg"
    )
    page.picture(
        gallery.map_sheet(datasets["300w-lp"], rows),
        "Their position maps: x, y, z of each face point in the crop as red, green, blue",
    )
    page.heading("Scores")
    page.table(
        ["yaw (degrees)", "planted %", "found %"],
        [[label, f"{a:.3f}", f"{b:.3f}"] for label, a, b in planted],
    )
    page.paragraph(
        "The planted method moves every point by a known share of the face box; the scoring engine, "
        "which knows nothing of that, must find the same number."
    )
    for name, group in results.items():
        page.table([name, "mean of bins", "mean of images", "median", "n"], _rows(group))
    plots.ced_figure([group[0] for group in results.values()], out=root / "ced.png")
    caption = "Cumulative error distribution of both methods"
    page.picture((root / "ced.png").read_bytes(), caption)
    page.heading("Test pictures")
    sheet = gallery.sample_sheet(test, rows, predicted=methods["noisy"][rows])
    page.picture(sheet, "Reference (green) and the noisy method (red)", kind="jpeg")
    page.save(root / "report.html")
    return root / "report.html"


def _rows(results: list[Result]) -> list[list[str]]:
    return [
        [
            result.protocol.id,
            *(f"{v:.3f}" for v in (s.mean_of_bins, s.mean_of_images, s.median)),
            str(s.n),
        ]
        for result in results
        for s in (result.summary,)
    ]
