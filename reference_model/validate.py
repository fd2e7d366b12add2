"""How a training does on the photographs that it does not see: NME, and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench import gallery, geometry
from prn_bench.dataset import Dataset
from prn_bench.metrics import nme_68
from prn_bench.outfile import atomic_path
from reference_model.data import BLOCK, Faces
from reference_model.inference import predict_maps
from reference_model.network import PRN

SHEET_SAMPLES = 12


def validate(
    network: PRN, dataset: Dataset, rows: NDArray[np.intp], faces: Faces, sheet: Path
) -> dict[str, float]:
    """NME of the held-out samples, and a picture of the first of them.

    Parameters
    ----------
    network : PRN
        Left in evaluation mode.
    dataset : Dataset
    rows : (n,) int
        At least one.
    faces : Faces
        These rows, decoded.
    sheet : path
        PNG to write: crops with the landmarks of both sides.

    Returns
    -------
    dict
        ``validation_nme_2d`` and ``validation_nme_3d`` in per cent of the box, as
        :func:`prn_bench.metrics.nme_68`: mean over images.
    """
    network.eval()
    at = (slice(None), slice(None), *dataset.read("uv/landmark_pixels").T)
    sides = []
    for start in range(0, len(rows), BLOCK):
        images = faces.images[start : start + BLOCK].permute(0, 2, 3, 1).cpu().numpy()
        predicted = predict_maps(network, images, images.shape[1])
        reference = dataset.position_maps(rows[start : start + BLOCK])
        sides.append([maps[at].swapaxes(1, 2) for maps in (predicted, reference)])
    points, truth = (np.concatenate(side) for side in zip(*sides, strict=True))
    shown = rows[:SHEET_SAMPLES]
    crop = geometry.crop_affine(dataset.read("crop", shown), dataset.read("z_shift", shown))
    in_image = geometry.apply_affine(geometry.invert_affine(crop), points[: len(shown)])
    with atomic_path(sheet) as part:
        gallery.sample_sheet(dataset, shown.tolist(), predicted=in_image).save(part, "PNG")
    return {f"validation_nme_{d}d": float(nme_68(points, truth, dims=d).mean()) for d in (2, 3)}
