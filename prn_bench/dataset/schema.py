"""The dataset file: which arrays it holds, in which shape and frame (docs/dataset-format.md).

One table, so that the writer, the reader and ``check`` cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

DATASET_FORMAT, DATASET_VERSION = "prn-bench/dataset", 1


@dataclass(frozen=True)
class Column:
    """One per-sample array of the dataset file.

    Attributes
    ----------
    shape : tuple of int
        Shape of one sample; -1 where datasets differ.
    dtype : str
        NumPy name; ``bytes`` is an encoded image.
    identity : bool
        Whether it is part of the fingerprint. Pixels are not: they follow from what is, and their last
        bit may depend on the machine. All arrays are part of ``content_sha256``.
    note : str
    digits : int, optional
        Decimals that enter the fingerprint, where the values come out of floating-point sums.
    """

    shape: tuple[int, ...]
    dtype: str
    identity: bool
    note: str
    digits: int | None = None


COLUMNS: dict[str, Column] = {
    "sample_id": Column((), "str", True, "unique, sorted"),
    "image": Column((), "bytes", False, "encoded crop, JPEG or PNG"),
    "position_map": Column((3, -1, -1), "uint16", False, "crop frame, fixed point"),
    "landmarks": Column((68, 3), "float32", True, "image frame, NaN where unknown", 3),
    "landmarks_visible": Column((68,), "bool", True, "True where the annotation gives the point"),
    "pose_deg": Column(
        (3,), "float64", True, "pitch, yaw, roll of the fit, as stored, not wrapped"
    ),
    "crop": Column((3, 3), "float64", True, "image x, y to crop x, y; its scale also maps z"),
    "image_size": Column((2,), "int32", True, "height, width of the original image"),
    "box": Column((4,), "float64", True, "left, top, right, bottom of the landmarks, image frame"),
    "roi_box": Column((4,), "float64", True, "crop box of the 3DDFA benchmark, as stored"),
    "z_shift": Column((), "float64", False, "crop z = crop scale * image z + z_shift"),
    "coefficients/identity": Column((-1,), "float32", True, "Shape_Para"),
    "coefficients/expression": Column((-1,), "float32", True, "Exp_Para"),
    "coefficients/pose": Column(
        (-1,), "float64", True, "Pose_Para, and the stretch of a free camera"
    ),
    "source_sha256": Column((32,), "uint8", True, "digest of the raw image and annotation"),
    "row_sha256": Column((32,), "uint8", False, "digest of the stored image and position map"),
}

#: Families of per-sample arrays named after their source.
FAMILIES: dict[str, Column] = {
    "annotation/": Column((68, -1), "float32", True, "further annotations of the same points", 3),
    "points/": Column((-1, -1), "float32", True, "named points, image frame, NaN where unknown", 3),
    "points_visible/": Column((-1,), "bool", True, "True where a named point is visible"),
    "boxes/": Column((4,), "float64", True, "box by a named source, image frame", 3),
    "camera/": Column((3, 4), "float64", True, "world frame (mm) to image frame, affine", 9),
    "scan_of/": Column((), "int32", True, "row of this sample's scan in a scan/ array"),
    "yaw_deg/": Column((), "float64", True, "yaw by a named source, as stored"),
}

#: Arrays of the dataset as a whole, with all their axes.
SHARED: dict[str, Column] = {
    "uv/covered": Column((-1, -1), "bool", False, "pixels of the map on the face"),
    "uv/face_mask": Column((-1, -1), "bool", False, "pixels that count in dense scores"),
    "uv/region_weights": Column((-1, -1), "uint8", False, "16, 4, 3, 0 of the loss"),
    "uv/landmark_pixels": Column((68, 2), "int32", False, "row, column"),
    "uv/landmark_vertices": Column((68,), "int32", False, "of the face model"),
    "uv/triangles": Column((-1, 3), "int32", False, "of covered pixels, row-major numbers"),
    "uv/vertices": Column((-1, -1, 3), "int32", False, "three vertices a pixel"),
    "uv/weights": Column((-1, -1, 3), "float32", False, "their weights"),
    "uv_basis/mean": Column((3, -1, -1), "float32", False, "model frame and units"),
    "uv_basis/identity": Column((-1, 3, -1, -1), "float32", False, "a map a component"),
    "uv_basis/expression": Column((-1, 3, -1, -1), "float32", False, "a map a component"),
    "landmark_basis/mean": Column((68, 3), "float64", False, "model frame and units"),
    "landmark_basis/identity": Column((68, 3, -1), "float64", False, "a column a component"),
    "landmark_basis/expression": Column((68, 3, -1), "float64", False, "a column a component"),
    "scan/vertices": Column((-1, 3), "float32", False, "world frame, mm, all scans in a row"),
    "scan/triangles": Column((-1, 3), "int32", False, "each scan's own numbers"),
    "scan/vertex_start": Column((-1,), "int64", False, "first row of each scan, and the end"),
    "scan/triangle_start": Column((-1,), "int64", False, "first row of each scan, and the end"),
    "scan/landmarks": Column((-1, 68, 3), "float64", False, "world frame, mm"),
    "scan/nose_tip": Column((-1, 3), "float64", False, "world frame, mm"),
}

ALWAYS = ("sample_id", "landmarks", "landmarks_visible", "image_size", "box", "crop")


def column(name: str) -> Column | None:
    """The description of a per-sample array, or None when the name is not one of ours."""
    if name in COLUMNS:
        return COLUMNS[name]
    return next((c for prefix, c in FAMILIES.items() if name.startswith(prefix)), None)
