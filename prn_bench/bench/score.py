"""Dense scoring against the per-image loop of the published scripts, side by side in one run.

The loop is what 2DASL's and SADRNet's evaluation do, in NumPy: for each image read the annotation,
rebuild the ground-truth mesh from its coefficients (matrix-vector products), project it, read the
prediction, take the points, mean-centre z, divide by the box. It is measured in float32 and, as the
scripts run it, in float64.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from prn_bench import geometry
from prn_bench.bench.build import Row
from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.evaluate import score
from prn_bench.evaluate.dense_points import DensePoints
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.file import load_face_model
from prn_bench.predictions import open_predictions
from prn_bench.predictions.writer import writing_predictions
from prn_bench.recipes import Recipe
from prn_bench.recipes.annotation import SampleFiles
from prn_bench.recipes.rawsource import RawSource, open_raw
from prn_bench.results import Result

PROTOCOL = "aflw2000/dense/3d@prnet-mask+reference_frame=image+missing=drop"
PLAIN_SAMPLES = 48
NOISE_PX = 3.0
BLOCK = 64
IMAGE_HEIGHT_PX = 450  # of every AFLW2000-3D image, so that the loop need not open it


def bench_dense(
    recipe: Recipe, raw: str | Path, face_model: str | Path, *, jobs: int, repeats: int = 1
) -> list[Row]:
    """Milliseconds a sample of dense 3D NME, both ways, the files on disk before and after.

    Parameters
    ----------
    recipe : Recipe
        ``aflw2000-3d``.
    raw, face_model : path
        Raw data with 3DDFA fits, and their model.
    jobs : int
        Threads of ours.
    repeats : int
        Times that every way is run, in turn; the medians count.

    Returns
    -------
    list of Row
        Against the loop in float32 and in float64. Both ways give the same errors, which is checked.

    Raises
    ------
    ValueError
        When they do not.
    """
    model = load_face_model(face_model)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        build(
            recipe, raw, place / "d.h5", face_model=face_model, layout="coefficients",
            with_images=False,
        )  # fmt: skip
        dataset = open_dataset(place / "d.h5")
        points = _write_predictions(place, dataset, ScoreInputs())
        source = open_raw(raw)
        known = {str(name) for name in dataset.sample_ids[:PLAIN_SAMPLES]}
        files = [sample for sample in recipe.module.find(source) if sample.sample_id in known]
        loops = {
            np.dtype(dtype).name: _PlainLoop(source, files, model, points, place, dtype)
            for dtype in (np.float32, np.float64)
        }
        ours: list[float] = []
        plain: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(repeats):
            seconds, result = _timed(lambda: _score(place, jobs))
            ours.append(seconds / len(dataset))
            for name, loop in loops.items():
                seconds, found = _timed(loop.errors)
                plain[name].append(seconds / len(found))
                _check_same(found, result)
    n = len(points.index)
    return [
        Row(f"dense NME, {n} points, loop in {name}", *(1e3 * np.median(t) for t in (times, ours)))
        for name, times in plain.items()
    ]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def _score(place: Path, jobs: int) -> Result:
    predictions, dataset = open_predictions(place / "p.h5"), open_dataset(place / "d.h5")
    return score(predictions, dataset, PROTOCOL, jobs=jobs)


def _check_same(found: dict[str, float], result: Result) -> None:
    known = dict(zip(map(str, result.samples.ids), result.samples.errors, strict=True))
    for name, error in found.items():
        if not np.isclose(error, known[name], rtol=1e-3):
            raise ValueError(f"the two ways differ for {name}: {error} and {known[name]}")


def _write_predictions(place: Path, dataset: Any, inputs: ScoreInputs) -> DensePoints:
    """The truth and noise, as our file and as one .npy an image."""
    points, rng = DensePoints(dataset, inputs), np.random.default_rng(0)
    topology = f"prnet-{len(points.index)}"
    with writing_predictions(
        place / "p.h5", frame="image", method="noise", topology=topology
    ) as writer:
        for start in range(0, len(dataset), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(dataset)))
            found = points.reference(rows).transpose(0, 2, 1)
            found = found + rng.normal(0, NOISE_PX, found.shape).astype(np.float32)
            for row, mesh in zip(rows, found, strict=True):
                name = str(dataset.sample_ids[row])
                writer.add(name, vertices=mesh)
                if row < PLAIN_SAMPLES:
                    np.save(place / f"{name.replace('/', '_')}.npy", mesh)
    return points


class _PlainLoop:
    """One image at a time, with everything that can be prepared once prepared."""

    def __init__(
        self,
        source: RawSource,
        files: list[SampleFiles],
        model: FaceModel,
        points: DensePoints,
        place: Path,
        dtype: DTypeLike,
    ) -> None:
        self.source, self.files, self.place = source, files, place
        self.dtype = np.dtype(dtype)
        bases = (model.identity_basis, model.expression_basis)
        self.bases = [b.reshape(-1, b.shape[2]).astype(self.dtype) for b in bases]
        self.mean = model.mean.reshape(-1).astype(self.dtype)
        corners, weights = points.layout.vertices, points.layout.weights
        self.corners = corners.reshape(-1, 3)[points.index]
        self.weights = weights.reshape(-1, 3)[points.index].astype(self.dtype)

    def errors(self) -> dict[str, float]:
        """Per cent, by sample id."""
        return {sample.sample_id: self._error(sample) for sample in self.files}

    def _error(self, sample: SampleFiles) -> float:
        from scipy.io import loadmat

        stream: Any = io.BytesIO(self.source.read(sample.annotation))
        fields = loadmat(stream)
        shape = self.mean.copy()
        for basis, name in zip(self.bases, ("Shape_Para", "Exp_Para"), strict=True):
            values = fields[name].astype(self.dtype)[: basis.shape[1], 0]
            shape += basis[:, : len(values)] @ values
        pose = fields["Pose_Para"][0].astype(np.float64)
        affine = geometry.pose_affine(pose, IMAGE_HEIGHT_PX).astype(self.dtype)
        mesh = geometry.apply_affine(affine, shape.reshape(-1, 3))
        truth = (mesh[self.corners] * self.weights[:, :, None]).sum(1)
        predicted = np.load(
            self.place / f"{sample.sample_id.replace('/', '_')}.npy", allow_pickle=False
        )
        return self._nme(predicted.astype(self.dtype), truth)

    def _nme(self, predicted: NDArray, truth: NDArray) -> float:
        predicted[:, 2] -= predicted[:, 2].mean()
        truth[:, 2] -= truth[:, 2].mean()
        box = np.sqrt(np.prod(np.ptp(truth[:, :2], axis=0)))
        return float(100 * np.linalg.norm(predicted - truth, axis=1).mean() / box)
