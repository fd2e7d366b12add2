"""The mark of raw data that were made by code: datasets built from them say so, for ever."""

from __future__ import annotations

from pathlib import Path

from prn_bench.facemodel import FaceModel
from prn_bench.recipes.rawsource import RawSource

SYNTHETIC_MARK = "SYNTHETIC.txt"
_MODEL = "Face model: "


def mark_synthetic(folder: Path, model: FaceModel | None = None) -> None:
    """Write the mark into a raw folder, with the id of the face model that its fits belong to."""
    text = "Made by prn-bench. These faces belong to nobody.\n"
    if model is not None:
        text += f"{_MODEL}{model.model_id}\n"
    (folder / SYNTHETIC_MARK).write_text(text, "utf-8")


def marked_model(source: RawSource) -> str | None:
    """Id of the face model that synthetic raw data were made with; None for real data."""
    if SYNTHETIC_MARK not in source.names:
        return None
    lines = source.read(SYNTHETIC_MARK).decode("utf-8", "replace").splitlines()
    return next((line.removeprefix(_MODEL) for line in lines if line.startswith(_MODEL)), None)
