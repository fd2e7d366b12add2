"""What a dataset file says of itself, and what all its samples share."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from prn_bench import uvmap
from prn_bench.dataset import derive
from prn_bench.facemodel import FaceModel
from prn_bench.recipes.rawsample import COEFFICIENTS, MAPS, BuildTask
from prn_bench.recipes.rawsource import RawSource
from prn_bench.synthetic.mark import SYNTHETIC_MARK

# Measured on 300W-LP, bytes a sample: a JPEG or PNG crop, a packed position map, and the rest.
JPEG_BYTES, PNG_BYTES, MAP_BYTES, ROW_BYTES = 32_000, 140_000, 240_000, 3_000
SAFETY = 1.1


def attributes_of(
    source: RawSource, model: FaceModel | None, task: BuildTask, limit: int | None
) -> dict[str, Any]:
    """Root attributes: where the data come from, under which terms, and how they were built."""
    from prn_bench import __version__

    card = task.recipe.card
    is_real = SYNTHETIC_MARK not in source.names
    attributes: dict[str, Any] = {
        "recipe": card.name,
        "recipe_version": card.version,
        "recipe_variant": task.recipe.variant,
        "title": card.title,
        "licence": card.licence,
        "citation": card.citation,
        "created_with": f"prn-bench {__version__}",
        "origin": "real" if is_real else "synthetic",
        "published": (card.published or None) if is_real else None,
        "layout": task.layout if model else "landmarks",
        "image_format": ("png" if task.lossless else "jpeg") if task.with_images else None,
        "limit": limit,
    }
    if model is not None:
        attributes |= {
            "uv_layout": model.uv_layout.name,
            "face_model": model.name,
            "face_model_id": model.model_id,
            "face_model_licence": model.licence,
            "topology": model.topology,
            "mesh_vertices": model.n_vertices,
            "basis_components": "{}+{}".format(*model.n_components),
        }
    return attributes


def shared_arrays(model: FaceModel | None, layout: str) -> dict[str, NDArray]:
    """The UV layout, and in the coefficient layout the bases that maps and landmarks come from."""
    if model is None:
        return {}
    uv, basis = model.uv_layout, model.landmark_basis
    arrays: dict[str, NDArray | None] = {
        "uv/landmark_pixels": uv.landmark_pixels,
        "uv/landmark_vertices": model.landmark_vertices,
        "uv/covered": uv.operator.covered,
        "uv/vertices": uv.operator.vertices,  # with the weights, meshes are read at the map's pixels
        "uv/weights": uv.operator.weights.astype("float32"),
        "uv/face_mask": uv.face_mask,
        "uv/region_weights": uv.region_weights,
        "uv/triangles": uvmap.grid_triangles(
            uv.operator.covered if uv.face_mask is None else uv.face_mask
        ),
    }
    if layout == COEFFICIENTS:
        arrays |= derive.uv_basis(model)
        arrays |= {
            "landmark_basis/mean": basis.mean,
            "landmark_basis/identity": basis.identity,
            "landmark_basis/expression": basis.expression,
        }
    return {name: values for name, values in arrays.items() if values is not None}


def estimate_bytes(task: BuildTask, n_samples: int, model: FaceModel | None) -> int:
    """Disk that a build needs at its peak: the file, and as much again for its finished batches."""
    a_sample = ROW_BYTES
    if task.with_images:
        a_sample += PNG_BYTES if task.lossless else JPEG_BYTES
    if model is not None and task.layout == MAPS:
        a_sample += MAP_BYTES
    shared = 0
    if model is not None and task.layout == COEFFICIENTS:
        shared = (sum(model.n_components) + 1) * 12 * model.uv_layout.operator.size_px**2
    return int(SAFETY * (2 * n_samples * a_sample + shared))
