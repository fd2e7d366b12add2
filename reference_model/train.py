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
from torch import Tensor

from prn_bench import plots
from prn_bench.dataset import Dataset, open_dataset
from prn_bench.formats.tensorfile import read_tensors, write_tensors
from prn_bench.results import make_folder
from prn_bench.training import folder as training_folder
from prn_bench.training import holdout, refusals
from prn_bench.training.checkpoint import ModelConfig
from prn_bench.training.folder import CHECKPOINT, STATE
from prn_bench.training.loss_weights import dataset_weights
from reference_model.augment import Augmentation, augment, draw, noise_texture
from reference_model.config import TrainConfig
from reference_model.data import BLOCK, load_faces
from reference_model.distributed import Group, parallel, process_group
from reference_model.loss import rms_px, weighted_loss
from reference_model.network import PRN
from reference_model.optimisers import Optimisers
from reference_model.predict import predict_maps
from reference_model.weights import kinds, save_checkpoint

LOG_EVERY = 10  # steps

Say = Callable[[str], None]
#: Rows of a batch, its loss, and whether each sample's error is a number.
Step = tuple[Tensor, Tensor, Tensor]


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
        run = Run(config, open_dataset(dataset), make_folder(out), group)
        run.resume()
        while run.epoch < config.epochs:
            run.train_epoch()
            if group.rank == 0:
                say(run.finish_epoch())
        return run.folder / CHECKPOINT


class Run:
    """A training in progress: of a config, on a dataset, in a folder, by a group of processes."""

    def __init__(self, config: TrainConfig, dataset: Dataset, folder: Path, group: Group) -> None:
        self.config, self.dataset, self.folder, self.group = config, dataset, folder, group
        share, allowed, device = config.validation_share, config.allow_test_set, group.device
        rows, self.held = holdout.split(dataset, share, allow_test_set=allowed)
        self.steps = refusals.steps(dataset, len(rows), config.batch, group.size)  # an epoch
        if config.flip:
            refusals.require_symmetry(dataset)
        load = partial(load_faces, dataset, side_px=config.side_px, device=device, scratch=folder)
        self.faces = load(rows)
        self.held_images = load(self.held).images if len(self.held) else torch.empty(0)
        weights = dataset_weights(dataset, config.side_px, config.loss_weights)
        self.weights = torch.from_numpy(weights).to(device)
        self.noise = noise_texture(config.seed).to(device)
        self.network = new_network(config, device)
        self.model: Callable[[Tensor], Tensor] = parallel(self.network, group)
        if config.compile and device.type == "cuda" and importlib.util.find_spec("triton"):
            self.model = torch.compile(self.model)
        self.optimisers = Optimisers(self.network, kernel_rate=config.kernel_rate)
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
        window: list[Step] = []
        for step in range(self.done % self.steps, self.steps):
            if not window:
                if self.done and time.monotonic() - self.saved_s > config.save_every_s:
                    self.save()
                started = time.perf_counter()
            first = step * config.batch
            rows = order[first + group.rank : first + config.batch : group.size]
            window.append(self.step(rows, chances[rows.to(group.device)]))
            self.done += 1
            if self.done % LOG_EVERY == 0 or step == self.steps - 1:
                self._log(window, time.perf_counter() - started)
                window = []

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
        return rows, loss.detach(), torch.isfinite((predicted.detach() - maps).sum((1, 2, 3)))

    def _log(self, window: list[Step], seconds: float) -> None:
        """Write a line; here alone the GPU is waited for, so faults are found some steps late."""
        for rows, _, fine in window:
            if not fine.all():
                bad = self.faces.ids[rows[~fine.cpu()].numpy()]
                raise refusals.not_finite(self.dataset, bad, len(rows), self.done)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), float("inf"))
        if not norm.isfinite() or norm == 0:
            raise refusals.not_finite(
                self.dataset, self.faces.ids[rows.numpy()], len(rows), self.done
            )
        loss = float(self.group.mean(torch.stack([loss for _, loss, _ in window]).mean()))
        config = self.config
        self._write(
            loss=loss,
            rms_px=rms_px(loss),
            learning_rate=config.learning_rate * config.share_of_rate(self.done - 1, self.steps),
            gradient_norm=float(norm),
            images_per_s=len(window) * config.batch / seconds,
        )

    def _write(self, **values: float) -> None:
        if self.group.rank == 0:
            training_folder.write_line(self.folder, epoch=self.epoch, step=self.done, **values)

    def finish_epoch(self) -> str:
        """Measure the photographs held out, and save after the last epoch; a line on how it goes."""
        if len(self.held):
            points = np.concatenate([*map(self._points, self.held_images.split(BLOCK))])
            sheet = self.folder / "samples.png"
            self.found = holdout.validate(self.dataset, self.held, points, sheet)
            self._write(**self.found)
        if self.epoch == self.config.epochs:
            self.save()
        return training_folder.summary(self.folder, self.epoch, self.config.epochs)

    def _points(self, images: Tensor) -> np.ndarray:
        """Landmarks, (b, 68, 3) crop pixels, of (b, 3, side, side) uint8 images."""
        pixels = images.permute(0, 2, 3, 1).cpu().numpy()
        maps = predict_maps(self.network.eval(), pixels, self.config.side_px)
        rows, columns = self.dataset.read("uv/landmark_pixels").T
        return maps[:, :, rows, columns].swapaxes(1, 2)

    def save(self) -> None:
        """Write state, checkpoint and curves; each replaces the older one when it is whole."""
        if self.group.rank:
            return
        arrays = {name: values.cpu().numpy() for name, values in self._tensors().items()}
        write_tensors(self.folder / STATE, arrays)
        known = self.dataset.attributes
        layout, licence = (str(known.get(name)) for name in ("uv_layout", "licence"))
        training = {**self._identity(), "epochs": self.done / self.steps, **self.found}
        config = self.config
        model = ModelConfig(config.base_channels, layout, licence, config.side_px, training)
        save_checkpoint(self.folder / CHECKPOINT, self.network, model)
        log = training_folder.read_log(self.folder)
        plots.training_figure(log, out=self.folder / "loss.png")
        self.saved_s = time.monotonic()

    def resume(self) -> None:
        """Take up what the folder holds, or begin; raises BenchError ``another-run``."""
        training_folder.refuse_another(self.folder, self._identity())
        if (self.folder / STATE).is_file():
            tensors = self._tensors()
            for name, values in read_tensors(self.folder / STATE, kinds(tensors)).items():
                tensors[name].copy_(torch.from_numpy(values))
            self.done = int(tensors["done"])
        self.group.mean(torch.zeros(1, device=self.group.device))  # all have read before one writes
        if self.group.rank == 0:
            training_folder.take_up(self.folder, self._identity(), self.done)

    def _identity(self) -> dict[str, Any]:
        """What two calls must agree in to be one training."""
        data = {name: self.dataset.attributes.get(name) for name in ("title", "fingerprint")}
        return {"dataset": data, "settings": asdict(self.config)}

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
