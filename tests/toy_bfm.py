"""Toy Basel Face Models: one small known basis, written in each layout that the readers know.

The mesh is a dome of 22 x 22 vertices; the "whole" model has 16 more, which the trim index drops. All
indices and orders are as in the real files: from 1 in MATLAB, triangles clockwise from outside.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE, N_DROPPED = 22, 16
N = SIDE * SIDE
#: Rows, columns of the grid where a region lies, and how many of its landmarks (in iBUG order).
BLOCKS = {
    "jaw": (16, 2, 5, 18),
    "eyes": (3, 2, 3, 18),
    "nose": (7, 8, 4, 6),
    "mouth": (12, 5, 3, 12),
}


@dataclass(frozen=True)
class Toy:
    """The known model: (v, 3) and (v, 3, k) float32, indices from 0."""

    shape_mean: NDArray[np.float32]
    expression_mean: NDArray[np.float32]
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    triangles: NDArray[np.int32]  # clockwise from outside, as stored
    mouth: NDArray[np.int32]
    landmarks: NDArray[np.int32]
    segments: NDArray[np.uint8]  # (v, 4): nose, eyes, mouth, rest
    uv: NDArray[np.float64]
    trim: NDArray[np.int32]

    @property
    def mean(self) -> NDArray[np.float32]:
        """(v, 3): both means together."""
        return self.shape_mean + self.expression_mean


def block(name: str) -> NDArray[np.int64]:
    """Vertices of a region."""
    row, column, height, width = BLOCKS[name]
    rows, columns = np.mgrid[row : row + height, column : column + width]
    return (rows * SIDE + columns).ravel()


def make_toy(seed: int = 0) -> Toy:
    """Make the known model."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[1 : -1 : SIDE * 1j, -1 : 1 : SIDE * 1j].reshape(2, -1)
    dome = np.stack([x * 7e4, y * 9e4, 9e4 * np.sqrt(2.5 - x**2 - y**2)], 1).astype(np.float32)
    nose, eyes, mouth = block("nose"), block("eyes"), block("mouth")
    segments = np.zeros((N, 4), np.uint8)
    for column, vertices in enumerate((nose, eyes, mouth)):
        segments[vertices, column] = 1
    segments[:, 3] = segments.sum(1) == 0
    parts = ((block("jaw"), 17), (eyes, 10), (nose, 9), (eyes[::-1], 12), (mouth, 20))
    landmarks = np.concatenate([vertices[:count] for vertices, count in parts])
    corner = np.arange(N).reshape(SIDE, SIDE)
    a, b, c, d = (
        corner[i : SIDE - 1 + i, j : SIDE - 1 + j].ravel() for i in (0, 1) for j in (0, 1)
    )
    triangles = np.concatenate(
        [np.stack([a, b, c], 1), np.stack([b, d, c], 1)]
    )  # y is up: clockwise
    is_mouth = np.isin(triangles, mouth[[14, 15, 16, 17, 26, 27, 28, 29]]).all(1)
    return Toy(
        dome,
        draw.normal(0, 500, (N, 3)).astype(np.float32),
        draw.normal(0, 0.02, (N, 3, 4)).astype(np.float32),
        draw.normal(0, 900, (N, 3, 3)).astype(np.float32),
        triangles[~is_mouth].astype(np.int32),
        triangles[is_mouth].astype(np.int32),
        landmarks.astype(np.int32),
        segments,
        np.stack([x * 0.45 + 0.5, y * 0.47 + 0.5], 1),
        np.sort(draw.permutation(N + N_DROPPED)[:N]).astype(np.int32),
    )


def without_offset(toy: Toy) -> Toy:
    """The same with no mean expression, for the layout that has none."""
    return replace(toy, expression_mean=np.zeros_like(toy.expression_mean))


def save_mat(path: Path, variables: dict[str, Any]) -> None:
    """A compressed MATLAB v7 file."""
    from scipy.io import savemat

    savemat(str(path), variables, do_compression=True)


def stacked(rows: NDArray[Any]) -> NDArray[Any]:
    """(v, 3) or (v, 3, k) to the columns of the files, (3 v, k)."""
    return rows.reshape(3 * len(rows), -1)


def write_companions(folder: Path, toy: Toy, **changes: Any) -> None:
    """model_info.mat, BFM_info.mat and BFM_UV.mat; ``changes`` replace fields of the first."""
    whole = np.zeros((len(toy.trim) + N_DROPPED, 4), np.uint8)
    whole[toy.trim] = toy.segments
    info = {
        "tri": (toy.triangles.T + 1).astype(np.uint16),
        "keypoints": (toy.landmarks[None] + 1).astype(np.uint16),
        "trimIndex": (toy.trim[:, None] + 1).astype(np.uint16),
        "segbin": whole,
    }
    save_mat(folder / "model_info.mat", {**info, **changes})
    save_mat(folder / "BFM_info.mat", {"model_info": {"tri_mouth": toy.mouth.T + 1.0}})
    save_mat(folder / "BFM_UV.mat", {"UV": toy.uv})


def write_matlab(folder: Path, toy: Toy) -> None:
    """3DDFA's MATLAB files, in single precision."""
    save_mat(
        folder / "Model_Shape.mat",
        {
            "mu_shape": stacked(toy.shape_mean),
            "w": stacked(toy.identity),
            "sigma": np.arange(4.0)[:, None],
            "tri": toy.triangles.T + 1.0,
            "keypoints": toy.landmarks[None] + 1.0,
        },
    )
    write_expression(folder / "Model_Exp.mat", toy)
    write_companions(folder, toy)


def write_expression(path: Path, toy: Toy) -> None:
    """3DDFA's expressions."""
    sigma = np.arange(3.0)[:, None]
    parts = {"mu_exp": stacked(toy.expression_mean), "w_exp": stacked(toy.expression)}
    save_mat(path, {**parts, "sigma_exp": sigma})


def write_face3d(folder: Path, toy: Toy) -> None:
    """face3d's BFM.mat, in double precision, with its own triangles and landmarks."""
    model = {
        "shapeMU": stacked(toy.shape_mean).astype(np.float64),
        "shapePC": stacked(toy.identity).astype(np.float64),
        "shapeEV": np.arange(4.0)[:, None],
        "texMU": stacked(toy.shape_mean),
        "expMU": stacked(toy.expression_mean).astype(np.float64),
        "expPC": stacked(toy.expression).astype(np.float64),
        "expEV": np.arange(3.0)[:, None],
        "tri": toy.triangles.T + 1.0,
        "tri_mouth": toy.mouth.T + 1.0,
        "kpt_ind": toy.landmarks[None] + 1.0,
    }
    write_companions(folder, toy)
    (folder / "model_info.mat").unlink()
    (folder / "BFM_info.mat").unlink()
    save_mat(folder / "BFM.mat", {"model": model})
    info = {"segbin": toy.segments.T, "trimIndex": toy.trim[:, None] + 1.0}
    save_mat(folder / "BFM_info.mat", {"model_info": info})


def write_npy(folder: Path, toy: Toy) -> None:
    """3DDFA's npy set; keypoints are places of x, y, z counted from 0."""
    places = (3 * toy.landmarks[:, None] + np.arange(3)).ravel().astype(np.int64)
    arrays = {
        "w_shp_sim": stacked(toy.identity),
        "w_exp_sim": stacked(toy.expression),
        "u_shp": stacked(toy.shape_mean),
        "u_exp": stacked(toy.expression_mean),
        "keypoints_sim": places,
    }
    for name, value in arrays.items():
        np.save(folder / f"{name}.npy", value)
    write_companions(folder, toy)


def raw_bfm(toy: Toy) -> dict[str, Any]:
    """Fields of 01_MorphableModel.mat: the toy's vertices among others, triangles of all."""
    n_whole = N + N_DROPPED

    def spread(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        whole = np.full((n_whole, *rows.shape[1:]), 7.0, np.float32)
        whole[toy.trim] = rows
        return stacked(whole)

    dropped = np.setdiff1d(np.arange(n_whole), toy.trim)
    return {
        "shapeMU": spread(toy.shape_mean),
        "shapePC": spread(toy.identity),
        "shapeEV": np.arange(4.0)[:, None],
        "tl": np.concatenate([toy.trim[toy.triangles], dropped[:15].reshape(5, 3)]) + 1.0,
    }


def write_2009(folder: Path, toy: Toy) -> None:
    """BFM 2009 with 3DDFA's expressions; the triangles come from the whole model."""
    save_mat(folder / "01_MorphableModel.mat", raw_bfm(toy))
    write_expression(folder / "Model_Expression.mat", toy)
    write_companions(folder, toy)
    info = {"keypoints": toy.landmarks[None] + 1, "trimIndex": toy.trim[:, None] + 1}
    save_mat(folder / "model_info.mat", {**info, "segbin": toy.segments})


def write_2009_bin(folder: Path, toy: Toy) -> None:
    """BFM 2009 with Exp_Pca.bin, whose mean is not to be used."""
    save_mat(folder / "01_MorphableModel.mat", raw_bfm(toy))
    write_companions(folder, toy)
    components = stacked(toy.expression).T.astype("<f4")
    mean = np.full(3 * N, 123.0, "<f4")
    content = struct.pack("<i", len(components)) + mean.tobytes() + components.tobytes()
    (folder / "Exp_Pca.bin").write_bytes(content)
    np.savetxt(folder / "std_exp.txt", np.arange(3.0))


def write_npz(folder: Path, toy: Toy) -> None:
    """A truncated basis as npz, and a complete one at the landmarks."""
    arrays = {
        "u": toy.mean.ravel(),
        "w_shp": stacked(toy.identity),
        "w_exp": stacked(toy.expression),
    }
    np.savez(folder / "bfm_dense_basis_40_10.npz", **arrays)
    rows = [part[toy.landmarks].astype(np.float64) for part in (toy.identity, toy.expression)]
    w, we = (np.concatenate([part, part[..., :2]], -1).reshape(204, -1) for part in rows)
    mean = toy.mean[toy.landmarks].astype(np.float64).ravel()
    np.savez(folder / "bfm68_basis_199_29.npz", mu=mean, W=w, We=we)
    write_companions(folder, toy)


LAYOUTS = {
    "matlab": write_matlab,
    "face3d": write_face3d,
    "npy": write_npy,
    "2009": write_2009,
    "npz": write_npz,
}
