"""Images of a dataset decoded in blocks, by all cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from prn_bench.dataset import Dataset


def decoded(
    dataset: Dataset, rows: NDArray[np.intp], block: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Place of the first row in ``rows``, and (b, 256, 256, 3) uint8 images, of each block of them.

    Raises BenchError as :meth:`prn_bench.dataset.Dataset.image`.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(rows), block):
            yield start, np.stack([*pool.map(dataset.image, rows[start : start + block].tolist())])
