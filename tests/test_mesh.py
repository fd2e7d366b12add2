"""Placing many meshes at once, against one at a time in float64."""

import numpy as np
import pytest

from prn_bench import geometry, mesh


@pytest.fixture(params=["one face", "few faces, apart", "all different"])
def batch(face_model, request):
    """Seven fits, of which some share their coefficients, each with its own map."""
    rng = np.random.default_rng(2)
    identity = rng.normal(size=(7, 40)) * face_model.identity_sigma
    expression = rng.normal(size=(7, 10))
    rows = {"one face": [0] * 7, "few faces, apart": [0, 1, 1, 1, 0, 0, 1]}.get(
        request.param, list(range(7))
    )
    affine = np.concatenate([rng.normal(size=(7, 3, 3)) * 1e-3, rng.normal(size=(7, 3, 1))], -1)
    return identity[rows], expression[rows], affine


def slow(model, identity, expression, affine):
    """One face, in float64."""
    shape = model.mean + model.identity_basis.astype(float) @ identity
    shape = shape + model.expression_basis.astype(float) @ expression
    return geometry.apply_affine(affine, shape)


def test_equals_one_at_a_time(face_model, batch):
    """Points and extremes, to float32."""
    placed = mesh.place_vertices(face_model, *batch, keep_points=True)
    for face, row in enumerate(zip(*batch, strict=True)):
        exact = slow(face_model, *row)
        np.testing.assert_allclose(placed.points[:, :, face].T, exact, atol=2e-3)
        np.testing.assert_allclose(placed.low[:, face], exact.min(0), atol=2e-3)
        np.testing.assert_allclose(placed.high[:, face], exact.max(0), atol=2e-3)


def test_blocks_and_points_change_nothing(face_model, batch, monkeypatch):
    """The block size is a matter of speed; the extremes do not need the points."""
    whole = mesh.place_vertices(face_model, *batch, keep_points=True)
    monkeypatch.setattr(mesh, "BLOCK_VERTICES", 777)
    blocks = mesh.place_vertices(face_model, *batch, keep_points=False)
    assert blocks.points is None
    np.testing.assert_allclose(blocks.low, whole.low, atol=1e-4)
    np.testing.assert_allclose(blocks.high, whole.high, atol=1e-4)
