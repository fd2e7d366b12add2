"""face-alignment (2D-FAN and 3D-FAN): 68 points of each face, saved by the user."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.predictions import Predictions
from prn_bench.readers.collect import Sample, collect, own_frame
from prn_bench.readers.files import Folder, sort_folder
from prn_bench.readers.tddfa import first_face
from prn_bench.readers.values import N_LANDMARKS, faces_of, landmarks_of, text_table

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

KINDS = {".npy": "array", ".txt": "text", ".csv": "text"}


def read_fan(
    path: Path,
    *,
    frame: str | None,
    dataset: Dataset | None = None,
    faces: str = "one",
) -> Predictions:
    """Landmarks from a folder or zip with a file for each picture.

    Parameters
    ----------
    path : Path
        ``NAME.npy`` of (68, 2|3), or (k, 68, 2|3) for k faces; ``NAME.txt`` or ``.csv`` of 68 lines
        (68 k for k faces). ``get_landmarks_from_directory`` returns a dict: save each of its values.
    frame : str, optional
        ``image`` (default); ``crop`` when it was run on the dataset's own crops.
    dataset : Dataset, optional
    faces : str
        ``one``: several faces of a picture are refused; ``first``: the first is taken.

    Raises
    ------
    BenchError
        Those of :func:`prn_bench.readers.files.sort_folder` and of the files; ``several-faces``.

    Notes
    -----
    Points are 0-based pixels, y down, on a grid of quarter heatmap cells (utils.py of face-alignment);
    z is in the same unit and has no fixed origin.
    """
    path = Path(path)
    frame = own_frame(frame, ("image", "crop"), path)
    folder = sort_folder(path, KINDS, dataset)
    load = partial(_load, folder=folder, faces=faces)
    notes = ["coordinates as written: 0-based pixels, y down"]
    return collect(path, folder, load, frame=frame, name="3D-FAN", notes=notes)


def _load(sample_id: str, files: dict[str, str], *, folder: Folder, faces: str) -> Sample:
    part = "array" if "array" in files else "text"
    data, where = folder.read(files[part])
    if part == "array":
        found = faces_of(data, where)
    else:
        table = text_table(data, where)
        n_faces, rest = divmod(len(table), N_LANDMARKS)
        several = n_faces > 1 and rest == 0
        found = [*table.reshape(n_faces, N_LANDMARKS, -1)] if several else [table]
    face = first_face(found, faces, where)
    return {"landmarks": None if face is None else landmarks_of(face, where)}
