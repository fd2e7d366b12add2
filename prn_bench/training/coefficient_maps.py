"""Position maps of the coefficient layout, made on the device that trains; see ``linear_maps``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class CoefficientMaps:
    """Position maps as the coefficient layout has them: linear in the coefficients, then affine."""

    basis: torch.Tensor  # (1 + k, 3 p) float32, the mean first
    weights: torch.Tensor  # (n, k) float32
    affine: torch.Tensor  # (n, 3, 4) float32

    def __getitem__(self, rows: torch.Tensor) -> torch.Tensor:
        """(b, 3, side, side) float32, crop pixels."""
        shapes = self.basis[0].addmm(self.weights[rows], self.basis[1:])
        affine = self.affine[rows]
        maps = affine[..., 3:].baddbmm(affine[..., :3], shapes.view(len(rows), 3, -1))
        return maps.view(len(rows), 3, math.isqrt(maps.shape[-1]), -1)
