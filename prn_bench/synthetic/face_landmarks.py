"""The 68 iBUG landmarks and the regions of the synthetic face, found on its mean surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.synthetic.face_ear import FIRST, LAST, ear_mask
from prn_bench.synthetic.face_grid import (
    CHEEK,
    EYE_INNER,
    EYE_OUTER,
    HALF,
    MOUTH_CORNER,
    N_COLUMNS,
    N_ROWS,
    ROWS,
    lip_borders,
    mirror,
)
from prn_bench.synthetic.face_hair import hair_cover

Array = NDArray[np.float64]

#: Landmark on the face's left (or on the midline) and its mirror image.
MIRROR = [
    *((16 - i, i) for i in range(9)), *((26 - i, 17 + i) for i in range(5)),
    (27, 27), (28, 28), (29, 29), (30, 30), (35, 31), (34, 32), (33, 33),
    (45, 36), (44, 37), (43, 38), (42, 39), (47, 40), (46, 41),
    (54, 48), (53, 49), (52, 50), (51, 51), (55, 59), (56, 58), (57, 57),
    (64, 60), (63, 61), (62, 62), (65, 67), (66, 66),
]  # fmt: skip
#: Anchors of this head's outline on the face's left (x, y, z), mm: below the chin, beside it, the
#: middle of the jaw, above its angle, and in front of the ear. The landmarks between follow a curve.
_JAW_ANCHORS = {
    8: (0, -90, 90),
    9: (19, -82, 91),
    11: (45, -64, 53),
    13: (62, -35, 26),
    16: (72, 20, 18),
}
#: Brows and nose, (x, y), mm.
_BROW = {22: (13, 43), 23: (22, 46.5), 24: (32, 48), 25: (42, 46.5), 26: (50, 41)}
_NOSE = {
    27: (0, 27), 28: (0, 16), 29: (0, 5), 30: (0, -5.5), 33: (0, -19.5), 34: (6, -18.5), 35: (12, -17),
}  # fmt: skip


def landmark_vertices(mean: Array) -> NDArray[np.int32]:
    """(68,) vertex rows of the landmarks.

    Parameters
    ----------
    mean : (v, 3) float64, mm
        The mean surface in grid order.
    """
    half = mean.reshape(N_ROWS, N_COLUMNS, 3)[:, HALF:]
    places = {i: _nearest(half, target) for i, target in _jaw().items()}
    places |= {i: _nearest(half, target) for i, target in (_BROW | _NOSE).items()}
    places |= _eye(half) | _mouth(half)
    vertices = np.zeros(68, np.int32)
    for left, right in MIRROR:
        row, column = places[left]
        vertices[left] = row * N_COLUMNS + HALF + column
        vertices[right] = row * N_COLUMNS + HALF - column
    return vertices


def _jaw() -> dict[int, tuple[float, ...]]:
    from scipy.interpolate import PchipInterpolator

    outline = PchipInterpolator(list(_JAW_ANCHORS), list(_JAW_ANCHORS.values()), axis=0)
    return {i: tuple(outline(i)) for i in range(8, 17)}


def _nearest(half: Array, target: tuple[float, ...]) -> tuple[int, int]:
    """Grid place nearest to a point; a target of two coordinates lies on the front of the face."""
    distance = np.linalg.norm(half[..., : len(target)] - target, axis=-1)
    distance = np.where(half[..., 2] > (55 if len(target) == 2 else -200), distance, np.inf)
    if target[0] == 0:
        distance[:, 1:] = np.inf
    row, column = np.unravel_index(distance.argmin(), distance.shape)
    return int(row), int(column)


def _column(half: Array, row: int, x: float) -> int:
    return int(np.abs(half[row, : HALF // 2 + 4, 0] - x).argmin())


def _eye(half: Array) -> dict[int, tuple[int, int]]:
    low, up = ROWS["lid_low"], ROWS["lid_up"]
    corner = (low + up) // 2
    third = (EYE_OUTER - EYE_INNER) / 3
    inner, outer = EYE_INNER + third, EYE_OUTER - third
    return {
        42: (corner, _column(half, corner, EYE_INNER)),
        45: (corner, _column(half, corner, EYE_OUTER)),
        43: (up, _column(half, up, inner)),
        44: (up, _column(half, up, outer)),
        47: (low, _column(half, low, inner)),
        46: (low, _column(half, low, outer)),
    }


def _mouth(half: Array) -> dict[int, tuple[int, int]]:
    low, up = ROWS["lip_low"], ROWS["lip_up"]
    corner = _column(half, up, MOUTH_CORNER)
    places = {54: (up, corner), 64: (up, corner - 2)}
    for i, x in ((51, 0.0), (52, 5.5), (53, 16.0)):
        places[i] = _nearest(half, (x, float(lip_borders(np.array(x))[0])))
    for i, x in ((57, 0.0), (56, 8.0), (55, 16.5)):
        places[i] = _nearest(half, (x, float(lip_borders(np.array(x))[1])))
    places |= {62: (up, 0), 63: (up, _column(half, up, 7.5))}
    return places | {66: (low, 0), 65: (low, _column(half, low, 7.5))}


def regions(mean: Array) -> dict[str, NDArray[np.bool_]]:
    """Named parts of the face, (v,) bool each, from the mean surface (mm)."""
    x, y, z = np.abs(mean[:, 0]), mean[:, 1], mean[:, 2]
    row = np.arange(len(mean)) // N_COLUMNS
    column = np.abs(np.arange(len(mean)) % N_COLUMNS - HALF)
    half = mean.reshape(N_ROWS, N_COLUMNS, 3)[:, HALF:]
    scalp = mirror(hair_cover(half), flip=False).ravel() > 0.5
    ears = mirror(ear_mask(half), flip=False).ravel()
    neck = (row < ROWS["jaw"] - 2) | ((column > CHEEK) & (y < -25)) | (column > LAST)
    face = ~(scalp | ears | neck) & (column < FIRST + 1)
    front = face & (z > 50)
    return {
        "face": face,
        "nose": front & (x < 9 + 9 * np.clip((22 - y) / 30, 0, 1)) & (y > -20.5) & (y < 30),
        "eyes": front & _within(x, y, (30.5, 26), (19, 11.5)),
        "mouth": front & _within(x, y, (0, -41), (29, 13)),
        "cheeks": face & (x > 18) & (y < 13) & (y > -60) & ~_within(x, y, (0, -41), (29, 13)),
        "forehead": face & (y > 52),
        "chin": front & (y < -54) & (x < 28),
        "ears": ears,
        "neck": neck & ~(ears | scalp),
        "scalp": scalp & ~ears,
    }


def _within(
    x: Array, y: Array, centre: tuple[float, float], radii: tuple[float, float]
) -> NDArray[np.bool_]:
    return ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 < 1
