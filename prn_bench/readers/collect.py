"""From sorted files to predictions: one sample in memory at a time, whatever the number of files."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, first_few
from prn_bench.predictions import Predictions, open_predictions
from prn_bench.predictions.rows import StoredRows
from prn_bench.predictions.writer import writing_predictions
from prn_bench.readers.files import Folder

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

Sample = dict[str, Any]  # arrays as PredictionsWriter.add takes them; None: nothing found
Load = Callable[[str, dict[str, str]], Sample]


def own_frame(given: str | None, own: Sequence[str], path: Path) -> str:
    """The frame of a method: its own one (the first), or another that it may be run in.

    Raises
    ------
    BenchError
        ``frame-conflict``.
    """
    if given is None or given in own:
        return given or own[0]
    raise BenchError(
        "this method writes in another frame",
        code="frame-conflict",
        where=path,
        expected=" or ".join(own),
        found=repr(given),
        remedy="Leave --frame out.",
    )


def image_heights(dataset: Dataset | None, path: Path) -> dict[str, tuple[int, int]]:
    """Height and width of the picture of each sample, to undo y axes that point up.

    Raises
    ------
    BenchError
        ``dataset-needed``.
    """
    if dataset is None:
        raise BenchError(
            "y points up in these files, and without the pictures' heights that cannot be undone",
            code="dataset-needed",
            where=path,
            remedy="Name the dataset with --dataset D.h5.",
        )
    sizes = dataset.read("image_size").tolist()
    return {str(name): tuple(size) for name, size in zip(dataset.sample_ids, sizes, strict=True)}


def collect(
    path: Path,
    folder: Folder,
    load: Load,
    *,
    frame: str,
    name: str,
    topology: str | None = None,
    notes: Sequence[str] = (),
    late_notes: Callable[[], Sequence[str]] = tuple,
) -> Predictions:
    """Read all samples of a folder into a temporary file, and open it.

    Parameters
    ----------
    path : Path
        What the user named.
    folder : Folder
    load : callable
        ``load(sample_id, files)`` gives the arrays of one sample.
    frame, topology
        Of the predictions.
    name : str
        Of the method.
    notes : sequence of str
        What the reader did to the coordinates.
    late_notes : callable
        Gives what is known only when all files are read.

    Returns
    -------
    Predictions
        Their dense arrays lie in the temporary file, which goes when they do.
    """
    place = Path(tempfile.mkdtemp(prefix="prn-bench-"))
    counts: Counter[str] = Counter()
    empty: list[str] = []
    try:
        spool = place / "predictions.h5"
        with writing_predictions(spool, frame=frame, method=name, topology=topology) as writer:
            for sample_id, files in folder.samples.items():
                counts.update(list(files))
                given = load(sample_id, files)
                if all(value is None for value in given.values()):
                    empty.append(sample_id)
                writer.add(sample_id, **given)
            writer.note(*notes, *late_notes(), _count_words(counts), *folder.notes)
            if empty:
                words = f"{len(empty)} samples without a prediction: {first_few(empty)}"
                writer.note(words)
        found = open_predictions(spool)
    except BenchError as error:
        shutil.rmtree(place, ignore_errors=True)
        raise _from_folder(error, spool, path) from None
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    _remove_with(found, place)
    return replace(found, path=path)


def _from_folder(error: BenchError, spool: Path, path: Path) -> BenchError:
    """The same error, about what the user named and not about our temporary file."""
    where = None if error.where is None else str(error.where).replace(str(spool), str(path))
    return BenchError(
        error.what,
        code=error.code,
        where=where,
        expected=error.expected,
        found=error.found,
        remedy=error.remedy,
    )


def _count_words(counts: Counter[str]) -> str:
    return "read " + ", ".join(f"{n} {part}" for part, n in sorted(counts.items()))


def _remove_with(found: Predictions, place: Path) -> None:
    """Remove the temporary folder when the last array in it is gone."""
    lazy = [values for values in found.arrays.values() if isinstance(values, StoredRows)]
    if lazy:
        weakref.finalize(lazy[0].source, shutil.rmtree, place, ignore_errors=True)
    else:
        shutil.rmtree(place, ignore_errors=True)


def without_unknown(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Without vertices that are not finite, which no triangle may use; the others numbered anew."""
    known = np.isfinite(vertices).all(1)
    number = np.cumsum(known) - 1
    return vertices[known], number[triangles].astype(np.int32)


def without_degenerate(
    vertices: NDArray[np.floating], triangles: NDArray[np.integer]
) -> tuple[NDArray[np.integer], int]:
    """Triangles with an area, and how many had none."""
    a, b, c = (np.asarray(vertices, np.float64)[triangles[:, i]] for i in range(3))
    good = np.cross(b - a, c - a).any(1)
    return triangles[good], int((~good).sum())
