"""Looking at many meshes at once, against one at a time in float64."""

import numpy as np
import pytest

from prn_bench import geometry
from prn_bench.facemodel import mesh


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


@pytest.fixture
def exact(face_model, batch):
    """The same meshes, (7, v, 3), one at a time in float64."""
    return np.array([slow(face_model, *row) for row in zip(*batch, strict=True)])


def slow(model, identity, expression, affine):
    """One face, in float64."""
    shape = model.mean + model.identity_basis.astype(float) @ identity
    shape = shape + model.expression_basis.astype(float) @ expression
    return geometry.apply_affine(affine, shape)


def test_the_rearmost_vertex(face_model, batch, exact, monkeypatch):
    """To float32, whatever the number of shapes in one product; its z is exact."""
    for group in (64, 1, 2):
        monkeypatch.setattr(mesh, "GROUP_SHAPES", group)
        found = mesh.meshes(face_model, *batch, with_maps=False)
        depth = exact[np.arange(7), found.rearmost, 2]
        np.testing.assert_allclose(depth, exact[..., 2].min(1), atol=2e-3)
        z = mesh.vertex_z(face_model, *batch, found.rearmost)
        np.testing.assert_allclose(z, depth, rtol=0, atol=1e-9)
        assert found.maps is None


def test_z_does_not_hang_on_the_batch(face_model, batch):
    """Bit for bit the same, alone or among others: it enters digests."""
    vertices = np.arange(7) * 2000
    together = mesh.vertex_z(face_model, *batch, vertices)
    for face in range(7):
        own = (values[face : face + 1] for values in (*batch, vertices))
        assert mesh.vertex_z(face_model, *own)[0] == together[face]


def test_reach_holds_the_mesh_and_extremes_touch_it(face_model, batch, exact):
    """The bounds lie outside; the extremes are those of the vertices."""
    found = mesh.meshes(face_model, *batch, with_maps=False)
    low, high = mesh.reach(found.box, batch[2])
    assert (low <= exact.min(1) + 2e-3).all()
    assert (high >= exact.max(1) - 2e-3).all()
    low, high = mesh.extremes(face_model, *batch)
    np.testing.assert_allclose(low, exact.min(1), atol=2e-3)
    np.testing.assert_allclose(high, exact.max(1), atol=2e-3)


def test_maps_are_those_of_the_moved_vertices(face_model, batch, exact):
    """A map of the shape, moved, is the map of the moved shape."""
    operator = face_model.uv_layout.operator
    found = mesh.meshes(face_model, *batch, with_maps=True)
    assert len(found.maps) == len(np.unique(batch[0], axis=0))
    for face in range(7):
        moved = mesh.moved_map(found.maps[found.shape[face]], batch[2][face])
        slow_map = np.einsum("hwk,hwkd->dhw", operator.weights, exact[face][operator.vertices])
        np.testing.assert_allclose(moved, slow_map, atol=2e-3)
