"""What a dense score was measured against, as one digest.

The points themselves are not hashed: in two layouts of one dataset they differ by the rounding of a
map. They follow from the dataset's fingerprint, the face model and the points that count.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from prn_bench.evaluate.case import Case


def digest_of(case: Case, keep: NDArray[np.bool_] | None = None) -> str:
    """Sha256 (hex) of the dataset's content, the points that count and the user's inputs."""
    about, model = case.dataset.attributes, case.inputs.model
    model_id = about.get("face_model_id") if model is None else model.model_id
    digest = hashlib.sha256(f"{about.get('fingerprint')}\n{model_id}\n".encode())
    if keep is not None:
        digest.update(np.packbits(keep).tobytes())
        digest.update(str(len(keep)).encode())
    if case.inputs.landmark_map is not None:
        digest.update(case.inputs.landmark_map.sha256.encode())
    return digest.hexdigest()
