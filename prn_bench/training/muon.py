"""Muon (Jordan 2024): a step whose length is the same in all directions of a matrix.

``torch.optim.Muon`` multiplies in bfloat16, which takes fifty times as long on a processor without
instructions for it. So all is float32 here, and the iteration runs on Gram matrices: they are small
and square, and those of one side go as one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

MOMENTUM = 0.95
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.775, 2.0315)  # Jordan's quintic: steep at 0, near 1 from there on
SMALLEST = 1e-14  # squared length of a gradient that is taken for one


def move(
    matrices: Sequence[Tensor], gradients: Sequence[Tensor], momenta: Sequence[Tensor], rate: float
) -> None:
    """Move matrices (rows, columns) and their momenta, in place, as ``torch.optim.Muon`` does.

    The length of a step is ``rate`` in every direction, and more for a matrix of more rows than
    columns: by the root of their ratio.
    """
    import torch

    with torch.no_grad():
        for gradient, momentum in zip(gradients, momenta, strict=True):
            momentum.lerp_(gradient, 1 - MOMENTUM)
        ahead = [g.lerp(m, MOMENTUM) for g, m in zip(gradients, momenta, strict=True)]
        for matrix, direction in zip(matrices, orthogonal(ahead), strict=True):
            n_rows, n_columns = matrix.shape
            matrix.add_(direction, alpha=-rate * max(1.0, n_rows / n_columns) ** 0.5)


def orthogonal(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Nearly the nearest matrices with orthonormal rows, or columns where these are fewer.

    Singular values come to lie between 0.6 and 1.3, but for those under a hundredth of the root of
    the sum of squares, which stay smaller. Zeros stay zeros.
    """
    import torch

    wide = [one if one.shape[0] <= one.shape[1] else one.mT for one in matrices]
    found = [*wide]
    for side in {len(one) for one in wide}:
        places = [place for place, one in enumerate(wide) if len(one) == side]
        factors = _inverse_roots(torch.stack([wide[place] @ wide[place].mT for place in places]))
        for place, factor in zip(places, factors, strict=True):
            found[place] = factor @ wide[place]
    pairs = zip(found, matrices, strict=True)
    return [one if one.shape == matrix.shape else one.mT for one, matrix in pairs]


def _inverse_roots(grams: Tensor) -> Tensor:
    """(k, n, n) nearly the inverse square roots of Gram matrices, by Newton-Schulz.

    An iteration of the matrix itself, X <- (a + b G + c G^2) X with G = X X^T, multiplies from the
    left by a polynomial in the first G; here only these factors are multiplied.
    """
    import torch

    a, b, c = COEFFICIENTS
    size = grams.diagonal(dim1=1, dim2=2).sum(1).clamp(min=SMALLEST)[:, None, None]
    grams = grams / size
    root = torch.eye(grams.shape[1], device=grams.device).expand_as(grams)
    for _ in range(ITERATIONS):
        factor = torch.baddbmm(grams, grams, grams, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        root, grams = factor @ root, factor @ grams @ factor
    return root / size.sqrt()
