"""The log of a training in progress: steps are gathered, and looked at every few of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prn_bench.dataset import Dataset
from prn_bench.training import folder as training_folder
from prn_bench.training.devices import Group
from prn_bench.training.refusals import require_finite

if TYPE_CHECKING:
    import torch


class Step(NamedTuple):
    """One step of one process, on its device: nothing waits for it yet."""

    rows: torch.Tensor  # (b,) of the samples, on the CPU
    loss: torch.Tensor  # ()
    fine: torch.Tensor  # (b,) bool: is each sample's error a number?


class Journal:
    """Steps since the last line of the log, and that line.

    Parameters
    ----------
    dataset : Dataset
    ids : (n,) str
        Of the samples that rows of a step count in.
    folder : path
    group : Group
        Its first process writes.
    """

    def __init__(
        self, dataset: Dataset, ids: NDArray[np.object_], folder: Path, group: Group
    ) -> None:
        self._dataset, self._ids, self._folder, self._group = dataset, ids, folder, group
        self.begin()

    def begin(self) -> None:
        """A new line, whose time counts from now."""
        self._steps: list[Step] = []
        self._started = time.perf_counter()

    def add(self, step: Step) -> None:
        """Keep a step for the line."""
        self._steps.append(step)

    def close(self, done: int, norm: torch.Tensor, batch: int) -> dict[str, float]:
        """``loss`` (mean of all processes), ``gradient_norm`` and ``images_per_s`` of these steps.

        Here alone the GPU is waited for, so faults are found some steps late. ``norm`` is that of the
        gradients of the last step, number ``done``, and ``batch`` counts the samples of all processes.
        Raises BenchError ``not-finite``.
        """
        import torch

        for rows, _, fine in self._steps:
            require_finite(self._dataset, self._ids[rows.numpy()], fine.cpu().numpy(), done)
        usable = np.full(len(rows), bool(norm.isfinite()) and bool(norm > 0))
        require_finite(self._dataset, self._ids[rows.numpy()], usable, done)
        losses = torch.stack([step.loss for step in self._steps])
        loss = float(self._group.mean(losses.mean()))
        seconds = time.perf_counter() - self._started
        images_per_s = len(self._steps) * batch / seconds
        return {"loss": loss, "gradient_norm": float(norm), "images_per_s": images_per_s}

    def write(self, *, epoch: int, step: int, **values: float) -> None:
        """Add a line to the log of the folder."""
        if self._group.rank == 0:
            training_folder.write_line(self._folder, epoch=epoch, step=step, **values)
