"""ICP against plain Open3D and the k-d-tree loop that circulates, side by side in one run.

Every way starts at equal centroids and searches from the prediction. Ours goes to the fixed point;
Open3D's ``registration_icp`` stops when fitness and rms change by less than one part in a million; the
loop is that of the script ``icp.py`` found in many repositories: scikit-learn's nearest neighbours
fitted anew at every step, until the mean distance changes by less than 1e-6. What the plain algorithm
gives at its fixed point is the measure of all three.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.alignment import Similarity, fit_similarities
from prn_bench.icp import icp
from prn_bench.nearest import nearest, tree_of
from prn_bench.surface import load

Array = NDArray[np.float64]
Way = Callable[[Array, Array], Similarity]

TOLERANCE = 1e-6
MOST_STEPS = 3000


@dataclass(frozen=True)
class IcpRow:
    """One way to run ICP.

    Attributes
    ----------
    what : str
    seconds : float
        Median of an image.
    ratio : float
        How many times longer than ours, median over the images.
    difference : float
        Largest relative difference of the mean nearest distance from that of the fixed point.
    """

    what: str
    seconds: float
    ratio: float
    difference: float


def bench_icp(
    pairs: Sequence[tuple[Array, Array]], *, workers: int, with_loop: bool = True
) -> list[IcpRow]:
    """Time all ways on pairs of clouds, image by image in turn.

    Parameters
    ----------
    pairs : sequence of ((n, 3), (m, 3)) float64
        Predicted and reference clouds.
    workers : int
        Threads of every way.
    with_loop : bool
        The circulating loop takes minutes.
    """
    ways: dict[str, Way] = {
        "prn-bench, to the fixed point": lambda p, g: icp(p, g, workers=workers).motion,
        "Open3D point to point, 1e-6": open3d_icp,
    }
    if with_loop:
        ways["scikit-learn loop, 1e-6"] = lambda p, g: sklearn_icp(p, g, workers=workers)
    seconds = np.zeros((len(pairs), len(ways)))
    differences = np.zeros_like(seconds)
    for row, (predicted, reference) in enumerate(pairs):
        tree = tree_of(reference)
        truth = _distance(fixed_point(predicted, reference, workers=workers), predicted, tree)
        for column, way in enumerate(ways.values()):
            start = time.perf_counter()
            motion = way(predicted, reference)
            seconds[row, column] = time.perf_counter() - start
            differences[row, column] = abs(_distance(motion, predicted, tree) / truth - 1)
    ratios = np.median(seconds / seconds[:, :1], 0)
    parts = zip(ways, np.median(seconds, 0), ratios, differences.max(0), strict=True)
    return [IcpRow(name, float(t), float(r), float(d)) for name, t, r, d in parts]


def fixed_point(predicted: Array, reference: Array, *, workers: int) -> Similarity:
    """The plain algorithm until no pair changes."""
    motion, last, tree = _centred(predicted, reference), None, tree_of(reference)
    for _ in range(MOST_STEPS):
        index, _ = nearest(motion.apply(predicted), tree, workers=workers)
        if last is not None and (index == last).all():
            break
        last, motion = index, _fit(predicted, reference[index])
    return motion


def open3d_icp(predicted: Array, reference: Array) -> Similarity:
    """Open3D's point-to-point registration without a limit of distance."""
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
        registration.ICPConvergenceCriteria(TOLERANCE, TOLERANCE, MOST_STEPS),
    ).transformation
    return Similarity(1.0, np.array(found[:3, :3]), np.array(found[:3, 3]))


def sklearn_icp(predicted: Array, reference: Array, *, workers: int) -> Similarity:
    """The loop that circulates: a new index at every step, and the moved points fitted again."""
    from sklearn.neighbors import NearestNeighbors

    motion, last = _centred(predicted, reference), np.inf
    for _ in range(MOST_STEPS):
        moved = motion.apply(predicted)
        search = NearestNeighbors(n_neighbors=1, n_jobs=workers).fit(reference)
        distance, index = search.kneighbors(moved, return_distance=True)
        motion = motion.then(_fit(moved, reference[index.ravel()]))
        mean = float(distance.mean())
        if abs(last - mean) < TOLERANCE:
            break
        last = mean
    return motion


def _centred(predicted: Array, reference: Array) -> Similarity:
    return Similarity(1.0, np.eye(3), reference.mean(0) - predicted.mean(0))


def _fit(predicted: Array, reference: Array) -> Similarity:
    parts = fit_similarities(predicted[None], reference[None], with_scale=False)
    return Similarity(float(parts[0][0]), parts[1][0], parts[2][0])


def _distance(motion: Similarity, predicted: Array, tree: object) -> float:
    return float(nearest(motion.apply(predicted), tree)[1].mean())  # type: ignore[arg-type]
