"""A folder of .obj meshes of any method."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prn_bench.errors import BenchError, first_few
from prn_bench.formats.objfile import read_obj
from prn_bench.predictions import Predictions
from prn_bench.readers.collect import (
    Sample,
    collect,
    image_heights,
    without_degenerate,
    without_unknown,
)
from prn_bench.readers.files import Folder, bad_choice, sort_folder
from prn_bench.topology import TOPOLOGIES, UNORDERED

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

KINDS = {".obj": "obj"}
CROP_HEIGHT_PX = 256
FLAT = "triangles without an area"
BAD = "vertices that are not finite and triangles of vertices that are not there"


def read_obj_folder(
    path: Path,
    *,
    frame: str | None,
    dataset: Dataset | None = None,
    topology: str | None = None,
    y_up: bool = False,
    drop_bad: bool = False,
) -> Predictions:
    """Meshes from a folder or zip of ``NAME.obj``.

    Parameters
    ----------
    path : Path
    frame : str
        ``image`` or ``crop``: 0-based pixels.
    dataset : Dataset, optional
    topology : str, optional
        Which mesh it is, such as ``bfm-53215``; ``unordered`` keeps the triangles, and lets every
        sample have its own number of vertices. Without it the first file decides by its number of
        vertices, where that is one of a known mesh.
    y_up : bool
        y points up, y = h - 1 - y; in the image frame that needs the dataset.
    drop_bad : bool
        Of unordered meshes, leave out and count triangles that name a vertex which is not there, and
        vertices that are not finite, where otherwise the file is refused: most often it was cut.

    Raises
    ------
    BenchError
        ``bad-option``, ``frame-needed``, ``dataset-needed``, ``wrong-topology``, and those of
        :func:`prn_bench.readers.files.sort_folder` and :func:`prn_bench.formats.objfile.read_obj`.

    Notes
    -----
    Triangles without an area are dropped and counted: marching cubes and merged vertices leave
    thousands of them, and they break normals and distances to the surface.
    """
    path = Path(path)
    if frame is None:
        raise BenchError(
            "an .obj does not say in which frame its points are",
            code="frame-needed",
            where=path,
            remedy="Add --frame image (pixels of the original image) or --frame crop.",
        )
    if drop_bad and topology not in (None, UNORDERED):
        raise bad_choice(
            "drop_bad", f"true, with topology={topology}", ["false", "true, unordered"]
        )
    folder = sort_folder(path, KINDS, dataset)
    topology = UNORDERED if drop_bad else topology
    sizes = image_heights(dataset, path) if y_up and frame == "image" else {}
    if topology is None:
        data, where = folder.read(next(iter(folder.samples.values()))["obj"])
        topology = TOPOLOGIES.get(len(read_obj(data, where).vertices), UNORDERED)
    notes = [f"topology {topology}"] + (["y turned: y = h - 1 - y"] if y_up else [])
    dropped: Counter[str] = Counter()
    bad: Counter[str] | None = Counter() if drop_bad else None
    keep = dropped if topology == UNORDERED else None
    load = partial(_load, folder=folder, sizes=sizes, dropped=keep, bad=bad, y_up=y_up)

    def late() -> list[str]:
        return dropped_words(dropped) + dropped_words(bad or Counter(), BAD)

    about = {"frame": frame, "name": path.stem, "topology": topology}
    return collect(path, folder, load, **about, notes=notes, late_notes=late)


def _load(
    sample_id: str,
    files: dict[str, str],
    *,
    folder: Folder,
    sizes: dict[str, tuple[int, int]],
    dropped: Counter[str] | None,
    bad: Counter[str] | None,
    y_up: bool,
) -> Sample:
    data, where = folder.read(files["obj"])
    mesh = read_obj(data, where, drop_bad=bad is not None)
    vertices, triangles = mesh.vertices, mesh.triangles
    if bad is not None:
        vertices, triangles = without_unknown(vertices, triangles)
        bad[sample_id] = mesh.n_dropped + len(mesh.vertices) - len(vertices)
    if y_up:
        height = sizes[sample_id][0] if sizes else CROP_HEIGHT_PX
        vertices = vertices * [1, -1, 1] + [0, height - 1, 0]
    found: Sample = {"vertices": vertices.astype(np.float32)}
    if dropped is not None:
        found["triangles"], dropped[sample_id] = without_degenerate(vertices, triangles)
    return found


def dropped_words(dropped: Counter[str], what: str = FLAT) -> list[str]:
    """A note on what was dropped, by sample: triangles without an area, or others."""
    names = [name for name, count in dropped.items() if count]
    words = f"{dropped.total()} {what} dropped, in {len(names)} samples: {first_few(names)}"
    return [words] if names else []
