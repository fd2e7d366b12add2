"""Where the 68 landmarks of predicted meshes lie, for a score and for the doctor alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prn_bench.dataset import open_dataset
from prn_bench.diagnose.reading import read_landmarks
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.evaluate.mesh_landmarks import VERTICES, mesh_landmarks
from prn_bench.predictions import Predictions

NAME = "aflw2000/68/2d@all+expected_samples=0"


@pytest.fixture
def meshes_of(datasets: dict[str, Path]):
    """A dataset and its meshes, three pixels off in x."""
    dataset = open_dataset(datasets["aflw2000-3d"])
    n_vertices = int(dataset.attributes["mesh_vertices"])
    rng = np.random.default_rng(0)
    meshes = rng.uniform(100, 300, (len(dataset), n_vertices, 3))
    meshes[:, dataset.read(VERTICES)] = dataset.read("landmarks") + [3.0, 0.0, 0.0]
    return dataset, meshes


def predicted(dataset, meshes, topology: str) -> Predictions:
    """In memory, image frame."""
    return Predictions(
        dataset.sample_ids, "image", {"vertices": meshes}, {"name": "mesh"}, topology, None, None
    )


def test_a_subset_of_the_mesh_by_an_index_map(meshes_of, tmp_path: Path) -> None:
    """A mesh that keeps all landmarks is scored as the whole mesh is; one that lacks some is not."""
    dataset, meshes = meshes_of
    whole = predicted(dataset, meshes, dataset.attributes["topology"])
    kept = np.union1d(dataset.read(VERTICES), np.arange(0, meshes.shape[1], 7))
    part = predicted(dataset, meshes[:, kept], f"part-{len(kept)}")
    np.save(tmp_path / "kept.npy", kept)
    inputs = ScoreInputs(index_maps={f"part-{len(kept)}": tmp_path / "kept.npy"})
    expected = score(whole, dataset, NAME).samples.errors
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(
        score(part, dataset, NAME, inputs=inputs).samples.errors, expected
    )
    with pytest.raises(BenchError, match=r"topology part-.*--index-map"):
        score(part, dataset, NAME)
    few = np.setdiff1d(kept, dataset.read(VERTICES)[:1])
    np.save(tmp_path / "few.npy", few)
    less = predicted(dataset, meshes[:, few], f"part-{len(few)}")
    maps = {f"part-{len(few)}": tmp_path / "few.npy"}
    assert mesh_landmarks(less, dataset, np.arange(2), maps) is None


def test_the_doctor_reads_what_a_score_reads(meshes_of) -> None:
    """The same vertices of the mesh."""
    dataset, meshes = meshes_of
    whole = predicted(dataset, meshes, dataset.attributes["topology"])
    rows = np.arange(len(dataset))
    read = read_landmarks(whole, dataset, rows)
    np.testing.assert_array_equal(read, mesh_landmarks(whole, dataset, rows, {}))
    np.testing.assert_array_equal(read, meshes[:, dataset.read(VERTICES)])
