"""One command, disturbed once and judged: what the campaign of faults counts."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests import disturbed
from tests.disturbed import UNDISTURBED, Disturbance, Ended
from tests.fault_jobs import Job, Stage, State, torn

KINDS = ("lost", "wrong", "unclear")
PATIENCE_S = 5.0
TEXT = 1200  # characters of what a command printed, in a note
UNDER_WAY = "another build is writing"


@dataclass
class Row:
    """One line of the table."""

    fault: str
    tried: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def blame(self, kind: str, note: str) -> None:
        """Count something as lost, wrong or unclear."""
        self.counts[kind] += 1
        self.notes.append(f"{kind}: {note}")

    @property
    def cells(self) -> list[str]:
        """Of the table."""
        return [self.fault, str(self.tried), *(str(self.counts[kind]) for kind in KINDS)]


@dataclass(frozen=True)
class Trial:
    """One command over one start, in a folder of its own."""

    stage: Stage
    job: Job
    start: str
    place: Path
    row: Row
    rng: random.Random

    @property
    def out(self) -> Path:
        """The folder of outputs."""
        return self.place / "out"

    @property
    def seconds(self) -> float:
        """What the undisturbed command takes."""
        return self.stage.expected(self.job, self.start)[1]

    @property
    def largest(self) -> int:
        """Bytes of all that the undisturbed command leaves."""
        return self.stage.size(self.job, self.start)

    def prepare(self) -> State:
        """Fill the folder of outputs as it was before; gives its state."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        return self.job.state(self.stage.place(self.job, self.start, self.out))

    def begin(self, log: Path, how: Disturbance = UNDISTURBED) -> int:
        """Start the command, with a cache of its own, and do not wait for it."""
        return disturbed.begin(self.stage.words(self.job.words, self.out), log, self._before(how))

    def run(self, how: Disturbance = UNDISTURBED) -> Ended:
        """Run the command to its end."""
        how = Disturbance(how.kill_after_s, how.main_only, self._before(how))
        return disturbed.run(self.stage.words(self.job.words, self.out), how)

    def _before(self, how: Disturbance) -> Callable[[], None]:
        def before() -> None:
            os.environ["PRN_BENCH_CACHE"] = str(self.place / "cache")
            how.before()

        return before

    def inside(self, work: Callable[[], None]) -> None:
        """Call ``work`` where mounts are its own; a system without such is not tried."""
        self.stage.expected(self.job, self.start)

        def told() -> list[list[str]]:
            row = Row(self.row.fault)
            object.__setattr__(self, "row", row)
            work()
            return [note.split(": ", 1) for note in row.notes]

        found = disturbed.in_namespace(told)
        if found is None:
            self.row.tried -= 1
        for kind, note in found or ():
            self.row.blame(kind, note)

    def judge(self, ended: Ended, old: State, *, again: bool = True) -> None:
        """Look at what a disturbed command left, then run it again and look once more."""
        new, _ = self.stage.expected(self.job, self.start)
        if not ended.clear:
            self.blame("unclear", f"exit {ended.code}: {ended.text[-TEXT:]}")
        found = self.job.state(self.out)
        if ended.code == 0 and found != new:
            self.blame("wrong", f"content, yet {differing(found, new)}")
        for name in sorted(set(old) | set(new) | set(found)):
            if found.get(name) not in (old.get(name), new.get(name)):
                self.blame("wrong" if name in found else "lost", name)
        for fault in torn(self.out):
            self.blame("lost", f"torn {fault}")
        if again:
            self.run_again()

    def run_again(self) -> None:
        """Run the command in peace: it must finish, and give what it always gives."""
        new, _ = self.stage.expected(self.job, self.start)
        limit, ended = time.monotonic() + PATIENCE_S, self.run()
        while ended.code == 2 and UNDER_WAY in ended.text and time.monotonic() < limit:
            time.sleep(0.1)
            ended = self.run()
        found = self.job.state(self.out)
        if ended.code != 0:
            self.blame("lost", f"no second run, exit {ended.code}: {ended.text[-TEXT:]}")
        elif found != new:
            self.blame("wrong", f"second run: {differing(found, new)}")

    def blame(self, kind: str, note: str) -> None:
        """Say of the row what is amiss."""
        self.row.blame(kind, f"{self.job.name} over {self.start}: {note}")


def differing(found: State, expected: State) -> list[str]:
    """Names of files that are not as expected."""
    return sorted({name for name, _ in set(found.items()) ^ set(expected.items())})


def damage(trial: Trial, folder: Path) -> str:
    """Cut or flip one file of a folder; gives its name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    if not paths:
        return ""
    path = trial.rng.choice(paths)
    content = path.read_bytes()
    if content:
        cut = trial.rng.random() < 0.3
        path.write_bytes(disturbed.damaged(content, trial.rng.random(), cut=cut))
    return path.name
