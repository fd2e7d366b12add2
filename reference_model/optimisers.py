"""Adam for all weights as published, or Muon for the kernels and Adam for the rest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prn_bench.training import muon
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
        self.momenta = [torch.zeros_like(_matrix(one.detach())) for one in self.kernels]
        others = [one for one in weights if one.ndim != 4 or not kernel_rate]
        self.adam = torch.optim.Adam(others, fused=True)
        prepare_state(self.adam, "exp_avg", "exp_avg_sq", counter="step")

    def step(self, learning_rate: float, kernel_rate: float) -> None:
        """Move the weights by their gradients, at these rates of Adam and of Muon."""
        self.adam.param_groups[0]["lr"] = learning_rate
        self.adam.step()
        if self.kernels:
            kernels = [_matrix(one.detach()) for one in self.kernels]
            gradients = [_matrix(one.grad) for one in self.kernels if one.grad is not None]
            muon.move(kernels, gradients, self.momenta, kernel_rate)

    def tensors(self) -> dict[str, Tensor]:
        """The state, by name, as it lives in memory."""
        momenta = {f"muon/{number}/momentum": one for number, one in enumerate(self.momenta)}
        return optimiser_tensors("adam", self.adam) | momenta


def _matrix(kernel: Tensor) -> Tensor:
    """(n, ...) as (n, rest), without a copy in either memory format."""
    if not kernel.is_contiguous():
        kernel = kernel.permute(0, 2, 3, 1)
    return kernel.view(len(kernel), -1)
