"""Nearest points by brute force on a GPU (or a CPU), with PyTorch, in place of a k-d tree.

Squared distances are a matrix product in float32, tile by tile. Rounding may swap points that are
nearly equally far, so a few more than asked for are taken and measured again in float64: what comes out
is what a tree gives, but for ties closer than float32 can tell among more than those few.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError

Array = NDArray[np.float64]

SPARE = 4  # candidates beyond those asked for
TILE_VALUES = 1 << 26  # squared distances at a time: 256 MiB


class TorchPoints:
    """A cloud to search, as by a ``cKDTree``.

    Parameters
    ----------
    points : (m, 3) float
    device : str
        Such as ``"cuda"`` or ``"cpu"``.

    Attributes
    ----------
    data : (m, 3) float64
    n : int

    Raises
    ------
    ValueError
        For points that are not (m, 3) with m > 0, or not finite.
    BenchError
        ``no-torch``, ``no-such-device``.
    """

    def __init__(self, points: NDArray[np.floating], device: str) -> None:
        torch = _torch(device)
        self.data = np.asarray(points, np.float64)
        if self.data.ndim != 2 or self.data.shape[1] != 3 or not len(self.data):
            raise ValueError(f"a cloud is (m, 3) points, at least one, got {self.data.shape}")
        if not np.isfinite(self.data).all():
            raise ValueError("the cloud holds points that are not finite")
        self.n, self._torch, self._device = len(self.data), torch, device
        self._middle = self.data.mean(0)  # near the origin float32 has digits to spare
        self._exact = self._tensor(self.data, torch.float64)
        self._rough = self._exact.to(torch.float32)
        self._squares = (self._rough**2).sum(1)

    def query(
        self,
        asked: NDArray[np.floating],
        k: int = 1,
        workers: int = 1,
    ) -> tuple[Array, NDArray[np.intp]]:
        """Distances and rows of the ``k`` nearest points, in rising order.

        Parameters
        ----------
        asked : (n, 3) float
        k : int
        workers : int
            Without effect: all points are compared on the device.

        Returns
        -------
        distance : (n,) or (n, k) float64
        index : (n,) or (n, k) intp
        """
        exact = self._tensor(np.asarray(asked, np.float64), self._torch.float64)
        tiles = exact.split(max(1, TILE_VALUES // self.n))
        found = [self._tile(tile, k) for tile in tiles] or [(np.empty((0, k)), np.empty((0, k)))]
        distance, index = (np.concatenate(part) for part in zip(*found, strict=True))
        last = 0 if k == 1 else slice(None)
        return distance[:, last], index[:, last].astype(np.intp)

    def _tile(self, exact: Any, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        rough = exact.to(self._torch.float32)
        # The square of the asked point is the same for all, so it does not change the order.
        squares = self._torch.addmm(self._squares[None], rough, self._rough.T, alpha=-2)
        index = squares.topk(min(k + SPARE, self.n), dim=1, largest=False, sorted=False).indices
        distance = (self._exact[index] - exact[:, None]).norm(dim=2)
        best = distance.topk(min(k, self.n), dim=1, largest=False)
        return best.values.cpu().numpy(), index.gather(1, best.indices).cpu().numpy()

    def _tensor(self, values: Array, dtype: Any) -> Any:
        return self._torch.as_tensor(values - self._middle, dtype=dtype, device=self._device)


def _torch(device: str) -> Any:
    """PyTorch, where it can use the device."""
    try:
        import torch
    except ModuleNotFoundError:
        raise BenchError(
            "searching on a device needs PyTorch",
            code="no-torch",
            where=device,
            remedy="pip install 'prn-bench[train]', or search by a tree.",
        ) from None
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BenchError(
            "PyTorch cannot use this device",
            code="no-such-device",
            where=device,
            found=str(error).split("\n")[0][:80],
            remedy="Take cpu or cuda, or search by a tree.",
        ) from None
    return torch
