"""The parts of a scan that are scored: a sphere round the nose tip, and VRN's face region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NOSE_TIP = 30
SPHERE_MM = 95.0  # GANFit's MICC evaluation and others
SMALL_SPHERES_MM = {28: 60.0}  # the same script, for this subject
TYPICAL_TILT_DEG = 25.0  # how far heads of the set look down: 23 to 32 in six landmark files
NOSE_BAND_MM = 60.0
BFM_VERTICES = 53215
NEAR_BFM_MM = 10.0  # farther from the registered model a vertex belongs to no region of it


def sphere(vertices: Array, tip: Array, subject: int) -> NDArray[np.bool_]:
    """(v,) vertices within 95 mm of the nose tip; 60 mm for subject 28."""
    radius = SMALL_SPHERES_MM.get(subject, SPHERE_MM)
    return np.asarray(((vertices - tip) ** 2).sum(1) <= radius**2)


def nose_tip(vertices: Array, triangles: NDArray[np.int32], landmarks: Array | None) -> Array:
    """(3,) the nose tip: landmark 30 where there are landmarks, else a geometric rule.

    The rule: of the largest connected piece of the scan, raised by 25 degrees so that the face looks ahead,
    the foremost vertex within 60 mm left and right of the piece's middle.
    """
    if landmarks is not None and np.isfinite(landmarks[NOSE_TIP]).all():
        return landmarks[NOSE_TIP]
    inside = _largest_piece(len(vertices), triangles)
    points = vertices[inside]
    middle = (points[:, 0].min() + points[:, 0].max()) / 2
    points = points[np.abs(points[:, 0] - middle) <= NOSE_BAND_MM]
    tilt = np.radians(TYPICAL_TILT_DEG)
    forward = points[:, 2] * np.cos(tilt) - points[:, 1] * np.sin(tilt)
    return np.asarray(points[forward.argmax()])


def vrn_region(vertices: Array, registered: Array, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(v,) vertices whose nearest vertex of the registered BFM face lies in VRN's region.

    Parameters
    ----------
    vertices : (v, 3) float, world frame, mm
    registered : (53215, 3) float
        The BFM face fitted to this scan, same frame.
    region : (53215,) bool
        VRN's ``vertexfilter``: 19,618 of them.
    """
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(registered).query(vertices, distance_upper_bound=NEAR_BFM_MM)
    found = np.isfinite(distance)
    inside = np.zeros(len(vertices), bool)
    inside[found] = region[np.asarray(nearest)[found]]
    return inside


def _largest_piece(n_vertices: int, triangles: NDArray[np.int32]) -> NDArray[np.bool_]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    starts, ends = triangles[:, [0, 1]].reshape(-1), triangles[:, [1, 2]].reshape(-1)
    edges = coo_array((np.ones(len(starts), np.int8), (starts, ends)), (n_vertices, n_vertices))
    _, labels = connected_components(edges, directed=False)
    used = np.bincount(labels[triangles[:, 0]])
    return np.asarray(labels == used.argmax())
