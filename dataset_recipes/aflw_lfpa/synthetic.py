"""A synthetic AFLW-LFPA: the layout of the ``aflw-pifa`` folder, photographs of many sizes, 34 points.

Points 1 to 21 are AFLW's, from the 68 landmarks by 3DDFA's groups. Points 22 to 34 are vertices of the
face model: starting from the vertices of the 21, each next one is the front vertex that lies farthest
from all before it on the mean face. They are not the 13 points of the real set, which nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.facemodel import FaceModel
from prn_bench.geometry import landmark_box
from prn_bench.images import encode_image
from prn_bench.landmarks import aflw21_groups, to_aflw21
from prn_bench.render import visible_points
from prn_bench.synthetic import scene
from prn_bench.synthetic.mark import mark_synthetic
from prn_bench.synthetic.matwriter import write_mat
from prn_bench.synthetic.people import random_person

N_FURTHER = 13
YAW_EDGES_DEG = (0.0, 30.0, 60.0, 90.0)  # each bin gets a third of the images
SIDE_PX = (160, 720)  # of the longer side of an image
MARGIN = (0.15, 0.9)  # of the box, kept around it
BOX_NOISE = 0.03  # of the box: a person drew it


@dataclass(frozen=True)
class Photo:
    """One picture and what is stored of it.

    Attributes
    ----------
    image : (h, w, 3) uint8
    points : (34, 2) float64, image frame, px
    visible : (34,) bool
    box : (4,) float64
        Left, top, right, bottom, image frame, px.
    """

    image: NDArray[np.uint8]
    points: NDArray[np.float64]
    visible: NDArray[np.bool_]
    box: NDArray[np.float64]


def write(
    folder: str | Path, model: FaceModel, n_samples: int, *, n_train: int = 2, seed: int = 0
) -> None:
    """Write images, ``Landmark.mat`` and ``BoundingBox.mat`` into ``aflw-pifa``.

    Parameters
    ----------
    folder : path
        Made if needed.
    model : FaceModel
        One that knows the spread of its coefficients.
    n_samples : int
        Test images.
    n_train : int
        Training images.
    seed : int
        The same seed gives the same bytes.
    """
    root = Path(folder) / "aflw-pifa"
    root.mkdir(parents=True, exist_ok=True)
    mark_synthetic(Path(folder), model)
    rng = np.random.default_rng(seed)
    points, boxes = {}, {}
    for split, ending, n in (("TestImages", "T", n_samples), ("TrainImages", "Tr", n_train)):
        (root / split).mkdir(exist_ok=True)
        photos = [
            _write_photo(root / split, model, rng, yaw_deg, row)
            for row, yaw_deg in enumerate(_yaws(rng, n))
        ]
        points[f"phis{ending}"] = np.array([p for p, _ in photos]).reshape(n, -1)
        boxes[f"bboxes{ending}"] = np.array([b for _, b in photos]).reshape(n, -1)
    write_mat(root / "Landmark.mat", points)
    write_mat(root / "BoundingBox.mat", boxes)


def further_vertices(model: FaceModel) -> NDArray[np.intp]:
    """(13,) vertices for points 22 to 34, see the module's docstring."""
    mean = model.mean.astype(np.float64)
    landmarks = model.landmark_vertices
    front = mean[:, 2] >= mean[landmarks, 2].min()
    front &= model.regions.get("face", front)
    taken = [landmarks[group[0]] for group in aflw21_groups()]
    away = np.min([np.linalg.norm(mean - mean[v], axis=1) for v in taken], 0)
    chosen = []
    for _ in range(N_FURTHER):
        chosen.append(int(np.where(front, away, -1.0).argmax()))
        away = np.minimum(away, np.linalg.norm(mean - mean[chosen[-1]], axis=1))
    return np.array(chosen)


def _yaws(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    bins = np.arange(n_samples) % (len(YAW_EDGES_DEG) - 1)
    low, high = np.array(YAW_EDGES_DEG)[bins], np.array(YAW_EDGES_DEG)[bins + 1]
    size = rng.uniform(low, high)
    return rng.permutation(size * rng.choice([-1, 1], n_samples))


def _write_photo(
    folder: Path, model: FaceModel, rng: np.random.Generator, yaw_deg: float, row: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One image file, its (102,) row of points and flags, and its (4,) box, as stored (1-based)."""
    from PIL import Image

    whole = _shoot(model, rng, yaw_deg)
    photo = _cut_out(whole, rng, tight=row % 10 == 4)
    picture = Image.fromarray(photo.image)
    if row % 50 == 2:  # a few AFLW images are grey
        picture = picture.convert("L")
    path = folder / f"{row + 1}.jpg"
    path.write_bytes(encode_image(picture, lossless=False))
    stored = photo.points + 1
    if row % 2:  # what the real file holds for hidden points is not known: zeros, or a guess
        stored = np.where(photo.visible[:, None], stored, 0.0)
    left, top, right, bottom = photo.box
    box = np.array([left + 1, top + 1, right - left, bottom - top])
    return np.concatenate([stored[:, 0], stored[:, 1], ~photo.visible]), box


def _shoot(model: FaceModel, rng: np.random.Generator, yaw_deg: float) -> Photo:
    """A photograph of 450 x 450, its points, and the box that a person would draw."""
    person = random_person(rng, model)
    shot = scene.random_shot(rng, model, person, yaw_deg)
    mesh, landmarks = scene.mesh(model, shot.fit), scene.landmarks(model, shot.fit)
    rows = np.concatenate([model.landmark_vertices, further_vertices(model)])
    size_px = (scene.IMAGE_PX, scene.IMAGE_PX)
    seen = visible_points(mesh, model.triangles, size_px, rows)
    points = np.concatenate([to_aflw21(landmarks), mesh[rows[68:]]])[:, :2]
    visible = [bool(seen[list(group)].all()) for group in aflw21_groups()]
    box = landmark_box(points)
    side = (box[2:] - box[:2]).mean()
    box += rng.normal(0, BOX_NOISE * side, 4) + side * np.array([-0.1, -0.1, 0.1, 0.1])
    image = scene.photograph(model, person, shot)
    return Photo(image, points, np.array([*visible, *seen[68:]]), box)


def _cut_out(photo: Photo, rng: np.random.Generator, *, tight: bool) -> Photo:
    """A part of a photograph, scaled to another size, with its points and box.

    ``tight`` cuts into the box, as in AFLW images where the face leaves the picture.
    """
    from PIL import Image

    side = (photo.box[2:] - photo.box[:2]).mean()
    margin = side * rng.uniform(*MARGIN, 4)
    margin[0] = -0.15 * side if tight else margin[0]
    wanted = photo.box + margin * [-1, -1, 1, 1]
    left, top, right, bottom = np.clip(np.rint(wanted), 0, scene.IMAGE_PX).astype(int).tolist()
    scale = rng.uniform(*SIDE_PX) / max(right - left, bottom - top)
    width, height = round(scale * (right - left)), round(scale * (bottom - top))
    part = Image.fromarray(photo.image).resize(
        (width, height), Image.Resampling.LANCZOS, box=(left, top, right, bottom)
    )
    # Pillow maps pixel borders, our pixels have their centres at integers.
    factor = np.array([width / (right - left), height / (bottom - top)])
    corner = np.array([left, top])
    points = (photo.points - corner + 0.5) * factor - 0.5
    box = (photo.box - np.tile(corner, 2) + 0.5) * np.tile(factor, 2) - 0.5
    inside = ((points >= 0) & (points <= [width - 1, height - 1])).all(1)
    return replace(
        photo, image=np.asarray(part), points=points, visible=photo.visible & inside, box=box
    )
