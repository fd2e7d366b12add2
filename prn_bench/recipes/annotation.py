"""What a recipe tells about one raw sample, and the 3DDFA fit that 300W-LP and AFLW2000-3D share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, Finding

if TYPE_CHECKING:
    from PIL.Image import Image

N_IDENTITY, N_EXPRESSION = 199, 29  # of 3DDFA's bases
EXPRESSION_SIZES = (N_EXPRESSION, 53)  # the second in synthetic data, made from ICT-FaceKit
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
WIDE_ANGLE_DEG = 99.0  # Hopenet's limit: 31 of the 2,000 AFLW2000-3D images lie beyond it


@dataclass(frozen=True)
class SampleFiles:
    """Where one candidate sample lies in the raw data; a missing half is an empty name."""

    sample_id: str
    annotation: str
    image: str


@dataclass(frozen=True)
class Fit:
    """A 3DMM fit in the parameters of 3DDFA.

    Attributes
    ----------
    pose : (7,) float64, or (13,)
        pitch, yaw, roll (radians, as stored, not wrapped), tx, ty, tz (px, 1-based, y up),
        f (px per model unit); 13 numbers where the camera is no similarity, see
        :func:`prn_bench.geometry.pose_para_of`.
    identity : (199,) float64
    expression : (29,) float64, or (53,) in synthetic data
    """

    pose: NDArray[np.float64]
    identity: NDArray[np.float64]
    expression: NDArray[np.float64]

    @property
    def pose_deg(self) -> NDArray[np.float64]:
        """(3,) pitch, yaw, roll in degrees, as stored."""
        return np.degrees(self.pose[:3])


@dataclass(frozen=True)
class Annotation:
    """One raw sample, read and cast, before any geometry.

    Every sample of a dataset fills the same attributes.

    Attributes
    ----------
    fit : Fit or None
        With a face model it gives coefficients and a position map.
    landmarks : (68, 3) float64 or None
        Image frame. None when the raw data hold none that can be trusted: they are then projected
        from the fit, or NaN where there is no fit either.
    untrusted : (68, 2) float64 or None
        Image-frame points that lie beside the fit and are never used, only compared (300W-LP pt2d).
    box : (4,) float64 or None
        Left, top, right, bottom of what to crop around, image frame; the landmarks' own box if None.
    columns : dict of dataset array name to this sample's row
        What else the dataset stores of it, such as ``points/aflw-lfpa-34`` (34, 2) in the image frame.
    raw : bytes or None
        What the raw data say of this sample alone, for its digest, where many samples share a file;
        otherwise the annotation file is digested.
    picture : callable or None
        Renders the image (PIL), where the recipe makes it; called only when images are kept.
        Otherwise the image file is decoded.
    findings : tuple of Finding
        Warnings about this sample.
    """

    fit: Fit | None = None
    landmarks: NDArray[np.float64] | None = None
    untrusted: NDArray[np.float64] | None = None
    box: NDArray[np.float64] | None = None
    columns: Mapping[str, NDArray] = field(default_factory=dict)
    raw: bytes | None = None
    picture: Callable[[], Image] | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Companions:
    """Arrays of the whole dataset that lie beside the raw files, by dataset array name.

    Attributes
    ----------
    columns : dict of name -> (sample id -> row)
        Such as ``yaw_deg/aflw`` or ``annotation/reannotated``, in the image frame.
    stored_offsets : dict of name -> tuple
        For arrays of points: what the raw file had more, see ``Dataset.stored_offset``.
    shared : dict of name -> array
        Arrays of the dataset as a whole, not one row a sample, such as ``scan/vertices``.
    findings : tuple of Finding
    """

    columns: dict[str, dict[str, NDArray]] = field(default_factory=dict)
    stored_offsets: dict[str, tuple[float, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    shared: dict[str, NDArray] = field(default_factory=dict)


def read_fit(fields: Mapping[str, NDArray], where: str) -> Fit:
    """The fit in a 300W-LP or AFLW2000-3D .mat file.

    The files mix dtypes (float32, float64, uint8): everything is cast before arithmetic.

    Raises
    ------
    BenchError
        ``wrong-shape`` or ``not-finite``, naming the file and the field.
    """
    return Fit(
        numbers(fields, "Pose_Para", (7,), where),
        numbers(fields, "Shape_Para", (N_IDENTITY,), where),
        numbers(fields, "Exp_Para", EXPRESSION_SIZES, where),
    )


def numbers(
    fields: Mapping[str, NDArray], name: str, sizes: tuple[int, ...], where: str
) -> NDArray[np.float64]:
    """Float64 values of one field, checked: as many as one of ``sizes``, all finite."""
    values = np.asarray(fields[name])
    if values.size not in sizes:
        raise BenchError(
            f"field {name} has the wrong shape",
            code="wrong-shape",
            where=where,
            expected=f"{sizes[0]} numbers",
            found=f"{values.shape}",
        )
    flat = values.reshape(-1).astype(np.float64)
    if not np.isfinite(flat).all():
        raise BenchError(
            f"field {name} holds values that are not finite", code="not-finite", where=where
        )
    return flat


def wide_angle_findings(fit: Fit, where: str) -> tuple[Finding, ...]:
    """A warning for a fit whose angles are unwrapped or beyond 90 degrees of yaw; they are kept."""
    pitch, yaw, roll = fit.pose_deg
    if abs(yaw) <= 90 and max(abs(pitch), abs(roll)) <= WIDE_ANGLE_DEG:
        return ()
    message = (
        f"wide or unwrapped angles kept: pitch {pitch:.1f}, yaw {yaw:.1f}, roll {roll:.1f} deg"
    )
    remedy = "Protocols say what they do with yaw beyond 90 (`over_90`)."
    return (Finding("warning", "wide-angle", where, message, remedy),)


def pair_members(names: Iterable[str], *, with_folder: bool = False) -> list[SampleFiles]:
    """Pair images and ``.mat`` files that share folder and stem.

    Parameters
    ----------
    names : iterable of str
        Posix member names.
    with_folder : bool
        Put the last folder into the sample id.

    Returns
    -------
    list of SampleFiles
        Sorted by sample id; a file without its other half is there too, for the audit.

    Raises
    ------
    BenchError
        ``duplicate-id`` when two places hold the same sample.
    """
    found: dict[str, dict[str, str]] = {}
    for name in sorted(names):
        folder, _, file = name.rpartition("/")  # a quarter million names: no path objects
        stem, _, suffix = file.rpartition(".")
        kind = "image" if f".{suffix.lower()}" in IMAGE_SUFFIXES else "annotation"
        if file.startswith(".") or (kind == "annotation" and suffix.lower() != "mat"):
            continue
        sample_id = f"{folder.rpartition('/')[2]}/{stem}" if with_folder else stem
        halves = found.setdefault(sample_id, {})
        if kind in halves:
            raise BenchError(
                f"two files are the {kind} of sample {sample_id}",
                code="duplicate-id",
                found=f"{halves[kind]} and {name}",
                remedy="Name a folder that holds the set once.",
            )
        halves[kind] = name
    return [
        SampleFiles(sample_id, halves.get("annotation", ""), halves.get("image", ""))
        for sample_id, halves in sorted(found.items())
    ]
