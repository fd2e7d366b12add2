"""Augmentation on the device, image and position map together (arXiv 1803.07835, section 3.4).

All chance is one table of numbers an epoch, drawn from (seed, epoch) with a row for each sample. So a
sample gets the same augmentation on every device, in every batch, and after a resume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from prn_bench.geometry import CROP_SIZE_PX
from reference_model.config import TrainConfig

CENTRE_PX = (CROP_SIZE_PX - 1) / 2
COLUMNS = 16  # numbers a sample takes from the table
NOISE_SIDE = 128  # of the noise that occluders are cut from
PATCH = (0.1, 0.45)  # half sides of an occluder, in half sides of the image


@dataclass(frozen=True)
class Augmentation:
    """What happens to a batch.

    ``patch`` is an occluder: centre x, y, half sides, turn, place of its noise, whether it is there.
    """

    angle: Tensor  # (b,) radians, clockwise on the screen
    scale: Tensor  # (b,) factor
    shift_px: Tensor  # (b, 2) crop pixels
    colour: Tensor  # (b, 3) factors
    patch: Tensor  # (b, 8)
    flip: Tensor  # (b,) bool, before all else

    @classmethod
    def from_chances(cls, chances: Tensor, config: TrainConfig) -> Augmentation:
        """From rows of the table that :func:`draw` gives."""
        signed = 2 * chances - 1
        sides = _between(chances[:, 9:11], PATCH)
        occluded = (chances[:, 14:15] < config.occlusion).float()
        patch = [signed[:, 7:9], sides, signed[:, 11:12] * math.pi, signed[:, 12:14], occluded]
        return cls(
            signed[:, 0] * math.radians(config.rotation_deg),
            _between(chances[:, 1], config.scale),
            signed[:, 2:4] * (config.translation * CROP_SIZE_PX),
            _between(chances[:, 4:7], config.colour),
            torch.cat(patch, 1),
            chances[:, 15] < 0.5 * config.flip,
        )


def draw(config: TrainConfig, epoch: int, n_samples: int) -> Tensor:
    """(n_samples, 16) float32 in 0..1: the chances of one epoch."""
    table = np.random.default_rng([config.seed, epoch, 1]).random((n_samples, COLUMNS), np.float32)
    return torch.from_numpy(table)


def noise_texture(seed: int) -> Tensor:
    """(3, 128, 128) float32 in 0..1: noise of several grains, to occlude faces with."""
    generator = torch.Generator().manual_seed(seed)
    grains = [torch.rand(1, 3, n, n, generator=generator) for n in (4, 16, 64)]
    size = (NOISE_SIDE, NOISE_SIDE)
    return torch.cat([functional.interpolate(g, size, mode="bilinear") for g in grains]).mean(0)


def augment(
    images: Tensor, maps: Tensor, how: Augmentation, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Mirror, turn, scale and move images and maps in the crop; colour and occlude images.

    Images are (b, 3, n, n) in 0..1, maps (b, 3, m, m) in crop pixels, the noise that of
    :func:`noise_texture`. Turns are about the middle of the crop. z is scaled by s, never by
    s cos(angle) as in a script that circulates: turning about the line of sight leaves depth alone.
    """
    flip, mirrored = how.flip[:, None, None, None], mirror(images, maps)
    images, maps = torch.where(flip, mirrored[0], images), torch.where(flip, mirrored[1], maps)
    linear = how.scale[:, None, None] * _rotation(how.angle)
    inverse = torch.linalg.inv(linear)
    # In grid coordinates the middle of the crop is 0 and half its side is 1.
    back = -inverse @ (how.shift_px / (CROP_SIZE_PX / 2))[..., None]
    grid = functional.affine_grid(torch.cat([inverse, back], 2), list(images.shape), False)
    moved = functional.grid_sample(images, grid, align_corners=False)
    coloured = (moved * how.colour[..., None, None]).clamp(0, 1)
    flat = maps.flatten(2)
    xy = linear @ (flat[:, :2] - CENTRE_PX) + CENTRE_PX + how.shift_px[..., None]
    z = flat[:, 2:] * how.scale[:, None, None]
    return _occluded(coloured, how.patch, noise), torch.cat([xy, z], 1).view_as(maps)


def mirror(images: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Images and maps of the mirrored faces, shapes and units as in :func:`augment`.

    A pixel of the map belongs to the same part of the face as before, so the map's columns are
    reversed too; this needs a UV layout that is symmetric.
    """
    x, yz = maps.flip(-1).split((1, 2), 1)
    return images.flip(-1), torch.cat([2 * CENTRE_PX - x, yz], 1)


def _occluded(images: Tensor, patch: Tensor, noise: Tensor) -> Tensor:
    """Images with a turned rectangle of noise before them, where the patch says so."""
    axis = (torch.arange(images.shape[-1], device=images.device) * 2 + 1) / images.shape[-1] - 1
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)[None]
    local = (grid - patch[:, None, None, :2]) @ _rotation(patch[:, 4])[:, None]
    inside = (local.abs() < patch[:, None, None, 2:4]).all(-1) & (patch[:, None, None, 7] > 0)
    place = grid + patch[:, None, None, 5:7]  # reflected at the border of the noise
    many = noise.expand(len(images), -1, -1, -1)
    texture = functional.grid_sample(many, place, padding_mode="reflection", align_corners=False)
    return torch.where(inside[:, None], texture, images)


def _rotation(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def _between(chances: Tensor, limits: tuple[float, float]) -> Tensor:
    return limits[0] + (limits[1] - limits[0]) * chances
