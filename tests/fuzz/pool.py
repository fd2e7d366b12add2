"""Worker processes that run inputs one after another, and are replaced when one dies or hangs."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.fuzz.judge import clean, judge, prepare
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import Seed, World

WALL_SECONDS, INPUTS_PER_WORKER = 60, 150
NOT_MADE = "not made"


@dataclass(frozen=True)
class Outcome:
    """What became of one input."""

    number: int
    seed: Seed
    codes: tuple[str, ...]
    faults: tuple[str, ...]


def choose(world: World, kinds: list[str], number: int) -> Seed:
    """All kinds in turn, and all seeds of a kind in turn."""
    turn, place = divmod(number, len(kinds))
    seeds = [seed for seed in world.seeds if seed.kind == kinds[place]]
    return seeds[turn % len(seeds)]


def make_input(world: World, seed: Seed, number: int, campaign: int, box: Path) -> None:
    """The seed's folder with its target mutated; all other files are links to the sound ones."""
    draw = random.Random(f"{campaign} {number}")
    clean(box)
    shutil.copytree(seed.folder, box / "in", copy_function=os.link)
    target = box / "in" / seed.target
    others = [one.folder / one.target for one in world.seeds if one.kind == seed.kind]
    content = mutated(seed.folder / seed.target, others, draw)
    target.unlink()
    target.write_bytes(content)


def campaign(
    world: World, numbers: list[int], *, seed: int, kinds: list[str], folder: Path, workers: int = 2
) -> Iterator[Outcome]:
    """Outcomes in the order in which they come; a failing input stays in ``folder/failed``."""
    waiting, crew = (
        list(reversed(numbers)),
        [_Worker(world, seed, kinds, folder) for _ in range(workers)],
    )
    while waiting or any(worker.job is not None for worker in crew):
        for worker in crew:
            if worker.job is None and waiting:
                worker.start(waiting.pop())
        wait([worker.pipe for worker in crew if worker.job is not None], timeout=1)
        for worker in crew:
            outcome = worker.collect()
            if outcome is not None:
                yield outcome
    for worker in crew:
        worker.stop()


class _Worker:
    """One process, and the number of the input that it is at."""

    def __init__(self, world: World, seed: int, kinds: list[str], folder: Path) -> None:
        self.world, self.seed, self.kinds, self.folder = world, seed, kinds, folder
        self.job: int | None = None
        self.process: Any = None
        self.began, self.done = 0.0, 0
        self.pipe: Connection

    def start(self, number: int) -> None:
        """Give it an input; a fresh process after some of them."""
        if self.process is None or self.done >= INPUTS_PER_WORKER:
            self.stop()
            fork = multiprocessing.get_context("fork")
            self.pipe, other = fork.Pipe()
            self.process, self.done = fork.Process(target=self._work, args=(other,)), 0
            self.process.start()
            other.close()
        self.job, self.began, self.done = number, time.monotonic(), self.done + 1
        self.pipe.send(number)

    def collect(self) -> Outcome | None:
        """The outcome of its input, when there is one."""
        if self.job is None:
            return None
        if self.pipe.poll():
            try:
                codes, faults = self.pipe.recv()
            except EOFError:
                codes, faults = [], [self._death()]
        elif time.monotonic() - self.began > WALL_SECONDS:
            self.process.kill()
            codes, faults = [], [f"did not end in {WALL_SECONDS} s"]
        else:
            return None
        if not codes:
            self.stop()
        number, self.job = self.job, None
        seed = choose(self.world, self.kinds, number)
        self._keep(number, seed, faults)
        return Outcome(number, seed, tuple(codes), tuple(faults))

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.pipe.close()
            self.process.join(timeout=5)
            self.process.kill()
            self.process.join()
            self.process = None

    def _death(self) -> str:
        self.process.join(timeout=5)
        code = self.process.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return "took more than 10 s of processor time" if name == "SIGPROF" else f"crash {name}"

    def _work(self, pipe: Connection) -> None:
        """In the process: run inputs until nobody asks for more."""
        prepare()
        os.chdir("/")
        while True:
            try:
                number = pipe.recv()
            except EOFError:
                os._exit(0)
            seed, box = choose(self.world, self.kinds, number), self.folder / str(number)
            if not self._made(seed, number, box):
                pipe.send(([NOT_MADE], []))
                continue
            codes, faults = judge(box, seed.steps, self.world.root)
            pipe.send((codes, faults))

    def _made(self, seed: Seed, number: int, box: Path) -> bool:
        """Make an input; where HDF5 does it, in a process of its own, whose harm stays with it."""
        if not seed.target.endswith(".h5"):
            make_input(self.world, seed, number, self.seed, box)
            return True
        child = os.fork()
        if child == 0:
            make_input(self.world, seed, number, self.seed, box)
            os._exit(0)
        return os.waitpid(child, 0)[1] == 0

    def _keep(self, number: int, seed: Seed, faults: list[str]) -> None:
        """Move a failing input to where it can be replayed; take any other away."""
        box, kept = self.folder / str(number), self.folder / "failed" / f"{self.seed}-{number}"
        if faults:
            clean(kept)
            shutil.copytree(box / "in", kept / "in", symlinks=True)
            facts = asdict(seed) | {"folder": str(seed.folder), "faults": faults}
            (kept / "facts.json").write_text(json.dumps(facts, indent=1))
        clean(box)


def replay(kept: Path, world: World, folder: Path) -> tuple[list[str], list[str]]:
    """Run a kept input again, in this process."""
    facts = json.loads((kept / "facts.json").read_text())
    box = folder / "replay"
    clean(box)
    shutil.copytree(kept / "in", box / "in")
    return judge(box, tuple(facts["steps"]), world.root)
