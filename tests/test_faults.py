"""A quick round of the campaign of faults (tests/faults_campaign.py), and what it once found."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from prn_bench import build as engine
from prn_bench.build.spool import Spool
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.outfile import FORGOTTEN_S, DeafStream, atomic_path, write_together
from prn_bench.results import load_result, save
from tests import disturbed, faults_campaign
from tests.fakes import face_world
from tests.fault_jobs import EMPTY, Job, Stage, jobs, make_inputs
from tests.fault_trials import Row, Trial

BY_NAME = {job.name: job for job in jobs()}
BUILD, TWO = BY_NAME["build, maps, 1 jobs"], BY_NAME["build, maps, 2 jobs"]
SCORE, IMPORT = BY_NAME["score"], BY_NAME["import to .h5"]
SITE, ADD = BY_NAME["leaderboard site"], BY_NAME["leaderboard add"]
#: What the other tests of this suite do not do to whole commands.
QUICK = [
    (faults_campaign.killed, ADD),
    (faults_campaign.orphaned, TWO),
    (faults_campaign.full_disk, BUILD),
    (faults_campaign.full_disk, SCORE),
    (faults_campaign.too_large, IMPORT),
    (faults_campaign.read_only, SCORE),
    (faults_campaign.forbidden, IMPORT),
    (faults_campaign.mad_clock, BUILD),
    (faults_campaign.two_at_once, SCORE),
    (faults_campaign.damaged_cache, SCORE),
    (faults_campaign.damaged_parts, BUILD),
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Inputs of every command; batches of two samples."""
    with pytest.MonkeyPatch.context() as patch:
        for layout, n in faults_campaign.SMALL_BATCHES.items():
            patch.setitem(engine.BATCH_SAMPLES, layout, n)
        stage = Stage(tmp_path_factory.mktemp("faults"))
        make_inputs(stage.inputs, 6)
        yield stage


@pytest.mark.parametrize(
    ("fault", "job"), QUICK, ids=[f"{fault.__name__}-{job.name}" for fault, job in QUICK]
)
def test_nothing_lost_nothing_wrong(
    stage: Stage, fault: faults_campaign.Disturb, job: Job, tmp_path: Path
) -> None:
    """Whole and the same, or not there; an older output stays; one message; a second run ends well."""
    row = Row(fault.__name__, tried=1)
    start = EMPTY if job is BUILD else job.starts[-1]
    fault(Trial(stage, job, start, tmp_path / "trial", row, random.Random(job.name)))
    if not row.tried:
        pytest.skip("this system allows no mounts of one's own")
    assert row.notes == []


def test_a_site_is_not_cleared_before_the_new_one_stands(stage: Stage, tmp_path: Path) -> None:
    """A disk that is full at once leaves every page of the older site."""
    row = Row("full")
    trial = Trial(stage, SITE, SITE.starts[-1], tmp_path / "trial", row, random.Random(0))
    old = trial.prepare()
    ended = trial.run(disturbed.Disturbance(before=disturbed.largest_file(40_000)))
    assert (ended.code, ended.clear) == (2, True)
    assert set(old) <= set(SITE.state(trial.out))


def test_the_judge_sees_what_is_lost_and_wrong(stage: Stage, tmp_path: Path) -> None:
    """A table of zeros means nothing unless something else is counted."""
    row = Row("a bad command")
    trial = Trial(stage, IMPORT, IMPORT.starts[-1], tmp_path / "trial", row, random.Random(0))
    old = trial.prepare()
    (trial.out / "p.h5").unlink()
    trial.judge(disturbed.Ended(None, "", 0.0, 0), old, again=False)
    (trial.out / "p.h5").write_text("half")
    trial.judge(disturbed.Ended(0, "Traceback (most recent call last)", 0.0, 0), old, again=False)
    assert row.cells == ["a bad command", "0", "1", "2", "1"]


def test_hdf5_never_hears_of_a_full_disk(tmp_path: Path) -> None:
    """The first error is kept, what follows is swallowed, and reading goes on."""

    class Full:
        """Takes three bytes at a time, and seven in all."""

        taken = b""

        def write(self, data: memoryview) -> int:
            if len(self.taken) >= 7:
                raise OSError(28, "No space left on device")
            self.taken += bytes(data[:3])
            return min(3, len(data))

    stream = Full()
    target = DeafStream(stream)  # type: ignore[arg-type]
    assert target.write(b"abcdef") == 6
    assert target.error is None
    assert target.write(b"ghijkl") == 6
    assert target.error is not None
    assert target.error.errno == 28
    target.truncate(3)
    assert stream.taken == b"abcdefghi"


def test_files_that_belong_together(tmp_path: Path) -> None:
    """When the second cannot be made, the first keeps its content."""
    first, second = tmp_path / "a.json", tmp_path / "no" / "a.csv.gz"
    first.write_text("old")
    with pytest.raises(BenchError):
        write_together({first: b"new", second: b"new"})
    assert first.read_text() == "old"
    assert list(tmp_path.iterdir()) == [first]


def test_forgotten_parts_are_swept(tmp_path: Path) -> None:
    """What a killed command left a day ago goes with the next try; a part in use stays."""
    for name, age_s in (("old", FORGOTTEN_S + 60), ("new", 60)):
        part = tmp_path / f".a.h5.{name}.part"
        part.write_text("half")
        os.utime(part, (time.time() - age_s,) * 2)
    with atomic_path(tmp_path / "a.h5") as part:
        part.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.h5.new.part", "a.h5"]


def test_a_damaged_result_can_be_replaced(tmp_path: Path) -> None:
    """Scoring again is the remedy, so it must be possible."""
    dataset, predictions = face_world()
    result = score(predictions, dataset, "aflw2000/68/2d@3ddfa-fit")
    path, _ = save(result, tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BenchError, match="--replace") as error:
        save(result, tmp_path)
    assert error.value.code == "damaged-result"
    save(result, tmp_path, replace=True)
    assert load_result(path).as_dict() == result.as_dict()


def test_any_bit_of_a_part_may_turn(stage: Stage, tmp_path: Path) -> None:
    """A part is whole, unreadable in one message, or the same; a plan in no language is another plan."""
    from prn_bench.build.batch import Rows

    spool, rng = Spool(tmp_path / "d.h5", "plan"), random.Random(1)
    rows = Rows(
        {"x": np.arange(3.0), "sample_id": np.array(["a", "b", "c"], object)}, [], [], [], {}
    )
    spool.put(0, rows)
    part = spool.folder / "batch-000000.npz"
    whole = part.read_bytes()
    for _ in range(600):
        part.write_bytes(disturbed.damaged(whole, rng.random(), cut=rng.random() < 0.2))
        assert spool.ready(1) <= {0}
        with suppress(BenchError):
            found = spool.get(0)
            assert found.columns.keys() == {"x", "sample_id"}
            assert found.columns["x"].tolist() == [0, 1, 2]
            assert found.columns["sample_id"].tolist() == ["a", "b", "c"]
    (spool.folder / "plan.txt").write_bytes(b"\xff\xfe")
    assert spool.ready(1) == set()
    assert not spool.folder.exists()


def test_a_removed_lock_locks_nothing(tmp_path: Path) -> None:
    """Of three builds at once, two never work: the second holds a file that the first removed."""
    working, most, lock = [], [], threading.Lock()

    def build() -> None:
        for _ in range(30):
            with suppress(BenchError), Spool(tmp_path / "d.h5", "plan").held():
                with lock:
                    working.append(1)
                    most.append(len(working))
                time.sleep(0.001)
                with lock:
                    working.pop()

    threads = [threading.Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
