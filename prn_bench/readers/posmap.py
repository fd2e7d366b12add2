"""Position maps as arrays: SADRNet's, and those of other networks that follow PRNet."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, first_few
from prn_bench.formats.npyfile import read_npy
from prn_bench.predictions import Predictions
from prn_bench.readers.collect import Sample, collect, own_frame
from prn_bench.readers.files import Folder, sort_folder
from prn_bench.readers.values import finite_or_none
from prn_bench.recipes.rawsource import open_raw

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

KINDS = {".npy": "map"}
PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
FRACTION_MAX = 2.0  # networks put out maps between about -0.1 and 1.1
SCALES = "280 (SADRNet), 281.6 (PRNet, 256 x 1.1), 255 or 256; 1 where they are pixels already"


def read_sadrnet(
    path: Path,
    *,
    frame: str | None,
    dataset: Dataset | None = None,
    scale: float | None = None,
) -> Predictions:
    """Position maps of SADRNet, in pixels of its 256 x 256 crop.

    Parameters
    ----------
    path : Path
        Folder or zip of ``NAME.npy``: ``face_uvm``, (256, 256, 3) or (3, 256, 256), as its predictor
        returns it (times 280), or as the network does (then with ``scale=280``).
    frame : str, optional
        ``crop``.
    dataset : Dataset, optional
    scale : float, optional
        Factor to pixels; needed when the values are fractions.

    Raises
    ------
    BenchError
        As :func:`read_position_maps`.
    """
    path = Path(path)
    return _read(path, own_frame(frame, ("crop",), path), dataset, scale, name="SADRNet")


def read_position_maps(
    path: Path,
    *,
    frame: str | None,
    dataset: Dataset | None = None,
    scale: float | None = None,
) -> Predictions:
    """Position maps of any network in PRNet's UV layout.

    Parameters
    ----------
    path : Path
        Folder or zip of ``NAME.npy``, (256, 256, 3) or (3, 256, 256).
    frame : str
        ``crop`` or ``image``.
    dataset : Dataset, optional
    scale : float, optional
        Factor to pixels; needed when the values are fractions.

    Raises
    ------
    BenchError
        ``frame-needed``, ``scale-needed``, ``scale-conflict``, ``eight-bit-map``, ``wrong-shape``,
        and those of :func:`prn_bench.readers.files.sort_folder` and of the files.
    """
    path = Path(path)
    if frame is None:
        raise BenchError(
            "position maps do not say in which frame their pixels are",
            code="frame-needed",
            where=path,
            remedy="Add --frame crop (what networks put out) or --frame image.",
        )
    return _read(path, frame, dataset, scale, name=path.stem)


def _read(
    path: Path, frame: str, dataset: Dataset | None, scale: float | None, *, name: str
) -> Predictions:
    _refuse_pictures(path)
    folder = sort_folder(path, KINDS, dataset)
    notes = ["positions as written" if scale in (None, 1) else f"positions times {scale:g}"]
    load = partial(_load, folder=folder, scale=scale)
    return collect(path, folder, load, frame=frame, name=name, notes=notes)


def _load(sample_id: str, files: dict[str, str], *, folder: Folder, scale: float | None) -> Sample:
    data, where = folder.read(files["map"])
    return {"position_map": map_of(read_npy(data, where), where, scale=scale)}


def map_of(values: NDArray, where: str, *, scale: float | None) -> NDArray[np.float32] | None:
    """(3, 256, 256) float32 pixels from a map with its channels first or last.

    Parameters
    ----------
    values : array
    where : str
    scale : float, optional
        Factor to pixels; without it the values must be pixels already.

    Returns
    -------
    array, or None where the method gave nothing (all NaN)

    Raises
    ------
    BenchError
        ``eight-bit-map``, ``wrong-type``, ``wrong-shape``, ``not-finite``, ``scale-needed``,
        ``scale-conflict``.
    """
    if values.ndim == 4 and len(values) == 1:
        values = values[0]
    if values.shape == (256, 256, 3):
        values = values.transpose(2, 0, 1)
    if values.shape != (3, 256, 256) or values.dtype.kind not in "fiu":
        raise BenchError(
            "this is no position map",
            code="wrong-shape",
            where=where,
            expected="(256, 256, 3) or (3, 256, 256) real numbers",
            found=f"{values.shape} of {values.dtype}",
            remedy="Save the network's own output with np.save.",
        )
    if values.dtype.itemsize == 1:
        raise _eight_bit(where, f"an array of {values.dtype}")
    known = finite_or_none(values.astype(np.float64), where)
    if known is None:
        return None
    largest = float(np.abs(known).max())
    if scale is None and largest <= FRACTION_MAX:
        raise BenchError(
            "the positions are fractions, and their unit is not known",
            code="scale-needed",
            where=where,
            expected="pixels",
            found=f"values up to {largest:.3g}",
            remedy=f"Add --option scale=S; networks use S = {SCALES}.",
        )
    if scale not in (None, 1) and largest > FRACTION_MAX:
        raise BenchError(
            "the positions are pixels already, and a scale is given",
            code="scale-conflict",
            where=where,
            expected=f"values within {FRACTION_MAX:g}, to be multiplied by {scale:g}",
            found=f"values up to {largest:.4g}",
            remedy="Leave the option scale out.",
        )
    return np.asarray(known * (scale or 1), np.float32)


def _refuse_pictures(path: Path) -> None:
    """Maps that went through a picture file are named before anything else is said about the folder."""
    names = open_raw(path).names
    pictures = [name for name in names if name.lower().endswith(PICTURES)]
    if pictures and not any(name.lower().endswith(".npy") for name in names):
        raise _eight_bit(path, first_few(pictures))


def _eight_bit(where: str | Path, found: str) -> BenchError:
    return BenchError(
        "position maps in 8 bits: positions below 0 and above 255 are lost, the others blurred",
        code="eight-bit-map",
        where=where,
        expected=".npy files of float32",
        found=found,
        remedy="Save the network's own output with np.save, never as a picture.",
    )
