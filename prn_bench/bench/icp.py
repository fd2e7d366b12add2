"""ICP against plain Open3D and the k-d-tree loop that circulates, side by side in one run.

Every way starts at equal centroids and searches from the prediction. Ours goes to the fixed point, one
image a thread. Open3D's ``registration_icp``, which spreads each image over all cores itself, goes to the
fixed point too, and to a relative change of fitness and rms below 1e-9, which ends within 1e-4 of it (at
1e-6, its default, faces end up to 1.5e-3 away). The loop is that of the script ``icp.py`` found in many
repositories: scikit-learn's nearest neighbours fitted anew at every step, until the mean distance changes
by less than 1e-6.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.alignment import Similarity, fit_similarities
from prn_bench.dataset.linear_face import linear_of_model
from prn_bench.icp import icp
from prn_bench.nearest import nearest, tree_of
from prn_bench.surface import load

if TYPE_CHECKING:
    from prn_bench.facemodel import FaceModel

Array = NDArray[np.float64]
Way = Callable[[Array, Array, int], Similarity]

FIXED, CLOSE, LOOP_TOLERANCE = 1e-15, 1e-9, 1e-6  # relative, relative, px
MOST_STEPS = 3000
FACE_PX, TURN_RAD = 180.0, 0.1  # width of a face, and how far it is turned about each axis


@dataclass(frozen=True)
class IcpRow:
    """One way to run ICP.

    Attributes
    ----------
    what : str
    seconds : float
        An image, mean over the images.
    ratio : float
        How many times longer than ours.
    difference : float
        Largest relative difference of the mean nearest distance from that of the fixed point.
    """

    what: str
    seconds: float
    ratio: float
    difference: float


def bench_icp(
    pairs: Sequence[tuple[Array, Array]], *, jobs: int, n_loop: int | None = None, repeats: int = 3
) -> list[IcpRow]:
    """Time all ways on pairs of clouds, in turn; the median of the repeats counts.

    Parameters
    ----------
    pairs : sequence of ((n, 3), (m, 3)) float64
        Predicted and reference clouds.
    jobs : int
        Threads of every way.
    n_loop : int, optional
        Images that the circulating loop gets; all if None. It is run once, since it takes seconds an
        image.
    repeats : int
    """
    fixed = [fixed_point(*pair, workers=jobs) for pair in pairs]
    icp(*pairs[0])  # compiles what is not compiled yet
    loop = partial(_each, sklearn_icp)
    ways: list[tuple[str, Callable[..., list[Similarity]], int, int]] = [
        ("prn-bench, to the fixed point", _in_threads, len(pairs), repeats),
        ("Open3D, to the fixed point", partial(_each, open3d_icp), len(pairs), repeats),
        (
            "Open3D, to 1e-9",
            partial(_each, partial(open3d_icp, tolerance=CLOSE)),
            len(pairs),
            repeats,
        ),
        ("loop with scikit-learn, to 1e-6", loop, len(pairs[:n_loop]), 1),
    ]
    seconds: dict[str, list[float]] = {name: [] for name, *_ in ways}
    differences = dict.fromkeys(seconds, 0.0)
    for turn in range(repeats):
        for name, way, n, times in ways:
            if turn < times and n:
                start = time.perf_counter()
                found = way(pairs[:n], jobs)
                seconds[name].append((time.perf_counter() - start) / n)
                differences[name] = _largest_difference(pairs, found, fixed)
    medians = {name: float(np.median(times)) for name, times in seconds.items() if times}
    ours = next(iter(medians.values()))
    return [IcpRow(name, t, t / ours, differences[name]) for name, t in medians.items()]


def face_pairs(model: FaceModel, n: int) -> list[tuple[Array, Array]]:
    """Pairs of different faces of a model, the first of each turned by some degrees.

    Returns
    -------
    list of ((p, 3), (p, 3)) float64
        The pixels of the position map's face, some 43,000; px.
    """
    uv = model.uv_layout
    mask = uv.operator.covered if uv.face_mask is None else uv.face_mask
    linear = linear_of_model(model, pixels=np.flatnonzero(mask))
    rng = np.random.default_rng(0)
    sigmas = zip((model.identity_sigma, model.expression_sigma), model.n_components, strict=True)
    codes = [rng.normal(0, 1, (2 * n, k)) * (1 if s is None else s) for s, k in sigmas]
    flat = linear.mean + np.concatenate(codes, 1).astype(np.float32) @ linear.basis
    shapes = flat.reshape(2 * n, 3, -1).transpose(0, 2, 1).astype(np.float64)
    shapes *= FACE_PX / np.ptp(shapes[0, :, 0])
    turns = [geometry.rotation_matrix(*rng.normal(0, TURN_RAD, 3)) for _ in range(n)]
    return [(shapes[i] @ turn.T, shapes[n + i]) for i, turn in enumerate(turns)]


def _in_threads(pairs: Sequence[tuple[Array, Array]], jobs: int) -> list[Similarity]:
    with ThreadPoolExecutor(jobs) as threads:
        return list(threads.map(lambda pair: icp(*pair).motion, pairs))


def _each(way: Way, pairs: Sequence[tuple[Array, Array]], jobs: int) -> list[Similarity]:
    return [way(*pair, jobs) for pair in pairs]


def _largest_difference(
    pairs: Sequence[tuple[Array, Array]], found: list[Similarity], fixed: list[Similarity]
) -> float:
    differences = []
    for (predicted, reference), one, other in zip(pairs, found, fixed, strict=False):
        tree = tree_of(reference)
        ends = [nearest(motion.apply(predicted), tree)[1].mean() for motion in (one, other)]
        differences.append(abs(ends[0] / ends[1] - 1))
    return float(max(differences))


def fixed_point(predicted: Array, reference: Array, *, workers: int) -> Similarity:
    """The plain algorithm until no pair changes."""
    motion, last, tree = _centred(predicted, reference), None, tree_of(reference)
    for _ in range(MOST_STEPS):
        index, _ = nearest(motion.apply(predicted), tree, workers=workers)
        if last is not None and (index == last).all():
            break
        last, motion = index, _fit(predicted, reference[index])
    return motion


def open3d_icp(
    predicted: Array, reference: Array, _jobs: int, *, tolerance: float = FIXED
) -> Similarity:
    """Open3D's point-to-point registration without a limit of distance; it takes all cores."""
    open3d = load()
    clouds = []
    for points in (predicted, reference):
        cloud = open3d.geometry.PointCloud()
        cloud.points = open3d.utility.Vector3dVector(points)
        clouds.append(cloud)
    registration = open3d.pipelines.registration
    start = np.eye(4)
    start[:3, 3] = _centred(predicted, reference).translation
    found = registration.registration_icp(
        clouds[0],
        clouds[1],
        1e9,
        start,
        registration.TransformationEstimationPointToPoint(),
        registration.ICPConvergenceCriteria(tolerance, tolerance, MOST_STEPS),
    ).transformation
    return Similarity(1.0, np.array(found[:3, :3]), np.array(found[:3, 3]))


def sklearn_icp(predicted: Array, reference: Array, jobs: int) -> Similarity:
    """The loop that circulates: a new index at every step, and the moved points fitted again."""
    from sklearn.neighbors import NearestNeighbors

    motion, last = _centred(predicted, reference), np.inf
    for _ in range(MOST_STEPS):
        moved = motion.apply(predicted)
        search = NearestNeighbors(n_neighbors=1, n_jobs=jobs).fit(reference)
        distance, index = search.kneighbors(moved, return_distance=True)
        motion = motion.then(_fit(moved, reference[index.ravel()]))
        mean = float(distance.mean())
        if abs(last - mean) < LOOP_TOLERANCE:
            break
        last = mean
    return motion


def _centred(predicted: Array, reference: Array) -> Similarity:
    return Similarity(1.0, np.eye(3), reference.mean(0) - predicted.mean(0))


def _fit(predicted: Array, reference: Array) -> Similarity:
    parts = fit_similarities(predicted[None], reference[None], with_scale=False)
    return Similarity(float(parts[0][0]), parts[1][0], parts[2][0])
