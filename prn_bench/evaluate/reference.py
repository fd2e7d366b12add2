"""The two sides of a score as landmarks: what a protocol measures against, and what was predicted.

Both come out in pixels of the original image: the reference in the frame that the protocol names,
the prediction in the image frame (0-based). Crop-frame points are mapped back by the inverse of the
dataset's crop, z = (crop z - z_shift) / scale.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.geometry import apply_affine, crop_affine, crop_scale, invert_affine
from prn_bench.normalizers import normalizer
from prn_bench.protocol import Protocol
from prn_bench.uvmap import decode_maps

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

Array = NDArray[np.float64]

NAMES_SHOWN = 5
LARGEST = 2.0**63  # of an int64
#: What to add to image-frame points, (x, y, z): AFLW2000-3D's 1-based pixels as they are stored, and
#: the frame of face3d's position maps (x as stored, y two pixels higher up than that).
FRAME_OFFSETS = {"image": (0.0, 0.0, 0.0), "stored": (1.0, 1.0, 0.0), "face3d": (1.0, -1.0, 0.0)}
MAP_BLOCK = 64  # position maps read at once: 50 MB
INCOMPLETE = "reference-incomplete"
LOOK = "Check the dataset with `prn-bench check`, or take another protocol."


@dataclass(frozen=True)
class Reference:
    """What predictions are measured against under one protocol.

    Attributes
    ----------
    points : (n, 68, 2|3) float64
        In the protocol's reference frame, pixels.
    scale_px : (n,) float64
        The normaliser.
    yaw_deg : (n,) float64
        As stored.
    mesh_min : (n,) float64 or None
        Smallest z of the whole mesh, for the rule ``min-mesh``.
    """

    points: Array
    scale_px: Array
    yaw_deg: Array
    mesh_min: Array | None

    def digest(self, sample_ids: NDArray) -> str:
        """Sha256 of ids and values, rounded so that the storage layout does not matter."""
        digest = hashlib.sha256("\n".join(map(str, sample_ids)).encode())
        depth = np.zeros(0) if self.mesh_min is None else self.mesh_min
        for values, step in (
            *((self.points, 1e-3), (self.scale_px, 1e-3), (depth, 1e-3)),
            (self.yaw_deg, 1e-4),
        ):
            steps = np.rint(values / step)
            known = (
                np.abs(steps) < LARGEST
            )  # what a cast makes of all others depends on the machine
            digest.update(np.where(known, steps, -LARGEST).astype("<i8").tobytes())
        return digest.hexdigest()


def read_reference(dataset: Dataset, protocol: Protocol) -> Reference:
    """Points, normaliser and yaw of every sample.

    Raises
    ------
    BenchError
        ``dataset-lacks``, ``reference-2d``, ``reference-incomplete``, ``zero-normalizer``.
    """
    points = _reference_points(dataset, protocol)
    if points.shape[-1] == 3 and np.isnan(points[..., 2]).all():
        points = points[..., :2]  # a dataset of pictures and 2D points
    if points.shape[-1] < protocol.dims:
        raise BenchError(
            f"the annotation {protocol.annotation} has no z",
            code="reference-2d",
            where=dataset.path,
            remedy=f"{protocol.id} is 3D: take a 2D protocol, or another annotation.",
        )
    unknown = np.asarray(~np.isfinite(points).all((1, 2)))
    _refuse(dataset, unknown, INCOMPLETE, "a point is unknown")
    scale = _scale(dataset, protocol, points)
    _refuse(dataset, ~(scale > 0), "zero-normalizer", f"{protocol.normalizer} is not positive")
    mesh_min = None
    if protocol.z_rule == "min-mesh":
        shift = read_whole(
            dataset, "z_shift"
        )  # crop z = scale * z + shift, and is 0 at the minimum
        mesh_min = -shift / crop_scale(read_whole(dataset, "crop"))
    yaw = read_yaw(dataset, protocol)
    return Reference(points[..., : protocol.dims], scale, yaw, mesh_min)


def read_yaw(dataset: Dataset, protocol: Protocol) -> Array:
    """(n,) float64 degrees as stored; zeros where the protocol sorts by none.

    Raises
    ------
    BenchError
        ``dataset-lacks``; ``reference-incomplete``, since a sample of unknown yaw is in no bin and
        would leave a strict score unseen.
    """
    if protocol.yaw_source == "none":
        return np.zeros(len(dataset))
    other = "Sort by another yaw (+yaw_source=...), or build the dataset again from whole files."
    return read_whole(dataset, f"yaw_deg/{protocol.yaw_source}", remedy=other)


def _reference_points(dataset: Dataset, protocol: Protocol) -> Array:
    from threadpoolctl import threadpool_limits

    if protocol.reference == "uv-index":
        name = "position_map"
        maps = need(dataset, name).position_maps
        with threadpool_limits(1):  # the last bit of a sum hangs on how many threads share it
            points = np.concatenate(
                [
                    _at_landmarks(dataset, maps(slice(start, start + MAP_BLOCK)))
                    for start in range(0, len(dataset), MAP_BLOCK)
                ]
            )
        points = _from_crop(dataset, points, None, with_shift=True)
    else:
        original = protocol.annotation == "original"
        name = "landmarks" if original else f"annotation/{protocol.annotation}"
        points = read_array(dataset, name)
    if protocol.reference_frame == "stored":
        points = points + dataset.stored_offset(name)[: points.shape[-1]]
    elif protocol.reference_frame == "face3d":
        points = points + FRAME_OFFSETS["face3d"][: points.shape[-1]]
    return points


def _scale(dataset: Dataset, protocol: Protocol, points: Array) -> Array:
    rule = normalizer(protocol.normalizer)
    if rule.source.endswith("_box"):
        name = "roi_box" if rule.source == "roi_box" else "boxes/annotated"
        return rule.measure(read_array(dataset, name))
    shape = points if protocol.normalizer_shape == "reference" else read_array(dataset, "landmarks")
    if shape.shape[-1] < rule.dims:
        raise BenchError(
            f"{rule.name} needs z, which the annotation {protocol.annotation} lacks",
            code="reference-2d",
            where=dataset.path,
            remedy=f"Measure it on the stored points: {protocol.id}+normalizer_shape=landmarks.",
        )
    return rule.measure(shape)


def image_points(
    predictions: Predictions, dataset: Dataset, rows: NDArray[np.intp], protocol: Protocol
) -> Array:
    """Predicted landmarks in the image frame.

    Parameters
    ----------
    predictions, dataset : Predictions, Dataset
    rows : (n,) int
        Row of the dataset for each row of the predictions.
    protocol : Protocol

    Returns
    -------
    (n, 68, dims) float64
        Pixels, 0-based; NaN where the method gave nothing.

    Raises
    ------
    BenchError
        ``no-landmarks``, ``no-depth``, ``dataset-lacks``.
    """
    points = _given_landmarks(predictions, dataset)
    if points.shape[-1] < protocol.dims:
        raise BenchError(
            f"these predictions have no z, which {protocol.id} needs",
            code="no-depth",
            where=predictions.path,
            expected=f"landmarks (n, 68, {protocol.dims})",
            found=str(points.shape),
            remedy="Predict z as well, or score under a 2D protocol.",
        )
    if predictions.frame == "crop":
        # min-mesh compares z as the network gives it, so its shift stays in.
        with_shift = protocol.z_rule != "min-mesh"
        points = _from_crop(dataset, points, rows, with_shift=with_shift)
    return points[..., : protocol.dims]


def predicted_landmarks(
    predictions: Predictions, dataset: Dataset, rows: NDArray[np.intp]
) -> Array:
    """(n, 68, 2|3) predicted landmarks in the image frame, as :func:`image_points`."""
    points = _given_landmarks(predictions, dataset)
    if predictions.frame == "crop":
        points = _from_crop(dataset, points, rows, with_shift=True)
    return points


def _given_landmarks(predictions: Predictions, dataset: Dataset) -> Array:
    if "landmarks" in predictions.arrays:
        return np.asarray(predictions.arrays["landmarks"], np.float64)
    if "position_map" not in predictions.arrays:
        raise BenchError(
            "these predictions hold no landmarks, no position maps and no mesh that has landmarks",
            code="no-landmarks",
            where=predictions.path,
            found=", ".join(sorted(predictions.arrays))
            or f"a mesh of the topology {predictions.topology}",
            remedy="Write landmarks (n, 68, 3) too, or say by --index-map where the mesh's vertices lie "
            "on the face model, all 68 landmarks among them.",
        )
    maps = predictions.arrays["position_map"]
    blocks = [
        _at_landmarks(dataset, maps[start : start + MAP_BLOCK])
        for start in range(0, len(maps), MAP_BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.zeros((0, 68, 3))


def _at_landmarks(dataset: Dataset, maps: NDArray) -> Array:
    """(n, 68, 3) values of (n, 3, 256, 256) maps at the layout's landmark pixels."""
    row, column = need(dataset, "uv/landmark_pixels").read("uv/landmark_pixels").T
    values = np.asarray(maps)[:, :, row, column].swapaxes(1, 2)
    return np.asarray(decode_maps(values) if values.dtype == np.uint16 else values, np.float64)


def _from_crop(
    dataset: Dataset, points: Array, rows: NDArray[np.intp] | None, *, with_shift: bool
) -> Array:
    """Crop frame to image frame: x, y by the inverse crop, z = (crop z - z_shift) / scale."""
    rows = np.arange(len(dataset)) if rows is None else rows
    known = with_shift and "z_shift" in dataset.names
    shift = read_whole(dataset, "z_shift")[rows] if known else 0.0
    affine = invert_affine(crop_affine(read_whole(dataset, "crop")[rows], shift))
    depth = points[..., 2:] if points.shape[-1] == 3 else np.zeros((*points.shape[:2], 1))
    moved = apply_affine(affine, np.concatenate([points[..., :2], depth], -1))
    return moved[..., : points.shape[-1]]


def name_some(names: NDArray) -> str:
    """The number of names and the first few of them."""
    more = ", ..." if len(names) > NAMES_SHOWN else ""
    return f"{len(names)} ({', '.join(map(str, names[:NAMES_SHOWN]))}{more})"


def read_array(dataset: Dataset, name: str) -> Array:
    """A whole array in float64; BenchError ``dataset-lacks``."""
    return np.asarray(need(dataset, name).read(name), np.float64)


def read_whole(dataset: Dataset, name: str, *, remedy: str = LOOK) -> Array:
    """An array that must be known for every sample; BenchError ``reference-incomplete``."""
    values = read_array(dataset, name)
    unknown = np.asarray(~np.isfinite(values).reshape(len(values), -1).all(1))
    _refuse(dataset, unknown, INCOMPLETE, f"{name} is unknown", remedy=remedy)
    return values


def need(dataset: Dataset, name: str) -> Dataset:
    """The dataset, or an error that says what it has in place of an array that it lacks."""
    if name in dataset.names:
        return dataset
    family = name.split("/")[0]
    similar = sorted(other for other in dataset.names if other.split("/")[0] == family)
    raise BenchError(
        f"this dataset holds no {name}",
        code="dataset-lacks",
        where=dataset.path,
        found=", ".join(similar) or None,
        remedy="Score under a protocol that does without, or build the dataset again from a folder "
        "that holds the file it comes from (position maps: with --face-model).",
    )


def _refuse(
    dataset: Dataset, faulty: NDArray[np.bool_], code: str, what: str, *, remedy: str = LOOK
) -> None:
    if faulty.any():
        raise BenchError(
            f"{what} for {name_some(dataset.sample_ids[faulty])} samples of the reference",
            code=code,
            where=dataset.path,
            remedy=remedy,
        )
