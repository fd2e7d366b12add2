"""Decoded crops to position maps, on whatever device there is."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from prn_bench.errors import BenchError
from prn_bench.uvmap import UV_SIZE_PX
from reference_model.network import PRN


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` is the first CUDA device or else the CPU; BenchError ``no-such-device``."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # PyTorch built without it asserts
        raise BenchError(
            "PyTorch cannot use this device",
            code="no-such-device",
            expected="auto, cpu, or cuda where PyTorch finds it",
            found=f"{name} ({str(error).splitlines()[0]})",
        ) from None
    return device


def network_input(images: Tensor, side_px: int) -> Tensor:
    """(b, n, n, 3) uint8 RGB to (b, 3, side, side) float32 in 0..1, averaged where it shrinks.

    In memory the channels stay last, which convolutions like best.
    """
    values = images.permute(0, 3, 1, 2).float() / 255
    if values.shape[-1] == side_px:
        return values
    return functional.interpolate(values, (side_px, side_px), mode="bilinear", antialias=True)


def predict_maps(network: PRN, images: NDArray[np.uint8], side_px: int) -> NDArray[np.float32]:
    """(b, n, n, 3) uint8 RGB crops to (b, 3, 256, 256) float32 position maps in crop pixels.

    The network is in evaluation mode, on any device, and was trained on images of ``side_px``. A
    smaller map is interpolated from corner to corner, since UV coordinates 0 and 1 are the centres of
    the outermost pixels.
    """
    device = next(network.parameters()).device
    pixels = torch.from_numpy(np.require(images, requirements="W")).to(device)
    with torch.inference_mode():
        maps = network(network_input(pixels, side_px))
        if side_px != UV_SIZE_PX:
            shape = (UV_SIZE_PX, UV_SIZE_PX)
            maps = functional.interpolate(maps, shape, mode="bilinear", align_corners=True)
        return maps.cpu().numpy()
