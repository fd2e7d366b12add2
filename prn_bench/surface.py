"""Rays and closest points on triangle meshes: the one place that imports Open3D.

Everything goes in and comes out as arrays. Open3D computes in float32; meshes are moved to their own
middle first, so that a face of 200 mm far from the origin loses no digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Hits:
    """Where rays first meet a mesh.

    Attributes
    ----------
    distance : (n,) float64
        In lengths of the ray's direction; infinite where the ray meets nothing.
    triangle : (n,) int32
        Row of the triangle, -1 where the ray meets nothing.
    barycentric : (n, 3) float64
        Weights of the triangle's corners, zeros where the ray meets nothing.
    """

    distance: Array
    triangle: NDArray[np.int32]
    barycentric: Array

    @property
    def hit(self) -> NDArray[np.bool_]:
        """(n,) bool."""
        return self.triangle >= 0


def load() -> Any:
    """The module ``open3d``.

    Raises
    ------
    BenchError
        ``open3d-missing``.
    """
    try:
        _provide_libusb()
        import open3d
    except (ImportError, OSError) as error:
        raise BenchError(
            f"this needs Open3D, which cannot be imported ({error})",
            code="open3d-missing",
            remedy="Install it: pip install 'prn-bench[recon]'",
        ) from None
    return open3d


def _provide_libusb() -> None:
    """Load libusb-1.0 from the package ``libusb-package`` where the system has none.

    Open3D's wheels are linked against it (for cameras that nobody uses here) and do not bring it.
    """
    import ctypes
    import sys

    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL("libusb-1.0.so.0")
    except OSError:
        import libusb_package

        path = libusb_package.get_library_path()
        if path is not None:
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


class Scene:
    """A mesh prepared for many queries.

    Parameters
    ----------
    vertices : (v, 3) float
        Any frame and unit.
    triangles : (t, 3) int
        Both sides of a triangle count. Those without an area (a corner named twice, or three in a
        line) are left out: they have no inside, and real meshes hold some.
    n_threads : int
        1 by default: a build has one worker process per core already. 0 means all cores.

    Attributes
    ----------
    n_degenerate : int
        Triangles that were left out.

    Raises
    ------
    ValueError
        For arrays of another shape, triangles that name no vertex, or coordinates that are not finite:
        Open3D would read beyond the array. For a mesh without any triangle that has an area.
    BenchError
        ``open3d-missing``.
    """

    def __init__(
        self,
        vertices: NDArray[np.floating],
        triangles: NDArray[np.integer],
        *,
        n_threads: int = 1,
    ) -> None:
        points = _points(vertices, "vertices")
        _check_triangles(triangles, len(points))
        open3d = load()
        self._tensor, self._n_threads = open3d.core.Tensor, n_threads
        self._centre = (points.min(0) + points.max(0)) / 2
        corners = (points - self._centre).astype(np.float32)
        self._kept = np.flatnonzero(has_area(corners, triangles))
        self.n_degenerate = len(triangles) - len(self._kept)
        if not len(self._kept):
            raise ValueError(f"no triangle has an area, of {len(triangles)}: there is no surface")
        self._scene = open3d.t.geometry.RaycastingScene(nthreads=n_threads)
        self._scene.add_triangles(
            self._tensor(corners),
            self._tensor(np.ascontiguousarray(triangles[self._kept], np.uint32)),
        )

    def cast(self, origins: NDArray[np.floating], directions: NDArray[np.floating]) -> Hits:
        """First hits of rays.

        Parameters
        ----------
        origins, directions : (n, 3) float
            In the frame of the vertices; directions need no unit length.
        """
        starts = _points(origins, "origins") - self._centre
        rays = np.concatenate([starts, _points(directions, "directions")], 1).astype(np.float32)
        found = self._scene.cast_rays(self._tensor(rays), nthreads=self._n_threads)
        distance = found["t_hit"].numpy().astype(np.float64)
        hit = np.isfinite(distance)
        row = np.where(hit, found["primitive_ids"].numpy().astype(np.int64), 0)
        triangle = np.where(hit, self._kept[row], -1)
        second, third = found["primitive_uvs"].numpy().astype(np.float64).T
        weights = np.stack([1 - second - third, second, third], 1) * hit[:, None]
        return Hits(distance, triangle.astype(np.int32), weights)

    def closest(self, query: NDArray[np.floating]) -> tuple[Array, Array]:
        """Nearest points of the surface.

        Parameters
        ----------
        query : (n, 3) float

        Returns
        -------
        points : (n, 3) float64
        distance : (n,) float64
        """
        asked = _points(query, "query")
        tensor = self._tensor((asked - self._centre).astype(np.float32))
        found = self._scene.compute_closest_points(tensor, nthreads=self._n_threads)
        points = found["points"].numpy().astype(np.float64) + self._centre
        return points, np.linalg.norm(points - asked, axis=1)


def cast_rays(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    origins: NDArray[np.floating],
    directions: NDArray[np.floating],
) -> Hits:
    """First hits of (n, 3) rays on a mesh; see :class:`Scene`, which is faster for many calls."""
    return Scene(vertices, triangles).cast(origins, directions)


def closest_points(
    query: NDArray[np.floating], vertices: NDArray[np.floating], triangles: NDArray[np.integer]
) -> tuple[Array, Array]:
    """Nearest surface points (n, 3) and their distances (n,) for (n, 3) points; see :class:`Scene`."""
    return Scene(vertices, triangles).closest(query)


def has_area(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(t,) bool: which triangles are more than a line or a point.

    Parameters
    ----------
    vertices : (v, 3) float
    triangles : (t, 3) int
        Rows of ``vertices``.
    """
    a, b, c = (np.asarray(vertices, np.float64)[triangles[:, corner]] for corner in range(3))
    return np.asarray(np.cross(b - a, c - a).any(1))


def _points(values: NDArray[np.floating], name: str) -> Array:
    points = np.asarray(values, np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"{name} must be (n, 3), got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"{name} hold values that are not finite")
    return points


def _check_triangles(triangles: NDArray[np.integer], n_vertices: int) -> None:
    if triangles.ndim != 2 or triangles.shape[1] != 3 or not len(triangles):
        raise ValueError(f"triangles must be (t, 3) and at least one, got {triangles.shape}")
    if triangles.min() < 0 or triangles.max() >= n_vertices:
        raise ValueError(f"triangle indices must lie in 0..{n_vertices - 1}")
