"""Dense points of many samples: placed in their images, and compared, in one pass each."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Points: TypeAlias = NDArray[np.float32]
Values: TypeAlias = NDArray[np.float64]


@njit(cache=True, nogil=True)
def place(points: Points, mean: Points, affine: Points) -> None:
    """Add the mean face to displacements, and apply to each sample its own affine map; in place.

    Parameters
    ----------
    points : (b, 3, p) float32
    mean : (3, p) float32
    affine : (b, 3, 4) float32
    """
    for sample in range(len(points)):
        (a, b, c, d), (e, f, g, h), (i, j, k, m) = affine[sample]
        for row in range(points.shape[2]):
            x = points[sample, 0, row] + mean[0, row]
            y = points[sample, 1, row] + mean[1, row]
            z = points[sample, 2, row] + mean[2, row]
            points[sample, 0, row] = a * x + b * y + c * z + d
            points[sample, 1, row] = e * x + f * y + g * z + h
            points[sample, 2, row] = i * x + j * y + k * z + m


# Sums may be taken in any order, so that the processor takes several at a time.
@njit(cache=True, nogil=True, fastmath={"reassoc"})
def mean_distances(predicted: Points, reference: Points, origins: Points) -> Values:
    """Mean distance of points in their order, of each sample.

    Parameters
    ----------
    predicted, reference : (b, 2|3, p) float32
        In any layout of memory.
    origins : (2, b) float32
        What is taken from the third coordinate of either side.

    Returns
    -------
    (b,) float64
    """
    n_samples, dims, n = predicted.shape
    means = np.empty(n_samples)
    for sample in range(n_samples):
        total = 0.0
        mine, truth = origins[0, sample], origins[1, sample]
        for row in range(n):
            x = predicted[sample, 0, row] - reference[sample, 0, row]
            y = predicted[sample, 1, row] - reference[sample, 1, row]
            square = x * x + y * y
            if dims == 3:
                z = (predicted[sample, 2, row] - mine) - (reference[sample, 2, row] - truth)
                square += z * z
            total += np.sqrt(square)
        means[sample] = total / n
    return means


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def mean_depths(depths: Points) -> Values:
    """Mean of each row, summed in double.

    Parameters
    ----------
    depths : (b, p) float32
        In any layout of memory.

    Returns
    -------
    (b,) float64
    """
    n_samples, n = depths.shape
    means = np.empty(n_samples)
    for sample in range(n_samples):
        total = 0.0
        for row in range(n):
            total += np.float64(depths[sample, row])
        means[sample] = total / n
    return means
