"""Parts of the face on the UV map: nose, mouth, eyes, cheeks, forehead, chin.

They follow from the 68 landmark pixels alone, so every UV layout has them and nobody ships a mask.
Together they are the face mask, each pixel in exactly one. Pixels are (row, column); rows run down
the face, as in all our layouts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.landmarks import GROUPS

REGIONS = ("nose", "mouth", "eyes", "cheeks", "forehead", "chin")
MARGIN = 0.02  # of the map's side: outlines of landmarks run on the edge of what they bound
BROWS = tuple(range(17, 27))
RIGHT_EYE, LEFT_EYE = (*BROWS[:5], *GROUPS["right_eye"]), (*BROWS[5:], *GROUPS["left_eye"])
NOSE, MOUTH = tuple(range(27, 36)), tuple(range(48, 60))


def region_mask(
    name: str, landmark_pixels: NDArray[np.integer], face_mask: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Pixels of one region.

    Parameters
    ----------
    name : str
        ``all`` (the whole face mask) or one of ``REGIONS``.
    landmark_pixels : (68, 2) int
        Row, column.
    face_mask : (n, n) bool

    Returns
    -------
    (n, n) bool
        ``nose``, ``mouth``: the hull of their landmarks and a margin of 2 % of the side. ``eyes``:
        the hulls of each brow and eye. ``forehead``: above the line of the brows. ``chin``: below
        the mouth. ``cheeks``: the rest.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if name == "all":
        return face_mask
    if name not in REGIONS:
        raise ValueError(f"unknown region {name!r}, known: all, {', '.join(REGIONS)}")
    return region_index(landmark_pixels, face_mask) == REGIONS.index(name)


def region_index(
    landmark_pixels: NDArray[np.integer], face_mask: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """(n, n) int8: the index into ``REGIONS`` of each pixel of the face mask, -1 elsewhere."""
    side = len(face_mask)
    rows, columns = np.indices(face_mask.shape)
    points = np.stack([rows, columns], -1).reshape(-1, 2)
    found = np.full(side * side, REGIONS.index("cheeks"), np.int8)
    brows = landmark_pixels[list(BROWS)]
    brow_row = np.interp(points[:, 1], *_line(brows))
    found[points[:, 0] < brow_row] = REGIONS.index("forehead")
    mouth_end = landmark_pixels[list(MOUTH), 0].max() + MARGIN * side
    found[points[:, 0] > mouth_end] = REGIONS.index("chin")
    for name, members in (
        ("eyes", RIGHT_EYE),
        ("eyes", LEFT_EYE),
        ("mouth", MOUTH),
        ("nose", NOSE),
    ):
        inside = _inside_hull(points, landmark_pixels[list(members)], MARGIN * side)
        found[inside] = REGIONS.index(name)
    found[~face_mask.reshape(-1)] = -1
    return found.reshape(face_mask.shape)


def _line(pixels: NDArray[np.integer]) -> tuple[NDArray, NDArray]:
    """Columns (increasing) and rows of a polyline; it runs on level beyond its ends."""
    order = np.argsort(pixels[:, 1])
    return pixels[order, 1].astype(float), pixels[order, 0].astype(float)


def _inside_hull(
    points: NDArray[np.integer], corners: NDArray[np.integer], margin: float
) -> NDArray[np.bool_]:
    """(p,) bool: within ``margin`` of the convex hull of the corners, in pixels."""
    from scipy.spatial import ConvexHull

    equations = ConvexHull(corners).equations  # unit normals outward, offset
    return np.asarray((points @ equations[:, :2].T + equations[:, 2] <= margin).all(1))
