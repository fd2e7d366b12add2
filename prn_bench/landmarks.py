"""The 68 iBUG landmarks: which is which, how they mirror, how they reduce to AFLW's 21.

Convention: indices are 0-based, "right" and "left" are the subject's own. Points are (..., 68, d).
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

N_LANDMARKS = 68

#: Outer eye corners (37 and 46 in the 1-based numbering of VRN and 3DDFA).
OUTER_EYE_CORNERS = (36, 45)

#: Contiguous groups, in order; together they are all 68 points.
GROUPS = MappingProxyType(
    {
        "jaw": range(0, 17),
        "right_brow": range(17, 22),
        "left_brow": range(22, 27),
        "nose_bridge": range(27, 31),
        "nose_base": range(31, 36),
        "right_eye": range(36, 42),
        "left_eye": range(42, 48),
        "outer_lips": range(48, 60),
        "inner_lips": range(60, 68),
    }
)

# Each group mirrors onto a group; the points of a pair run in opposite directions around the face.
_MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46),
    *(39, 38, 37, 36, 41, 40),
    *range(54, 47, -1),
    *range(59, 54, -1),
    *range(64, 59, -1),
    *range(67, 64, -1),
)

# 3DDFA benchmark_aflw.py (there 1-based): pupils and mouth centre are means of several points.
_AFLW21 = (
    *((17,), (19,), (21,), (22,), (24,), (26,)),
    *((36,), tuple(range(36, 42)), (39,), (42,), tuple(range(42, 48)), (45,)),
    *((2,), (31,), (30,), (35,), (14,)),
    *((48,), tuple(range(60, 68)), (54,), (8,)),
)


def mirror_permutation() -> NDArray[np.intp]:
    """(68,) order of the points after the image is mirrored: ``mirrored[i] = points[order[i]]``.

    It is its own inverse. The x coordinates are to be mirrored as well (``width - 1 - x``).
    """
    return np.array(_MIRROR, np.intp)


def aflw21_groups() -> tuple[tuple[int, ...], ...]:
    """For each of AFLW's 21 points, the 0-based landmarks whose mean stands for it.

    References
    ----------
    3DDFA, benchmark_aflw.py, calc_nme, ind_68to21.
    """
    return _AFLW21


def to_aflw21(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The 21 AFLW points of 68 landmarks.

    Parameters
    ----------
    points : (..., 68, d) float
        Any frame.

    Returns
    -------
    (..., 21, d) float64
        Same frame.

    Raises
    ------
    ValueError
        For another number of points.
    """
    points = np.asarray(points, np.float64)
    if points.ndim < 2 or points.shape[-2] != N_LANDMARKS:
        raise ValueError(f"points must be (..., {N_LANDMARKS}, d), got {points.shape}")
    return np.stack([points[..., list(group), :].mean(-2) for group in _AFLW21], -2)
