"""The exact camera of a rendering: orthographic or perspective, both ways.

The world frame is the scan's own (mm). A view turns the world about a pivot in the head, which is seen
at the middle of the picture. The image frame is the package's: pixel centres at integers, x right, y down,
z towards the viewer in pixels, zero at the pivot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.geometry import apply_affine

Array = NDArray[np.float64]

IMAGE_PX = 512
CENTRE_PX = (IMAGE_PX - 1) / 2
PX_PER_MM = 1.25  # 512 px are 410 mm: a whole head at any angle; the crop comes out at about 1:1
NEAR_MM = 1000.0  # where orthographic rays start, before everything


@dataclass(frozen=True)
class View:
    """One camera.

    Attributes
    ----------
    rotation : (3, 3) float64
        World axes to camera axes (x right, y up, z towards the viewer).
    pivot : (3,) float64
        World frame, mm.
    fov_deg : float or None
        Field of view across the picture; None is orthographic.
    """

    rotation: Array
    pivot: Array
    fov_deg: float | None = None

    @property
    def affine(self) -> Array:
        """(3, 4) world to image frame: exact if orthographic, else the map that is exact at the pivot.

        In perspective its third row still *defines* z; x and y come from :attr:`projection`.
        """
        linear = PX_PER_MM * self.rotation * [[1], [-1], [1]]
        offset = np.array([CENTRE_PX, CENTRE_PX, 0]) - linear @ self.pivot
        return np.concatenate([linear, offset[:, None]], 1)

    @property
    def distance_mm(self) -> float:
        """From the perspective camera to the pivot, such that 1 mm there is 1.25 px."""
        if self.fov_deg is None:
            raise ValueError("an orthographic camera has no distance")
        return float(IMAGE_PX / 2 / PX_PER_MM / np.tan(np.radians(self.fov_deg) / 2))

    @property
    def projection(self) -> Array:
        """(3, 4) P with ``(x w, y w, w) = P (X, Y, Z, 1)``; w is the depth before the camera in mm."""
        distance = self.distance_mm
        affine = self.affine
        depth = -affine[2] / PX_PER_MM
        depth[3] += distance
        rows = (affine[:2] - [[0, 0, 0, CENTRE_PX]] * 2) * distance + CENTRE_PX * depth
        return np.concatenate([rows, depth[None]])

    def project(self, points: NDArray[np.floating]) -> Array:
        """(n, 3) world points to the image frame."""
        placed = apply_affine(self.affine, points)
        if self.fov_deg is not None:
            seen = apply_affine(self.projection, points)
            placed[..., :2] = seen[..., :2] / seen[..., 2:]
        return placed

    def rays(self, pixels: NDArray[np.floating]) -> tuple[Array, Array]:
        """Origins and directions (n, 3), world frame, of the rays through (n, 2) pixels x, y.

        Directions have the length of 1 mm along the camera's axis.
        """
        flat = (np.asarray(pixels, np.float64) - CENTRE_PX) / PX_PER_MM * [1, -1]
        if self.fov_deg is None:
            starts = np.concatenate([flat, np.full((len(flat), 1), NEAR_MM)], 1)
            directions = np.broadcast_to([0.0, 0.0, -1.0], starts.shape)
        else:
            starts = np.broadcast_to([0.0, 0.0, self.distance_mm], (len(flat), 3))
            directions = np.concatenate([flat / self.distance_mm, -np.ones((len(flat), 1))], 1)
        return starts @ self.rotation + self.pivot, directions @ self.rotation

    def columns(self) -> dict[str, Array]:
        """What the dataset stores of it.

        Orthographic: ``camera/world_to_image``, affine. Perspective: ``camera/projection`` for x and y,
        and ``camera/weak_perspective``, whose third row gives z; there is no ``camera/world_to_image``,
        so that nobody takes an approximation for it.
        """
        if self.fov_deg is None:
            return {"camera/world_to_image": self.affine}
        return {"camera/projection": self.projection, "camera/weak_perspective": self.affine}
