"""Training: one loop whose every step follows from the settings, so that it can be resumed exactly."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from prn_bench.dataset import Dataset, open_dataset
from prn_bench.results import make_folder
from prn_bench.training import folder as training_folder
from prn_bench.training import holdout, refusals
from prn_bench.training.checkpoint import ModelConfig
from prn_bench.training.devices import Group, process_group
from prn_bench.training.folder import CHECKPOINT, STATE
from prn_bench.training.journal import Journal, Step
from prn_bench.training.loss_weights import dataset_weights
from prn_bench.training.state import resume, write_state
from reference_model.augment import Augmentation, augment, draw, noise_texture
from reference_model.config import TrainConfig
from reference_model.data import BLOCK, load_faces
from reference_model.distributed import parallel
from reference_model.loss import rms_px, weighted_loss
from reference_model.network import PRN
from reference_model.optimisers import Optimisers
from reference_model.predict import predict_maps
from reference_model.weights import save_checkpoint

LOG_EVERY = 10  # steps

Say = Callable[[str], None]


def train(
    config: TrainConfig, dataset: str | Path, out: str | Path, *, device: str = "auto", say: Say
) -> Path:
    """Train, or carry on with what an interrupted call of the same settings left in the folder.

    The dataset has images and position maps, in either layout. The folder ``out`` is made if needed,
    for the checkpoint, log, pictures, state and settings. ``device`` is ``auto``, ``cpu``, ``cuda``,
    ...; under ``torchrun`` each process takes the GPU of its rank. ``say`` is told once an epoch.

    Returns the checkpoint after the last step: nothing is selected. Raises BenchError ``test-set``,
    ``too-few-samples``, ``bad-batch``, ``not-symmetric``, ``another-run``, ``not-finite`` with the
    sample, and those of :func:`reference_model.data.load_faces`.
    """
    with process_group(device) as group:
        # Nothing keeps the run: PyTorch may abort where a parallel model outlives its processes' group.
        return _run(Run(config, open_dataset(dataset), make_folder(out), group), say)


def _run(run: Run, say: Say) -> Path:
    run.resume()
    while run.epoch < run.config.epochs:
        run.train_epoch()
        if run.group.rank == 0:
            say(run.finish_epoch())
    return run.folder / CHECKPOINT


class Run:
    """A training in progress: of a config, on a dataset, in a folder, by a group of processes."""

    def __init__(self, config: TrainConfig, dataset: Dataset, folder: Path, group: Group) -> None:
        self.config, self.dataset, self.folder, self.group = config, dataset, folder, group
        device, share = group.device, config.validation_share
        rows, self.held = holdout.split(dataset, share, allow_test_set=config.allow_test_set)
        self.steps = refusals.steps(dataset, len(rows), config.batch, group.size)  # an epoch
        if config.flip:
            refusals.require_symmetry(dataset)
        load = partial(load_faces, dataset, side_px=config.side_px, device=device, scratch=folder)
        self.faces = load(rows)
        if len(self.held):
            self.held_images = load(self.held).images.permute(0, 2, 3, 1).cpu().numpy()
        weights = dataset_weights(dataset, config.side_px, config.loss_weights)
        self.weights = torch.from_numpy(weights).to(device)
        self.noise = noise_texture(config.seed).to(device)
        self.network = new_network(config, device)
        self.model: Callable[[Tensor], Tensor] = parallel(self.network, group)
        if config.compile and device.type == "cuda" and importlib.util.find_spec("triton"):
            self.model = torch.compile(self.model)
        self.optimisers = Optimisers(self.network, kernel_rate=config.kernel_rate)
        self.journal = Journal(dataset, self.faces.ids, folder, group)
        self.identity = training_folder.identity(dataset, asdict(config))
        self.done, self.saved_s, self.found = 0, time.monotonic(), dict[str, float]()

    @property
    def epoch(self) -> int:
        """The epoch in progress, from 0."""
        return self.done // self.steps

    def train_epoch(self) -> None:
        """The rest of the epoch in progress."""
        config, group = self.config, self.group
        chance = np.random.default_rng([config.seed, self.epoch])
        order = torch.from_numpy(chance.permutation(len(self.faces.ids)))
        chances = draw(config, self.epoch, len(order)).to(group.device)
        self.network.train()
        self.journal.begin()
        for step in range(self.done % self.steps, self.steps):
            first = step * config.batch
            rows = order[first + group.rank : first + config.batch : group.size]
            self.journal.add(self.step(rows, chances[rows.to(group.device)]))
            self.done += 1
            if self.done % LOG_EVERY == 0 or step == self.steps - 1:
                self._log()
                if step < self.steps - 1 and self._is_due:
                    self.save()
                self.journal.begin()

    def step(self, rows: Tensor, chances: Tensor) -> Step:
        """One step on some samples."""
        config = self.config
        how = Augmentation.from_chances(chances, config)
        images, maps = augment(*self.faces.batch(rows), how, self.noise)
        half = config.precision == "bfloat16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            predicted = self.model(images)
        loss = weighted_loss(predicted, maps, self.weights)
        self.network.zero_grad()
        loss.backward()
        share = config.share_of_rate(self.done, self.steps)
        self.optimisers.step(config.learning_rate * share, config.kernel_rate * share)
        return Step(rows, loss.detach(), (predicted.detach() - maps).sum((1, 2, 3)).isfinite())

    def _log(self) -> None:
        config, parameters = self.config, self.network.parameters()
        norm = nn.utils.clip_grad_norm_(parameters, float("inf"))  # clips nothing
        found = self.journal.close(self.done, norm, config.batch)
        rate = config.learning_rate * config.share_of_rate(self.done - 1, self.steps)
        found |= {"rms_px": rms_px(found["loss"]), "learning_rate": rate}
        self.journal.write(epoch=self.epoch, step=self.done, **found)

    def finish_epoch(self) -> str:
        """Measure the photographs held out, and save after the last epoch; a line on how it goes."""
        if len(self.held):
            predict = partial(predict_maps, self.network.eval(), side_px=self.config.side_px)
            sheet = self.folder / "samples.png"
            maps = map(predict, np.array_split(self.held_images, -(-len(self.held) // BLOCK)))
            self.found = holdout.validate(self.dataset, self.held, maps, sheet)
            self.journal.write(epoch=self.epoch, step=self.done, **self.found)
        if self.epoch == self.config.epochs or self._is_due:
            self.save()
        return training_folder.summary(self.folder, self.epoch, self.config.epochs)

    @property
    def _is_due(self) -> bool:
        return time.monotonic() - self.saved_s > self.config.save_every_s

    def save(self) -> None:
        """Write state, checkpoint and curves; each replaces the older one when it is whole."""
        if self.group.rank:
            return
        write_state(self.folder / STATE, self._tensors())
        training = {**self.identity, "epochs": self.done / self.steps, **self.found}
        channels, side_px = self.config.base_channels, self.config.side_px
        model = ModelConfig.trained_on(self.dataset, channels, side_px, training)
        save_checkpoint(self.folder / CHECKPOINT, self.network, model)
        training_folder.draw_curves(self.folder)
        self.saved_s = time.monotonic()

    def resume(self) -> None:
        """Take up what the folder holds, or begin; raises BenchError ``another-run``."""
        self.done = resume(self.folder, self.identity, self._tensors(), self.group)

    def _tensors(self) -> dict[str, Tensor]:
        """All that a resume needs, as it lives in memory. There is no state of chance: see `draw`."""
        weights = {f"network/{name}": values for name, values in self.network.state_dict().items()}
        return {**weights, **self.optimisers.tensors(), "done": torch.tensor(self.done)}


def new_network(config: TrainConfig, device: torch.device) -> PRN:
    """A network to be trained, whose weights follow from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = PRN(config.base_channels, batch_norm_decay=config.batch_norm_decay)
        if config.smooth_start:
            network.start_smoothly()
    last = config.channels_last and device.type == "cuda"
    layout = torch.channels_last if last else torch.contiguous_format
    return cast(PRN, cast(Any, network.to(device)).to(memory_format=layout))
