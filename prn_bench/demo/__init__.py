"""The demo: the whole way on synthetic faces, from raw data to a trained network and its score."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.build import build
from prn_bench.dataset import Dataset, open_dataset
from prn_bench.demo import report as demo_report
from prn_bench.evaluate import score
from prn_bench.facemodel.file import load_face_model, save_face_model
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.protocol import protocol
from prn_bench.recipes import find_recipe
from prn_bench.results import Result, make_folder, save
from prn_bench.runner import run
from prn_bench.subsets import yaw_bins
from prn_bench.synthetic.face import synthetic_face_model

TRAINING, TEST = "300w-lp", "aflw2000-3d"
NETWORK, MEAN_FACE, PLANTED = "PRN (reference)", "mean face", "planted"
PLANTED_PERCENT = (2.0, 3.0, 5.0)  # NME of the planted method by yaw bin
HEADLINE = "aflw2000/68/2d@3ddfa-fit"
PROTOCOLS = (HEADLINE, f"{HEADLINE}+reference_frame=image", "aflw2000/68/3d@z-mean")
LAYOUTS = {TRAINING: "coefficients", TEST: "maps"}

Say = Callable[[str], None]
#: Trains on a dataset, in a folder, and writes predictions for another dataset: data, folder, test, out.
Train = Callable[[Path, Path, Path, Path], None]


@dataclass(frozen=True)
class Outcome:
    """What the demo made.

    Attributes
    ----------
    results : dict of method name to its results, one a protocol
    planted : list of (bin label, planted per cent, found per cent)
    training_s : float
        Seconds of training and predicting; 0 without.
    report : Path
        The HTML page.
    """

    results: dict[str, list[Result]]
    planted: list[tuple[str, float, float]]
    training_s: float
    report: Path


def run_demo(
    folder: str | Path, *, n_samples: int, n_test: int, jobs: int, say: Say, train: Train | None
) -> Outcome:
    """Make everything under ``folder``.

    Parameters
    ----------
    folder : path
    n_samples, n_test : int
        Pictures to train on and to test on, of different people.
    jobs : int
        Worker processes.
    say : callable
        Told what is being done.
    train : callable, optional
        See ``Train``; without it, only the mean face and the planted errors are scored.
    """
    root = make_folder(folder)
    say("making the synthetic face model")
    save_face_model(synthetic_face_model(), root / "face-model.h5")
    say(f"taking {n_samples} pictures in the layout of {TRAINING} and {n_test} in that of {TEST}")
    take_pictures(root, n_samples=n_samples, n_test=n_test, jobs=jobs)
    say("building both datasets")
    for name in LAYOUTS:
        _build(root, name, jobs)
    training, test = (open_dataset(root / f"{name}.h5") for name in (TRAINING, TEST))
    seconds, network = 0.0, root / "prn.h5"
    files = {MEAN_FACE: root / "mean-face.h5", PLANTED: root / "planted.h5"}
    if train is not None:
        say("training a small network")
        start = time.monotonic()
        train(training.path, root / "training", test.path, network)
        seconds, files = time.monotonic() - start, {NETWORK: network, **files}
    say("planting known errors, and scoring all methods")
    write_mean_face(files[MEAN_FACE], training, test)
    write_planted(files[PLANTED], test)
    results = {name: _scored(path, test, root / "results") for name, path in files.items()}
    found = zip(results[PLANTED][0].summary.bins, PLANTED_PERCENT, strict=True)
    planted = [(part.label, percent, part.mean) for part, percent in found]
    say("drawing and writing the report")
    outcome = Outcome(results, planted, seconds, root / "report.html")
    demo_report.write(outcome, files, training, test)
    return outcome


def write_mean_face(out: Path, training: Dataset, test: Dataset) -> None:
    """Predict the same for every picture: the mean landmarks of the training set, in the crop."""
    crop = geometry.crop_affine(training.read("crop"), training.read("z_shift"))
    mean = geometry.apply_affine(crop, training.read("landmarks").astype(np.float64)).mean(0)
    points = np.broadcast_to(mean, (len(test), *mean.shape))
    method = {"name": MEAN_FACE}
    write_predictions(out, test.sample_ids, frame="crop", landmarks=points, method=method)


def write_planted(out: Path, test: Dataset) -> None:
    """Predict with an NME of exactly 2, 3 and 5 per cent in the three yaw bins.

    Every point is moved by that share of the box, in one random direction a sample, from the points as
    they are stored: the frame that the published protocol compares in.
    """
    stored = test.read("landmarks").astype(np.float64) + test.stored_offset("landmarks")
    box = geometry.landmark_box(stored)
    side = np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]))
    share = np.asarray(PLANTED_PERCENT)[_bins(test)] / 100
    turn = np.random.default_rng(1).uniform(0, 2 * np.pi, len(stored))
    stored[:, :, 0] += (share * side * np.cos(turn))[:, None]
    stored[:, :, 1] += (share * side * np.sin(turn))[:, None]
    method = {"name": PLANTED}
    write_predictions(out, test.sample_ids, frame="image", landmarks=stored, method=method)


def _bins(dataset: Dataset) -> NDArray[np.intp]:
    chosen = protocol(HEADLINE)
    yaw = dataset.read("yaw_deg/fitted")
    return yaw_bins(yaw, edges=chosen.bin_edges, closed=chosen.closed, over_90=chosen.over_90)


def take_pictures(root: Path, *, n_samples: int, n_test: int, jobs: int) -> None:
    """Raw pictures in the layouts of both datasets; no person is in two of the folders.

    Most of the demo's time but for the training: each worker takes its share of the training pictures,
    and the shares are put together under names of their own.
    """
    shares = [n_samples // jobs + (k < n_samples % jobs) for k in range(jobs)]
    folders = [root / f"raw-{TRAINING}", *(root / f"raw-share-{k}" for k in range(1, jobs))]
    work = [
        (TRAINING, folder, n, k) for k, (folder, n) in enumerate(zip(folders, shares, strict=True))
    ]
    work.append((TEST, root / f"raw-{TEST}", n_test, jobs))
    for _ in run(_take, [*enumerate(work)], jobs=min(jobs, len(work))):
        pass
    for k, folder in enumerate(folders[1:], 1):
        _move_pictures(folder, folders[0], k)


def _take(task: tuple[str, Path, int, int]) -> None:
    """What a worker does."""
    from threadpoolctl import threadpool_limits

    name, raw, n_samples, seed = task
    shutil.rmtree(raw, ignore_errors=True)  # of an earlier demo
    model = load_face_model(raw.parent / "face-model.h5")
    with threadpool_limits(1):  # every worker has one core
        find_recipe(name).write_synthetic(raw, model, n_samples, seed=seed)


def _move_pictures(source: Path, target: Path, share: int) -> None:
    """Move 300W-LP pictures to others, where photograph 10003 of share 2 becomes 30003."""
    for path in sorted(source.glob("300W_LP/*/*")):
        name = re.sub(r"_(\d{5})_", lambda found: f"_{int(found[1]) + 10_000 * share}_", path.name)
        place = target / "300W_LP" / path.parent.name
        place.mkdir(exist_ok=True)
        path.replace(place / name)
    shutil.rmtree(source)


def _build(root: Path, name: str, jobs: int) -> None:
    files, face_model = root / f"raw-{name}", root / "face-model.h5"
    out, layout = root / f"{name}.h5", LAYOUTS[name]
    build(find_recipe(name), files, out, face_model=face_model, layout=layout, jobs=jobs)


def _scored(path: Path, dataset: Dataset, folder: Path) -> list[Result]:
    predictions = open_predictions(path)
    results = [score(predictions, dataset, protocol(key)) for key in PROTOCOLS]
    for result in results:
        save(result, make_folder(folder), replace=True)
    return results
