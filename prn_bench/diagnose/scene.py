"""The points of a prediction file beside their reference, and the spaces that they may be in.

A *space* is a coordinate system of 0-based pixels with y down: the original image, the 256 crop of the
dataset, or the 120 crop of the 3DDFA script. Each has a size and an affine map to the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.geometry import CROP_SIZE_PX, apply_affine, crop_affine, invert_affine

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

ROI_SIZE_PX = 120  # of 3DDFA's crops


@dataclass(frozen=True)
class Space:
    """Where pixels are counted.

    Attributes
    ----------
    words : str
        For a sentence.
    size : (n, 1, 2) float64
        Width and height, px.
    to_image : (n, 3, 4) float64
        Map of its points to the image frame.
    """

    words: str
    size: Array
    to_image: Array


@dataclass(frozen=True)
class Scene:
    """Predicted and reference points of the same samples, in the order of the prediction file.

    Attributes
    ----------
    ids : (n,) str
    rows : (n,) int
        Of the dataset.
    raw : (n, 68, 2|3) float64
        As the file has them; NaN where it has none.
    frame : str
        That the file declares: a key of ``spaces``.
    reference : (n, 68, 2|3) float64
        Image frame (0-based), px.
    scale_px : (n,) float64
        The normaliser.
    spaces : mapping of str to Space
    """

    ids: NDArray
    rows: Rows
    raw: Array
    frame: str
    reference: Array
    scale_px: Array
    spaces: Mapping[str, Space]

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) bool: samples whose points are all finite."""
        return np.asarray(np.isfinite(self.raw).all((1, 2)))

    def take(self, kept: NDArray) -> Scene:
        """The same scene with some of its samples."""
        spaces = {
            name: replace(space, size=space.size[kept], to_image=space.to_image[kept])
            for name, space in self.spaces.items()
        }
        parts = {
            name: getattr(self, name)[kept]
            for name in ("ids", "rows", "raw", "reference", "scale_px")
        }
        return replace(self, spaces=spaces, **parts)

    def to_image(self, points: Array, space: str | None = None) -> Array:
        """(n, 68, 2|3) points of a space (the declared one by default) in the image frame."""
        return _moved(self.spaces[space or self.frame].to_image, points)

    def from_image(self, points: Array, space: str | None = None) -> Array:
        """(n, 68, 2|3) points of the image frame in a space (the declared one by default)."""
        return _moved(invert_affine(self.spaces[space or self.frame].to_image), points)

    def errors(self, points: Array) -> Array:
        """(n,) 2D NME of image-frame points, per cent; NaN where a point is unknown."""
        gap = points[..., :2] - self.reference[..., :2]
        distance = np.hypot(gap[..., 0], gap[..., 1]).mean(-1)
        return np.asarray(distance / self.scale_px * 100)


def read_spaces(dataset: Dataset, rows: Rows, *, with_z_shift: bool = True) -> dict[str, Space]:
    """The spaces that a dataset knows, for some of its rows.

    Parameters
    ----------
    dataset : Dataset
    rows : (n,) int
    with_z_shift : bool
        False leaves the z of crops unmoved, as the rule ``min-mesh`` takes it.
    """
    n = len(rows)
    size = np.asarray(dataset.read("image_size", rows), np.float64)[:, None, ::-1]
    identity = np.broadcast_to(np.eye(3, 4), (n, 3, 4))
    spaces = {"image": Space("the original image", size, identity)}
    if "crop" in dataset.names:
        known = with_z_shift and "z_shift" in dataset.names
        shift = np.asarray(dataset.read("z_shift", rows), np.float64) if known else 0.0
        affine = invert_affine(crop_affine(dataset.read("crop", rows), shift))
        square = np.full((n, 1, 2), float(CROP_SIZE_PX))
        spaces["crop"] = Space(f"the {CROP_SIZE_PX} px crop", square, affine)
    if "roi_box" in dataset.names:
        box = np.asarray(dataset.read("roi_box", rows), np.float64)
        spaces["roi"] = Space(
            f"3DDFA's {ROI_SIZE_PX} px crop",
            np.full((n, 1, 2), float(ROI_SIZE_PX)),
            _box_affine(box, ROI_SIZE_PX),
        )
    return spaces


def _box_affine(box: Array, size_px: int) -> Array:
    """3DDFA's way back from a crop: x * side / size + left, z by the mean of both sides."""
    sides = (box[:, 2:] - box[:, :2]) / size_px
    affine = np.zeros((len(box), 3, 4))
    affine[:, 0, 0], affine[:, 1, 1], affine[:, 2, 2] = sides[:, 0], sides[:, 1], sides.mean(1)
    affine[:, :2, 3] = box[:, :2]
    return affine


def _moved(affine: Array, points: Array) -> Array:
    if points.shape[-1] == 3:
        return apply_affine(affine, points)
    plane = np.concatenate([affine[:, :2, :2], affine[:, :2, 3:]], -1)
    return np.asarray(points @ np.swapaxes(plane[..., :2], -1, -2) + plane[:, None, :, 2])
