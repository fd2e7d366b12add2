"""The file of a face model (``prn-bench/face-model``, HDF5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from prn_bench import store
from prn_bench.errors import BenchError
from prn_bench.facemodel import DENSE, OPTIONAL, FaceModel, LandmarkBasis, UVLayout
from prn_bench.uvmap import UVOperator

FORMAT, FORMAT_VERSION = "prn-bench/face-model", 1
TEXTS = ("name", "topology", "units", "licence", "citation")


def save_face_model(model: FaceModel, path: str | Path) -> None:
    """Write a face-model file; it appears under its name only when whole."""
    attributes = {key: getattr(model, key) for key in TEXTS}
    attributes |= {"uv_layout": model.uv_layout.name, "model_id": model.model_id}
    store.write_tree(path, FORMAT, FORMAT_VERSION, model.arrays(), attributes)


def load_face_model(path: str | Path) -> FaceModel:
    """Read a face-model file.

    Raises
    ------
    BenchError
        ``not-a-face-model`` when it is another kind of file, ``face-model-damaged`` when its content
        no longer has the digest it was written with.
    """
    arrays, attributes = store.read_tree(path, FORMAT, FORMAT_VERSION)
    try:
        model = _from_arrays(arrays, attributes)
    except (KeyError, ValueError, TypeError) as error:
        raise BenchError(
            f"the face model lacks or garbles {error}",
            code="face-model-damaged",
            where=path,
            remedy="Make it again with `prn-bench face-model`.",
        ) from None
    if model.model_id != attributes["model_id"]:
        raise BenchError(
            "the face model's content does not have the digest it was written with",
            code="face-model-damaged",
            where=path,
            remedy="Make it again with `prn-bench face-model`.",
        )
    return model


def _from_arrays(arrays: dict[str, NDArray], attributes: dict[str, Any]) -> FaceModel:
    operator = UVOperator(
        arrays["uv/vertices"],
        arrays["uv/weights"],
        arrays["uv/covered"],
        len(arrays["mean"]),
        arrays["uv/coordinates"],
    )
    layout = UVLayout(
        attributes["uv_layout"],
        operator,
        arrays["uv/landmark_pixels"],
        arrays.get("uv/face_mask"),
        arrays.get("uv/region_weights"),
    )
    basis = LandmarkBasis(
        *(arrays[f"landmark/{key}"] for key in ("mean", "identity", "expression"))
    )
    regions = {key[7:]: arrays[key] for key in arrays if key.startswith("region/")}
    texts: dict[str, Any] = {key: attributes[key] for key in TEXTS}
    wrong = [
        key for key in (*TEXTS, "uv_layout", "model_id") if not isinstance(attributes[key], str)
    ]
    if wrong:
        raise TypeError(f"the attribute {wrong[0]}")
    parts: dict[str, Any] = {key: arrays[key] for key in DENSE}
    parts |= {key: arrays.get(key) for key in OPTIONAL}
    return FaceModel(
        **texts,
        **parts,
        landmark_vertices=arrays["landmark/vertices"],
        landmark_basis=basis,
        uv_layout=layout,
        regions=regions,
    )
