"""Intervals of shares, such as a failure rate, of images that may fail together.

Conventions: a share is in [0, 1], n the number of independent images that would know it as well,
which may be any number above 0.

Wilson's interval alone misses too often where less than one failure is expected: one failure in
60 images then seems to rule out a rate of 0.2 %, and coverage falls to 84 %. The mid-p limits of
Clopper and Pearson hold there, and fall short (92 %) where three are expected, since they leave too
early what no failure allows. The wider of both stays near 93 % or above at every true rate.

References
----------
Wilson, Journal of the American Statistical Association 22 (1927).
Agresti and Gottard, Computational Statistics and Data Analysis 51 (2007): mid-p limits. Brown, Cai
and DasGupta, Statistical Science 16 (2001): where Wilson's interval falls short.
Kish, Survey Sampling (1965), section 5.4: the design effect; with an interval of shares and
Student's quantile: Korn and Graubard, Survey Methodology 24 (1998).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HALVINGS = 53  # of [0, 1], down to the last bit of a double
PHANTOMS = 2.0  # failures of one subject, added to those seen
TINY = 1e-12  # stands for a count of 0, where the beta distribution has no parameter 0


def share_interval(share: Array, n: Array, level: float) -> tuple[Array, Array]:
    """The wider of Wilson's and the mid-p interval, at either end.

    Parameters
    ----------
    share, n : (t,) float64
    level : float

    Returns
    -------
    low, high : (t,) float64
        0 for a share of 0, and 1 for one of 1.
    """
    from scipy.special import ndtri

    tail = (1 - level) / 2
    low, high = _wilson(share, n, -float(ndtri(tail)))
    low = np.minimum(low, 1 - _mid_p_high(n * (1 - share), n, tail))
    high = np.maximum(high, _mid_p_high(n * share, n, tail))
    return np.where(share > 0, low, 0.0), np.where(share < 1, high, 1.0)


def worth_of_groups(within: NDArray[np.bool_], groups: NDArray, level: float) -> Array:
    """Independent images that would know a share as well as images of a few subjects do.

    Parameters
    ----------
    within : (n, t) bool
        Which images count for each share.
    groups : (n,)
        Subject of each image.
    level : float
        Of the interval to be formed.

    Returns
    -------
    (t,) float64
        n over Kish's design effect, 1 + (m - 1) r, where m is the size of the subject that an image
        meets on average and r how alike the images of a subject are; times the square of the normal
        over Student's quantile for that many subjects.

    Notes
    -----
    The rarer outcome says how alike they are: of a failing image's partners, the other images of
    its subject, a share ``a`` fails too, and ``r = (a - p) / (1 - p)`` for the rate p. A few
    failures say little of it, and a single one suggests images that fail independently. Two more,
    each the other's only partner, are added: without any failure a subject is then worth one image,
    and with many they do not matter.
    """
    from scipy.special import ndtri, stdtrit

    members = np.unique(groups, return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(members)
    n_groups, n = len(sizes), len(members)
    upper = (1 + level) / 2
    few = float(ndtri(upper) / stdtrit(max(n_groups - 1, 1), upper)) ** 2
    typical = np.square(sizes).sum() / n
    return np.asarray(few * n / (1 + (typical - 1) * _alike(within, members, sizes)))


def _alike(within: NDArray[np.bool_], members: NDArray, sizes: NDArray) -> Array:
    """(t,) correlation of images of a subject, from 0 to 1."""
    counts = np.zeros((len(sizes), within.shape[1]))
    np.add.at(counts, members, within)
    share, several = within.mean(0), sizes > 1
    partners = sizes[several, None] - 1
    rare = np.where(share <= 0.5, counts[several], partners + 1 - counts[several])
    rate = np.minimum(share, 1 - share)
    together = (rare * (rare - 1) / partners).sum(0)
    alike = (together + PHANTOMS) / (rare.sum(0) + PHANTOMS)
    small = len(sizes) / max(len(sizes) - 1, 1)  # deviations from their own mean are too small
    return np.asarray(np.clip(small * (alike - rate) / (1 - rate), 0.0, 1.0))


def _wilson(share: Array, n: Array, z: float) -> tuple[Array, Array]:
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return middle - half, middle + half


def _mid_p_high(count: Array, n: Array, tail: float) -> Array:
    """The rate at which fewer, and half of as many, than ``count`` of n have that probability."""
    from scipy.special import betainc

    low, high = np.zeros(len(count)), np.ones(len(count))
    count, rest = np.maximum(count, TINY), np.maximum(n - count, TINY)
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        fewer, not_more = betainc(rest + 1, count, 1 - rate), betainc(rest, count + 1, 1 - rate)
        above = fewer + not_more > 2 * tail
        low, high = np.where(above, rate, low), np.where(above, high, rate)
    return high
