"""Nearest points by tree and by brute force with PyTorch, against all pairs in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from prn_bench import nearest_gpu
from prn_bench.alignment import Similarity
from prn_bench.errors import BenchError
from prn_bench.geometry import rotation_matrix
from prn_bench.icp import IcpRule, icp
from prn_bench.nearest import nearest, tree_of
from prn_bench.nearest_gpu import TorchPoints

Array = NDArray[np.float64]


def all_pairs(query: Array, points: Array) -> Array:
    """(n, m) distances, the slow way."""
    return np.linalg.norm(query[:, None] - points, axis=-1)


def searcher(kind: str, points: Array) -> Any:
    """A tree, or PyTorch on the processor."""
    if kind == "tree":
        return tree_of(points)
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'prn-bench[train]'")
    return TorchPoints(points, "cpu")


@pytest.mark.parametrize("kind", ["tree", "torch"])
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e4]))
@settings(max_examples=20, deadline=None)
def test_nearest_points_are_the_nearest_of_all(kind: str, seed: int, away: float) -> None:
    """Far from the origin too, where float32 alone would miss them."""
    rng = np.random.default_rng(seed)
    query, points = rng.normal(away, 50, (40, 3)), rng.normal(away, 50, (60, 3))
    index, distance = nearest(query, searcher(kind, points))
    expected = all_pairs(query, points)
    np.testing.assert_allclose(distance, expected.min(1), rtol=1e-12)
    np.testing.assert_array_equal(index, expected.argmin(1))


@pytest.mark.parametrize("kind", ["tree", "torch"])
def test_the_nearest_few_in_order(kind: str) -> None:
    """Distances rise, and each is that of its row; one row a query, also for one query."""
    rng = np.random.default_rng(2)
    query, points = rng.normal(0, 9, (30, 3)), rng.normal(0, 9, (50, 3))
    distance, index = searcher(kind, points).query(query, k=5)
    expected = np.sort(all_pairs(query, points), 1)[:, :5]
    np.testing.assert_allclose(distance, expected, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(query[:, None] - points[index], axis=2), expected)
    assert searcher(kind, points).query(query[:1], k=1)[0].shape == (1,)


def test_tiles_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few queries at a time give what all at once give, and none gives none."""
    rng = np.random.default_rng(3)
    query, points = rng.normal(0, 9, (101, 3)), rng.normal(0, 9, (70, 3))
    whole = nearest(query, searcher("torch", points))
    monkeypatch.setattr(nearest_gpu, "TILE_VALUES", 7 * 70)
    for found, expected in zip(nearest(query, searcher("torch", points)), whole, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [len(part) for part in nearest(query[:0], searcher("torch", points))] == [0, 0]


def test_points_that_float32_cannot_tell_apart() -> None:
    """Differences of a hundred-thousandth at a distance of a hundred: measured again, they count."""
    points = np.array([[100.0, 0, 0], [100 - 1e-5, 0, 0], [100 + 1e-5, 0, 0], [-100.0, 0, 0]])
    index, distance = nearest(np.array([[0.0, 0, 0]]), searcher("torch", points))
    assert index.tolist() == [1]
    assert distance[0] == pytest.approx(100 - 1e-5, abs=1e-9)


@pytest.mark.parametrize("search", ["predicted-to-reference", "reference-to-predicted"])
def test_icp_with_torch_is_icp_with_a_tree(search: Any) -> None:
    """The same motion, the same number of steps."""
    searcher("torch", np.zeros((1, 3)))
    rng = np.random.default_rng(4)
    reference = rng.normal(0, 40, (600, 3)) * [1, 1, 0.2]
    turn = Similarity(1.0, rotation_matrix(0.05, -0.03, 0.02), np.array([2.0, -1.0, 3.0]))
    predicted = turn.apply(reference[:500]) + rng.normal(0, 1, (500, 3))
    rule = IcpRule(search=search)
    one, other = icp(predicted, reference, rule), icp(predicted, reference, rule, device="cpu")
    assert one.iterations == other.iterations
    np.testing.assert_allclose(
        one.motion.apply(predicted), other.motion.apply(predicted), atol=1e-9
    )


@pytest.mark.parametrize(
    "points", [np.zeros((0, 3)), np.zeros((4, 2)), np.array([[0.0, np.inf, 0.0]])]
)
@pytest.mark.parametrize("kind", ["tree", "torch"])
def test_clouds_that_cannot_be_searched(kind: str, points: Array) -> None:
    """Empty, flat and infinite ones are refused in words, by both."""
    with pytest.raises(ValueError, match=r"cloud.*(at least one|finite)"):
        searcher(kind, points)


@pytest.mark.gpu
def test_a_gpu_finds_what_the_tree_finds() -> None:
    """On the accelerator, where there is one."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no accelerator")
    rng = np.random.default_rng(5)
    query, points = rng.normal(0, 50, (5000, 3)), rng.normal(0, 50, (7000, 3))
    index, distance = nearest(query, TorchPoints(points, "cuda"))
    expected_index, expected = nearest(query, points)
    np.testing.assert_allclose(distance, expected, rtol=1e-9)
    assert (index == expected_index).mean() > 0.999


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """One message, also from a score, which takes the device from the environment."""
    pytest.importorskip("torch")
    from prn_bench.evaluate.aligned import DEVICE_VARIABLE, icp_device

    assert icp_device() is None
    monkeypatch.setenv(DEVICE_VARIABLE, "no-such")
    with pytest.raises(BenchError) as error:
        TorchPoints(np.eye(3), str(icp_device()))
    assert error.value.code == "no-such-device"
