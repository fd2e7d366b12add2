"""Where the points of a face lie: the UV layout that a dataset or a face model carries, and its mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.facemodel import FaceModel

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

NAMES = ("landmark_pixels", "vertices", "weights", "covered")


@dataclass(frozen=True)
class FaceLayout:
    """A UV layout and the mesh it is made of.

    Attributes
    ----------
    topology : str
    n_vertices : int
        Of the mesh.
    face_mask : (n, n) bool
        The face; all covered pixels where the layout knows no mask.
    landmark_pixels : (68, 2) int32
        Row, column.
    vertices : (n, n, 3) int32
        Three vertices for each pixel.
    weights : (n, n, 3) float
    """

    topology: str
    n_vertices: int
    face_mask: NDArray[np.bool_]
    landmark_pixels: NDArray[np.int32]
    vertices: NDArray[np.int32]
    weights: NDArray[np.floating]


def layout_of(dataset: Dataset, model: FaceModel | None) -> FaceLayout:
    """The layout of a dataset, or of the face model that stands in for it.

    Raises
    ------
    BenchError
        ``face-model-needed``, ``wrong-face-model``.
    """
    if model is not None:
        _check_model(model, dataset)
        uv, operator = model.uv_layout, model.uv_layout.operator
        mask = operator.covered if uv.face_mask is None else uv.face_mask
        mesh = (operator.vertices, operator.weights)
        return FaceLayout(model.topology, model.n_vertices, mask, uv.landmark_pixels, *mesh)
    lacking = [name for name in NAMES if f"uv/{name}" not in dataset.names]
    if lacking or "topology" not in dataset.attributes:
        raise model_needed(dataset, f"this dataset holds no uv/{(lacking or NAMES)[0]}")
    masked = "face_mask" if "uv/face_mask" in dataset.names else "covered"
    about = dataset.attributes
    arrays = [dataset.read(f"uv/{name}") for name in (masked, *NAMES[:3])]
    return FaceLayout(str(about["topology"]), int(about["mesh_vertices"]), *arrays)


def model_needed(dataset: Dataset, what: str, *, build: bool = True) -> BenchError:
    """The error for a dense score of a dataset that lacks what the face model would bring.

    ``build`` says that a dataset built with the model would not lack it.
    """
    remedy = "Give --face-model FM.h5 (for a dataset of 3DDFA fits)"
    return BenchError(
        what,
        code="face-model-needed",
        where=dataset.path,
        remedy=remedy + (", or build the dataset with it." if build else "."),
    )


def _check_model(model: FaceModel, dataset: Dataset) -> None:
    if dataset.attributes.get("face_model_id") not in (None, model.model_id):
        raise BenchError(
            "the dataset was built with another face model",
            code="wrong-face-model",
            where=dataset.path,
            expected=str(dataset.attributes.get("face_model")),
            found=model.name,
            remedy="Give the face model that the dataset names (prn-bench info), or none.",
        )
