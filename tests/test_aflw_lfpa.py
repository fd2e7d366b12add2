"""The AFLW-LFPA recipe: rows joined to numbered images, hidden points kept out, faults named."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dataset_recipes.aflw_lfpa import recipe as lfpa
from dataset_recipes.aflw_lfpa.synthetic import further_vertices, write
from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.facemodel import FaceModel, landmark_basis_of
from prn_bench.formats.matfile import read_mat
from prn_bench.recipes import find_recipe
from prn_bench.recipes.rawsource import open_raw
from prn_bench.synthetic.matwriter import write_mat

POINTS, VISIBLE = "points/aflw-lfpa-34", "points_visible/aflw-lfpa-34"


def rows(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Point p of row r at (100 r + p, 200 + p), point 33 hidden; boxes 10, 20, 30, 40 and r more."""
    r, p = np.arange(n)[:, None], np.arange(34)
    flags = np.tile(p == 33, (n, 1))
    points = np.concatenate([100 * r + p, np.tile(200 + p, (n, 1)), flags], 1)
    return points.astype(float), np.array([10, 20, 30, 40]) + r.astype(float)


def write_raw(
    root: Path, n: int = 3, *, split: str = "TestImages", suffix: str = "T", **arrays: Any
) -> Path:
    """A raw folder of blank images, 60 + r wide and 50 high; returns the ``aflw-pifa`` folder."""
    folder = root / "aflw-pifa"
    (folder / split).mkdir(parents=True)
    points, boxes = rows(n)
    for row in range(n):
        Image.new("RGB", (60 + row, 50)).save(folder / split / f"{row + 1}.jpg")
    write_mat(folder / "Landmark.mat", {f"phis{suffix}": arrays.get("points", points)})
    write_mat(folder / "BoundingBox.mat", {f"bboxes{suffix}": arrays.get("boxes", boxes)})
    return folder


def built(root: Path, out: Path, **options: Any) -> Any:
    """The dataset and the codes of its quarantine, by sample."""
    report = build(find_recipe("aflw-lfpa"), root, out, **options)
    errors = {f.where: f.code for f in report.audit.findings if f.level == "error"}
    return open_dataset(out), errors


def test_values_by_hand(tmp_path: Path) -> None:
    """Row 2: x = 101 + p - 1, y = 199 + p; box 11, 21, 31, 41 stored; sizes from the images."""
    write_raw(tmp_path)
    dataset, errors = built(tmp_path, tmp_path / "d.h5")
    assert errors == {}
    assert list(dataset.sample_ids) == [f"TestImages/000{n}" for n in (1, 2, 3)]
    points = dataset.read(POINTS, [1])[0]
    np.testing.assert_array_equal(points[:2], [[99, 199], [100, 200]])
    np.testing.assert_array_equal(dataset.read("boxes/annotated", [1])[0], [10, 20, 41, 61])
    np.testing.assert_array_equal(dataset.read("box"), dataset.read("boxes/annotated"))
    np.testing.assert_array_equal(dataset.read("image_size"), [[50, 60], [50, 61], [50, 62]])


def test_the_way_back_to_the_stored_numbers(tmp_path: Path) -> None:
    """Image frame plus the stored offset is what the file holds."""
    write_raw(tmp_path)
    dataset, _ = built(tmp_path, tmp_path / "d.h5", with_images=False)
    stored = dataset.read(POINTS) + dataset.stored_offset(POINTS)
    np.testing.assert_array_equal(stored[:, :33, 0], rows(3)[0][:, :33])
    corners = dataset.read("boxes/annotated") + dataset.stored_offset("boxes/annotated")
    np.testing.assert_array_equal(corners[:, :2], rows(3)[1][:, :2])


def test_a_hidden_point_is_nowhere(tmp_path: Path) -> None:
    """Flag 1 leaves NaN and False, whatever coordinates stand in the file."""
    points = rows(3)[0]
    points[:, 33] = points[:, 67] = 1e6
    write_raw(tmp_path, points=points)
    dataset, _ = built(tmp_path, tmp_path / "d.h5", with_images=False)
    assert np.isnan(dataset.read(POINTS)[:, 33]).all()
    np.testing.assert_array_equal(dataset.read(VISIBLE)[0], np.arange(34) < 33)
    assert np.isnan(dataset.read("landmarks")).all()
    assert not dataset.read("landmarks_visible").any()


def test_ids_sort_as_the_rows_do(tmp_path: Path) -> None:
    """10.jpg comes after 9.jpg."""
    write_raw(tmp_path, 11)
    files = lfpa.find(open_raw(tmp_path))
    assert [Path(one.image).stem for one in files] == [str(n) for n in range(1, 12)]
    assert [one.sample_id for one in files] == sorted(one.sample_id for one in files)


def test_images_and_rows_without_each_other_are_quarantined(tmp_path: Path) -> None:
    """Image 4 has no row, row 2 has no image; the other two are built."""
    folder = write_raw(tmp_path)
    (folder / "TestImages" / "2.jpg").rename(folder / "TestImages" / "4.jpg")
    for with_images in (True, False):
        dataset, errors = built(tmp_path, tmp_path / "d.h5", with_images=with_images)
        assert errors == {"TestImages/0002": "no-image", "TestImages/0004": "no-annotation"}
        assert list(dataset.sample_ids) == ["TestImages/0001", "TestImages/0003"]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        (0, np.nan, "not-finite"),
        (68, np.nan, "not-finite"),
        (slice(68, 102), 1, "no-visible-point"),
    ],
)
def test_a_bad_row_is_quarantined(tmp_path: Path, column: Any, value: float, code: str) -> None:
    """A visible point or a flag that is not finite, and a face without a visible point."""
    points = rows(3)[0]
    points[1, column] = value
    write_raw(tmp_path, points=points)
    assert built(tmp_path, tmp_path / "d.h5")[1] == {"TestImages/0002": code}


@pytest.mark.parametrize("box", [(1, 1, 0, 5), (1, 1, 5, -5), (np.nan, 1, 5, 5), (1, 1, 1e300, 9)])
def test_a_box_without_area_is_quarantined(tmp_path: Path, box: tuple[float, ...]) -> None:
    """Its sqrt(w h) would divide a score."""
    boxes = rows(3)[1]
    boxes[2] = box
    write_raw(tmp_path, boxes=boxes)
    assert built(tmp_path, tmp_path / "d.h5")[1] == {"TestImages/0003": "bad-box"}


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"boxes": np.ones((2, 4))}, "row-count"),
        ({"boxes": np.ones((3, 5))}, "wrong-shape"),
        ({"points": np.ones((3, 68))}, "wrong-shape"),
    ],
)
def test_arrays_that_do_not_belong_together_stop_the_build(
    tmp_path: Path, arrays: dict[str, Any], code: str
) -> None:
    """Which row is whose would be a guess."""
    write_raw(tmp_path, **arrays)
    with pytest.raises(BenchError) as error:
        built(tmp_path, tmp_path / "d.h5")
    assert error.value.code == code


def test_the_training_half_where_there_is_no_other(tmp_path: Path) -> None:
    """It is read, and the report says that it is not the benchmark."""
    write_raw(tmp_path, split="TrainImages", suffix="Tr")
    report = build(find_recipe("aflw-lfpa"), tmp_path, tmp_path / "d.h5")
    assert "training-split" in {f.code for f in report.audit.findings}
    assert open_dataset(report.path).sample_ids[0] == "TrainImages/0001"


@pytest.mark.parametrize("copy", ["b/TestImages/1.jpg", "aflw-pifa/TestImages/01.png"])
def test_a_second_copy_is_an_error(tmp_path: Path, copy: str) -> None:
    """Which of them would count?"""
    folder = write_raw(tmp_path)
    (tmp_path / copy).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "TestImages" / "1.jpg", tmp_path / copy)
    with pytest.raises(BenchError) as error:
        lfpa.find(open_raw(tmp_path))
    assert error.value.code == "duplicate-id"


def test_other_images_are_passed_over(tmp_path: Path) -> None:
    """A montage or a number that no row can have is no sample."""
    folder = write_raw(tmp_path)
    for name in ("montage", "1" * 12, "².5"):
        shutil.copy(folder / "TestImages" / "1.jpg", folder / "TestImages" / f"{name}.jpg")
    assert len(lfpa.find(open_raw(tmp_path))) == 3


def test_arrays_are_read_once_and_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two .mat files for any number of samples; a replaced file is not mistaken for the old one."""
    folder, read = write_raw(tmp_path, 9), []
    monkeypatch.setattr(lfpa, "read_mat", lambda *a: read.append(a[1]) or read_mat(*a))
    built(tmp_path, tmp_path / "d.h5")
    assert len(read) == 2
    write_mat(folder / "BoundingBox.mat", {"bboxesT": rows(9)[1] + 5})
    dataset, _ = built(tmp_path, tmp_path / "d.h5")
    assert dataset.read("boxes/annotated")[0, 0] == 14


def test_synthetic_rows_fit_their_pictures(world: Path, datasets: dict[str, Path]) -> None:
    """Sizes vary, one picture is grey, one box leaves its image, no visible point does."""
    dataset = open_dataset(datasets["aflw-lfpa"])
    size = dataset.read("image_size")[:, None, ::-1]
    points, visible, box = (dataset.read(n) for n in (POINTS, VISIBLE, "box"))
    assert len(np.unique(size)) > 6
    assert ((points >= 0) & (points <= size - 1))[visible].all()
    assert (box[:, 0] < 0).any()
    assert visible.any(0).all()
    assert (visible.sum(1) < 30).sum() >= 4  # a third of the heads is beyond 60 degrees
    modes = set()
    for path in (world / "raw-aflw-lfpa").rglob("TestImages/*.jpg"):
        with Image.open(path) as picture:
            modes.add(picture.mode)
    assert modes == {"RGB", "L"}


def test_further_points_are_thirteen_others(face_model: FaceModel) -> None:
    """All different, on the face, and none of them a landmark."""
    chosen = further_vertices(face_model)
    assert len(set(chosen.tolist()) - set(face_model.landmark_vertices.tolist())) == 13
    assert face_model.regions["face"][chosen].all()


def test_synthetic_data_from_another_model(face_model: FaceModel, tmp_path: Path) -> None:
    """Fewer vertices, other units, no colours, no regions: the same layout."""
    n = face_model.n_vertices - 200
    triangles = face_model.triangles[(face_model.triangles < n).all(1)]
    dense = [face_model.mean, face_model.identity_basis, face_model.expression_basis]
    mean, identity, expression = (array[:n] / np.float32(1000) for array in dense)
    basis = landmark_basis_of(mean, identity, expression, face_model.landmark_vertices)
    other = replace(
        face_model,
        topology="other",
        mean=mean,
        identity_basis=identity,
        expression_basis=expression,
        triangles=triangles,
        landmark_basis=basis,
        regions={},
        albedo=None,
    )
    write(tmp_path, other, 3, n_train=1)
    dataset, errors = built(tmp_path, tmp_path / "d.h5")
    assert errors == {}
    assert dataset.read(VISIBLE).sum(1).min() > 5
    assert np.ptp(dataset.read("box")[:, ::2]) > 50
