"""Training: one loop whose every step follows from the settings, so that it can be resumed exactly."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from prn_bench import plots
from prn_bench.dataset import Dataset, open_dataset
from prn_bench.errors import BenchError, first_few
from prn_bench.formats.tensorfile import read_tensors, write_tensors
from prn_bench.results import make_folder
from prn_bench.training import folder as training_folder
from prn_bench.training import holdout
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
SAVE_AFTER_S, PICTURES_AFTER_S = 5.0, 60.0  # at the end of an epoch

Say = Callable[[str], None]


def train(
    config: TrainConfig, dataset: str | Path, out: str | Path, *, device: str = "auto", say: Say
) -> Path:
    """Train, or carry on with what an interrupted call of the same settings left in the folder.

    The dataset has images and position maps, in either layout. The folder ``out`` is made if needed,
    for the checkpoint, log, pictures, state and settings. ``device`` is ``auto``, ``cpu``, ``cuda``,
    ...; under ``torchrun`` each process takes the GPU of its rank. ``say`` is told once an epoch.

    Returns the checkpoint, that of the last epoch: nothing is selected. Raises BenchError
    ``test-set``, ``too-few-samples``, ``bad-batch``, ``another-run``, ``not-finite`` with the sample,
    and those of :func:`reference_model.data.load_faces`.
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
        share, allowed = config.validation_share, config.allow_test_set
        rows, self.held = holdout.split(dataset, share, allow_test_set=allowed)
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
        weights = dataset_weights(dataset, config.side_px, config.loss_weights)
        self.weights = torch.from_numpy(weights).to(group.device)
        self.noise = noise_texture(config.seed).to(group.device)
        on_gpu = group.device.type == "cuda"
        last = on_gpu and config.channels_last
        self.layout = torch.channels_last if last else torch.contiguous_format
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = PRN(config.base_channels, batch_norm_decay=config.batch_norm_decay)
            if config.smooth_start:
                network.start_smoothly()
        self.network: PRN = cast(Any, network.to(group.device)).to(memory_format=self.layout)
        self.model: Callable[[Tensor], Tensor] = parallel(self.network, group)
        if config.compile and on_gpu and importlib.util.find_spec("triton"):
            self.model = torch.compile(self.model)
        self.optimisers = Optimisers(self.network, kernel_rate=config.kernel_rate)
        self.position = torch.zeros(2, dtype=torch.int64)  # epoch, steps done in it
        self.saved_s = self.pictured_s = time.monotonic()

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
        self.network.zero_grad()
        loss.backward()
        self.optimisers.step(self.config.learning_rate, self.share_of_rate)
        return loss.detach(), torch.isfinite((predicted.detach() - maps).sum((1, 2, 3)))

    @property
    def share_of_rate(self) -> float:
        """Of the learning rate, in the next step: a linear rise, then halved or a linear fall."""
        config = self.config
        rising = min(1.0, (self.done + 1) / (config.warm_up + 1))
        if config.halve_every:
            return rising * 0.5 ** (self.epoch // config.halve_every)
        n_steps = config.epochs * self.steps
        return min(rising, (n_steps - self.done) / max(n_steps - config.warm_up, 1))

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
            learning_rate=self.optimisers.learning_rate,
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
            training_folder.write_line(self.folder, epoch=self.epoch, step=self.done, **values)

    def finish_epoch(self) -> str:
        """Validate, and write what is due; a line on how it goes."""
        found: dict[str, float] = {}
        if len(self.held):
            points = np.concatenate([*self._held_points()])
            sheet = self.folder / "samples.png"
            found = holdout.validate(self.dataset, self.held, points, sheet)
            self._write(**found)
        log, ended = training_folder.read_log(self.folder), self.epoch == self.config.epochs
        if ended or time.monotonic() - self.saved_s > SAVE_AFTER_S:
            self._save_checkpoint(found)
            self.save()
            self.saved_s = time.monotonic()
        if ended or time.monotonic() - self.pictured_s > PICTURES_AFTER_S:
            plots.training_figure(log, out=self.folder / "loss.png")
            self.pictured_s = time.monotonic()
        last = log[-1 - bool(found)]
        said = [f"epoch {self.epoch} of {self.config.epochs}", f"error {last['rms_px']:.1f} px"]
        said += [f"{last['images_per_s']:.0f} images/s"]
        said += [f"held-out NME {found['validation_nme_2d']:.2f} %"] if found else []
        return ", ".join(said)

    def _save_checkpoint(self, found: dict[str, float]) -> None:
        config, known = self.config, self.dataset.attributes
        layout, licence = (str(known.get(name)) for name in ("uv_layout", "licence"))
        training = {**self._identity(), "epochs": self.epoch, **found}
        model = ModelConfig(config.base_channels, layout, licence, config.side_px, training)
        save_checkpoint(self.folder / CHECKPOINT, self.network, model)

    def _held_points(self) -> Iterator[np.ndarray]:
        """Landmarks, (b, 68, 3) crop pixels, of the photographs held out."""
        rows, columns = self.dataset.read("uv/landmark_pixels").T
        for pictures in self.held_faces.images.split(BLOCK):
            images = pictures.permute(0, 2, 3, 1).cpu().numpy()
            maps = predict_maps(self.network.eval(), images, images.shape[1])
            yield maps[:, :, rows, columns].swapaxes(1, 2)

    def _identity(self) -> dict[str, Any]:
        """What two calls must agree in to be one training."""
        data = {name: self.dataset.attributes.get(name) for name in ("title", "fingerprint")}
        return {"dataset": data, "settings": asdict(self.config)}

    def _tensors(self) -> dict[str, Tensor]:
        """All that a resume needs, as it lives in memory. There is no state of chance: see `draw`."""
        weights = {f"network/{name}": values for name, values in self.network.state_dict().items()}
        return {**weights, **self.optimisers.tensors(), "position": self.position}

    def save(self) -> None:
        """Write the state; the older one is replaced when the new one is whole."""
        if self.group.rank == 0:
            arrays = {name: values.cpu().numpy() for name, values in self._tensors().items()}
            write_tensors(self.folder / STATE, arrays)

    def resume(self) -> None:
        """Take up what the folder holds, or begin; raises BenchError ``another-run``."""
        training_folder.refuse_another(self.folder, self._identity())
        if (self.folder / STATE).is_file():
            tensors = self._tensors()
            for name, values in read_tensors(self.folder / STATE, kinds(tensors)).items():
                tensors[name].copy_(torch.from_numpy(values))
        self.group.barrier()  # all have read before one writes
        if self.group.rank == 0:
            training_folder.take_up(self.folder, self._identity(), self.done)
