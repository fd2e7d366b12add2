"""Which AFLW crops show one photograph, and which show a photograph of AFLW2000-3D.

AFLW holds many photographs more than once, under numbers far apart, also those of AFLW2000-3D: numbers
alone keep no test image out of a training. Crops are compared as 16 x 16 grey thumbnails. Over all pairs
of the 18,649 crops and the 2,000 test crops, 209 test images have a crop with a correlation above 0.95,
but only 3 of their mirror images do, which no copy is: such a pair is a copy. Up to 0.9 some still are.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 16
SAME_PHOTOGRAPH = 0.95
PERHAPS_TEST = 0.90  # rather a crop too few than a test image in the training
FILE = Path(__file__).with_name("copies.toml")


@dataclass(frozen=True)
class Copies:
    """AFLW numbers, as ``copies.toml`` lists them.

    Attributes
    ----------
    of_test : frozenset of int
        Crops that may show a photograph of AFLW2000-3D, or the photograph of such a crop.
    first_of : dict
        Number to the smallest number of the same photograph, for photographs with several crops.
    """

    of_test: frozenset[int]
    first_of: dict[int, int]


@lru_cache(maxsize=1)
def known_copies() -> Copies:
    """What was found in the real set."""
    listed = tomllib.loads(FILE.read_text("utf-8"))
    first_of = {number: min(group) for group in listed["groups"] for number in group}
    return Copies(frozenset(listed["of_test"]), first_of)


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(256,) float32 of length 1 and mean 0, of an (h, w, 3) picture."""
    from PIL import Image

    small = Image.fromarray(pixels).convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    values = np.asarray(small, np.float32).ravel()
    values = values - values.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-6))


def groups(thumbnails: NDArray[np.float32], at_least: float = SAME_PHOTOGRAPH) -> NDArray[np.intp]:
    """(n,) label of each crop's photograph: crops are linked by pairs that correlate so much."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n, found = len(thumbnails), []
    for start in range(0, n, 1024):
        first, second = np.nonzero(thumbnails[start : start + 1024] @ thumbnails.T > at_least)
        found.append(np.stack([first + start, second]))
    rows, columns = np.concatenate(found, 1)
    links = coo_matrix((np.ones(len(rows)), (rows, columns)), (n, n))
    return np.asarray(connected_components(links, directed=False)[1], np.intp)
