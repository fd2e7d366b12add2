"""Muon: the step of torch.optim.Muon, in float32, and what an orthogonal matrix is."""

import pytest

torch = pytest.importorskip("torch", reason="Muon moves weights of PyTorch")
from prn_bench.training import muon  # noqa: E402

SHAPES = [(6, 96), (6, 12), (12, 6), (24, 24), (3, 48), (96, 6)]


def matrices(seed: int, scale: float = 1.0) -> list:
    """Random matrices of all shapes."""
    generator = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(shape, generator=generator) for shape in SHAPES]


def test_it_steps_as_pytorchs_does() -> None:
    """Five steps of both, wide and tall: they differ by the rounding to bfloat16 there."""
    ours, theirs = matrices(0), [torch.nn.Parameter(one) for one in matrices(0)]
    momenta = [torch.zeros_like(one) for one in ours]
    reference = torch.optim.Muon(theirs, lr=0.02, weight_decay=0)
    for step in range(1, 6):
        for one, gradient in zip(theirs, matrices(step), strict=True):
            one.grad = gradient
        reference.step()
        muon.move(ours, matrices(step), momenta, 0.02)
    for mine, other, start in zip(ours, theirs, matrices(0), strict=True):
        moved = float((mine - start).norm())
        assert float((mine - other.detach()).norm()) < 0.05 * moved


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_singular_values_come_near_one(scale: float) -> None:
    """Whatever the length of a gradient; its singular vectors stay where they are."""
    for one, found in zip(matrices(1, scale), muon.orthogonal(matrices(1, scale)), strict=True):
        left, values, right = torch.linalg.svd(one, full_matrices=False)
        inner = left.mT @ found @ right.mT
        size = inner.diagonal()
        assert found.shape == one.shape
        assert float((inner - size.diag()).abs().max()) < 1e-3
        large = values > 0.02 * values.norm()
        assert 0.6 < float(size[large].min()) <= float(size.max()) < 1.3


def test_a_gradient_of_zeros_moves_nothing() -> None:
    """Nor do matrices of one side feel each other, though they go as one batch."""
    one = torch.randn(6, 12, generator=torch.Generator().manual_seed(2))
    zeros, found = muon.orthogonal([torch.zeros(6, 96), one])
    assert not zeros.any()
    assert torch.allclose(found, muon.orthogonal([one])[0], atol=1e-5)


def test_a_gradient_of_low_rank() -> None:
    """Directions without a gradient are not moved in, and nothing grows."""
    generator = torch.Generator().manual_seed(3)
    low = torch.randn(24, 2, generator=generator) @ torch.randn(2, 96, generator=generator)
    (found,) = muon.orthogonal([low])
    values = torch.linalg.svdvals(found)
    assert 0.6 < float(values[1]) <= float(values[0]) < 1.3
    assert float(values[2]) < 1e-2
