"""Our speed against the plain way, side by side in one run: ratios, since machines differ."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.bench.plain import plain_map, plain_sample
from prn_bench.build import build
from prn_bench.facemodel import FaceModel, LandmarkBasis
from prn_bench.facemodel.file import load_face_model
from prn_bench.recipes import Recipe
from prn_bench.recipes.annotation import N_EXPRESSION, N_IDENTITY
from prn_bench.recipes.rawsource import open_raw

PLAIN_SAMPLES = 24  # each takes long, and they are alike
MAP_FACES, MAP_REPEATS = 64, 5
BFM_VERTICES = 53215


@dataclass(frozen=True)
class Row:
    """One comparison, in milliseconds a sample.

    Attributes
    ----------
    what : str
    plain_ms, ours_ms : float
    rasterising_ms : float or None
        What of the plain way its rasteriser takes, which is slower than a compiled one; None where
        rasterising is what is compared.
    """

    what: str
    plain_ms: float
    ours_ms: float
    rasterising_ms: float | None = None

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.plain_ms / self.ours_ms

    @property
    def ratio_at_least(self) -> float | None:
        """The same, as if the plain way rasterised in no time."""
        if self.rasterising_ms is None:
            return None
        return (self.plain_ms - self.rasterising_ms) / self.ours_ms


def bench_maps(model: FaceModel) -> Row:
    """Position maps of fitted faces: one rasterisation each, against one sparse product a batch."""
    operator = model.uv_layout.operator
    faces = np.repeat(model.mean.T[:, :, None], MAP_FACES, 2)
    operator.maps_from_vertices(faces)
    ours = _median(lambda: operator.maps_from_vertices(faces)) / MAP_FACES
    plain = _median(lambda: plain_map(model, model.mean))
    return Row("position map from vertices", 1e3 * plain, 1e3 * ours)


def bench_build(
    recipe: Recipe,
    raw: str | Path,
    face_model: str | Path,
    *,
    limit: int | None,
    jobs: int,
    repeats: int,
) -> list[Row]:
    """Whole builds, raw files to dataset file, in both layouts, on one worker and on several.

    Parameters
    ----------
    recipe : Recipe
        One with 3DDFA fits.
    raw, face_model : path
    limit : int or None
        Samples to build; fixed costs are part of the figure, so take thousands.
    jobs : int
        Workers of the parallel rows.
    repeats : int
        Times that the plain way and every build are run, in turn; the medians count.
    """
    from threadpoolctl import threadpool_limits

    ways = [
        (layout, workers)
        for layout in ("coefficients", "maps")
        for workers in dict.fromkeys((1, jobs))
    ]
    plain: list[NDArray[np.float64]] = []
    ours: dict[tuple[str, int], list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        for _ in range(repeats):
            plain.append(_plain_seconds(recipe, raw, face_model, Path(folder)))
            for layout, workers in ways:
                start = time.perf_counter()
                report = build(
                    recipe, raw, Path(folder, "d.h5"), face_model=face_model, layout=layout,
                    jobs=workers, limit=limit,
                )  # fmt: skip
                seconds = time.perf_counter() - start
                ours[layout, workers].append(seconds / report.n_samples)
    whole, rasterising = 1e3 * np.median(plain, axis=0)
    return [
        Row(
            f"build, {layout}, {workers} worker{'s' if workers > 1 else ''}",
            whole,
            1e3 * float(np.median(seconds)),
            rasterising,
        )
        for (layout, workers), seconds in ours.items()
    ]


def _plain_seconds(
    recipe: Recipe, raw: str | Path, face_model: str | Path, folder: Path
) -> NDArray[np.float64]:
    """(2,) seconds a sample of the plain way, over samples from the whole set: all, and rasterising."""
    source, model = open_raw(raw), load_face_model(face_model)
    files = recipe.module.find(source)
    chosen = files[:: max(1, len(files) // PLAIN_SAMPLES)][:PLAIN_SAMPLES]
    seconds = [plain_sample(source, sample, model, folder) for sample in chosen]
    return np.asarray(np.mean(seconds, axis=0))


def bfm_sized(model: FaceModel) -> FaceModel:
    """A small face model with as much to compute as the BFM: 53,215 vertices, 199 + 29 components.

    Vertices are repeated beyond its own, components are zero: its faces look as before.
    """
    rows = np.arange(BFM_VERTICES) % model.n_vertices

    def wide(basis: NDArray, size: int) -> NDArray:
        return np.pad(basis, ((0, 0), (0, 0), (0, size - basis.shape[2])))

    def long(sigma: NDArray[np.float64] | None, size: int) -> NDArray[np.float64] | None:
        return None if sigma is None else np.pad(sigma, (0, size - len(sigma)))

    operator = model.uv_layout.operator
    operator = replace(operator, n_vertices=BFM_VERTICES, uv=operator.uv[rows])
    basis = model.landmark_basis
    return replace(
        model,
        topology=f"padded-{BFM_VERTICES}",
        mean=model.mean[rows],
        identity_basis=wide(model.identity_basis[rows], N_IDENTITY),
        expression_basis=wide(model.expression_basis[rows], N_EXPRESSION),
        landmark_basis=LandmarkBasis(
            basis.mean, wide(basis.identity, N_IDENTITY), wide(basis.expression, N_EXPRESSION)
        ),
        uv_layout=replace(model.uv_layout, operator=operator),
        regions={name: mask[rows] for name, mask in model.regions.items()},
        albedo=None if model.albedo is None else model.albedo[rows],
        identity_sigma=long(model.identity_sigma, N_IDENTITY),
        expression_sigma=long(model.expression_sigma, N_EXPRESSION),
    )


def _median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(MAP_REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
