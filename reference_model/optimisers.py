"""Adam for all weights as published, or Muon for the kernels and Adam for the rest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prn_bench.training.state import optimiser_tensors, prepare_state


class Optimisers:
    """What moves the weights of a network.

    ``kernel_rate`` is the learning rate of Muon (Jordan 2024) for the kernels of the convolutions; at 0
    Adam moves them too. Muon steps equally far in all directions of a kernel, which reaches an error in
    several times fewer steps where there are only a thousand of them.
    """

    def __init__(self, network: nn.Module, *, kernel_rate: float = 0.0) -> None:
        weights = [*network.parameters()]
        self.kernels = [one for one in weights if one.ndim == 4 and kernel_rate]
        # Muon knows matrices only: these are the same numbers in memory.
        self.matrices = [nn.Parameter(_matrix(one.detach())) for one in self.kernels]
        others = [one for one in weights if one.ndim != 4 or not kernel_rate]
        self.adam = torch.optim.Adam(others, fused=True)
        self.muon = torch.optim.Muon(self.matrices, weight_decay=0) if self.matrices else None
        prepare_state(self.adam, "exp_avg", "exp_avg_sq", counter="step")
        if self.muon:
            prepare_state(self.muon, "momentum_buffer")

    def step(self, learning_rate: float, kernel_rate: float) -> None:
        """Move the weights by their gradients, at these rates of Adam and of Muon."""
        self.adam.param_groups[0]["lr"] = learning_rate
        self.adam.step()
        if self.muon:
            for kernel, matrix in zip(self.kernels, self.matrices, strict=True):
                matrix.grad = None if kernel.grad is None else _matrix(kernel.grad)
            self.muon.param_groups[0]["lr"] = kernel_rate
            self.muon.step()

    def tensors(self) -> dict[str, Tensor]:
        """The state, by name, as it lives in memory."""
        adam = optimiser_tensors("adam", self.adam)
        return adam | (optimiser_tensors("muon", self.muon) if self.muon else {})


def _matrix(kernel: Tensor) -> Tensor:
    """(n, ...) as (n, rest), without a copy in either memory format."""
    if not kernel.is_contiguous():
        kernel = kernel.permute(0, 2, 3, 1)
    return kernel.view(len(kernel), -1)
