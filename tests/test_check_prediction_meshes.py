"""``check`` on meshes, poses and position maps: what gives a file away before it is scored."""

import numpy as np
import pytest

from prn_bench.checks import check_file
from prn_bench.predictions import write_predictions
from prn_bench.predictions.writer import writing_predictions
from tests.checking import codes

IDS = [f"s{i}" for i in range(24)]
RNG = np.random.default_rng(5)


def found(folder, level="warning", dataset=None, **arrays):
    """Codes for a file of these arrays."""
    n_rows = len(next(iter(arrays.values())))
    path = folder / "p.h5"
    options = {"frame": "crop", "method": "M", **arrays}
    write_predictions(path, IDS[:n_rows], **options)
    return codes(path, level, dataset)


POSE = RNG.uniform(-60, 60, (24, 3))


@pytest.mark.parametrize(
    ("pose", "level", "expected"),
    [
        (POSE, "warning", []),
        (np.radians(POSE), "warning", ["looks-like-radians"]),
        (np.radians(POSE)[:3], "warning", []),
        (POSE * 10, "error", ["pose-range"]),
        (np.tile(POSE[:1], (5, 1)), "warning", ["constant-predictions"]),
        (np.where(POSE[3] == POSE, np.nan, POSE), "note", ["missing-rows", "predictions"]),
        (np.where(POSE[3, 1] == POSE, np.nan, POSE), "error", ["partly-missing"]),
        (np.where(POSE[3, 1] == POSE, np.inf, POSE), "error", ["infinite-values"]),
        (POSE * np.nan, "error", ["all-missing"]),
    ],
)
def test_poses(tmp_path, pose, level, expected):
    """Degrees, one row a sample."""
    assert found(tmp_path, level, pose_deg=pose) == expected


MAPS = RNG.uniform(-25, 280, (2, 3, 256, 256)).astype(np.float32)


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (MAPS, []),
        (MAPS.clip(0, 255), ["clipped-maps"]),
        (MAPS.clip(0, 256), ["clipped-maps"]),
        (MAPS.clip(0, 200), ["clipped-maps"]),
        (np.where(MAPS[:, :1] > 250, 0, MAPS.clip(1, 254)), []),
        (MAPS.clip(0, 255).round(), ["rounded-maps"]),
    ],
)
def test_clipped_maps(tmp_path, maps, expected):
    """Positions that pile up at the edge; a background of zeros is none of them."""
    assert found(tmp_path, position_map=maps) == expected


CORNERS = np.array([[50.0, 60, 0], [200, 60, 5], [50, 220, 5], [200, 220, 9], [120, 130, 60]])
FACES = np.array([[0, 1, 4], [1, 3, 4], [3, 2, 4]])


def meshes(folder, samples, frame="image", ids=IDS):
    """A file of ragged meshes: pairs of vertices and triangles."""
    path = folder / "m.h5"
    with writing_predictions(path, frame=frame, method="M", topology="unordered") as writer:
        for name, (vertices, triangles) in zip(ids, samples, strict=False):
            writer.add(name, vertices=vertices, triangles=triangles)
    return path


def spoiled(value):
    points = CORNERS.copy()
    points[2, 1] = value
    return points, FACES


GOOD = [(CORNERS, FACES), (CORNERS + 9, FACES), (None, None)]
BAD_MESHES = {
    "good": (GOOD, ["missing-rows", "predictions"]),
    "degenerate": (
        [(CORNERS, [[0, 1, 1], [0, 1, 2]]), GOOD[1]],
        ["degenerate-triangles", "predictions"],
    ),
    "partly nan": ([spoiled(np.nan), GOOD[1]], ["partly-missing", "predictions"]),
    "infinite": ([spoiled(np.inf), GOOD[1]], ["infinite-values", "predictions"]),
    "far away": ([spoiled(1e6), GOOD[1]], ["far-outside", "predictions"]),
    "all alike": ([GOOD[0]] * 3, ["constant-predictions", "predictions"]),
    "fractions": (
        [(CORNERS / 300, FACES), (CORNERS / 310, FACES)],
        ["looks-like-fractions", "predictions"],
    ),
    "nothing": ([(np.zeros((0, 3)), np.zeros((0, 3), int))] * 2, ["all-missing", "predictions"]),
}


@pytest.mark.parametrize("what", BAD_MESHES)
def test_ragged_meshes(tmp_path, what):
    """Each fault by its code, and no other one beside it."""
    samples, expected = BAD_MESHES[what]
    assert codes(meshes(tmp_path, samples)) == expected


def test_the_sample_of_a_bad_mesh_is_named(tmp_path):
    """By its id, with how many triangles."""
    path = meshes(tmp_path, [GOOD[0], (CORNERS, [[0, 1, 1], [0, 1, 2], [2, 2, 2]])])
    (finding,) = [f for f in check_file(path) if f.code == "degenerate-triangles"]
    assert finding.message == "2 triangles of 1 samples have no area: s1"


def boxes(dataset, grow, shift=0.0):
    """A mesh for every face of the dataset: the corners of its box, grown and moved."""
    for points in dataset.read("landmarks").astype(float):
        low, high = points.min(0), points.max(0)
        middle, half = (low + high) / 2 + [shift * (high - low)[0], 0, 0], (high - low) / 2 * grow
        signs = np.array([[-1, -1, 0], [1, -1, 0], [-1, 1, 0], [1, 1, 0], [0, 0, 1]])
        yield middle + signs * half, FACES


@pytest.mark.parametrize(
    ("grow", "shift", "expected"),
    [
        (1.2, 0.0, []),
        (1.0, 0.0, []),
        (0.5, 0.0, ["low-coverage"]),
        (1.0, 3.0, ["gross-mismatch", "low-coverage"]),
    ],
)
def test_meshes_beside_the_faces(tmp_path, dataset, grow, shift, expected):
    """Meshes that are cropped, and meshes that lie elsewhere."""
    path = meshes(tmp_path, boxes(dataset, grow, shift), ids=dataset.sample_ids)
    assert codes(path, "warning", dataset) == expected


def test_dense_meshes_elsewhere(tmp_path, dataset):
    """Found by their boxes, whatever their topology."""
    points = np.array([vertices for vertices, _ in boxes(dataset, 1.1)])
    for values, expected in ((points, []), (points * 4 + 300, ["gross-mismatch"])):
        write_predictions(
            tmp_path / "p.h5",
            dataset.sample_ids,
            frame="image",
            vertices=values,
            topology="mine-5",
            method="M",
        )
        warnings = codes(tmp_path / "p.h5", "warning", dataset)
        assert [code for code in warnings if code != "far-outside"] == expected
