"""Frames and the maps between them.

Conventions (DESIGN section 3):

* *model frame*: the face model's own axes and units, x to the face's left, y up, z out of the face.
* *image frame*: pixels, 0-based, centre of the top-left pixel at the origin, x right, y down, z towards
  the viewer, in the same pixel unit.
* *crop frame*: the same axes on the square crop; a 3 x 3 similarity maps image x, y to crop x, y, and
  its scale also maps z.

Points are (..., n, 3) with the coordinate last; affine maps are (..., 3, 4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CROP_SIZE_PX = 256
CROP_FACTOR = 1.6  # PRNet api.py: side of the crop over the mean side of the landmark box
ONE_BASED = 1.0  # MATLAB's first pixel


def rotation_matrix(pitch: Array, yaw: Array, roll: Array) -> Array:
    """Rotation of the 3DDFA fits, ``Rx(pitch) @ Ry(yaw) @ Rz(roll)``.

    Parameters
    ----------
    pitch, yaw, roll : (...) float, radians

    Returns
    -------
    (..., 3, 3) float64

    Notes
    -----
    Signs follow RotationMatrix.m of the 3DDFA release: Rx = [1 0 0; 0 c s; 0 -s c],
    Ry = [c 0 -s; 0 1 0; s 0 c], Rz = [c s 0; -s c 0; 0 0 1].
    """
    (cx, cy, cz), (sx, sy, sz) = (
        [np.asarray(f(a), np.float64) for a in (pitch, yaw, roll)] for f in (np.cos, np.sin)
    )
    rows = [
        [cy * cz, cy * sz, -sy],
        [-cx * sz + sx * sy * cz, cx * cz + sx * sy * sz, sx * cy],
        [sx * sz + cx * sy * cz, -sx * cz + cx * sy * sz, cx * cy],
    ]
    return np.stack([np.stack(np.broadcast_arrays(*row), -1) for row in rows], -2)


def pose_affine(pose_para: Array, image_height_px: NDArray[np.integer] | int) -> Array:
    """Model frame to image frame, from a 3DDFA ``Pose_Para``.

    Parameters
    ----------
    pose_para : (..., 7 or 13) float
        pitch, yaw, roll (radians), tx, ty, tz (pixels, 1-based, y up), f (pixels per model unit); of a
        camera that is no similarity, then xx, xy, xz, yy, yz, zz of what :func:`stretch` adds to it.
    image_height_px : (...) int
        Height h of the image. The fit is ``X = f R V + t`` with y up and 1-based pixels; the stored
        landmark is ``(X_x, h + 1 - X_y, X_z)``, and ours is one pixel less in x and y.

    Returns
    -------
    (..., 3, 4) float64
    """
    pose = np.asarray(pose_para, np.float64)
    pitch, yaw, roll, _, _, _, focal = np.moveaxis(pose[..., :7], -1, 0)
    linear = focal[..., None, None] * rotation_matrix(pitch, yaw, roll)
    if pose.shape[-1] > 7:
        linear = linear @ stretch(pose[..., 7:])
    affine = np.concatenate([linear, pose[..., 3:6, None]], -1)
    affine[..., 1, :] *= -1
    affine[..., 0, 3] -= ONE_BASED
    affine[..., 1, 3] += np.asarray(image_height_px, np.float64)
    return affine


def stretch(values: Array) -> Array:
    """(..., 3, 3) symmetric ``I + S`` of the model frame; S is (..., 6): xx, xy, xz, yy, yz, zz."""
    return np.eye(3) + np.asarray(values)[..., [[0, 1, 2], [1, 3, 4], [2, 4, 5]]]


def pose_para_of(camera: Array) -> Array:
    """The 13 numbers of a pose whose camera is any (..., 3, 4) map that mirrors nothing.

    Parameters
    ----------
    camera : (..., 3, 4) float
        Model frame to pixels, 1-based, y up: what networks predict that are not held to a similarity.

    Returns
    -------
    (..., 13) float64
        As :func:`pose_affine` takes it, and equal to the camera there. Rotation and stretch are those of
        the polar decomposition, so the rotation is the nearest one; f is the mean stretch.

    Raises
    ------
    ValueError
        When a camera mirrors or flattens.
    """
    camera = np.asarray(camera, np.float64)
    left, sizes, right = np.linalg.svd(camera[..., :3])
    rotation = left @ right
    if not (np.linalg.det(camera[..., :3]) > 0).all():
        raise ValueError("a camera mirrors or flattens the face")
    focal = sizes.mean(-1)
    along = np.swapaxes(right, -1, -2) * (sizes / focal[..., None])[..., None, :] @ right
    extra = (along - np.eye(3))[..., [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]
    pitch = np.arctan2(rotation[..., 1, 2], rotation[..., 2, 2])
    yaw = -np.arcsin(np.clip(rotation[..., 0, 2], -1, 1))
    roll = np.arctan2(rotation[..., 0, 1], rotation[..., 0, 0])
    angles = np.stack([pitch, yaw, roll], -1)
    return np.concatenate([angles, camera[..., 3], focal[..., None], extra], -1)


def apply_affine(affine: Array, points: NDArray[np.floating]) -> Array:
    """Map (..., n, 3) points by (..., 3, 4) affine maps; both broadcast."""
    return points @ np.swapaxes(affine[..., :3], -1, -2) + affine[..., None, :, 3]


def landmark_box(points: NDArray[np.floating]) -> Array:
    """Left, top, right, bottom of (..., n, 2 or 3) points; hidden points (NaN) are left out."""
    xy = points[..., :2]
    return np.concatenate([np.nanmin(xy, -2), np.nanmax(xy, -2)], -1).astype(np.float64)


def crop_from_box(box: Array, *, factor: float = CROP_FACTOR, size_px: int = CROP_SIZE_PX) -> Array:
    """Similarity from the image frame to a square crop around a box, as PRNet crops (api.py).

    Parameters
    ----------
    box : (..., 4) float, pixels
        Left, top, right, bottom.
    factor : float
        Side of the crop over the mean of the box's two sides.
    size_px : int
        Side of the crop; the crop's corner pixels *centres* 0 and ``size_px - 1`` meet its borders.

    Returns
    -------
    (..., 3, 3) float64
        Homogeneous, for column vectors (x, y, 1).
    """
    box = np.asarray(box, np.float64)
    side = (box[..., 2:] - box[..., :2]).mean(-1) * factor
    centre = (box[..., 2:] + box[..., :2]) / 2
    scale = (size_px - 1) / side
    crop = np.zeros((*box.shape[:-1], 3, 3))
    crop[..., 0, 0] = crop[..., 1, 1] = scale
    crop[..., :2, 2] = (side[..., None] / 2 - centre) * scale[..., None]
    crop[..., 2, 2] = 1
    return crop


def crop_affine(crop: Array, z_shift: Array | float = 0.0) -> Array:
    """The (..., 3, 4) map of points that belongs to a crop: z scales with x and y, then moves."""
    crop = np.asarray(crop, np.float64)
    affine = np.zeros((*crop.shape[:-2], 3, 4))
    affine[..., :2, :2], affine[..., :2, 3] = crop[..., :2, :2], crop[..., :2, 2]
    affine[..., 2, 2] = crop_scale(crop)
    affine[..., 2, 3] = z_shift
    return affine


def crop_scale(crop: Array) -> Array:
    """Scale of a (..., 3, 3) similarity: the length of its first column, whatever its rotation."""
    return np.hypot(crop[..., 0, 0], crop[..., 1, 0])


def compose_affine(outer: Array, inner: Array) -> Array:
    """The (..., 3, 4) map that applies ``inner`` first, then ``outer``."""
    linear = outer[..., :3] @ inner[..., :3]
    offset = outer[..., :3] @ inner[..., 3:] + outer[..., 3:]
    return np.concatenate([linear, offset], -1)


def invert_affine(affine: Array) -> Array:
    """Inverse of (..., 3, 4) maps."""
    linear = np.linalg.inv(affine[..., :3])
    return np.concatenate([linear, -linear @ affine[..., 3:]], -1)
