"""Training: settings, exact resume, faults that are named, and that it learns."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from prn_bench.dataset import open_dataset  # noqa: E402
from prn_bench.errors import BenchError  # noqa: E402
from prn_bench.formats.tensorfile import read_tensors  # noqa: E402
from prn_bench.predictions import open_predictions  # noqa: E402
from prn_bench.training.folder import CHECKPOINT, LOG, STATE, read_log  # noqa: E402
from reference_model import train as training  # noqa: E402
from reference_model.config import TrainConfig, load_config  # noqa: E402
from reference_model.data import Faces  # noqa: E402
from reference_model.predict import predict  # noqa: E402

TINY = {
    "base_channels": 1, "side_px": 32, "batch": 3, "epochs": 3, "learning_rate": 1e-3,
    "validation_share": 0.0, "warm_up": 3, "batch_norm_decay": 0.9,
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads of four tests on two cores wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def faces_file(datasets):
    """Twelve pictures of one synthetic person."""
    return datasets["300w-lp"]


def fit(faces_file, out, **changes):
    """A tiny training; what it said."""
    said = []
    config = TrainConfig(**TINY | changes)
    training.train(config, faces_file, out, device="cpu", say=said.append)
    return said


def losses(folder):
    """(step, loss) of every window."""
    log = read_log(folder)
    return [(line["step"], line["loss"]) for line in log if "loss" in line]


def same_state(one, other):
    """Whether two trainings ended in the same bits."""
    return (one / STATE).read_bytes() == (other / STATE).read_bytes()


def test_same_seed_same_loss(faces_file, tmp_path) -> None:
    """Bit for bit; another seed is another training."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit(faces_file, tmp_path / name, seed=seed, epochs=1)
    assert same_state(tmp_path / "a", tmp_path / "b")
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert not same_state(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize(
    ("deadly_step", "kernel_rate"), [(1, 0.0), (2, 0.0), (4, 0.0), (7, 0.0), (11, 0.0), (6, 0.02)]
)
def test_resume_is_exact(faces_file, tmp_path, monkeypatch, deadly_step, kernel_rate) -> None:
    """Stopped before any step, the same call ends in the state and log of an undisturbed run.

    With Adam alone, and with Muon for the kernels.
    """
    changes = {"save_every_s": 0.0, "kernel_rate": kernel_rate}
    monkeypatch.setattr(training, "LOG_EVERY", 2)
    monkeypatch.setattr(
        training.training_folder, "draw_curves", lambda folder: None
    )  # takes a while
    fit(faces_file, tmp_path / "whole", **changes)
    step, done = training.Run.step, []

    def mortal(run, *args):
        if run.done == deadly_step and not done:
            done.append(run.done)
            raise KeyboardInterrupt
        return step(run, *args)

    monkeypatch.setattr(training.Run, "step", mortal)
    with pytest.raises(KeyboardInterrupt):
        fit(faces_file, tmp_path / "stopped", **changes)
    assert (tmp_path / "stopped" / STATE).exists() == (deadly_step > 1)
    fit(faces_file, tmp_path / "stopped", **changes)
    assert same_state(tmp_path / "whole", tmp_path / "stopped")
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")


def test_a_killed_run_resumes_exactly(faces_file, tmp_path) -> None:
    """SIGKILL at some moment after the first state was saved; then the same command again."""
    changes = {"epochs": 15, "save_every_s": 0.1}
    settings = [f"--set={name}={json.dumps(value)}" for name, value in (TINY | changes).items()]
    words = ["train", "paper", "--data", faces_file, "--device", "cpu", *settings]
    start = "import sys; from prn_bench.cli import main; sys.argv[0] = 'prn-bench'; main()"
    command = [sys.executable, "-c", start, *map(str, words), "--out"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    victim = subprocess.Popen([*command, tmp_path / "killed"], env=env, stderr=subprocess.DEVNULL)
    state = tmp_path / "killed" / STATE
    while not state.exists() and victim.poll() is None:
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.3))
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, "it ended before it could be killed"
    for name in ("killed", "whole"):
        fit(faces_file, tmp_path / name, **changes)
    assert same_state(tmp_path / "whole", tmp_path / "killed")
    assert losses(tmp_path / "whole") == losses(tmp_path / "killed")


def test_a_folder_belongs_to_one_training(faces_file, tmp_path) -> None:
    """Other settings are refused by name; the same settings find nothing left to do."""
    fit(faces_file, tmp_path / "run", epochs=1)
    with pytest.raises(BenchError, match="seed 0, now 5") as error:
        fit(faces_file, tmp_path / "run", epochs=1, seed=5)
    assert error.value.code == "another-run"
    assert fit(faces_file, tmp_path / "run", epochs=1) == []


def test_a_sample_that_breaks_the_training_is_named(faces_file, tmp_path, monkeypatch) -> None:
    """One NaN in one map: its id is in the message, and no broken state is saved."""
    batch = Faces.batch

    def broken(faces, rows):
        images, maps = batch(faces, rows)
        maps[rows == 5] = torch.nan
        return images, maps

    monkeypatch.setattr(Faces, "batch", broken)
    with pytest.raises(BenchError) as error:
        fit(faces_file, tmp_path / "run", save_every_s=0.0)
    name = open_dataset(faces_file).sample_ids[5]
    assert error.value.code == "not-finite"
    assert name in str(error.value)
    assert "1 of the 3 samples" in str(error.value)
    state = tmp_path / "run" / STATE
    if state.exists():
        read_tensors(state, tensor_kinds(state))  # raises when a value is no number


def tensor_kinds(path):
    """What a state file holds, by its own word."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        return {n: (one.get_dtype(), tuple(one.get_shape())) for n, one in slices.items()}


def test_a_diverging_training_blames_the_learning_rate(faces_file, tmp_path, monkeypatch) -> None:
    """When every sample of a batch fails, it is not a sample's fault."""
    monkeypatch.setattr(training, "weighted_loss", lambda *sides: (sides[0] * torch.nan).sum())
    with pytest.raises(BenchError, match="learning_rate"):
        fit(faces_file, tmp_path / "run")


@pytest.mark.parametrize("changes", [{"batch": 13}, {"batch": 65_536}])
def test_a_batch_larger_than_the_dataset(faces_file, tmp_path, changes) -> None:
    """Nothing would ever be trained."""
    with pytest.raises(BenchError, match="12 samples") as error:
        fit(faces_file, tmp_path / "run", **changes)
    assert error.value.code == "bad-batch"


def test_the_learning_rate_is_halved(faces_file, tmp_path, monkeypatch) -> None:
    """1e-4 halved every epoch, after a rise over the first four steps: by hand."""
    monkeypatch.setattr(training, "LOG_EVERY", 1)
    fit(faces_file, tmp_path / "run", learning_rate=1e-4, halve_every=1)
    log = [line for line in read_log(tmp_path / "run") if "loss" in line]
    rates = [line["learning_rate"] for line in log]
    first = [1e-4 * part for part in (0.25, 0.5, 0.75, 1)]
    assert rates == pytest.approx([*first, *[5e-5] * 4, *[2.5e-5] * 4])


def test_the_rate_falls_in_a_line() -> None:
    """Ten steps, two of them to rise in: 1/3, 2/3, then from 1 down to 1/8 of the way."""
    config = TrainConfig(epochs=2, warm_up=2, halve_every=0)
    found = [config.share_of_rate(step, 5) for step in range(10)]
    assert found == pytest.approx([1 / 3, 2 / 3, *(left / 8 for left in range(8, 0, -1))])


def test_a_log_line_that_was_cut_short_is_left_out(tmp_path) -> None:
    """A kill in the middle of a write."""
    (tmp_path / LOG).write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert read_log(tmp_path) == [{"step": 1}, {"step": 2}]


def test_it_learns_and_predicts(datasets, faces_file, tmp_path) -> None:
    """In 60 steps the error on a dozen pictures falls by a third; the checkpoint predicts them."""
    said = fit(
        faces_file, tmp_path / "run", epochs=30, base_channels=2, batch=6, learning_rate=5e-3,
        rotation_deg=0, translation=0, occlusion=0,
    )  # fmt: skip
    errors = [line["rms_px"] for line in read_log(tmp_path / "run")]
    assert errors[-1] < errors[0] * 2 / 3
    assert said[-1].startswith("epoch 30 of 30, error ")
    predict(tmp_path / "run" / CHECKPOINT, faces_file, tmp_path / "p.h5")
    found = open_predictions(tmp_path / "p.h5")
    assert np.asarray(found.arrays["position_map"]).shape == (12, 3, 256, 256)
    assert (tmp_path / "run" / "loss.png").read_bytes()[:4] == b"\x89PNG"


def test_held_out_photographs_are_measured(datasets, tmp_path) -> None:
    """With two photographs one is held out; its NME and its pictures are there every epoch."""
    said = []
    config = TrainConfig(**TINY | {"validation_share": 0.5, "epochs": 2, "allow_test_set": True})
    training.train(config, datasets["aflw2000-3d"], tmp_path, device="cpu", say=said.append)
    found = [line for line in read_log(tmp_path) if "validation_nme_2d" in line]
    assert [line["epoch"] for line in found] == [1, 2]
    assert all(0 < line["validation_nme_2d"] <= line["validation_nme_3d"] for line in found)
    assert "held-out NME" in said[-1]
    assert (tmp_path / "samples.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads((tmp_path / "checkpoint" / "config.json").read_text())["side_px"] == 32


def test_presets_are_the_papers_or_say_so() -> None:
    """The paper's numbers; the other presets load, and a change is on top of them."""
    paper = load_config("paper")
    assert (paper.batch, paper.learning_rate, paper.halve_every) == (16, 1e-4, 5)
    assert (paper.base_channels, paper.side_px, paper.precision) == (16, 256, "float32")
    assert (paper.rotation_deg, paper.translation) == (45, 0.1)
    assert (paper.scale, paper.colour) == ((0.9, 1.2), (0.6, 1.4))
    assert paper.loss_weights == "16:4:3:0"
    assert load_config("fast").precision == "bfloat16"
    assert load_config("demo", ["epochs=2"]).epochs == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epoch=3", "perhaps epochs"),
        ("epochs=0", "a whole number from 1"),
        ("epochs=2.5", "a whole number"),
        ("epochs=true", "a whole number"),
        ("side_px=100", "in steps of 32"),
        ("scale=[1.2, 0.9]", r"two numbers \[low, high\]"),
        ("scale=1", "two numbers"),
        ("learning_rate=fast", "a number from 1e-09 to 1"),
        ("compile=1", "true or false"),
        ("precision=float16", "float32 or bfloat16"),
        ("loss_weights=1:2:3:4", "1:1:1:1 or"),
        ("epochs", "epochs is unusable"),
        ("epochs=", "epochs is unusable"),
    ],
)
def test_a_wrong_setting_is_refused(change, message) -> None:
    """Each names the setting and what it may be."""
    with pytest.raises(BenchError, match=message) as error:
        load_config("paper", [change])
    assert error.value.code == "bad-config"


def test_settings_from_a_file(tmp_path) -> None:
    """A TOML file; words need no quotes on the command line; an unknown name lists the presets."""
    (tmp_path / "mine.toml").write_text("batch = 8\nscale = [1, 1.1]\n")
    config = load_config(tmp_path / "mine.toml", ["precision=bfloat16", "loss_weights=1:1:1:0"])
    assert (config.batch, config.scale) == (8, (1.0, 1.1))
    assert (config.precision, config.loss_weights) == ("bfloat16", "1:1:1:0")
    with pytest.raises(BenchError, match="demo, fast, paper"):
        load_config("papper")
