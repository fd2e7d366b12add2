"""Scans of a dataset in the image frame of its renderings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.evaluate.reference import need
from prn_bench.geometry import apply_affine

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

Values = NDArray[np.float64]
AFFINE, PROJECTION, WEAK = (
    f"camera/{name}" for name in ("world_to_image", "projection", "weak_perspective")
)


@dataclass(frozen=True)
class Cloud:
    """One scan as a rendering shows it.

    Attributes
    ----------
    vertices : (n, 3) float64
        Of the region that is scored; image frame, px (z too).
    triangles : (t, 3) int32 or None
        Between them.
    landmarks : (68, 3) float64
        Image frame; NaN where unknown.
    """

    vertices: Values
    triangles: NDArray[np.int32] | None
    landmarks: Values


@dataclass(frozen=True)
class ScanClouds:
    """The scans behind a dataset's renderings.

    Attributes
    ----------
    dataset : Dataset
    region : str
        ``all``, or the name of a ``scan/region_NAME``.
    with_triangles : bool
    """

    dataset: Dataset
    region: str
    with_triangles: bool = False

    def __post_init__(self) -> None:
        """Fail before the work, not in it."""
        for name in ("scan/vertices", "scan/vertex_start", "scan_of/index"):
            need(self.dataset, name)
        if self.region != "all":
            need(self.dataset, f"scan/region_{self.region}")
        need(self.dataset, AFFINE if AFFINE in self.dataset.names else PROJECTION)

    def cloud(self, row: int) -> Cloud:
        """The scan of one sample, in its image frame.

        Raises
        ------
        BenchError
            ``dataset-lacks``.
        """
        scan = int(self.dataset.read("scan_of/index", [row])[0])
        start, end = self._slot("vertex", scan)
        vertices = self._rows("scan/vertices", start, end).astype(np.float64)
        inside = np.ones(len(vertices), bool)
        if self.region != "all":
            inside = self._rows(f"scan/region_{self.region}", start, end).astype(bool)
        landmarks = np.full((68, 3), np.nan)
        if "scan/landmarks" in self.dataset.names:
            landmarks = self.dataset.read("scan/landmarks", [scan])[0].astype(np.float64)
        triangles = self._triangles(scan, inside) if self.with_triangles else None
        placed = self._place(np.concatenate([vertices[inside], landmarks]), row)
        return Cloud(placed[:-68], triangles, placed[-68:])

    def _triangles(self, scan: int, inside: NDArray[np.bool_]) -> NDArray[np.int32]:
        triangles = self._rows("scan/triangles", *self._slot("triangle", scan))
        kept = triangles[inside[triangles].all(1)]
        return (np.cumsum(inside) - 1)[kept].astype(np.int32)

    def _place(self, world: Values, row: int) -> Values:
        """World (mm) to image frame (px): affine, or in perspective x, y by it and z by the affine."""
        names = self.dataset.names
        affine = self.dataset.read(AFFINE if AFFINE in names else WEAK, [row])[0]
        placed = apply_affine(affine, world)
        if AFFINE not in names:
            seen = apply_affine(self.dataset.read(PROJECTION, [row])[0], world)
            placed[:, :2] = seen[:, :2] / seen[:, 2:]
        return placed

    def _slot(self, kind: str, scan: int) -> tuple[int, int]:
        start, end = self.dataset.read(f"scan/{kind}_start", slice(scan, scan + 2))
        return int(start), int(end)

    def _rows(self, name: str, start: int, end: int) -> NDArray:
        return np.asarray(need(self.dataset, name).read(name, slice(start, end)))
