"""Builds that are killed, starved or crossed: they go on, and end in the same file."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from prn_bench import build as engine
from prn_bench.build import build
from prn_bench.build.spool import Spool, pack, unpack
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.recipes import find_recipe

SCRIPT = """
import sys, time
from prn_bench import build as engine
from prn_bench.recipes import find_recipe
engine.BATCH_SAMPLES["maps"] = 2
def slowly(done, total):
    print(done, flush=True)
    time.sleep(0.05)
engine.build(find_recipe("aflw2000-3d"), sys.argv[1], sys.argv[2], with_images=False,
             jobs=int(sys.argv[3]), progress=slowly)
"""


@pytest.fixture
def small_batches(monkeypatch):
    """Two samples a batch, so that twelve make six."""
    monkeypatch.setitem(engine.BATCH_SAMPLES, "maps", 2)


def make(world, out, **options):
    """The undisturbed build."""
    raw = world / "raw-aflw2000-3d"
    return build(find_recipe("aflw2000-3d"), raw, out, with_images=False, **options)


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_and_resumed(world, tmp_path, small_batches, jobs):
    """kill -9 again and again: never a file until it is whole, and then the same one."""
    good = open_dataset(make(world, tmp_path / "good.h5").path).attributes
    out, rng = tmp_path / "d.h5", random.Random(4)
    for _ in range(4):
        command = [
            sys.executable,
            "-c",
            SCRIPT,
            str(world / "raw-aflw2000-3d"),
            str(out),
            str(jobs),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.2))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if out.exists():
            break
    make(world, out)
    for key in ("fingerprint", "content_sha256"):
        assert open_dataset(out).attributes[key] == good[key]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.h5", "good.h5"]


def test_finished_batches_are_not_made_again(world, tmp_path, small_batches, monkeypatch):
    """Four of six batches are there: two are left to do."""
    stop = RuntimeError("stop")

    def give_up(done, total):
        if done == 8:
            raise stop

    with pytest.raises(RuntimeError):
        make(world, tmp_path / "d.h5", progress=give_up)
    done = []
    whole = engine.process
    monkeypatch.setattr(engine, "process", lambda *item: done.append(1) or whole(*item))
    make(world, tmp_path / "d.h5")
    assert len(done) == 2


def test_another_plan_starts_afresh(world, tmp_path, small_batches):
    """Parts made with other options are never mixed in."""
    with pytest.raises(RuntimeError):
        make(
            world,
            tmp_path / "d.h5",
            progress=lambda done, total: (_ for _ in ()).throw(RuntimeError()),
        )
    report = make(world, tmp_path / "d.h5", limit=4)
    assert report.n_samples == 4


def test_a_repaired_sample_is_read_again(world, tmp_path, small_batches):
    """A batch with a quarantined sample is not reused."""
    import shutil

    raw = tmp_path / "raw"
    shutil.copytree(world / "raw-aflw2000-3d", raw)
    victim = sorted(raw.rglob("*.mat"))[0]
    content = victim.read_bytes()
    victim.write_bytes(content[:100])
    recipe = find_recipe("aflw2000-3d")

    def give_up(done, total):
        if done == 6:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        build(recipe, raw, tmp_path / "d.h5", with_images=False, progress=give_up)
    victim.write_bytes(content)
    report = build(recipe, raw, tmp_path / "d.h5", with_images=False)
    assert (report.n_samples, report.audit.quarantined) == (12, 0)


def test_a_dying_worker_is_replaced(world, tmp_path, small_batches, monkeypatch):
    """One worker ends itself once; the build does not notice but in time."""
    flag = tmp_path / "died"
    monkeypatch.setattr(engine, "work", _die_once)
    monkeypatch.setenv("PRN_TEST_FLAG", str(flag))
    report = make(world, tmp_path / "d.h5", jobs=2)
    assert flag.exists()
    assert report.n_samples == 12


def _die_once(item):
    """Kill this worker the first time that any comes here."""
    flag = os.environ["PRN_TEST_FLAG"]
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return pack(engine.process(*item))
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def test_workers_that_always_die_end_in_a_message(world, tmp_path, small_batches, monkeypatch):
    """Not in an endless loop."""
    monkeypatch.setattr(engine, "work", _always_die)
    with pytest.raises(BenchError) as error:
        make(world, tmp_path / "d.h5", jobs=2)
    assert error.value.code == "workers-die"


def _always_die(item):
    os.kill(os.getpid(), signal.SIGKILL)


def test_two_builds_of_one_file(world, tmp_path):
    """The second says so and touches nothing."""
    spool = Spool(tmp_path / "d.h5", "plan")
    with spool.held(), pytest.raises(BenchError) as error:
        make(world, tmp_path / "d.h5")
    assert error.value.code == "build-under-way"
    make(world, tmp_path / "d.h5")


def test_a_small_disk_is_refused_first(world, tmp_path, monkeypatch):
    """Before any work."""
    monkeypatch.setattr(engine.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(BenchError) as error:
        make(world, tmp_path / "d.h5")
    assert error.value.code == "disk-too-small"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_is_done(world, tmp_path, small_batches, monkeypatch):
    """No space left in the middle: an error, no file, and the next run goes on."""
    put, calls = Spool.put, []

    def full(self, number, content):
        calls.append(number)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        put(self, number, content)

    monkeypatch.setattr(Spool, "put", full)
    with pytest.raises(BenchError) as error:
        make(world, tmp_path / "d.h5")
    assert error.value.code == "cannot-write"
    assert not (tmp_path / "d.h5").exists()
    monkeypatch.setattr(Spool, "put", put)
    assert make(world, tmp_path / "d.h5").n_samples == 12


def test_a_damaged_part_is_named_and_made_anew(world, tmp_path, small_batches):
    """A part cut by a failing disk: one error, and the next run repairs it."""

    def give_up(done, total):
        if done == 8:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        make(world, tmp_path / "d.h5", progress=give_up)
    part = sorted((tmp_path / ".d.h5.parts").glob("batch-*.npz"))[1]
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 0xFF
    part.write_bytes(content)
    with pytest.raises(BenchError) as error:
        make(world, tmp_path / "d.h5")
    assert error.value.code == "damaged-part"
    assert make(world, tmp_path / "d.h5").n_samples == 12


def test_pack_and_unpack(world):
    """A batch survives the way through bytes."""
    from prn_bench.build.batch import process
    from prn_bench.recipes.rawsample import BuildTask

    recipe = find_recipe("aflw2000-3d")
    raw = world / "raw-aflw2000-3d"
    task = BuildTask(recipe, raw, world / "face-model.h5", "maps", with_images=True, lossless=False)
    files = recipe.module.find(task.source)[:3]
    rows = process(task, files)
    again = unpack(pack(rows))
    assert again.images == rows.images
    assert again.maps == rows.maps
    assert again.findings == rows.findings
    assert list(again.columns["sample_id"]) == list(rows.columns["sample_id"])
    assert {k: v.tobytes() for k, v in again.columns.items() if k != "sample_id"} == {
        k: v.tobytes() for k, v in rows.columns.items() if k != "sample_id"
    }


def test_a_dask_cluster_gives_the_same(world, tmp_path, small_batches):
    """Two workers of a real scheduler, one of them killed on the way."""
    distributed = pytest.importorskip("distributed")
    good = open_dataset(make(world, tmp_path / "good.h5").path).attributes["fingerprint"]
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    ) as cluster:
        pids = list(distributed.Client(cluster).run(os.getpid).values())
        killed = []

        def kill_one(done, total):
            if not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        report = make(
            world, tmp_path / "d.h5", scheduler=cluster.scheduler_address, progress=kill_one
        )
    assert killed
    assert report.fingerprint == good


def test_no_scheduler_answers(world, tmp_path):
    """One message, no waiting for ever."""
    pytest.importorskip("distributed")
    with pytest.raises(BenchError) as error:
        make(world, tmp_path / "d.h5", scheduler="tcp://127.0.0.1:9")
    assert error.value.code == "no-scheduler"


def test_a_wrong_face_model_is_refused(world, tmp_path, face_model):
    """Synthetic fits belong to the model they were made with; real ones to the BFM."""
    from dataclasses import replace

    from prn_bench.facemodel.file import save_face_model

    other = tmp_path / "other.h5"
    save_face_model(replace(face_model, mean=face_model.mean * 1.01), other)
    with pytest.raises(BenchError) as error:
        make(world, tmp_path / "d.h5", face_model=other)
    assert error.value.code == "wrong-face-model"
    real = tmp_path / "raw"
    (real / "AFLW2000").mkdir(parents=True)
    for path in (world / "raw-aflw2000-3d" / "AFLW2000").iterdir():
        (real / "AFLW2000" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(BenchError) as error:
        build(
            find_recipe("aflw2000-3d"), real, tmp_path / "d.h5", face_model=world / "face-model.h5"
        )
    assert error.value.code == "wrong-face-model"
    assert "bfm" in str(error.value)


def test_the_audit_of_a_resumed_build_adds_up(world, tmp_path, small_batches):
    """Counts come from the parts, not from this run alone."""

    def give_up(done, total):
        if done == 6:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        make(world, tmp_path / "d.h5", progress=give_up)
    report = make(world, tmp_path / "d.h5")
    audit = json.loads(open_dataset(report.path).attributes["report"])
    assert audit["found"] == audit["read"] + audit["warned"] + audit["quarantined"] == 12
