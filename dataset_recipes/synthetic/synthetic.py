"""The raw folder of rendered faces: a plan and a face model."""

from __future__ import annotations

from pathlib import Path

from dataset_recipes.synthetic.recipe import MODEL, PLAN
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.file import save_face_model
from prn_bench.synthetic.mark import mark_synthetic

VIEWS = 6  # of one person, where they divide the number of samples


def write(folder: str | Path, model: FaceModel, n_samples: int, *, seed: int = 0) -> None:
    """Write ``synthetic.toml`` and ``face-model.h5``; other seeds give other people.

    Parameters
    ----------
    folder : path
        Made if needed.
    model : FaceModel
        One that knows the spread of its coefficients.
    n_samples : int
        Views of 6 each; where 6 does not divide it, people of one view.
    seed : int
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    mark_synthetic(root, model)
    views = VIEWS if n_samples % VIEWS == 0 else 1
    plan = f"seed = {seed}\npeople = {n_samples // views}\nviews = {views}\n"
    (root / PLAN).write_text(plan, "utf-8")
    save_face_model(model, root / MODEL)
