"""Seeds: small sound files of every kind, each with the commands and calls that read it.

In a step ``{i}`` is the folder of the input, ``{o}`` that of the output and ``{w}`` the folder of sound
files beside it; a word that starts with ``!`` names a function of :mod:`tests.fuzz.api`.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FIT, ALL = "aflw2000/68/2d@3ddfa-fit", "aflw2000/68/3d@z-mean"
SCORE = f"--jobs 1 --no-cache --out {{o}}/r -p {FIT}"


@dataclass(frozen=True)
class Seed:
    """A folder of sound files, the one of them that is mutated, and what is then done."""

    kind: str
    folder: Path
    target: str
    steps: tuple[str, ...]

    @property
    def name(self) -> str:
        """For the report and for replays."""
        return f"{self.kind}:{self.folder.name}/{self.target}"


class World:
    """All seeds, made below one folder."""

    def __init__(self, root: Path, real: Path | None = None, *, light: bool = False) -> None:
        from tests.fuzz import seeds_meshes, seeds_raw, seeds_tables

        self.root, self.light = root.resolve(), light
        self.seeds: list[Seed] = []
        self.root.mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stdout(sys.stderr):
            for part in (seeds_raw, seeds_meshes, seeds_tables):
                part.add(self)
            if real is not None:
                from tests.fuzz import seeds_real

                seeds_real.add(self, real)

    def folder(self, name: str) -> Path:
        """A new folder for the files of one seed."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def add(self, kind: str, folder: Path, targets: str, *steps: str) -> None:
        """A seed for each file that fits; ``{t}`` in a step is that file."""
        found = sorted(p for p in folder.rglob("*") if p.is_file() and p.match(targets))
        if not found:
            raise ValueError(f"no {targets} in {folder}")
        for path in found:
            target = str(path.relative_to(folder))
            words = (step.replace("{t}", "{i}/" + target) for step in steps)
            self.seeds.append(Seed(kind, folder, target, tuple(words)))

    def kinds(self) -> list[str]:
        """In the order in which they were added."""
        return list(dict.fromkeys(seed.kind for seed in self.seeds))


def run(*words: object) -> None:
    """A command of ``prn-bench`` that must succeed."""
    from prn_bench.cli import main

    sys.argv = ["prn-bench", *map(str, words)]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{words} ended with {end.code}") from None


def alone(folder: Path, *paths: Path) -> Path:
    """The folder, with these files copied into it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copy(path, folder / path.name)
    return folder


def predicted(dataset: Path) -> tuple[np.ndarray, np.ndarray]:
    """Ids and points near the truth of a dataset."""
    from prn_bench import open_dataset

    opened = open_dataset(dataset)
    points = np.nan_to_num(opened.read("landmarks").astype(np.float32), nan=100.0)
    return opened.sample_ids, points + np.float32([1.5, -1.0, 0.5])
