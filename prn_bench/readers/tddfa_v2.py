"""3DDFA-V2: meshes of 38,365 vertices with y up, and arrays with y down."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.formats.objfile import read_obj
from prn_bench.formats.plyfile import read_ply
from prn_bench.predictions import Predictions
from prn_bench.readers.collect import Sample, collect, image_heights, own_frame
from prn_bench.readers.files import Folder, refuse_several, sort_folder
from prn_bench.readers.tddfa import points_of
from prn_bench.readers.values import mesh_of

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

N_VERTICES = 38365
KINDS = {".ply": "ply", "_ply.ply": "ply", ".obj": "obj", "_obj.obj": "obj"}
KINDS |= {".npy": "array", "_lmk.npy": "points_array", ".txt": "points"}


def read_3ddfa_v2(
    path: Path,
    *,
    frame: str | None,
    dataset: Dataset | None = None,
    faces: str = "one",
) -> Predictions:
    """Predictions from a folder or zip of 3DDFA-V2's output.

    Parameters
    ----------
    path : Path
        ``NAME_ply.ply`` or ``NAME_obj.obj`` as its demo writes them (y = height - y, two digits after
        the point: the dataset is needed for the heights), or arrays as in its memory, y down:
        ``NAME.npy`` of 3 x 38,365 or 3 x 68 (points beside a mesh: ``NAME_lmk.npy``), ``NAME.txt`` of
        3 x 68.
    frame : str, optional
        ``image``.
    dataset : Dataset, optional
    faces : str
        Its files hold all faces of a picture: ``one`` refuses several, ``first`` takes the first.

    Raises
    ------
    BenchError
        Those of :func:`prn_bench.readers.files.sort_folder` and of the files; ``dataset-needed``,
        ``several-faces``.

    Notes
    -----
    Follows utils/tddfa_util.py and utils/serialization.py: 0-based, z from the rearmost vertex. Writing
    an ``.obj`` clamps x and y to the picture, which cannot be undone; the ``.ply`` has them whole.
    """
    path = Path(path)
    frame = own_frame(frame, ("image",), path)
    folder = sort_folder(path, KINDS, dataset, numbered=True, faces=faces)
    with_mesh = [f for f in folder.samples.values() if "ply" in f or "obj" in f]
    sizes = image_heights(dataset, path) if with_mesh else {}
    load = partial(_load, folder=folder, sizes=sizes, faces=faces)
    notes = ["coordinates of arrays as written: 0-based pixels of the image, y down"]
    notes += [f"y of {len(with_mesh)} meshes turned: y = height - y"] if with_mesh else []
    topology = f"bfm-noneck-{N_VERTICES}"
    return collect(path, folder, load, frame=frame, name="3DDFA-V2", topology=topology, notes=notes)


def _load(
    sample_id: str,
    files: dict[str, str],
    *,
    folder: Folder,
    sizes: dict[str, tuple[int, int]],
    faces: str,
) -> Sample:
    found: Sample = {}
    if "ply" in files or "obj" in files:
        found["vertices"] = _mesh(files, folder, sizes[sample_id][0], faces)
    return found | points_of(files, folder, faces, N_VERTICES)


def _mesh(
    files: dict[str, str], folder: Folder, height: int, faces: str
) -> NDArray[np.float32] | None:
    """The .ply, whose points outside of the picture are whole, or else the .obj."""
    data, where = folder.read(files["ply" if "ply" in files else "obj"])
    reader = read_ply if "ply" in files else read_obj
    points = reader(data, where).vertices
    n_faces, rest = divmod(len(points), N_VERTICES)
    if n_faces > 1 and rest == 0:
        refuse_several([f"{n_faces} in this file"], faces, where)
        points = points[:N_VERTICES]
    return mesh_of(points * [1, -1, 1] + [0, height, 0], (N_VERTICES,), where)
