"""Faults that are really injected: how often tried, what was lost, what was silently wrong.

    python -m tests.faults_campaign --times 20

Each time a command is disturbed over an empty folder or an older good output, and then run again. *Lost*
is an older output that is neither as it was nor replaced by the whole new one, or a second run that does
not finish; *wrong* is a file under its name that is neither, or an output that differs from the
undisturbed one though the command was content; *unclear* is an end without one message. docs/faults.md
has the table.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from prn_bench import build as engine
from tests import disturbed
from tests.disturbed import Disturbance, Ended
from tests.fault_jobs import EMPTY, Job, Stage, jobs, make_inputs
from tests.fault_trials import KINDS, PATIENCE_S, Row, Trial, damage

Disturb = Callable[[Trial], None]
SMALL_BATCHES = {"maps": 2, "coefficients": 2}
BLOCK = 4096
TIMES = (0.0, 4e9)  # 1970 and 2096


def killed(trial: Trial) -> None:
    """SIGKILL to the command and its workers at a random moment."""
    old = trial.prepare()
    trial.judge(trial.run(Disturbance(trial.rng.uniform(0, 1.1 * trial.seconds))), old)


def orphaned(trial: Trial) -> None:
    """SIGKILL to the first process only, as the kernel does when memory runs out."""
    old = trial.prepare()
    ended = trial.run(Disturbance(trial.rng.uniform(0, 1.1 * trial.seconds), main_only=True))
    trial.judge(ended, old)
    if not disturbed.all_gone(ended.group, PATIENCE_S):
        trial.blame("lost", "workers live on")
        disturbed.kill_group(ended.group)


def too_large(trial: Trial) -> None:
    """No file may grow beyond a random size, as under a quota."""
    old = trial.prepare()
    limit = int(trial.rng.uniform(0, 0.8) * trial.largest)
    trial.judge(trial.run(Disturbance(before=disturbed.largest_file(limit))), old)


def full_disk(trial: Trial) -> None:
    """A disk that fills up after a random number of bytes; then there is room."""

    def work() -> None:
        old = trial.prepare()
        kept = Path(shutil.copytree(trial.out, trial.place / "kept"))
        used = sum(-(-path.stat().st_size // BLOCK) * BLOCK for path in kept.rglob("*"))
        room = int(trial.rng.uniform(0, 2.2) * trial.largest)
        disturbed.small_disk(trial.out, used + room + 2 * BLOCK)
        shutil.copytree(kept, trial.out, dirs_exist_ok=True)
        ended = trial.run(Disturbance(before=believe_in_room))
        disturbed.small_disk(trial.out, 1 << 30, again=True)
        trial.judge(ended, old)

    trial.inside(work)


def believe_in_room() -> None:
    """A build asks for room first; here the disk fills up later."""
    free = shutil.disk_usage("/")._replace(free=1 << 40)
    shutil.disk_usage = lambda path: free


def read_only(trial: Trial) -> None:
    """The folder is mounted read-only, which stops root too; then writable again."""

    def work() -> None:
        old = trial.prepare()
        disturbed.read_only(trial.out)
        ended = trial.run()
        disturbed.read_only(trial.out, on=False)
        trial.judge(ended, old)

    trial.inside(work)


def forbidden(trial: Trial) -> None:
    """Nobody may write into the folder."""
    old = trial.prepare()
    folders = [trial.out, *(path for path in trial.out.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    ended = trial.run(Disturbance(before=disturbed.without_privileges))
    for folder in folders:
        folder.chmod(0o755)
    trial.judge(ended, old)


def mad_clock(trial: Trial) -> None:
    """Killed; files then of 1970 or of 2096; the clock jumps by years while it runs again."""
    old = trial.prepare()
    trial.run(Disturbance(trial.rng.uniform(0.5, 1) * trial.seconds))
    for path in [*trial.place.rglob("*"), trial.out]:
        os.utime(path, (trial.rng.choice(TIMES),) * 2)
    trial.judge(trial.run(Disturbance(before=disturbed.mad_clock)), old)


def two_at_once(trial: Trial) -> None:
    """Two of the same command into one folder, the second a little later."""
    old = trial.prepare()
    logs = [trial.place / f"log{number}" for number in range(2)]
    began = time.monotonic()
    first = trial.begin(logs[0])
    time.sleep(trial.rng.uniform(0, 0.8) * trial.seconds)
    second = trial.begin(logs[1])
    codes = [disturbed.end(pid) for pid in (first, second)]
    seconds = time.monotonic() - began
    if 0 not in codes:
        trial.blame("lost", "neither finished")
    for pid, code, log in zip((first, second), codes, logs, strict=True):
        text = log.read_text("utf-8", "replace")
        trial.judge(Ended(code, text, seconds, pid), old, again=pid == second)


def damaged_cache(trial: Trial) -> None:
    """The cache of results is cut, or one of its bits is turned."""
    old = trial.prepare()
    trial.run()
    damage(trial, trial.place / "cache")
    shutil.rmtree(trial.out)
    trial.stage.place(trial.job, trial.start, trial.out)
    trial.judge(trial.run(), old)


def damaged_parts(trial: Trial) -> None:
    """Killed; then a part of what it had done is cut, or one of its bits is turned."""
    old = trial.prepare()
    trial.run(Disturbance(trial.rng.uniform(0.5, 1) * trial.seconds))
    damage(trial, trial.out / ".d.h5.parts")
    trial.judge(trial.run(), old)


def other_parts(trial: Trial) -> None:
    """Another build of the same name was killed before, and left its parts and a lock."""
    old = trial.prepare()
    words = (*trial.job.words, "--lossless", "--limit", "7")
    how = Disturbance(trial.rng.uniform(0.5, 1) * trial.seconds)
    disturbed.run(trial.stage.words(words, trial.out), how)
    (trial.out / ".d.h5.lock").write_text("4242\n")
    if "d.h5" not in trial.job.state(trial.out) or trial.start != EMPTY:
        trial.judge(trial.run(), old)


BUILDS = ("build",)
#: What it is called, what it does, and the commands it is done to; () is all.
FAULTS: dict[str, tuple[Disturb, tuple[str, ...]]] = {
    "killed (SIGKILL, workers too)": (killed, ()),
    "killed (SIGKILL, first process only)": (orphaned, (*BUILDS, "score")),
    "disk full": (full_disk, ()),
    "quota on the size of a file": (too_large, ()),
    "read-only folder": (read_only, ()),
    "folder without permission": (forbidden, ()),
    "clock jumps, files of 1970 and 2096": (mad_clock, ()),
    "two at once": (two_at_once, ()),
    "cache cut or a bit turned": (damaged_cache, ("score",)),
    "parts cut or a bit turned": (damaged_parts, BUILDS),
    "parts and lock of another build": (other_parts, BUILDS),
}


def campaign(folder: Path, times: int, seed: int, only: str = "") -> list[Row]:
    """Every fault, ``times`` times for a quick command and a quarter of that for a dear one."""
    disturbed.preload()
    engine.BATCH_SAMPLES.update(SMALL_BATCHES)
    stage = Stage(folder / "stage")
    make_inputs(stage.inputs)
    rows = []
    for fault, (disturb, names) in FAULTS.items():
        row, rng = Row(fault), random.Random(f"{seed} {fault}")
        for job in (job for job in jobs() if only in f"{fault} {job.name}"):
            if not names or job.name.split(",")[0] in names:
                repeat(disturb, stage, job, row, rng, times)
        rows.append(row)
        print(f"| {' | '.join(row.cells)} |", flush=True)
        print(*sorted(set(row.notes))[:20], sep="\n", end="", file=sys.stderr, flush=True)
    return rows


def repeat(
    disturb: Disturb,
    stage: Stage,
    job: Job,
    row: Row,
    rng: random.Random,
    times: int,
) -> None:
    """One fault of one command, over each start by turns."""
    for number in range(max(1, times // 4) if job.dear else times):
        start = job.starts[number % len(job.starts)]
        row.tried += 1
        disturb(Trial(stage, job, start, stage.folder / "trial", row, rng))


def main() -> int:
    """Print the table; exit code 1 where anything was lost, wrong or unclear."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the name of a fault or a command")
    given = parser.parse_args()
    print(f"| fault | times tried | {' | '.join(KINDS)} |\n|{' --- |' * (2 + len(KINDS))}")
    with tempfile.TemporaryDirectory() as folder:
        rows = campaign(Path(folder), given.times, given.seed, given.only)
    total = [str(sum(int(row.cells[n]) for row in rows)) for n in range(1, 2 + len(KINDS))]
    print(f"| all | {' | '.join(total)} |")
    return 1 if any(row.counts for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
