"""Index maps between meshes, from the files that users have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.evaluate.mesh_reader import mesh_reader
from prn_bench.topology import identity_map, load_index_map, topology_of

SUBSET = np.array([4, 0, 2])  # predicted vertex i is reference vertex SUBSET[i], of 6


def test_numbers_of_vertices() -> None:
    """Published meshes are known by their size."""
    assert topology_of(43867) == "prnet-43867"
    assert topology_of(1234) == "unordered"


@pytest.mark.parametrize("suffix", [".npy", ".txt", ".npz"])
def test_a_subset(tmp_path: Path, suffix: str) -> None:
    """A list shorter than the reference names each predicted vertex's place."""
    path = tmp_path / f"map{suffix}"
    if suffix == ".npy":
        np.save(path, SUBSET)
    elif suffix == ".npz":
        np.savez(path, indices=SUBSET)
    else:
        np.savetxt(path, SUBSET, fmt="%d")
    chart = load_index_map(path, "part-3", 6)
    assert chart.vertices[:, 0].tolist() == [1, -1, 2, -1, 0, -1]
    assert chart.covered.tolist() == [True, False, True, False, True, False]
    assert chart.n_predicted == 3


def test_a_superset(tmp_path: Path) -> None:
    """A list as long as the reference names, for each of its vertices, the predicted one."""
    path = tmp_path / "trim.npy"
    np.save(path, np.array([9, 1, 5]))
    chart = load_index_map(path, "whole-10", 3)
    assert chart.vertices[:, 0].tolist() == [9, 1, 5]
    assert chart.covered.all()


def test_barycentric_maps(tmp_path: Path) -> None:
    """Three vertices and weights for each reference vertex; -1 is not covered."""
    path = tmp_path / "flame.npz"
    vertices, weights = (
        np.array([[0, 1, 2], [-1, -1, -1]]),
        np.array([[0.5, 0.25, 0.25], [0, 0, 0]]),
    )
    np.savez(path, vertices=vertices, weights=weights)
    chart = load_index_map(path, "flame-4", 2)
    assert chart.covered.tolist() == [True, False]
    reader = mesh_reader(
        np.array([[0, 0, 0], [0, 1, 1]]), np.array([[1.0, 0, 0], [0.5, 0.5, 0]]), chart, 4
    )
    mesh = np.arange(12.0).reshape(1, 4, 3)
    points = reader.points(mesh)
    np.testing.assert_allclose(points[0, :, 0], mesh[0, :3].T @ [0.5, 0.25, 0.25])
    assert np.isnan(points[0, :, 1]).all()


def test_a_vertex_without_weight_need_not_be_there() -> None:
    """Corners of weight 0 do not uncover a point."""
    chart = identity_map("mesh-2", 2)
    gap = type(chart)(
        "m", "f", 2, np.array([[0, 0, 0], [-1, -1, -1]]), np.array([[1.0, 0, 0], [0, 0, 0]]), ""
    )
    corners = np.array([[0, 1, 1], [0, 1, 0]])
    reader = mesh_reader(corners, np.array([[1.0, 0, 0], [0.5, 0.5, 0]]), gap, 2)
    assert reader.covered.tolist() == [True, False]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (np.array([0, 7, 2]), "part-3"),  # beyond the reference
        (np.array([-1, 1, 2]), "part-3"),
        (np.array([0.5, 1, 2]), "part-3"),
        (np.array([0, 1]), "part-3"),  # neither 3 nor 6 of them
        (np.array([], int), "part-3"),
        (np.array([0, 1, 2, 3, 4, 3]), "part-3"),  # as long as the reference, but 3 is too many
    ],
)
def test_bad_indices(tmp_path: Path, values: np.ndarray, name: str) -> None:
    """Lists that cannot be an index map are refused before anything is read by them."""
    path = tmp_path / "map.npy"
    np.save(path, values)
    with pytest.raises(BenchError) as error:
        load_index_map(path, name, 6)
    assert error.value.code == "bad-index-map"


def test_bad_files(tmp_path: Path) -> None:
    """Text, objects, weights that do not sum to 1, a file that is not there."""
    (tmp_path / "a.txt").write_text("one two")
    np.save(tmp_path / "b.npy", np.array([{}], object), allow_pickle=True)
    np.savez(tmp_path / "c.npz", vertices=np.zeros((6, 3), int), weights=np.zeros((6, 3)))
    np.savez(tmp_path / "d.npz", other=np.zeros(3))
    codes = []
    for name in ("a.txt", "b.npy", "c.npz", "d.npz", "e.npy"):
        with pytest.raises(BenchError) as error:
            load_index_map(tmp_path / name, "part-3", 6)
        codes.append(error.value.code)
    assert codes == [
        "bad-index-map",
        "object-array",
        "bad-index-map",
        "bad-index-map",
        "no-such-file",
    ]


def test_a_map_for_another_mesh() -> None:
    """A map must be about as many vertices as the predictions have."""
    with pytest.raises(BenchError) as error:
        mesh_reader(np.zeros((1, 3), int), np.array([[1.0, 0, 0]]), identity_map("mesh-6", 6), 5)
    assert error.value.code == "bad-index-map"


def test_real_noneck_map(real_data: Path) -> None:
    """3DDFA-V2's 38,365 vertices are found in the 53,215."""
    chart = load_index_map(
        real_data / "bfm" / "noneck_indices_38365.npy", "bfm-noneck-38365", 53215
    )
    assert chart.covered.sum() == 38365
    assert chart.n_predicted == 38365


def test_real_trim_index(real_data: Path) -> None:
    """``trimIndex`` takes the 53,490 vertices of the Basel model to the 53,215, 1-based as MATLAB."""
    chart = load_index_map(real_data / "bfm" / "model_info.mat", "bfm-53490", 53215)
    assert chart.covered.all()
    assert 53215 <= chart.vertices.max() < 53490
