"""The files that the documentation speaks of, made by code: raw data, datasets, predictions, weights.

A page's commands run in a copy of this folder, under the names that the page uses.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from prn_bench.dataset import open_dataset
from prn_bench.facemodel.file import load_face_model
from prn_bench.predictions import write_predictions
from tests.reader_files import CASES, known_points

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).resolve().parents[1]
TEST, TRAINING = "aflw2000-3d", "300w-lp"
#: File on the stage: which dataset it is.
DATASETS = {"aflw.h5": TEST, "aflw2000-3d.h5": TEST, "train.h5": TRAINING, "300w_lp.h5": TRAINING}
MESHES = ("prnet.h5", "3ddfa.h5")
NONECK = 38_365


def make_stage(stage: Path, world: Path, datasets: dict[str, Path]) -> None:
    """Everything that more than one page uses, or that takes long to make.

    Parameters
    ----------
    stage : path
        An empty folder.
    world, datasets : path, dict
        The fixtures of that name: raw data and built files, a dozen pictures each.
    """
    for name, recipe in DATASETS.items():
        shutil.copy(datasets[recipe], stage / name)
    for name in ("bfm.h5", "ict.h5"):
        shutil.copy(world / "face-model.h5", stage / name)
    for name, recipe in (("AFLW2000-3D", TEST), ("300W-LP", TRAINING)):
        shutil.make_archive(str(stage / name), "zip", world / f"raw-{recipe}")
    (stage / "DOWNLOADS").mkdir()
    shutil.copy(stage / "300W-LP.zip", stage / "DOWNLOADS")
    for name, recipe in (("aflw-pifa", "aflw-lfpa"), ("MICC", "florence")):
        shutil.copytree(world / f"raw-{recipe}", stage / name)
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(GOLDEN / f"tf_network{suffix}", stage / f"256_256_resfcn256_weight{suffix}")
    ours = shutil.ignore_patterns("results", "tables")
    shutil.copytree(ROOT / "leaderboards", stage / "leaderboards", ignore=ours)
    _write_points(stage)
    _write_meshes(stage)


def _write_points(stage: Path) -> None:
    """Two methods by their landmarks, and the arrays that a user would import."""
    dataset = open_dataset(stage / "aflw.h5")
    points = dataset.read("landmarks").astype(np.float64)
    for shift, method in enumerate(("mine", "prn"), 1):
        moved = points + [shift, 0, 0]
        write_predictions(
            stage / f"{method}.h5",
            dataset.sample_ids,
            frame="image",
            landmarks=moved,
            method=method,
        )
    names = [f"{name}.jpg" for name in dataset.sample_ids]
    for name in ("my_points.npz", "points.npz"):
        np.savez(stage / name, names=names, landmarks=points + [1, 0, 0])
    head = ",".join(["sample_id", *(f"{axis}{i}" for i in range(68) for axis in "xyz")])
    rows = [
        f"{name},{','.join(map(str, row.ravel()))}" for name, row in zip(names, points, strict=True)
    ]
    (stage / "points.csv").write_text("\n".join([head, *rows]) + "\n")


def _write_meshes(stage: Path) -> None:
    """Three methods by meshes: two in the dataset's own, one in 3DDFA-V2's, with its index map."""
    dataset, model = open_dataset(stage / "aflw.h5"), load_face_model(stage / "bfm.h5")
    rng = np.random.default_rng(0)
    own = rng.uniform(50, 200, (len(dataset), model.n_vertices, 3))
    for name in MESHES:
        write_predictions(
            stage / name,
            dataset.sample_ids,
            frame="crop",
            vertices=own + rng.normal(0, 1, own.shape),
            topology=model.topology,
            method=name.removesuffix(".h5"),
        )
    theirs = rng.uniform(50, 200, (len(dataset), NONECK, 3))
    theirs[:, : model.n_vertices] = own[:, :NONECK]
    np.save(stage / "indices.npy", np.arange(model.n_vertices))
    write_predictions(
        stage / "3ddfa-v2.h5",
        dataset.sample_ids,
        frame="crop",
        vertices=theirs,
        topology="bfm-noneck-38365",
        method="3ddfa-v2",
    )


def foreign(case: str, folder: str) -> Callable[[Path], None]:
    """Output of another method for two samples of the dataset."""

    def write(stage: Path) -> None:
        names = open_dataset(stage / "aflw.h5").sample_ids[:2]
        (stage / folder).mkdir()
        for name in names:
            CASES[case].write(stage / folder, str(name), known_points(str(name)))

    return write


def zipped(folder: str) -> Callable[[Path], None]:
    """A folder of the stage as a zip."""

    def write(stage: Path) -> None:
        shutil.make_archive(str(stage / folder), "zip", stage / folder)

    return write


def training_file(stage: Path) -> None:
    """Settings of a user's own: the demo's, but for one epoch."""
    demo = ROOT / "reference_model" / "presets" / "demo.toml"
    (stage / "mine.toml").write_text(demo.read_text("utf-8"), "utf-8")


def results(stage: Path) -> None:
    """Scores of both methods under one protocol, and the same as ``a.json`` and ``b.json``."""
    from prn_bench.evaluate import score
    from prn_bench.predictions import open_predictions
    from prn_bench.results import save

    dataset = open_dataset(stage / "aflw.h5")
    for name in ("mine", "prn"):
        result = score(open_predictions(stage / f"{name}.h5"), dataset, "aflw2000/68/2d@3ddfa-fit")
        written, errors = save(result, stage / "results")
        copy = {"mine": "a", "prn": "b"}[name]
        shutil.copy(written, stage / f"{copy}.json")
        shutil.copy(errors, stage / f"{copy}.csv.gz")


def only_copies(stage: Path) -> None:
    """No results but ``a.json`` and ``b.json``."""
    shutil.rmtree(stage / "results")


def weights(stage: Path) -> None:
    """A checkpoint for the dataset's UV layout, in ``model``; where PyTorch is."""
    from tests.toy_prn import toy_checkpoint

    toy_checkpoint(stage / "model", load_face_model(stage / "bfm.h5").uv_layout.name)


def demo(stage: Path) -> None:
    """What of ``prn-bench demo`` the README speaks of."""
    (stage / "demo").mkdir()
    shutil.copy(stage / "aflw2000-3d.h5", stage / "demo")


#: What single pages want besides, in this order.
EXTRAS: dict[str, list[Callable[[Path], None]]] = {
    "README.md": [demo],
    "readers.md": [
        foreign("prnet mat", "results"),
        foreign("3ddfa mat", "out"),
        zipped("out"),
        foreign("sadrnet fractions", "maps"),
    ],
    "predictions-format.md": [foreign("prnet mat", "results")],
    "training.md": [training_file],
    "statistics.md": [results],
    "leaderboard.md": [results, only_copies],
    "reference-model.md": [weights],
}
