"""PRNet's own output: meshes, landmarks, pose and position maps, as its ``demo.py`` writes them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats.npyfile import read_npy
from prn_bench.formats.objfile import read_obj
from prn_bench.predictions import Predictions
from prn_bench.readers.collect import Sample, collect, image_heights, own_frame
from prn_bench.readers.files import Folder, sort_folder
from prn_bench.readers.posmap import map_of
from prn_bench.readers.values import Array, finite_or_none, landmarks_of, mat_array, mesh_of
from prn_bench.readers.values import text_table as table

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

N_VERTICES = 43867
KINDS = {"_mesh.mat": "mesh", ".obj": "obj", "_kpt.txt": "kpt", "_pose.txt": "pose", ".npy": "map"}
RESIZED_PX = 256  # side of what the network sees
CROP_HEIGHT_PX = 256


def read_prnet(
    path: Path,
    *,
    frame: str | None,
    dataset: Dataset | None = None,
    whole_image: bool = False,
) -> Predictions:
    """Predictions from a folder or zip of PRNet's output files.

    Parameters
    ----------
    path : Path
        ``NAME_mesh.mat`` (or ``NAME.obj``, where there is no ``.mat``) with 43,867 vertices,
        ``NAME_kpt.txt``, ``NAME_pose.txt``, ``NAME.npy`` (256, 256, 3): whichever are there. In the
        ``.obj`` y points up, y = h - 1 - y; it needs the dataset for h.
    frame : str, optional
        ``image`` (default); ``crop`` when PRNet was run on the dataset's own 256 x 256 crops.
    dataset : Dataset, optional
    whole_image : bool
        The pictures were given without a detector (``--isDlib False``): PRNet then shrinks square
        ones to 256 x 256 and leaves its results there, but turns y of the ``.obj`` with the
        original height. Needs the dataset.

    Raises
    ------
    BenchError
        Those of :func:`prn_bench.readers.files.sort_folder` and of the files;
        ``dataset-needed``, ``frame-conflict``.

    Notes
    -----
    Coordinates follow PRNet's demo.py and api.py: 0-based pixels, y down, z in pixels from the rearmost
    point. ``NAME_pose.txt`` holds yaw, pitch and roll in radians of ``Rz(roll) Ry(-yaw) Rx(pitch)`` with
    y down (utils/estimate_pose.py); they are turned into the angles of the 3DDFA fits.
    """
    path = Path(path)
    frame = own_frame(frame, ("image", "crop"), path)
    folder = sort_folder(path, KINDS, dataset)
    sizes = {}
    from_obj = [f for f in folder.samples.values() if "obj" in f and "mesh" not in f]
    if whole_image or (from_obj and frame == "image"):
        sizes = image_heights(dataset, path)
    load = partial(_load, folder=folder, sizes=sizes, whole_image=whole_image)
    notes = ["coordinates as PRNet writes them: 0-based pixels, y down"]
    notes += [f"y of {len(from_obj)} .obj files turned: y = h - 1 - y"] if from_obj else []
    notes += ["results of square pictures scaled from 256 x 256"] if whole_image else []
    has_mesh = any({"mesh", "obj"} & set(files) for files in folder.samples.values())
    topology = f"prnet-{N_VERTICES}" if has_mesh else None
    return collect(path, folder, load, frame=frame, name="PRNet", topology=topology, notes=notes)


def _load(
    sample_id: str,
    files: dict[str, str],
    *,
    folder: Folder,
    sizes: dict[str, tuple[int, int]],
    whole_image: bool,
) -> Sample:
    found: Sample = {}
    if "kpt" in files:
        data, where = folder.read(files["kpt"])
        found["landmarks"] = landmarks_of(table(data, where), where)
    if "mesh" in files or "obj" in files:
        height = sizes[sample_id][0] if sizes else CROP_HEIGHT_PX
        found["vertices"] = _vertices(files, folder, height)
    if "map" in files:
        data, where = folder.read(files["map"])
        found["position_map"] = map_of(read_npy(data, where), where, scale=None)
    if whole_image and len(set(sizes[sample_id])) == 1:  # others it does not shrink
        scale = sizes[sample_id][0] / RESIZED_PX
        for name, points in found.items():
            if points is not None:
                found[name] = _enlarged(points, scale, axis=0 if name == "position_map" else -1)
    if "pose" in files:
        data, where = folder.read(files["pose"])
        angles = finite_or_none(table(data, where).ravel(), where)
        found["pose_deg"] = None if angles is None else pose_of(angles, where)
    return found


def _vertices(files: dict[str, str], folder: Folder, height: int) -> NDArray[np.float32] | None:
    if "mesh" in files:
        data, where = folder.read(files["mesh"])
        return mesh_of(mat_array(data, where, "vertices"), (N_VERTICES,), where)
    data, where = folder.read(files["obj"])
    points = read_obj(data, where).vertices
    return mesh_of(points * [1, -1, 1] + [0, height - 1, 0], (N_VERTICES,), where)


def _enlarged(points: NDArray[np.floating], scale: float, *, axis: int) -> NDArray[np.floating]:
    """Points of the shrunk picture in pixels of the original: its pixels are areas, not dots."""
    last = np.moveaxis(points * scale, axis, -1)
    last[..., :2] += (scale - 1) / 2
    return np.moveaxis(last, -1, axis).astype(points.dtype)


def pose_of(angles: Array, where: str) -> Array:
    """Pitch, yaw and roll in degrees, of the 3DDFA fits, from PRNet's three numbers.

    Parameters
    ----------
    angles : (3,) float
        Yaw, pitch and roll in radians: ``R = Rz(roll) Ry(-yaw) Rx(pitch)`` with y down.

    Raises
    ------
    BenchError
        ``wrong-shape``.
    """
    if angles.shape != (3,):
        raise BenchError(
            "the file does not hold three angles",
            code="wrong-shape",
            where=where,
            expected="yaw, pitch and roll in radians",
            found=f"{angles.size} numbers",
        )
    yaw, pitch, roll = angles
    (cx, cy, cz), (sx, sy, sz) = (f(np.array([pitch, -yaw, roll])) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    turn = about_z @ about_y @ about_x
    turn = turn * np.outer([1, -1, 1], [1, -1, 1])  # y up on both sides, as in the 3DDFA fits
    pitch, roll = np.arctan2(turn[1, 2], turn[2, 2]), np.arctan2(turn[0, 1], turn[0, 0])
    return np.degrees([pitch, -np.arcsin(np.clip(turn[0, 2], -1, 1)), roll])
