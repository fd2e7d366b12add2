"""``python -m tests.fuzz --inputs 12000 --seed 0``: a campaign of mutated inputs; see docs/fuzzing.md."""

from __future__ import annotations

import os

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(
        f"{_name}_NUM_THREADS", "1"
    )  # before any of them is imported: workers are forks

import argparse  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections import Counter, defaultdict  # noqa: E402
from pathlib import Path  # noqa: E402

from tests.fuzz.judge import clean, judge  # noqa: E402
from tests.fuzz.pool import NOT_MADE, Outcome, campaign, replay  # noqa: E402
from tests.fuzz.seeds import World  # noqa: E402

EVERY = 500  # inputs between two lines of progress


def main() -> int:
    """Run what the command line asks for."""
    options = _options()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="prn-bench-fuzz-"))
    real = os.environ.get("PRN_BENCH_REAL_DATA")
    clean(folder / "world")
    world = World(folder / "world", Path(real) if real else None, light=options.light)
    if options.replay:
        for kept in options.replay:
            print(kept, *replay(Path(kept), world, folder), sep="\n  ")
        return 0
    kinds = [k for k in world.kinds() if not options.kinds or re.search(options.kinds, k)]
    if not options.light:
        warm(world, kinds, folder, every=options.check_seeds)
    numbers = range(options.start, options.start + options.inputs)
    began, outcomes = time.monotonic(), []
    for outcome in campaign(world, list(numbers), seed=options.seed, kinds=kinds, folder=folder):
        outcomes.append(outcome)
        if len(outcomes) % EVERY == 0:
            print(f"{len(outcomes)} inputs, {time.monotonic() - began:.0f} s", flush=True)
        if outcome.faults:
            print(outcome.number, outcome.seed.name, *outcome.faults[:3], sep="\n    ", flush=True)
    report(outcomes, kinds, time.monotonic() - began)
    print(f"failures are kept in {folder / 'failed'}" if any(o.faults for o in outcomes) else "")
    return int(any(outcome.faults for outcome in outcomes))


def warm(world: World, kinds: list[str], folder: Path, *, every: bool) -> None:
    """Some sound seed of each kind, or every seed, so that workers inherit what is imported."""
    chosen = [seed for seed in world.seeds if seed.kind in kinds]
    if not every:
        chosen = list({seed.kind: seed for seed in chosen}.values())
    for number, seed in enumerate(chosen):
        box = folder / f"warm-{number}"  # a name of its own, since recipes remember what lies where
        clean(box)
        shutil.copytree(seed.folder, box / "in", copy_function=os.link)
        codes, faults = judge(box, seed.steps, world.root)
        if faults or set(codes) - {"0"} - ({"1"} if seed.kind.startswith("board") else set()):
            print(f"the seed {seed.name} is not sound: {codes} {faults}", file=sys.stderr)
        clean(box)


def report(outcomes: list[Outcome], kinds: list[str], seconds: float) -> None:
    """Inputs by kind and by how they ended; failures by their words."""
    print(f"\n{'kind':20}{'inputs':>8}{'accepted':>10}{'finding':>9}{'refused':>9}{'failed':>8}")
    total: Counter[str] = Counter()
    for kind in kinds:
        mine = [outcome for outcome in outcomes if outcome.seed.kind == kind]
        ends = Counter(_end(outcome) for outcome in mine)
        total += ends
        row = (ends[name] for name in ("accepted", "finding", "refused", "failed"))
        print(f"{kind:20}{len(mine):8}" + "{:10}{:9}{:9}{:8}".format(*row))
    row = (total[name] for name in ("accepted", "finding", "refused", "failed"))
    print(f"{'all':20}{len(outcomes):8}" + "{:10}{:9}{:9}{:8}".format(*row))
    print(f"{seconds / 60:.0f} minutes; {total[NOT_MADE]} inputs could not be made by HDF5")
    groups: dict[str, list[int]] = defaultdict(list)
    for outcome in outcomes:
        for fault in {
            re.sub(r"\d{3,}|'[^']*'|/\S+/", "#", fault)[:110] for fault in outcome.faults
        }:
            groups[fault].append(outcome.number)
    for fault, numbers in sorted(groups.items(), key=lambda item: -len(item[1])):
        print(f"{len(numbers):6}  {fault}  {numbers[:4]}")


def _end(outcome: Outcome) -> str:
    if outcome.faults:
        return "failed"
    if NOT_MADE in outcome.codes:
        return NOT_MADE
    if set(outcome.codes) <= {"0"}:
        return "accepted"
    return "finding" if set(outcome.codes) <= {"0", "1"} else "refused"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=12_000)
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0, help="of the campaign")
    parser.add_argument("--kinds", default="", help="a pattern; all without it")
    parser.add_argument("--folder", help="for seeds and failures; a temporary one without it")
    parser.add_argument("--light", action="store_true", help="only seeds that are quick to make")
    parser.add_argument("--check-seeds", action="store_true", help="first try every sound seed")
    parser.add_argument("--replay", nargs="+", help="kept inputs, such as FOLDER/failed/0-17")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
