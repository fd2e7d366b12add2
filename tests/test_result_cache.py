"""Results of earlier scores, found again; and scores on several workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prn_bench.dataset import Dataset
from prn_bench.evaluate import score
from prn_bench.evaluate.inputs import ScoreInputs, SubsetList
from prn_bench.evaluate.result_cache import cache_key, cached
from prn_bench.predictions import Predictions, open_predictions, write_predictions
from prn_bench.protocol import protocol
from prn_bench.results import Result

FIT = protocol("aflw2000/68/2d@3ddfa-fit")


@pytest.fixture
def mine(dataset: Dataset, faces: Any, tmp_path: Path) -> Predictions:
    """Predictions from a file."""
    path = tmp_path / "mine.h5"
    write_predictions(path, dataset.sample_ids, frame="image", landmarks=faces, method="mine")
    return open_predictions(path)


class Counter:
    """Makes the result, and counts how often."""

    def __init__(self, predictions: Predictions, dataset: Dataset) -> None:
        self.predictions, self.dataset, self.calls = predictions, dataset, 0

    def __call__(self) -> Result:
        self.calls += 1
        return score(self.predictions, self.dataset, FIT)


def test_the_second_score_is_found(mine: Predictions, dataset: Dataset, tmp_path: Path) -> None:
    """The same things are scored once; the result found is the one made, method card of today."""
    make = Counter(mine, dataset)
    words = (tmp_path / "cache", mine, dataset, FIT, ScoreInputs(), make)
    first, second = cached(*words), cached(*words)
    assert make.calls == 1
    assert second.as_dict() == first.as_dict()
    assert cached(None, *words[1:]).as_dict() == first.as_dict()
    assert make.calls == 2


def test_what_decides_a_result_decides_the_key(mine: Predictions, dataset: Dataset) -> None:
    """Another protocol, another list of samples, another version: another entry."""
    base = cache_key(mine, dataset, FIT, ScoreInputs())
    other = protocol("aflw2000/68/2d@3ddfa-fit+missing=drop")
    subset = ScoreInputs(subset=SubsetList("few", frozenset(dataset.sample_ids[:3])))
    keys = {
        base,
        cache_key(mine, dataset, other, ScoreInputs()),
        cache_key(mine, dataset, FIT, subset),
    }
    assert len(keys) == 3
    made = Predictions(mine.sample_ids, "image", mine.arrays, {"name": "M"})
    assert cache_key(made, dataset, FIT, ScoreInputs()) is None


@pytest.mark.parametrize("suffix", [".json", ".csv.gz"])
def test_a_cut_entry_is_made_anew(
    mine: Predictions, dataset: Dataset, tmp_path: Path, suffix: str
) -> None:
    """A cache that was cut in the middle never gives a wrong result."""
    make = Counter(mine, dataset)
    words = (tmp_path / "cache", mine, dataset, FIT, ScoreInputs(), make)
    first = cached(*words)
    (entry,) = (tmp_path / "cache").rglob(f"*{suffix}")
    entry.write_bytes(entry.read_bytes()[: entry.stat().st_size // 2])
    assert cached(*words).as_dict() == first.as_dict()
    assert make.calls == 2
    assert cached(*words).as_dict() == first.as_dict()
    assert make.calls == 2


def test_a_cache_that_cannot_be_written(
    mine: Predictions, dataset: Dataset, tmp_path: Path
) -> None:
    """Is no reason to fail."""
    (tmp_path / "cache").write_text("a file")
    make = Counter(mine, dataset)
    cached(tmp_path / "cache", mine, dataset, FIT, ScoreInputs(), make)
    assert make.calls == 1


def test_workers_give_the_same(dataset: Dataset, tmp_path: Path) -> None:
    """Two processes and one: the same errors, to the last bit."""
    path = tmp_path / "maps.h5"
    maps = dataset.position_maps([0, 1, 2, 3, 4, 5]) + 1.0
    ids = dataset.sample_ids[:6]
    write_predictions(path, ids, frame="crop", position_map=maps, method="maps")
    inputs = ScoreInputs(subset=SubsetList("six", frozenset(ids)))
    results = [
        score(open_predictions(path), dataset, "aflw2000/rec@icp-rigid", inputs=inputs, jobs=jobs)
        for jobs in (1, 2)
    ]
    assert results[0].as_dict() == results[1].as_dict()
