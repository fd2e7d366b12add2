"""A synthetic AFLW2000-3D: the layout, the fields and the oddities of the real download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel
from prn_bench.images import encode_pixels
from prn_bench.landmarks import to_aflw21
from prn_bench.synthetic import scene
from prn_bench.synthetic.mark import mark_synthetic
from prn_bench.synthetic.matwriter import fit_fields, write_mat
from prn_bench.synthetic.people import random_person

YAW_SHARES = (
    0.656,
    0.1915,
    0.1525,
)  # of the bins to 30, 60 and 90 degrees: 1312, 383, 305 of 2,000
BIN_DEG = 30.0
LABEL_NOISE_PX = 2.0  # of the re-annotation
YAW_NOISE_DEG = 3.0  # between the fitted and the labelled yaw


def write(folder: str | Path, model: FaceModel, n_samples: int, *, seed: int = 0) -> None:
    """Write images, .mat files and the benchmark's arrays.

    Parameters
    ----------
    folder : path
        Made if needed. Images go to ``AFLW2000/``, the arrays beside it.
    model : FaceModel
        The synthetic model.
    n_samples : int
    seed : int
        The same seed gives the same bytes.
    """
    root = Path(folder)
    (root / "AFLW2000").mkdir(parents=True, exist_ok=True)
    mark_synthetic(root, model)
    rng = np.random.default_rng(seed)
    points, yaws = [], []
    for row, yaw_deg in enumerate(_yaws(rng, n_samples)):
        name = f"image{row + 2:05d}"
        stored, yaw = _write_sample(root / "AFLW2000" / name, model, rng, yaw_deg, row)
        points.append(stored)
        yaws.append(yaw)
    _write_companions(root, np.array(points, np.float32), np.array(yaws), rng)


def _yaws(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """Signed yaws with the bin shares of the real set, in random order."""
    edges = np.rint(np.cumsum((0.0, *YAW_SHARES)) * n_samples).astype(int)
    bins = np.repeat(np.arange(3), np.diff(edges))
    size = (bins + rng.uniform(0.02, 0.98, n_samples)) * BIN_DEG
    return rng.permutation(size * rng.choice([-1, 1], n_samples))


def _write_sample(
    stem: Path, model: FaceModel, rng: np.random.Generator, yaw_deg: float, row: int
) -> tuple[NDArray[np.float64], float]:
    person = random_person(rng, model)
    shot = scene.random_shot(rng, model, person, yaw_deg)
    if row % 50 == 7:  # a few fits come back one turn off, as in the real set
        shot.fit.pose[1] = np.float32(shot.fit.pose[1] - 2 * np.pi)
    picture = scene.photograph(model, person, shot)
    stem.with_suffix(".jpg").write_bytes(encode_pixels(picture))
    stored = (scene.landmarks(model, shot.fit) + (1, 1, 0)).T
    fields = fit_fields(shot.fit, rng)
    fields["pt3d_68"] = stored.astype(np.float32)
    fields["pt2d"] = _sparse_points(stored, scene.visible_landmarks(model, shot.fit), row)
    if row % 40 == 3:
        fields["Pose_Para"] = fields["Pose_Para"].astype(np.float64)
    write_mat(stem.with_suffix(".mat"), fields)
    return stored, float(np.degrees(shot.fit.pose[1]))


def _sparse_points(
    stored: NDArray[np.float64], visible: NDArray[np.bool_], row: int
) -> NDArray[np.float64]:
    """AFLW's 21 points, -1 where hidden; a few files of the real set have 23 columns."""
    points = to_aflw21(np.where(visible[:, None], stored[:2].T, np.nan))
    points = np.nan_to_num(points, nan=-1.0)
    extra = 2 if row % 100 == 11 else 0
    return np.pad(points.T, ((0, 0), (0, extra)), constant_values=-1)


def _write_companions(
    root: Path, points: NDArray[np.float32], yaws: NDArray[np.float64], rng: np.random.Generator
) -> None:
    """The arrays of the 3DDFA benchmark script."""
    noise = rng.normal(0, LABEL_NOISE_PX, points[:, :2].shape)
    labelled = np.abs((yaws + 180) % 360 - 180 + rng.normal(0, YAW_NOISE_DEG, len(yaws)))
    low, high = points[:, :2].min(2), points[:, :2].max(2)
    half = (high - low).max(1, keepdims=True) / np.sqrt(2)
    boxes = np.concatenate([(low + high) / 2 - half, (low + high) / 2 + half], 1)
    for name, values in {
        "AFLW2000-3D.pts68.npy": points,
        "AFLW2000-3D-Reannotated.pts68.npy": points[:, :2] - 1 + noise,
        "AFLW2000-3D.pose.npy": yaws,
        "AFLW2000-3D-new.pose.npy": labelled,
        "AFLW2000-3D_crop.roi_box.npy": np.rint(boxes),
    }.items():
        np.save(root / name, values.astype(np.float32), allow_pickle=False)
