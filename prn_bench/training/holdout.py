"""What a training must not see: whole photographs held out by name, and the test sets of benchmarks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench import gallery, geometry
from prn_bench.dataset import Dataset
from prn_bench.errors import BenchError
from prn_bench.metrics import nme_68
from prn_bench.outfile import atomic_path

TEST_SETS = ("aflw2000-3d", "aflw-lfpa", "florence")
SHEET_SAMPLES = 12


def photograph(sample_id: str, recipe: str) -> str:
    """What the views and the flip of one photograph share.

    300W-LP names a view ``HELEN_Flip/HELEN_1629243_1_3``: folder, photograph, face in it, view; crops of
    AFLW are ``image09928/image14653``, photograph and crop, rendered faces ``person000012/view03``. In
    other datasets every sample is a photograph of its own.
    """
    if recipe in ("aflw-distill", "synthetic"):
        return sample_id.partition("/")[0]
    return sample_id.rpartition("/")[2].rpartition("_")[0] if recipe == "300w-lp" else sample_id


def split(
    dataset: Dataset, validation_share: float, *, allow_test_set: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to train on and rows to validate on, by photograph.

    A photograph is held out where the hash of its name is small, so neither the order nor the size of
    a dataset moves one to the other side.

    Raises
    ------
    BenchError
        ``test-set`` for the test set of a benchmark, ``too-few-samples``.
    """
    recipe = str(dataset.attributes.get("recipe"))
    if recipe in TEST_SETS and not allow_test_set:
        raise BenchError(
            f"{recipe} is the test set of a benchmark: who trains on it has no score",
            code="test-set",
            where=dataset.path,
            expected="a training set, such as 300w-lp",
            remedy="Only to try something out, give --set allow_test_set=true.",
        )
    names = [photograph(str(name), recipe) for name in dataset.sample_ids]
    place = {name: hashlib.sha256(name.encode()).digest() for name in set(names)}
    held = {
        n for n, digest in place.items() if int.from_bytes(digest[:8]) < validation_share * 2**64
    }
    if validation_share and not held and len(place) > 1:  # a small dataset
        held = {min(place, key=place.__getitem__)}
    validation = np.array([name in held for name in names])
    if validation.all():
        what = "no photograph is left to train on"
        found = f"{len(place)} photographs"
        raise BenchError(what, code="too-few-samples", where=dataset.path, found=found)
    return np.flatnonzero(~validation), np.flatnonzero(validation)


def validate(
    dataset: Dataset, rows: NDArray[np.intp], maps: Iterable[NDArray[np.floating]], sheet: Path
) -> dict[str, float]:
    """NME of the samples held out, and a picture of the first of them.

    Parameters
    ----------
    dataset : Dataset
    rows : (n,) int
        At least one.
    maps : iterable of (b, 3, 256, 256) float
        Predicted position maps of these samples, block by block, crop pixels.
    sheet : path
        PNG to write: crops with the landmarks of both sides.

    Returns
    -------
    dict
        ``validation_nme_2d`` and ``validation_nme_3d`` in per cent of the box, as
        :func:`prn_bench.metrics.nme_68`: mean over images.
    """
    row, column = dataset.read("uv/landmark_pixels").T
    points = np.concatenate([block[:, :, row, column].swapaxes(1, 2) for block in maps])
    crop = geometry.crop_affine(dataset.read("crop", rows), dataset.read("z_shift", rows))
    truth = geometry.apply_affine(crop, dataset.read("landmarks", rows).astype(np.float64))
    shown = slice(SHEET_SAMPLES)
    in_image = geometry.apply_affine(geometry.invert_affine(crop[shown]), points[shown])
    with atomic_path(sheet) as part:
        gallery.sample_sheet(dataset, rows[shown].tolist(), predicted=in_image).save(part, "PNG")
    return {f"validation_nme_{d}d": float(nme_68(points, truth, dims=d).mean()) for d in (2, 3)}
