"""The real Basel Face Model files: counts, and agreement with what others computed from them."""

import os
from pathlib import Path

import numpy as np
import pytest

from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.bfm import read_face_model
from prn_bench.formats.matfile import read_mat
from prn_bench.geometry import apply_affine, pose_affine
from prn_bench.uvmap import uv_to_pixel

REAL = os.environ.get("PRN_BENCH_REAL_DATA")
needs_real = pytest.mark.skipif(REAL is None, reason="PRN_BENCH_REAL_DATA is not set")


@pytest.fixture(scope="module")
def real() -> FaceModel:
    """The real 53,215-vertex model with the truncated dense basis."""
    return read_face_model(f"{REAL}/bfm")


@needs_real
def test_real_counts(real: FaceModel) -> None:
    """Vertices, triangles, components, face pixels and loss weights of the real model."""
    assert real.topology == "bfm-53215"
    assert real.mean.shape == (53215, 3)
    assert real.triangles.shape == (105840, 3)
    assert real.uv_triangles.shape == (105840 + 114, 3)
    assert real.n_components == (40, 10)
    assert real.landmark_basis.identity.shape == (68, 3, 199)
    assert real.landmark_basis.expression.shape == (68, 3, 29)
    layout = real.uv_layout
    indices = np.loadtxt(f"{REAL}/bfm/face_ind.txt").astype(int)
    assert np.array_equal(np.flatnonzero(layout.face_mask), np.sort(indices))
    values, counts = np.unique(layout.region_weights, return_counts=True)
    assert values.tolist() == [0, 3, 4, 16]
    assert counts[0] == 256 * 256 - 43867 == 21669
    assert counts[3] == 68
    sizes = {name: int(real.regions[name].sum()) for name in ("nose", "eyes", "mouth")}
    assert sizes == {"nose": 2245, "eyes": 7182, "mouth": 2460}


@needs_real
def test_real_landmark_pixels_are_rounded_uv(real: FaceModel) -> None:
    """PRNet's 68 pixels are the landmark vertices' UV points, rounded, and all different."""
    points = uv_to_pixel(real.uv_layout.operator.uv)[real.landmark_vertices]
    assert np.array_equal(real.uv_layout.landmark_pixels, np.rint(points[:, ::-1]))
    assert len({tuple(pixel) for pixel in real.uv_layout.landmark_pixels}) == 68


@needs_real
def test_real_operator_agrees_with_an_independent_one(real: FaceModel) -> None:
    """On the 43,867 face pixels: the same triangles, and the same UV point to 1e-6 px."""
    folder = Path(str(REAL)) / "bfm"
    pixels = np.loadtxt(folder / "face_ind.txt").astype(int)
    triangles = np.loadtxt(folder / "uv_face_ind_to_org_triangles.txt").astype(int)
    weights = np.loadtxt(folder / "uv_face_ind_to_org_triweights.txt")
    operator = real.uv_layout.operator
    own, own_weights = (a.reshape(-1, 3)[pixels] for a in (operator.vertices, operator.weights))
    assert np.array_equal(np.sort(own, 1), np.sort(triangles, 1))
    points = uv_to_pixel(operator.uv)
    ours, theirs = (
        np.einsum("nkd,nk->nd", points[t], w) for t, w in ((own, own_weights), (triangles, weights))
    )
    assert np.abs(ours - theirs).max() < 1e-6
    on_mesh = [
        np.einsum("nkd,nk->nd", real.mean[t].astype(np.float64), w)
        for t, w in ((own, own_weights), (triangles, weights))
    ]
    assert np.abs(on_mesh[0] - on_mesh[1]).max() < 1e-3  # um


def projected(model: FaceModel, path: Path) -> np.ndarray:
    """(68, 3) landmarks of a raw .mat in the image frame, from its coefficients."""
    raw = read_mat(path, str(path), ["Shape_Para", "Exp_Para", "Pose_Para"])
    identity, expression = raw["Shape_Para"].T, raw["Exp_Para"].T
    points = model.landmarks(identity, expression)[0]
    return apply_affine(pose_affine(raw["Pose_Para"][0], 450), points)


@needs_real
def test_real_landmark_basis_reproduces_pt3d_68(real: FaceModel) -> None:
    """On the 60 real images: stored = image + (1, 1, 0), to 1e-3 px."""
    paths = sorted(Path(f"{REAL}/aflw2000_3d/AFLW2000").glob("*.mat"))
    assert len(paths) == 60
    for path in paths:
        stored = read_mat(path, str(path), ["pt3d_68"])["pt3d_68"].T
        assert np.abs(projected(real, path) + np.array([1, 1, 0]) - stored).max() < 1e-3


@needs_real
def test_real_fitted_face_through_the_position_map(real: FaceModel) -> None:
    """A complete real mesh: its landmarks, then the round trip mesh, map, mesh."""
    folder = Path(f"{REAL}/300w_lp")
    path = folder / "fitted_face_HELEN_1629243_1_0.mat"
    fitted = read_mat(path, str(path), ["Fitted_Face"])["Fitted_Face"].T.astype(np.float64)
    image = np.stack([fitted[:, 0] - 1, 450 - fitted[:, 1], fitted[:, 2]], 1)
    expected = projected(real, folder / "300W_LP/HELEN/HELEN_1629243_1_0.mat")
    assert np.abs(image[real.landmark_vertices] - expected).max() < 1e-4
    operator = real.uv_layout.operator
    maps = operator.maps_from_vertices(image.T[:, :, None])
    error = np.linalg.norm(operator.vertices_from_maps(maps)[0] - image, axis=1)
    face = error[real.regions["face"]]
    # Bilinear reading across the folds of lips and nostrils loses more: at 41 face vertices over 1 px.
    assert error.mean() < 0.04
    assert np.percentile(face, 99) < 0.3
    assert (face > 1).sum() < 50
    assert error[real.landmark_vertices].mean() < 0.1
