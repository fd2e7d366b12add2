"""Training: one loop whose every step follows from the settings, so that it can be resumed exactly."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from prn_bench import plots
from prn_bench.dataset import Dataset, open_dataset
from prn_bench.errors import BenchError, first_few
from prn_bench.outfile import atomic_path
from prn_bench.results import make_folder
from prn_bench.tensorfile import read_tensors, write_tensors
from reference_model.augment import Augmentation, augment, draw, noise_texture
from reference_model.config import TrainConfig
from reference_model.data import load_faces, loss_weights, split
from reference_model.distributed import Group, parallel, process_group
from reference_model.loss import rms_px, weighted_loss
from reference_model.network import PRN
from reference_model.validate import validate
from reference_model.weights import ModelConfig, save_checkpoint

STATE, SETTINGS, LOG, CHECKPOINT = "state.safetensors", "run.json", "log.jsonl", "checkpoint"
LOG_EVERY = 10  # steps
PICTURES_EVERY_S = 60.0

Say = Callable[[str], None]


def train(
    config: TrainConfig, dataset: str | Path, out: str | Path, *, device: str = "auto", say: Say
) -> Path:
    """Train, or carry on with what an interrupted call of the same settings left in the folder.

    Parameters
    ----------
    config : TrainConfig
    dataset : path
        With images and position maps, in either layout.
    out : path
        Folder, made if needed, for the checkpoint, log, pictures, state and settings.
    device : str
        ``auto``, ``cpu``, ``cuda``, ...; under ``torchrun`` each process takes the GPU of its rank.
    say : callable, told once an epoch

    Returns
    -------
    Path
        The checkpoint, that of the last epoch: nothing is selected.

    Raises
    ------
    BenchError
        ``test-set``, ``too-few-samples``, ``another-run``, ``not-finite`` with the sample, and those of
        :func:`reference_model.data.load_faces`.
    """
    with process_group(device) as group:
        run = Run(config, open_dataset(dataset), make_folder(out), group)
        run.resume()
        while run.epoch < config.epochs:
            run.train_epoch()
            if group.rank == 0:
                say(run.finish_epoch())
        return run.folder / CHECKPOINT


class Run:
    """A training in progress.

    Parameters
    ----------
    config : TrainConfig
    dataset : Dataset
    folder : path
    group : Group
    """

    def __init__(self, config: TrainConfig, dataset: Dataset, folder: Path, group: Group) -> None:
        self.config, self.dataset, self.folder, self.group = config, dataset, folder, group
        on_gpu = group.device.type == "cuda"
        rows, self.held = split(
            dataset, config.validation_share, allow_test_set=config.allow_test_set
        )
        self.steps = len(rows) // config.batch  # an epoch; the rest of its permutation is left out
        if not self.steps or config.batch % group.size:
            what = "a batch needs at least as many samples, and the same share for every process"
            found = f"{len(rows)} samples, {group.size} processes, batch {config.batch}"
            remedy = "Choose another one with --set batch=N."
            raise BenchError(what, code="bad-batch", where=dataset.path, found=found, remedy=remedy)
        self.faces, self.held_faces = (
            load_faces(dataset, some, side_px=config.side_px, device=group.device, scratch=folder)
            for some in (rows, self.held)
        )
        self.weights = loss_weights(dataset, config).to(group.device)
        self.noise = noise_texture(config.seed).to(group.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = PRN(config.base_channels, batch_norm_decay=config.batch_norm_decay)
        last = on_gpu and config.channels_last
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.network: PRN = cast(Any, network.to(group.device)).to(memory_format=self.layout)
        self.model: Callable[[Tensor], Tensor] = parallel(self.network, group)
        if config.compile and on_gpu and importlib.util.find_spec("triton"):
            self.model = torch.compile(self.model)
        self.optimiser = torch.optim.Adam(self.network.parameters(), fused=True)
        for weight in self.network.parameters():  # now, so that a resume finds it
            zeros = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
            self.optimiser.state[weight] = zeros | {"step": weight.new_zeros(())}
        self.position = torch.zeros(2, dtype=torch.int64)  # epoch, steps done in it
        self.pictured_s = time.monotonic()

    @property
    def epoch(self) -> int:
        """The epoch in progress, from 0."""
        return int(self.position[0])

    @property
    def done(self) -> int:
        """Steps done in all."""
        return self.epoch * self.steps + int(self.position[1])

    def train_epoch(self) -> None:
        """The rest of the epoch in progress."""
        config, group = self.config, self.group
        chance = np.random.default_rng([config.seed, self.epoch])
        order = torch.from_numpy(chance.permutation(len(self.faces.ids)))
        chances = draw(config, self.epoch, len(order)).to(group.device)
        self.network.train()
        window: list[tuple[Tensor, Tensor, Tensor]] = []
        started = time.perf_counter()
        for step in range(int(self.position[1]), self.steps):
            first = step * config.batch
            rows = order[first + group.rank : first + config.batch : group.size]
            window.append((rows, *self.step(rows, chances[rows.to(group.device)])))
            self.position[1] += 1
            saving = self.done % config.save_every == 0
            if saving or self.done % LOG_EVERY == 0 or step == self.steps - 1:
                self._log_window(window, time.perf_counter() - started)
                window, started = [], time.perf_counter()
            if saving:
                self.save()
        self.position.copy_(torch.tensor([self.epoch + 1, 0]))

    def step(self, rows: Tensor, chances: Tensor) -> tuple[Tensor, Tensor]:
        """One step on some samples: the loss, and whether each sample's error is a number."""
        how = Augmentation.from_chances(chances, self.config)
        images, maps = augment(*self.faces.batch(rows), how, self.noise)
        half = self.config.precision == "bfloat16"
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=half):
            predicted = self.model(images.contiguous(memory_format=self.layout))
        loss = weighted_loss(predicted, maps, self.weights)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.param_groups[0]["lr"] = self.learning_rate
        self.optimiser.step()
        return loss.detach(), torch.isfinite((predicted.detach() - maps).sum((1, 2, 3)))

    @property
    def learning_rate(self) -> float:
        """Of the next step: halved every few epochs, after a linear rise."""
        config = self.config
        rising = min(1.0, (self.done + 1) / (config.warm_up + 1))
        return config.learning_rate * 0.5 ** (self.epoch // config.halve_every) * rising

    def _log_window(self, window: list[tuple[Tensor, Tensor, Tensor]], seconds: float) -> None:
        """Write a line; here alone the GPU is waited for, so faults are found some steps late."""
        for rows, _, fine in window:
            if not fine.all():
                raise self._not_finite(rows[~fine.cpu()], len(rows))
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), float("inf"))
        loss = float(self.group.mean(torch.stack([loss for _, loss, _ in window]).mean()))
        if not norm.isfinite() or norm == 0:
            raise self._not_finite(window[-1][0], len(window[-1][0]))
        self._write(
            loss=loss,
            rms_px=rms_px(loss),
            learning_rate=self.optimiser.param_groups[0]["lr"],
            gradient_norm=float(norm),
            images_per_s=len(window) * self.config.batch / seconds,
        )

    def _not_finite(self, rows: Tensor, n_batch: int) -> BenchError:
        alone = len(rows) < n_batch
        return BenchError(
            f"the error is not a number: {first_few(self.faces.ids[rows.numpy()])}",
            code="not-finite",
            where=self.dataset.path,
            found=f"{len(rows)} of the {n_batch} samples of a batch, near step {self.done}",
            remedy="Look at these samples with `prn-bench check`."
            if alone
            else "The training diverged: lower it with --set learning_rate=..., into a new folder.",
        )

    def _write(self, **values: float) -> None:
        if self.group.rank == 0:
            with open(self.folder / LOG, "a", encoding="utf-8") as log:
                log.write(json.dumps({"epoch": self.epoch, "step": self.done, **values}) + "\n")

    def finish_epoch(self) -> str:
        """Validate, write the checkpoint, the pictures and the state; a line on how it goes."""
        config, attributes = self.config, self.dataset.attributes
        found = {}
        if len(self.held):
            sheet = self.folder / "samples.png"
            found = validate(self.network, self.dataset, self.held, self.held_faces, sheet)
            self._write(**found)
        training = {**self._identity(), "epochs": self.epoch, **found}
        words = {name: str(attributes.get(name)) for name in ("uv_layout", "licence")}
        model = ModelConfig(
            config.base_channels, **words, side_px=config.side_px, training=training
        )
        save_checkpoint(self.folder / CHECKPOINT, self.network, model)
        ended = self.epoch == config.epochs
        if ended or time.monotonic() - self.pictured_s > PICTURES_EVERY_S:
            plots.training_figure(read_log(self.folder), out=self.folder / "loss.png")
            self.pictured_s = time.monotonic()
        self.save()
        last = read_log(self.folder)[-1 - bool(found)]
        said = [f"epoch {self.epoch} of {config.epochs}", f"error {last['rms_px']:.1f} px"]
        said += [f"{last['images_per_s']:.0f} images/s"]
        said += [f"held-out NME {found['validation_nme_2d']:.2f} %"] if found else []
        return ", ".join(said)

    def _identity(self) -> dict[str, object]:
        """What two calls must agree in to be one training."""
        data = {name: self.dataset.attributes.get(name) for name in ("title", "fingerprint")}
        return {"dataset": data, "settings": asdict(self.config)}

    def _tensors(self) -> dict[str, Tensor]:
        """All that a resume needs, as it lives in memory. There is no state of chance: see `draw`."""
        weights = {f"network/{name}": values for name, values in self.network.state_dict().items()}
        moments = {
            f"adam/{number}/{name}": values
            for number, weight in enumerate(self.network.parameters())
            for name, values in self.optimiser.state[weight].items()
        }
        return {**weights, **moments, "position": self.position}

    def save(self) -> None:
        """Write the state; the older one is replaced when the new one is whole."""
        if self.group.rank == 0:
            arrays = {name: values.cpu().numpy() for name, values in self._tensors().items()}
            write_tensors(self.folder / STATE, arrays)

    def resume(self) -> None:
        """Take up what the folder holds, or begin.

        Raises
        ------
        BenchError
            ``another-run`` when it holds a training with other settings or data.
        """
        path, state, log = (self.folder / name for name in (SETTINGS, STATE, LOG))
        settings = json.loads(json.dumps(self._identity()))
        if path.is_file() and (other := _changed(json.loads(path.read_bytes()), settings)):
            what = "this folder holds another training"
            remedy = "Give another --out, or the settings of before to carry on with it."
            raise BenchError(
                what, code="another-run", where=self.folder, found=other, remedy=remedy
            )
        if state.is_file():
            tensors, types = self._tensors(), {torch.float32: "F32", torch.int64: "I64"}
            kinds = {name: (types[t.dtype], tuple(t.shape)) for name, t in tensors.items()}
            for name, values in read_tensors(state, kinds).items():
                tensors[name].copy_(torch.from_numpy(values))
        self.group.barrier()  # all have read before one writes
        if self.group.rank == 0:
            kept = [json.dumps(line) for line in read_log(self.folder) if line["step"] <= self.done]
            for place, text in ((path, json.dumps(settings, indent=1)), (log, "\n".join(kept))):
                with atomic_path(place) as part:
                    part.write_text(text + "\n" * bool(text), encoding="utf-8")


def read_log(folder: Path) -> list[dict[str, float]]:
    """The lines of a training's log, without one that a kill cut short."""
    path, lines = folder / LOG, []
    for text in path.read_text("utf-8").splitlines() if path.is_file() else ():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(text))
    return lines


def _changed(before: dict, now: dict) -> str:
    """The first difference between two trainings, in words."""
    for part in ("settings", "dataset"):
        for name in {**before.get(part, {}), **now[part]}:
            old, new = before.get(part, {}).get(name), now[part].get(name)
            if old != new:
                return f"{name} {old}, now {new}"
    return ""
