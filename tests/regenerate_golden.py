"""Write the golden figures anew: run it on purpose, and say in the changelog which scores changed.

``python -m tests.regenerate_golden`` from the root of the repository.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prn_bench.evaluate import score
from tests.fakes import face_world, sparse_protocols

GOLDEN = Path(__file__).parent / "golden" / "scores.json"


def golden() -> dict[str, Any]:
    """Every published protocol on the small world in memory, which holds no licensed data."""
    dataset, predictions = face_world()
    return {p.id: score(predictions, dataset, p).summary.as_dict() for p in sparse_protocols()}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n")
