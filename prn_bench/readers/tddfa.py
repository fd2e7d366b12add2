"""3DDFA and what was built on its code, 2DASL and SynergyNet: 53,215 vertices and 68 points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats.objfile import read_obj
from prn_bench.formats.plyfile import read_ply
from prn_bench.predictions import Predictions
from prn_bench.readers.collect import Sample, collect, own_frame
from prn_bench.readers.files import Folder, refuse_several, sort_folder
from prn_bench.readers.values import (
    N_LANDMARKS,
    Array,
    faces_of,
    landmarks_of,
    mat_array,
    mesh_of,
    text_table,
)

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

N_VERTICES = 53215
TOPOLOGY = f"bfm-{N_VERTICES}"
CROP_SIDE_PX = 120  # of what the network sees
BOX = {".roibox": "box"}
MAT_KINDS = {".mat": "mat", ".ply": "ply", ".obj": "obj", ".txt": "points"}
AS_WRITTEN = "coordinates taken as written: pixels of the image, y down"
MOVED = "moved by the crop pixel that 1-based crops are off (from NAME.roibox)"


def read_3ddfa(
    path: Path,
    *,
    frame: str | None,
    dataset: Dataset | None = None,
    one_based: bool = False,
    faces: str = "one",
) -> Predictions:
    """Predictions from a folder or zip of 3DDFA's output files.

    Parameters
    ----------
    path : Path
        ``NAME_0.mat`` (``vertex``, 3 x 53,215), ``.ply`` or ``.obj``, and ``.txt`` (3 x 68): whichever
        are there; ``NAME.mat`` too.
    frame : str, optional
        ``image``.
    dataset : Dataset, optional
    one_based : bool
        3DDFA counts the pixels of its 120 x 120 crop from 1 and leaves it at that, so that all points
        lie a crop pixel (about 2 image pixels) to the right and below. Published scores carry this
        offset, and so do the predictions unless this is set; it needs ``NAME.roibox``.
    faces : str
        ``one``: several faces of a picture (``NAME_0``, ``NAME_1``) are refused; ``first``.

    Raises
    ------
    BenchError
        Those of :func:`prn_bench.readers.files.sort_folder` and of the files; ``box-needed``.

    Notes
    -----
    Follows main.py and utils/inference.py of 3DDFA: y = 121 - y in the crop, scaled and moved by the
    box; z is scaled and never moved.
    """
    kinds = {**MAT_KINDS, **BOX}
    return _read(path, kinds, frame, dataset, name="3DDFA", one_based=one_based, faces=faces)


def read_2dasl(
    path: Path, *, frame: str | None, dataset: Dataset | None = None, faces: str = "one"
) -> Predictions:
    """Predictions from a folder or zip of 2DASL's ``vertex`` files, as :func:`read_3ddfa`.

    Their y points down, in pixels of the image. The files of its other folder,
    ``AFLW-2000-3D_vertex``, are in a 120-pixel crop with y up, and no box is stored: they cannot be
    placed.
    """
    return _read(path, {**MAT_KINDS}, frame, dataset, name="2DASL", one_based=False, faces=faces)


def read_synergynet(
    path: Path,
    *,
    frame: str | None,
    dataset: Dataset | None = None,
    one_based: bool = False,
    faces: str = "one",
) -> Predictions:
    """Predictions from arrays that SynergyNet returns.

    Parameters
    ----------
    path : Path
        Folder or zip of ``NAME.npy``, ``.txt`` or ``.mat`` (``vertex``): 3 x 53,215 vertices or 3 x 68
        points, or several of one size stacked. Its own scripts write pictures only; save what
        ``get_all_outputs`` returns, the points as ``NAME_lmk.npy`` beside the mesh ``NAME.npy``.
    frame, dataset, one_based, faces
        As for :func:`read_3ddfa`: it has the same 1-based crop (y = 121 - y).
    """
    kinds = {**MAT_KINDS, **BOX, ".npy": "array", "_lmk.npy": "points_array"}
    return _read(path, kinds, frame, dataset, name="SynergyNet", one_based=one_based, faces=faces)


def _read(
    path: Path,
    kinds: Mapping[str, str],
    frame: str | None,
    dataset: Dataset | None,
    *,
    name: str,
    one_based: bool,
    faces: str,
) -> Predictions:
    path = Path(path)
    frame = own_frame(frame, ("image",), path)
    folder = sort_folder(path, kinds, dataset, numbered=True, faces=faces, helpers=("box",))
    load = partial(_load, folder=folder, one_based=one_based, faces=faces)
    return collect(
        path,
        folder,
        load,
        frame=frame,
        name=name,
        topology=TOPOLOGY,
        notes=[AS_WRITTEN, *([MOVED] if one_based else [])],
    )


def _load(
    sample_id: str, files: dict[str, str], *, folder: Folder, one_based: bool, faces: str
) -> Sample:
    found: Sample = {}
    for part in ("obj", "ply", "mat"):  # the last is the most exact
        if part in files:
            data, where = folder.read(files[part])
            found["vertices"] = mesh_of(_vertices(part, data, where), (N_VERTICES,), where)
    found |= points_of(files, folder, faces)
    if one_based:
        shift = _crop_pixel(sample_id, files, folder)
        found = {
            name: None if points is None else points - shift[: points.shape[1]]
            for name, points in found.items()
        }
    return found


def points_of(
    files: dict[str, str], folder: Folder, faces: str, n_vertices: int = N_VERTICES
) -> Sample:
    """What a sample's text and array files hold: landmarks, vertices."""
    found: Sample = {}
    if "points" in files:
        data, where = folder.read(files["points"])
        found["landmarks"] = landmarks_of(text_table(data, where), where)
    for part in ("points_array", "array"):
        if part in files:
            data, where = folder.read(files[part])
            face = first_face(faces_of(data, where), faces, where)
            found |= {} if face is None else array_part(face, where, n_vertices)
    return found


def _vertices(part: str, data: bytes, where: str) -> NDArray:
    if part == "mat":
        return mat_array(data, where, "vertex")
    return read_ply(data, where).vertices if part == "ply" else read_obj(data, where).vertices


def first_face(found: list[NDArray], faces: str, where: str) -> NDArray | None:
    """The face of a file that may hold several, or none.

    Raises
    ------
    BenchError
        ``several-faces``.
    """
    refuse_several([f"{len(found)} in this file"] if len(found) > 1 else [], faces, where)
    return found[0] if found else None


def array_part(values: NDArray, where: str, n_vertices: int = N_VERTICES) -> Sample:
    """Landmarks or vertices, told apart by their number."""
    if N_LANDMARKS in values.shape:
        return {"landmarks": landmarks_of(values, where)}
    return {"vertices": mesh_of(values, (n_vertices,), where)}


def _crop_pixel(sample_id: str, files: dict[str, str], folder: Folder) -> Array:
    """A pixel of the network's crop in pixels of the image, for x and y; z was not moved."""
    if "box" not in files:
        raise BenchError(
            f"the size of the crop of {sample_id} is not known",
            code="box-needed",
            where=folder.source.root,
            expected="NAME.roibox, which 3DDFA writes with --dump_roi_box true",
            remedy="Add these files, or leave the option one_based out.",
        )
    data, where = folder.read(files["box"])
    box = text_table(data, where).ravel()
    if len(box) < 4 or not (np.isfinite(box[:4]).all() and (box[2:4] > box[:2]).all()):
        raise BenchError(
            "this is no crop box",
            code="wrong-shape",
            where=where,
            expected="left, top, right, bottom",
            found=str(box[:5].tolist()),
        )
    return np.array([*(box[2:4] - box[:2]) / CROP_SIDE_PX, 0.0])
