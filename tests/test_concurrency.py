"""Readers in many processes and threads at once, and files that change under them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from prn_bench.build import build
from prn_bench.dataset import Dataset, open_dataset
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.predictions import Predictions, open_predictions, write_predictions
from prn_bench.recipes import find_recipe

WORKERS = 8
STARTS = ("fork", "spawn", "forkserver")
Reader = Callable[[int], str]


@pytest.fixture(scope="module")
def layouts(world: Path, datasets: dict[str, Path]) -> dict[str, Path]:
    """One dataset file of each layout."""
    path, raw = world / "many-readers.h5", world / "raw-aflw2000-3d"
    recipe, model = find_recipe("aflw2000-3d"), world / "face-model.h5"
    build(recipe, raw, path, face_model=model, layout="coefficients")
    return {"maps": datasets["aflw2000-3d"], "coefficients": path}


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dense predictions of twelve samples."""
    path = tmp_path_factory.mktemp("predictions") / "p.h5"
    return write_meshes(path, seed=0)


def write_meshes(path: Path, seed: int) -> Path:
    """Meshes that only this seed has."""
    shapes = np.random.default_rng(seed).uniform(0, 450, (12, 5000, 3)).astype(np.float32)
    ids = [f"image{n:05d}" for n in range(12)]
    write_predictions(path, ids, frame="image", vertices=shapes, topology="ict-5000", method="M")
    return path


def sample_digest(dataset: Dataset, row: int) -> str:
    """Of everything that a sample has."""
    sample = dataset[row % len(dataset)]
    parts = [str(sample[name]) if name == "sample_id" else sample[name] for name in sorted(sample)]
    return hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in parts)).hexdigest()


def mesh_digest(predictions: Predictions, row: int) -> str:
    """Of one mesh."""
    return hashlib.sha256(predictions.mesh(row % len(predictions))[0].tobytes()).hexdigest()


def workers(name: str) -> Executor:
    """Eight threads, or eight processes by a start method."""
    if name == "threads":
        return ThreadPoolExecutor(WORKERS)
    context = multiprocessing.get_context(name)
    context.set_forkserver_preload(["prn_bench.dataset", "prn_bench.predictions", "h5py"])
    return ProcessPoolExecutor(WORKERS, mp_context=context)


@pytest.mark.parametrize("name", ["threads", *STARTS])
def test_eight_readers_read_the_same(layouts: dict[str, Path], meshes: Path, name: str) -> None:
    """Of open datasets in both layouts and of predictions, as one reader does."""
    rows = range(12)
    readers: list[Reader] = [partial(mesh_digest, open_predictions(meshes))]
    readers += [partial(sample_digest, open_dataset(path)) for path in layouts.values()]
    alone = [[read(row) for row in rows] for read in readers]
    with workers(name) as pool:
        found = [list(pool.map(read, rows)) for read in readers]
    assert found == alone
    assert len({digest for digests in alone for digest in digests}) == 3 * len(rows)


@pytest.mark.parametrize(
    ("layout", "start"), [("maps", "fork"), ("coefficients", "fork"), ("maps", "spawn")]
)
def test_a_torch_loader_with_workers(layouts: dict[str, Path], layout: str, start: str) -> None:
    """Every sample once, in order, as without workers."""
    data = pytest.importorskip("torch.utils.data", reason="the loader is PyTorch's")
    dataset = open_dataset(layouts[layout])
    n_workers = 2 if start == "fork" else 1  # the others import everything anew
    loader = data.DataLoader(
        dataset, 3, num_workers=n_workers, multiprocessing_context=start, collate_fn=list
    )
    found = [sample for batch in loader for sample in batch]
    assert [sample["sample_id"] for sample in found] == dataset.sample_ids.tolist()
    for sample, row in zip(found, range(len(dataset)), strict=True):
        np.testing.assert_array_equal(sample["position_map"], dataset.position_maps([row])[0])


def in_fork(reader: Reader, row: int) -> str:
    """What a new process reads, or the code of its error."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(reader, row).result()
        except BenchError as error:
            return error.code


def moved(path: Path, other: Path) -> None:
    """To another name."""
    path.rename(path.with_name("moved.h5"))


def removed(path: Path, other: Path) -> None:
    """From the disk."""
    path.unlink()


def replaced(path: Path, other: Path) -> None:
    """By a new file under the same name, as every command of ours does."""
    os.replace(other, path)


def overwritten(path: Path, other: Path) -> None:
    """In its place, as `cp` does."""
    shutil.copyfile(other, path)


CHANGES = {
    moved: {"no-such-file", "changed-file"},
    removed: {"no-such-file", "changed-file"},
    replaced: {"changed-file"},
    overwritten: {"changed-file", "damaged-hdf5"},
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("kind", ["maps", "coefficients", "predictions"])
def test_a_file_that_changes_while_it_is_open(
    layouts: dict[str, Path], tmp_path: Path, kind: str, change: Callable[[Path, Path], None]
) -> None:
    """Who has it open reads the old data or a clear error; who opens it anew the error; none a mix."""
    path, other = tmp_path / "d.h5", tmp_path / "other.h5"
    if kind == "predictions":
        write_meshes(path, seed=0)
        write_meshes(other, seed=1)
        reader: Reader = partial(mesh_digest, open_predictions(path))
    else:
        shutil.copyfile(layouts[kind], path)
        write_other(layouts[kind], other)
        reader = partial(sample_digest, open_dataset(path))
    old = [reader(row) for row in (0, 5)]
    change(path, other)
    if change is overwritten:
        with pytest.raises(BenchError) as error:
            reader(5)
        assert error.value.code in CHANGES[change]
    else:
        assert [reader(row) for row in (0, 5)] == old
    assert in_fork(reader, 5) in CHANGES[change]


def write_other(source: Path, path: Path) -> None:
    """A dataset of the same samples in other poses, and the digests of another."""
    shutil.copyfile(source, path)
    with h5py.File(path, "r+") as file:
        file["coefficients/pose"][:] = file["coefficients/pose"][:] + 1.0
        file.attrs["fingerprint"], file.attrs["content_sha256"] = "1" * 64, "2" * 64


def test_a_dataset_that_was_only_touched(layouts: dict[str, Path], tmp_path: Path) -> None:
    """Is read on: another time is no other content; nor is a copy of itself under its name."""
    path = Path(shutil.copyfile(layouts["maps"], tmp_path / "d.h5"))
    reader = partial(sample_digest, open_dataset(path))
    old = reader(5)
    os.utime(path, (0, 0))
    assert reader(5) == old
    os.replace(shutil.copyfile(path, tmp_path / "copy.h5"), path)
    assert in_fork(reader, 5) == old


def test_a_closed_dataset_opens_again(layouts: dict[str, Path], tmp_path: Path) -> None:
    """And finds out when another one has its name by then."""
    path = Path(shutil.copyfile(layouts["maps"], tmp_path / "d.h5"))
    dataset = open_dataset(path)
    old = sample_digest(dataset, 5)
    dataset.close()
    assert sample_digest(dataset, 5) == old
    dataset.close()
    write_other(layouts["maps"], path)
    with pytest.raises(BenchError, match="written anew") as error:
        sample_digest(dataset, 5)
    assert error.value.code == "changed-file"


def test_no_thread_reads_while_workers_are_forked(
    layouts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker forked while another thread reads HDF5 inherits a lock that nobody opens again."""
    dataset = open_dataset(layouts["maps"])
    maps = dataset.position_maps() + 1.0
    path = tmp_path / "p.h5"
    write_predictions(path, dataset.sample_ids, frame="crop", position_map=maps, method="M")
    predictions, digested = open_predictions(path), []

    def workers_start(*words: object, **more: object) -> None:
        digested.append("sha256" in predictions.__dict__)
        raise InterruptedError

    monkeypatch.setattr("prn_bench.evaluate.dense.run", workers_start)
    with pytest.raises(InterruptedError):
        score(predictions, dataset, "aflw2000/rec@icp-rigid", jobs=2)
    assert digested == [True]
