"""The commands that the campaign of faults disturbs, and the small inputs that they read."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.facemodel.file import save_face_model
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.recipes import find_recipe
from prn_bench.results import load_result
from prn_bench.synthetic.face import synthetic_face_model
from tests import toy_bfm
from tests.disturbed import Disturbance, run
from tests.small_leaderboard import file_result, write_facts
from tests.toy_prn import toy_checkpoint

State = dict[str, str]
PROTOCOLS = ("aflw2000/68/2d@3ddfa-fit", "aflw2000/68/3d@z-mean", "aflw2000/68/2d@max")
EMPTY, OLDER = "empty", "older"


@dataclass(frozen=True)
class Job:
    """A command, in whose words ``{i}`` is the folder of inputs and ``{o}`` that of outputs.

    Attributes
    ----------
    name : str
    words : tuple of str
    older : tuple of str
        A command that makes a good older output, which the command replaces; () where none is tried.
    fill : str
        Name of a folder of the inputs that the folder of outputs begins with.
    dear : bool
        Takes more than about a second.
    timed : bool
        Its prediction file holds times, which differ from run to run.
    """

    name: str
    words: tuple[str, ...]
    older: tuple[str, ...] = ()
    fill: str = ""
    dear: bool = False
    timed: bool = False

    @property
    def starts(self) -> tuple[str, ...]:
        """What can lie in the folder of outputs before."""
        return (EMPTY, OLDER) if self.older else (EMPTY,)

    def state(self, out: Path) -> State:
        """Digest of every file that is not hidden, by its name; of a timed one without the times."""
        found = {}
        for path in (path for path in sorted(out.rglob("*")) if path.is_file()):
            name = path.relative_to(out)
            if not any(part.startswith(".") for part in name.parts):
                plain = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(name)] = str(open_predictions(path).sha256) if self.timed else plain
        return found


def jobs() -> list[Job]:
    """All of them; predicting only where PyTorch is installed."""
    raw = ("aflw2000-3d", "{i}/raw", "--face-model", "{i}/face-model.h5", "--out", "{o}/d.h5")
    found = []
    for layout in ("maps", "coefficients"):
        for workers in ("1", "2"):
            words = ("build", *raw, "--layout", layout, "--jobs", workers)
            name = f"build, {layout}, {workers} jobs"
            found.append(Job(name, words, (*words, "--limit", "3"), dear=layout != "maps"))
    protocols = [word for name in PROTOCOLS for word in ("-p", name)]
    scored = ("{i}/d.h5", *protocols, "--out", "{o}", "--replace", "--jobs", "2")
    board = ("leaderboard", "build", "--data", "{o}/board")
    add = ("leaderboard", "add", "--data", "{o}/board", "--replace")
    found += [
        Job("score", ("score", "{i}/p.h5", *scored), ("score", "{i}/q.h5", *scored)),
        Job("leaderboard add", (*add, "{i}/new/*.json"), (*add, "{i}/old/*.json"), "facts"),
        Job("leaderboard build", board, ("",), "board"),
        Job("leaderboard site", (*board, "--site", "{o}/site"), ("",), "site", dear=True),
    ]
    for suffix in (".h5", ".npz"):
        out = ("--frame", "image", "--out", f"{{o}}/p{suffix}")
        words = ("import", "npz", "{i}/r.npz", *out)
        found.append(Job(f"import to {suffix}", words, ("import", "npz", "{i}/s.npz", *out)))
    words = ("face-model", "{i}/bfm", "--out", "{o}/m.h5")
    found.append(Job("face-model", words, ("face-model", "{i}/bfm2", "--out", "{o}/m.h5")))
    if find_spec("torch"):
        words = ("predict", "{i}/model", "{i}/d.h5", "--device", "cpu", "--out", "{o}/p.h5")
        found.append(Job("predict", words, dear=True, timed=True))
    return found


class Stage:
    """The inputs, and what every command makes of them when nobody disturbs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs = folder / "inputs"
        self._expected: dict[tuple[str, str], tuple[State, float]] = {}
        self._sizes: dict[tuple[str, str], int] = {}

    def words(self, words: tuple[str, ...], out: Path) -> tuple[str, ...]:
        """The words of a command with folders in them, patterns resolved."""
        said: list[str] = []
        for word in words:
            text = word.format(i=self.inputs, o=out)
            found = sorted(map(str, self.inputs.glob(word[4:]))) if "*" in word else []
            said += found or [text]
        return tuple(said)

    def place(self, job: Job, start: str, out: Path) -> Path:
        """A folder of outputs as it is before the command."""
        shutil.rmtree(out, ignore_errors=True)
        source = self.folder / "starts" / job.name / start
        if not source.exists():
            source.mkdir(parents=True)
            if job.fill and start == OLDER and (self.inputs / f"{job.fill}-older").exists():
                shutil.copytree(self.inputs / f"{job.fill}-older", source, dirs_exist_ok=True)
            elif job.fill:
                shutil.copytree(self.inputs / job.fill, source, dirs_exist_ok=True)
            if start == OLDER and any(job.older):
                done = run(self.words(job.older, source), Disturbance(before=self._without_cache))
                if done.code:
                    raise RuntimeError(done.text)
        return Path(shutil.copytree(source, out))

    def _without_cache(self) -> None:
        os.environ["PRN_BENCH_CACHE"] = str(self.folder / "no-cache" / str(os.getpid()))

    def expected(self, job: Job, start: str) -> tuple[State, float]:
        """What the undisturbed command makes of a start, and the seconds it takes."""
        key = (job.name, start)
        if key not in self._expected:
            out = self.place(job, start, self.folder / "undisturbed")
            before = job.state(out)
            done = run(self.words(job.words, out), Disturbance(before=self._without_cache))
            if done.code:
                raise RuntimeError(done.text)
            after = job.state(out)
            self._expected[key] = (after, done.seconds)
            changed = [out / name for name in after if after[name] != before.get(name)]
            self._sizes[key] = sum(path.stat().st_size for path in changed)
        return self._expected[key]

    def size(self, job: Job, start: str) -> int:
        """Bytes of what the undisturbed command writes: of the files it makes or changes."""
        self.expected(job, start)
        return self._sizes[job.name, start]


def hidden(folder: Path) -> list[str]:
    """Names of hidden files and folders: what an ended command left over."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*"))


def torn(folder: Path) -> list[str]:
    """Results whose two files do not belong together."""
    found = []
    for path in folder.rglob("*.json"):
        try:
            load_result(path)
        except BenchError as error:
            if error.code != "not-a-result":
                found.append(f"{path.name}: {error.code}")
    return found


def make_inputs(folder: Path, n: int = 12) -> Path:
    """Raw data, a dataset, predictions, a checkpoint and a leaderboard, all small."""
    folder.mkdir(parents=True)
    model, recipe = synthetic_face_model(), find_recipe("aflw2000-3d")
    save_face_model(model, folder / "face-model.h5")
    recipe.write_synthetic(folder / "raw", model, n, seed=3)
    build(recipe, folder / "raw", folder / "d.h5", face_model=folder / "face-model.h5")
    dataset = open_dataset(folder / "d.h5")
    _write_predictions(folder, dataset.sample_ids, dataset.read("landmarks").astype(float))
    _write_bfm(folder)
    _write_boards(folder)
    if find_spec("torch"):
        toy_checkpoint(folder / "model", str(dataset.attributes["uv_layout"]))
    return folder


def _write_predictions(folder: Path, ids: np.ndarray, points: np.ndarray) -> None:
    for name, shift in (("p", 1.0), ("q", 2.0)):
        moved = points + (shift, 0, 0)
        write_predictions(folder / f"{name}.h5", ids, frame="image", landmarks=moved, method="mine")
    meshes = np.random.default_rng(0).uniform(0, 450, (len(ids), 5000, 3)).astype(np.float32)
    for name, shift in (("r", 0.0), ("s", 1.0)):
        shapes = {"vertices": meshes + np.float32(shift), "topology": "ict-5000"}
        np.savez(folder / f"{name}.npz", sample_id=ids.astype(str), **shapes)


def _write_bfm(folder: Path) -> None:
    for name, seed in (("bfm", 0), ("bfm2", 1)):
        (folder / name).mkdir()
        toy_bfm.write_npy(folder / name, toy_bfm.make_toy(seed))


def _write_boards(folder: Path) -> None:
    """Facts only; facts and two results; the same with the tables of one of them, and its site."""
    work = folder / "work"
    board = write_facts(folder / "facts" / "board")
    for name, shift in (("new", 3.0), ("old", 5.0)):
        place = write_facts(work / name)
        for method in "ab":
            file_result(place, work / name, method, shift=shift)
        shutil.copytree(work / name / "results-a", folder / name)
        shutil.copytree(work / name / "results-b", folder / name, dirs_exist_ok=True)
    full = Path(shutil.copytree(board, folder / "board" / "board"))
    shutil.copytree(work / "new" / "results", full / "results")
    shutil.copytree(folder / "board", folder / "site")
    for name in ("board", "site"):
        older = folder / f"{name}-older"
        shutil.copytree(folder / "facts", older)
        shutil.copytree(work / "old" / "results", older / "board" / "results")
        words = ("leaderboard", "build", "--data", f"{older}/board")
        done = run((*words, "--site", f"{older}/site") if name == "site" else words)
        if done.code:
            raise RuntimeError(done.text)
        shutil.rmtree(older / "board" / "results")
        shutil.copytree(work / "new" / "results", older / "board" / "results")
    shutil.rmtree(work)
