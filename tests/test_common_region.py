"""``compare --common-region``: the share of points that counted stands in the table and in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from prn_bench import geometry
from prn_bench.dataset import Dataset
from prn_bench.facemodel.file import load_face_model
from prn_bench.predictions import write_predictions

Run = Callable[..., tuple[int, str, str]]
PROTOCOL = "aflw2000/dense/3d@prnet-mask"


@pytest.fixture
def words(dataset: Dataset, world: Path, tmp_path: Path) -> list[object]:
    """What to compare: whole meshes, and the same without some of their vertices."""
    model = load_face_model(world / "face-model.h5")
    shapes = model.vertices(
        dataset.read("coefficients/identity"), dataset.read("coefficients/expression")
    )
    pose = geometry.pose_affine(dataset.read("coefficients/pose"), dataset.read("image_size")[:, 0])
    meshes = geometry.apply_affine(pose, shapes.transpose(2, 1, 0)).astype(np.float32)
    kept = np.flatnonzero(np.arange(meshes.shape[1]) % 50 != 7)
    np.save(tmp_path / "part.npy", kept)
    cut = f"part-{len(kept)}"
    for name, topology, vertices in (
        ("whole", str(dataset.attributes["topology"]), meshes),
        ("cut", cut, meshes[:, kept]),
    ):
        write_predictions(
            tmp_path / f"{name}.h5",
            dataset.sample_ids,
            frame="image",
            vertices=vertices,
            topology=topology,
            method=name,
        )
    files = [tmp_path / "whole.h5", tmp_path / "cut.h5"]
    how = ["--dataset", dataset.path, "--protocol", PROTOCOL]
    return [*files, "--common-region", *how, "--index-map", f"{cut}={tmp_path / 'part.npy'}"]


def test_in_the_table(run: Run, words: list[object]) -> None:
    """Below the differences, where it is kept with them, not in the log."""
    code, out, err = run("compare", *words)
    assert code == 0, err
    assert "% of the points are in all of them" in out
    assert "of the points" not in err


def test_for_programs(run: Run, words: list[object]) -> None:
    """A share; none where the methods were scored on points of their own."""
    share = json.loads(run("compare", *words, "--json")[1])["common_region"]
    assert 0 < share < 1
