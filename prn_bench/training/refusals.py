"""What a training cannot begin or go on with, and why."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.dataset import Dataset
from prn_bench.errors import BenchError, first_few
from prn_bench.landmarks import mirror_permutation

#: UV pixels that a landmark may lie beside the mirror image of its partner: each is rounded, and scanned
#: people are not symmetric.
ASYMMETRY_PX = 2


def steps(dataset: Dataset, n_samples: int, batch: int, n_processes: int) -> int:
    """Whole batches in an epoch, each shared evenly by the processes; BenchError ``bad-batch``."""
    if n_samples < batch or batch % n_processes:
        what = "a batch needs at least as many samples, and the same share for every process"
        found = f"{n_samples} samples, {n_processes} processes, batch {batch}"
        remedy = "Choose another one with --set batch=N."
        raise BenchError(what, code="bad-batch", where=dataset.path, found=found, remedy=remedy)
    return n_samples // batch


def require_symmetry(dataset: Dataset) -> None:
    """Raise BenchError ``not-symmetric`` where a reversed position map would be no mirrored face.

    Where a UV layout is symmetric, its landmark pixels mirror onto those of the other side of the face.
    """
    pixels = dataset.read("uv/landmark_pixels").astype(np.int64)  # (68, 2) row, column
    mirrored = pixels[mirror_permutation()]
    mirrored[:, 1] = len(dataset.read("uv/region_weights")) - 1 - mirrored[:, 1]
    apart = np.abs(mirrored - pixels).max()
    if apart > ASYMMETRY_PX:
        raise BenchError(
            "faces of this UV layout cannot be mirrored: it is not symmetric",
            code="not-symmetric",
            where=dataset.path,
            expected=f"landmarks within {ASYMMETRY_PX} UV pixels of their mirror images",
            found=f"{apart} pixels",
            remedy="Train with --set flip=false.",
        )


def require_finite(
    dataset: Dataset, names: NDArray[np.object_], fine: NDArray[np.bool_], step: int
) -> None:
    """Raise BenchError ``not-finite`` for the samples of a batch whose error is not a number.

    ``names`` and ``fine`` are (b,): the ids of the batch, and whether each one's error is a number.
    """
    if fine.all():
        return
    bad = names[~fine].tolist()
    alone = len(bad) < len(names)
    raise BenchError(
        f"the error is not a number: {first_few(bad)}",
        code="not-finite",
        where=dataset.path,
        found=f"{len(bad)} of the {len(names)} samples of a batch, near step {step}",
        remedy="Look at these samples with `prn-bench check`."
        if alone
        else "The training diverged: lower it with --set learning_rate=..., into a new folder.",
    )
