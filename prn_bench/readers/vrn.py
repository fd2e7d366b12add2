"""VRN: volumes or meshes of a 192 x 192 crop that only its landmarks can place in the image."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats.objfile import read_obj
from prn_bench.predictions import Predictions
from prn_bench.readers.collect import Sample, collect, own_frame, without_degenerate
from prn_bench.readers.files import Folder, sort_folder
from prn_bench.readers.objfolder import dropped_words
from prn_bench.readers.values import Array, landmarks_of, text_table
from prn_bench.topology import UNORDERED

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

SHAPE = (200, 192, 192)  # z, y, x
Z_STEP_PX = 0.5
FACE_PX = 90.0  # square root of the area of the landmark box in VRN's crop
KINDS = {".raw": "volume", ".obj": "obj", ".txt": "landmarks", ".crop": "crop"}


def read_vrn(
    path: Path,
    *,
    frame: str | None,
    dataset: Dataset | None = None,
    level: float = 10.0,
) -> Predictions:
    """Meshes from a folder or zip of VRN's volumes, or of the meshes made from them.

    Parameters
    ----------
    path : Path
        ``NAME.raw`` (200 x 192 x 192 bytes, z, y, x) or ``NAME.obj`` of its raw2obj.py, with colours;
        beside each, ``NAME.txt`` with the 68 points of 2D-FAN from which VRN cut its crop (its run.sh
        leaves them beside the pictures), or ``NAME.crop`` with ``scale left top`` of a crop of your
        own: crop = scale * image - (left, top); ``1 0 0`` leaves the points in it.
    frame : str, optional
        ``image``.
    dataset : Dataset, optional
    level : float
        Of the surface in a volume, between 0 and 255.

    Raises
    ------
    BenchError
        ``crop-needed``, ``wrong-size``, ``broken-reader`` (no scikit-image), and those of
        :func:`prn_bench.readers.files.sort_folder` and of the files.

    Notes
    -----
    Follows process.lua, run.sh and raw2obj.py of VRN: the crop is 192 x 192, scaled by
    90 / sqrt(w h) of the landmark box, from half a box left of and above it; a step of the volume in z
    is half a pixel. Bytes are read as unsigned (raw2obj.py reads 128 and more as negative). A volume
    that never reaches the level is a sample without a prediction.
    """
    path = Path(path)
    frame = own_frame(frame, ("image",), path)
    folder = sort_folder(path, KINDS, dataset, helpers=("landmarks", "crop"))
    dropped: Counter[str] = Counter()
    load = partial(_load, folder=folder, level=level, dropped=dropped)
    notes = [f"surface at level {level:g}, moved from VRN's 192 x 192 crop into the image"]
    late = partial(dropped_words, dropped)
    about = {"frame": frame, "name": "VRN", "topology": UNORDERED}
    return collect(path, folder, load, **about, notes=notes, late_notes=late)


def _load(
    sample_id: str,
    files: dict[str, str],
    *,
    folder: Folder,
    level: float,
    dropped: Counter[str],
) -> Sample:
    data, where = folder.read(files["volume" if "volume" in files else "obj"])
    if "volume" in files:
        surface = _surface(data, level, where)
        if surface is None:
            return {"vertices": None, "triangles": None}
        vertices, triangles = surface
    else:
        mesh = read_obj(data, where)
        vertices, triangles = mesh.vertices, mesh.triangles
    scale, corner = _crop(sample_id, files, folder)
    # Pixels are areas: the first of a picture scaled by s has its centre at (0.5 / s - 0.5).
    vertices = vertices / scale + [*((corner + 0.5) / scale - 0.5), 0.0]
    triangles, dropped[sample_id] = without_degenerate(vertices, triangles)
    return {"vertices": vertices.astype(np.float32), "triangles": triangles}


def _surface(data: bytes, level: float, where: str) -> tuple[Array, NDArray[np.integer]] | None:
    """Vertices in crop pixels and triangles of the surface of a volume; None where it has none."""
    if len(data) != np.prod(SHAPE):
        raise BenchError(
            "this is no volume of VRN",
            code="wrong-size",
            where=where,
            expected=f"{np.prod(SHAPE):,} bytes",
            found=f"{len(data):,} bytes",
            remedy="Copy it again.",
        )
    volume = np.frombuffer(data, np.uint8).reshape(SHAPE)
    if not volume.min() < level < volume.max():
        return None
    try:
        from skimage.measure import marching_cubes
    except ImportError:
        raise BenchError(
            "surfaces of volumes need scikit-image",
            code="broken-reader",
            remedy="pip install 'prn-bench[recon]'",
        ) from None
    places, triangles, _, _ = marching_cubes(volume.astype(np.float32), level)
    return np.asarray(places[:, ::-1] * [1, 1, Z_STEP_PX], np.float64), triangles


def _crop(sample_id: str, files: dict[str, str], folder: Folder) -> tuple[float, Array]:
    """Scale and corner of the crop: crop pixels = scale * image pixels - corner."""
    if "crop" in files:
        data, where = folder.read(files["crop"])
        numbers = text_table(data, where).ravel()
        if numbers.shape != (3,) or not np.isfinite(numbers).all() or numbers[0] <= 0:
            raise BenchError(
                "this is no crop",
                code="wrong-shape",
                where=where,
                expected="three numbers: scale left top",
                found=str(numbers[:5].tolist()),
            )
        return float(numbers[0]), numbers[1:]
    if "landmarks" in files:
        data, where = folder.read(files["landmarks"])
        points = landmarks_of(text_table(data, where), where)
        if points is not None and (np.ptp(points[:, :2], axis=0) > 0).all():
            return crop_of_landmarks(points[:, :2])
    raise BenchError(
        f"where VRN's crop of {sample_id} lies in the picture is not known",
        code="crop-needed",
        where=folder.source.root,
        expected="NAME.txt with the 68 points of 2D-FAN, or NAME.crop with `scale left top`",
        remedy="Add these files; a NAME.crop of `1 0 0` leaves the points in VRN's crop, which is "
        "enough for scores after an alignment with scale.",
    )


def crop_of_landmarks(points: Array) -> tuple[float, Array]:
    """Scale and corner of the crop that VRN's run.sh cuts for (68, 2) landmarks.

    ImageMagick takes a corner between two pixels to the nearest one.
    """
    low, high = points.min(0), points.max(0)
    size = high - low
    scale = FACE_PX / float(np.sqrt(size.prod()))
    return scale, np.ceil((low - size / 2) * scale - 0.5)
