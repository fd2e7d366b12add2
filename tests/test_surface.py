"""Rays and closest points, against slow oracles in plain NumPy."""

import builtins
import sys

import numpy as np
import pytest

from prn_bench import surface
from prn_bench.errors import BenchError
from tests.checking import need_open3d

SQUARE = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]], float)
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


@pytest.fixture(autouse=True)
def _open3d():
    need_open3d()


def random_mesh(rng):
    """Thirty loose triangles far from the origin, as a scan may be."""
    corners = rng.normal(size=(30, 1, 3)) * 50 + rng.normal(size=(30, 3, 3)) * 20
    return corners.reshape(-1, 3) + [500, -300, 900], np.arange(90).reshape(30, 3)


def first_hits(vertices, triangles, origins, directions):
    """Moeller-Trumbore on every pair of ray and triangle."""
    a, b, c = vertices[triangles].swapaxes(0, 1)
    best = np.full(len(origins), np.inf)
    for row, (o, d) in enumerate(zip(origins, directions, strict=True)):
        p = np.cross(d, c - a)
        det = ((b - a) * p).sum(1)
        u = ((o - a) * p).sum(1) / det
        q = np.cross(o - a, b - a)
        v, t = (q @ d) / det, ((c - a) * q).sum(1) / det
        inside = (u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0)
        best[row] = t[inside].min() if inside.any() else np.inf
    return best


def test_a_ray_on_a_square():
    """By hand: from (1.5, 0.5, 3) straight down it meets the first half at 3."""
    hits = surface.cast_rays(SQUARE, HALVES, np.array([[1.5, 0.5, 3]]), np.array([[0, 0, -1.0]]))
    assert hits.distance == pytest.approx([3])
    assert hits.triangle.tolist() == [0]
    np.testing.assert_allclose(hits.barycentric, [[0.25, 0.5, 0.25]], atol=1e-6)


def test_distance_is_in_lengths_of_the_direction():
    """Twice as long a direction, half the distance; both sides of the surface count."""
    start, up = np.array([[1.5, 0.5, -3]]), np.array([[0, 0, 2.0]])
    assert surface.cast_rays(SQUARE, HALVES, start, up).distance == pytest.approx([1.5])


def test_a_miss():
    """Infinite, triangle -1, no weights."""
    hits = surface.cast_rays(SQUARE, HALVES, np.array([[5.0, 5, 3]]), np.array([[0, 0, -1.0]]))
    assert np.isinf(hits.distance).all()
    assert hits.triangle.tolist() == [-1]
    assert not hits.barycentric.any()
    assert not hits.hit.any()


def test_rays_agree_with_a_slow_oracle():
    """Random triangles, random rays; and the weights give the point that was hit."""
    rng = np.random.default_rng(1)
    vertices, triangles = random_mesh(rng)
    origins = vertices.mean(0) + rng.normal(size=(200, 3)) * 150
    directions = vertices[rng.integers(90, size=200)] - origins + rng.normal(size=(200, 3)) * 5
    hits = surface.cast_rays(vertices, triangles, origins, directions)
    expected = first_hits(vertices, triangles, origins, directions)
    assert 50 < hits.hit.sum() < 200
    np.testing.assert_allclose(hits.distance, expected, atol=1e-4)
    points = np.einsum("nk,nkd->nd", hits.barycentric, vertices[triangles[hits.triangle]])
    reached = origins + hits.distance[:, None] * directions
    np.testing.assert_allclose(points[hits.hit], reached[hits.hit], atol=1e-2)


def test_closest_points_by_hand():
    """Above the inside, beside an edge, beyond a corner."""
    query = np.array([[1, 1, 4], [3, 1, 0], [5, 6, 0]], float)
    points, distance = surface.closest_points(query, SQUARE, HALVES)
    np.testing.assert_allclose(points, [[1, 1, 0], [2, 1, 0], [2, 2, 0]], atol=1e-6)
    np.testing.assert_allclose(distance, [4, 1, 5], atol=1e-6)


def test_closest_points_agree_with_dense_sampling():
    """Never farther than the nearest of many points of the surface, and nearly as far."""
    rng = np.random.default_rng(2)
    vertices, triangles = random_mesh(rng)
    weights = rng.dirichlet(np.ones(3), size=3000)
    samples = (weights @ vertices[triangles]).reshape(-1, 3)
    query = vertices.mean(0) + rng.normal(size=(50, 3)) * 60
    _, distance = surface.closest_points(query, vertices, triangles)
    sampled = np.linalg.norm(query[:, None] - samples, axis=-1).min(1)
    assert (distance <= sampled + 1e-3).all()
    assert (sampled - distance).max() < 2.0


@pytest.mark.parametrize(
    ("vertices", "triangles"),
    [
        (SQUARE, np.array([[0, 1, 4]])),
        (SQUARE, np.array([[0, 1, -1]])),
        (SQUARE, np.empty((0, 3), int)),
        (SQUARE * np.nan, HALVES),
        (SQUARE[:, :2], HALVES),
    ],
)
def test_bad_meshes_never_reach_open3d(vertices, triangles):
    """It would read beyond the array."""
    with pytest.raises(ValueError, match=r"must|hold"):
        surface.Scene(vertices, triangles)


def test_triangles_without_area_are_left_out_and_counted():
    """A corner twice, three in a line, a point: the square is the same, and rows are those given."""
    vertices = np.concatenate([SQUARE, [[1, 0, 0]]])
    flat = np.array([[0, 0, 2], [0, 4, 1], [3, 3, 3]])
    scene = surface.Scene(vertices, np.concatenate([flat, HALVES]))
    assert scene.n_degenerate == 3
    assert surface.Scene(SQUARE, HALVES).n_degenerate == 0
    hits = scene.cast(np.array([[1.5, 0.5, 3], [0.5, 1.5, 3]]), np.array([[0, 0, -1.0]] * 2))
    assert hits.triangle.tolist() == [3, 4]
    _, distance = scene.closest(np.array([[1, 1, 4], [3, 1, 0]], float))
    np.testing.assert_allclose(distance, [4, 1], atol=1e-6)


def test_a_mesh_without_a_surface():
    """Nothing but lines and points."""
    with pytest.raises(ValueError, match="no triangle has an area, of 2"):
        surface.Scene(SQUARE, np.array([[0, 0, 1], [2, 2, 2]]))


def test_degenerate_faces_of_a_real_mesh(real_data):
    """VRN's output has some; every vertex of a good face lies on the surface."""
    from prn_bench.formats.objfile import read_obj

    path = real_data / "predictions" / "vrn" / "turing.jpg.obj"
    mesh = read_obj(path.read_bytes(), str(path))
    good = surface.has_area(mesh.vertices, mesh.triangles)
    scene = surface.Scene(mesh.vertices, mesh.triangles)
    assert scene.n_degenerate >= (~good).sum() > 0
    used = mesh.vertices[np.unique(mesh.triangles[good])].astype(float)
    _, distance = scene.closest(used[::50])
    assert np.isfinite(distance).all()
    assert distance.max() < 1e-3


def test_without_open3d_one_message_says_what_to_install(monkeypatch):
    """The extra's name, not a traceback."""
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "open3d":
            raise ImportError("No module named 'open3d'")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "open3d", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(BenchError) as error:
        surface.load()
    assert error.value.code == "open3d-missing"
    assert "pip install 'prn-bench[recon]'" in str(error.value)


def test_libusb_comes_from_the_package_where_the_system_has_none(monkeypatch):
    """The system's is tried first, then the package's, made visible to all libraries."""
    import ctypes

    pytest.importorskip("libusb_package")
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux wheels need it")
    loaded = []

    def load(name, mode=ctypes.DEFAULT_MODE):
        loaded.append((name, mode))
        if name == "libusb-1.0.so.0":
            raise OSError("not found")

    monkeypatch.setattr(ctypes, "CDLL", load)
    surface._provide_libusb()
    assert loaded[0][0] == "libusb-1.0.so.0"
    assert "libusb" in loaded[1][0]
    assert loaded[1][1] == ctypes.RTLD_GLOBAL
