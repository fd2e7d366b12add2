"""The nearest of a short list: the loops that an ICP spends its time in.

Either 32 points at once, one a lane of the processor's vectors, while the list goes by; or one point,
with the list across the lanes, which also tells how far the point may go. Everything is float32, about
the middle of the points and in a unit in which all that matters is below 1, so that rounding is known.
Where two candidates are closer than that, no answer is given, and the caller compares them in float64.

These loops take sums in any order and know no infinity: the caller keeps numbers up to ``FAR``.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float32]
Columns: TypeAlias = NDArray[np.int32]

LANES = 32
BLOCK = 64  # lists are filled up to multiples of it, or the loops over one end in slow remainders
AT_ONCE = 4  # candidates that lanes take before they store what they found
FAR = np.float32(1e4)  # where the filling lies
# With coordinates up to 1, each off by half a unit in its last place, the square of a distance d is off
# by less than 28 d + 48 roundings of 2^-24, and a difference of two squares by twice that, here with some
# to spare; half of the first is what the distance of two candidates adds to a margin.
SLOPE, LEAST = np.float32(72 * 2.0**-24), np.float32(2048 * 2.0**-48)
# (a + b)^2 <= 1.001 a^2 + 1001 b^2, for the rounding b of a distance a.
WIDER, BLUR = np.float32(1.001), np.float32(1001 * (36 * 2.0**-24) ** 2)
FINITE = {"reassoc", "contract", "nsz", "nnan", "ninf"}


@njit(cache=True, nogil=True)
def up_to(n: int, size: int) -> int:
    """The next multiple of a size."""
    return (n + size - 1) // size * size


@njit(cache=True, nogil=True, fastmath=FINITE, error_model="numpy")
def nearest_in_lanes(
    places: Values, near: Values, n: int, best: Values, margin: Values, which: Columns
) -> None:
    """The nearest candidate of each lane's point.

    Parameters
    ----------
    places : (3, 32) float32
    near : (3, m) float32
        Candidates.
    n : int
        How many; those up to the next multiple of 64 are filling, ``FAR`` away.
    best : (32,) float32
        To work in.
    margin : (32,) float32
        Filled: how far the point may go until the next nearest may have come as near, at most.
    which : (32,) int32
        Filled: column of ``near``, or -1 where two may be equally near.
    """
    a, b, c = places[0], places[1], places[2]
    x, y, z = near[0], near[1], near[2]
    for i in range(LANES):
        best[i] = margin[i] = FAR * FAR
        which[i] = 0
    for j in range(0, n, AT_ONCE):  # since each time all lanes are stored
        x0, y0, z0, x1, y1, z1 = x[j], y[j], z[j], x[j + 1], y[j + 1], z[j + 1]
        x2, y2, z2, x3, y3, z3 = x[j + 2], y[j + 2], z[j + 2], x[j + 3], y[j + 3], z[j + 3]
        one, two, three, four = np.int32(j), np.int32(j + 1), np.int32(j + 2), np.int32(j + 3)
        for i in range(LANES):
            least, later, chosen = best[i], margin[i], which[i]
            u, v, w = x0 - a[i], y0 - b[i], z0 - c[i]
            s = u * u + v * v + w * w
            later, chosen = min(later, max(s, least)), one if s < least else chosen
            least = min(least, s)
            u, v, w = x1 - a[i], y1 - b[i], z1 - c[i]
            s = u * u + v * v + w * w
            later, chosen = min(later, max(s, least)), two if s < least else chosen
            least = min(least, s)
            u, v, w = x2 - a[i], y2 - b[i], z2 - c[i]
            s = u * u + v * v + w * w
            later, chosen = min(later, max(s, least)), three if s < least else chosen
            least = min(least, s)
            u, v, w = x3 - a[i], y3 - b[i], z3 - c[i]
            s = u * u + v * v + w * w
            later, chosen = min(later, max(s, least)), four if s < least else chosen
            least = min(least, s)
            best[i], margin[i], which[i] = least, later, chosen
    for i in range(LANES):
        root = np.sqrt(best[i])
        apart = margin[i] - best[i] > SLOPE * root + LEAST
        which[i] = which[i] if apart else -1
        margin[i] = max((np.sqrt(margin[i]) - root) / np.float32(2.0001) - SLOPE, np.float32(0))


@njit(cache=True, nogil=True, fastmath=FINITE, error_model="numpy")
def nearest_of_one(
    lane: int, places: Values, near: Values, n: int, squares: Values, bits: Columns
) -> int:
    """The nearest candidate of one lane's point: its column, or -1 where two may be equally near.

    Parameters
    ----------
    lane, places, near, n
        See :func:`nearest_in_lanes`.
    squares : (m + 2,) float32
        Filled with the squared distances, and after them and those of the filling the least, and what
        is too close to it.
    bits : the same memory as int32
        The bits of floats that are not negative have their order, and integers compile better.
    """
    a, b, c = places[0, lane], places[1, lane], places[2, lane]
    x, y, z = near[0], near[1], near[2]
    n = up_to(n, BLOCK)
    for j in range(n):
        u, v, w = x[j] - a, y[j] - b, z[j] - c
        squares[j] = u * u + v * v + w * w
    least = np.int32(2147483647)
    for j in range(n):
        least = min(least, bits[j])
    bits[n] = least
    squares[n + 1] = squares[n] + SLOPE * np.sqrt(squares[n]) + LEAST
    limit = bits[n + 1]
    hits, total, column = np.int32(0), np.int32(0), np.int32(0)
    for j in range(n):
        hit = np.int32(bits[j] <= limit)
        hits += hit
        total += hit * column
        column += np.int32(1)
    return int(total) if hits == 1 else -1


@njit(cache=True, nogil=True, fastmath=FINITE, error_model="numpy")
def margin_of_one(
    chosen: int, near: Values, n: int, squares: Values, ratios: Values, bits: Columns
) -> float:
    """How far a point may go before another candidate is as near as its nearest.

    That is its distance from the nearest of the planes halfway between the two: half the difference
    of their squared distances over their distance apart.

    Parameters
    ----------
    chosen : int
        What :func:`nearest_of_one` gave, with its ``squares``.
    near, n
        See :func:`nearest_in_lanes`.
    ratios, bits : (m + 1,) float32, and the same memory as int32
        To work in.
    """
    x, y, z = near[0], near[1], near[2]
    p, q, r = x[chosen], y[chosen], z[chosen]
    n = up_to(n, BLOCK)
    limit = squares[n + 1]
    for j in range(n):
        u, v, w = x[j] - p, y[j] - q, z[j] - r
        more = squares[j] - limit
        ratio = more * more / (WIDER * (u * u + v * v + w * w) + BLUR)
        ratios[j] = ratio if more > np.float32(0) else FAR * FAR  # itself
    least = np.int32(2147483647)
    for j in range(n):
        least = min(least, bits[j])
    bits[n] = least
    return max(0.5 * np.sqrt(ratios[n]) - SLOPE, 0.0)
