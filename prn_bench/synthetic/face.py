"""The embedded synthetic face model: a 3D morphable model made by code, free of any licence.

It has everything that a scanned model has (bases, UV layout, regions, landmarks, colours), so that
the whole toolkit runs, and is tested, without a download. It is nobody's face and fits no statistics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel, UVLayout, landmark_basis_of, region_weights
from prn_bench.synthetic import face_albedo, face_expression, face_identity
from prn_bench.synthetic.face_grid import grid_triangles, uv_coordinates
from prn_bench.synthetic.face_landmarks import landmark_vertices, regions
from prn_bench.synthetic.face_surface import mean_surface
from prn_bench.uvmap import UV_SIZE_PX, build_operator, uv_to_pixel

UM_PER_MM = 1000.0
CLIP_SIGMAS = 2.5


def synthetic_face_model() -> FaceModel:
    """Build the face model; the same every time.

    Returns
    -------
    FaceModel
        Units micrometres, about 150 mm wide; 40 identity components (orthonormal, coefficients in
        um), 10 expressions (coefficients of about -3 to 3; see ``face_expression.NAMES``).
    """
    mean = mean_surface()
    triangles, masks = grid_triangles(), regions(mean)
    landmarks = landmark_vertices(mean)
    identity, identity_sigma = face_identity.identity_basis(mean)
    expression, expression_sigma = face_expression.expression_basis(mean)
    mean_um = (mean * UM_PER_MM).astype(np.float32)
    return FaceModel(
        name="synthetic-face",
        topology=f"synthetic-{len(mean)}",
        units="um",
        licence="MIT",
        citation="prn_bench",
        mean=mean_um,
        identity_basis=identity,
        expression_basis=expression,
        triangles=triangles,
        uv_triangles=triangles.copy(),
        landmark_vertices=landmarks,
        landmark_basis=landmark_basis_of(mean_um, identity, expression, landmarks),
        uv_layout=_uv_layout(triangles, masks, landmarks),
        regions=masks,
        albedo=face_albedo.paint(mean, face_albedo.Look()),
        identity_sigma=identity_sigma,
        expression_sigma=expression_sigma,
    )


def vary_albedo(rng: np.random.Generator, model: FaceModel | None = None) -> NDArray[np.uint8]:
    """(v, 3) uint8 colours of another person; without the synthetic model it is built first."""
    model = model or synthetic_face_model()
    mean = model.mean.astype(np.float64) / UM_PER_MM
    return face_albedo.paint(mean, face_albedo.random_look(rng))


def sample_identity(
    rng: np.random.Generator, n: int, model: FaceModel | None = None
) -> NDArray[np.float64]:
    """(n, 40) identity coefficients of random people, within 2.5 standard deviations.

    Without the synthetic model it is built first, to know its standard deviations.
    """
    sigma = (model or synthetic_face_model()).identity_sigma
    if sigma is None:
        raise ValueError("the face model does not say how far its identities spread")
    return _normal(rng, n, sigma)


def sample_expression(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """(n, 10) expression coefficients; expressions that cannot run backwards stay positive."""
    sigma = np.array([sigma for sigma, _ in face_expression.NAMES.values()])
    values = _normal(rng, n, sigma)
    one_way = np.array([not both for _, both in face_expression.NAMES.values()])
    return np.where(one_way, np.abs(values), values)


def _normal(rng: np.random.Generator, n: int, sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(rng.normal(size=(n, len(sigma))), -CLIP_SIGMAS, CLIP_SIGMAS) * sigma


def _uv_layout(
    triangles: NDArray[np.int32], masks: dict[str, NDArray[np.bool_]], landmarks: NDArray[np.int32]
) -> UVLayout:
    operator = build_operator(uv_coordinates(), triangles)
    pixels = np.rint(uv_to_pixel(operator.uv[landmarks])).astype(np.int32)[:, ::-1].copy()
    main = np.take_along_axis(operator.vertices, operator.weights.argmax(-1)[..., None], -1)[..., 0]
    face_mask = masks["face"][main] & operator.covered
    features = masks["eyes"] | masks["nose"] | masks["mouth"]
    weights = region_weights(operator, pixels, face_mask, features)
    return UVLayout(f"synthetic-{UV_SIZE_PX}", operator, pixels, face_mask, weights)
