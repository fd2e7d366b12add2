"""Contact sheets: crops with their landmarks, and position maps as colours (Pillow)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.dataset import Dataset

if TYPE_CHECKING:
    from PIL.Image import Image

REFERENCE_COLOR, PREDICTED_COLOR = (0, 255, 90), (255, 60, 60)
DOT_PX = 1.4
SCALE = 2  # drawing is done on a larger picture, so that dots are round


def sample_sheet(
    dataset: Dataset,
    rows: Sequence[int],
    *,
    predicted: NDArray[np.floating] | None = None,
    columns: int = 6,
) -> Image:
    """Crops with reference landmarks (green) and, when given, predicted ones (red).

    Parameters
    ----------
    dataset : Dataset
        With images.
    rows : sequence of int
    predicted : (len(rows), 68, 2 or 3) float, image frame, optional
    columns : int
    """
    tiles = []
    for at, row in enumerate(rows):
        crop = dataset.read("crop", [row])[0]
        points = [(dataset.read("landmarks", [row])[0], REFERENCE_COLOR)]
        if predicted is not None:
            points.append((predicted[at], PREDICTED_COLOR))
        tiles.append(_dotted(dataset.image(row), crop, points))
    return tile(tiles, columns)


def map_sheet(dataset: Dataset, rows: Sequence[int], *, columns: int = 6) -> Image:
    """Position maps as pictures: x, y, z of the crop frame as red, green, blue."""
    from PIL import Image

    tiles = []
    for values in dataset.position_maps(list(rows)):
        picture = np.clip(values, 0, 255).astype(np.uint8).transpose(1, 2, 0)
        tiles.append(Image.fromarray(np.ascontiguousarray(picture)))
    return tile(tiles, columns)


def tile(pictures: Sequence[Image], columns: int, *, gap_px: int = 4) -> Image:
    """Pictures of one size side by side, row by row, on white."""
    from PIL import Image

    if not pictures:
        raise ValueError("no pictures to lay out")
    width, height = pictures[0].size
    n_columns = min(columns, len(pictures))
    n_rows = -(-len(pictures) // n_columns)
    sheet = Image.new(
        "RGB",
        (n_columns * (width + gap_px) - gap_px, n_rows * (height + gap_px) - gap_px),
        (255, 255, 255),
    )
    for at, picture in enumerate(pictures):
        row, column = divmod(at, n_columns)
        sheet.paste(picture, (column * (width + gap_px), row * (height + gap_px)))
    return sheet


def _dotted(
    image: NDArray[np.uint8],
    crop: NDArray[np.float64],
    groups: Sequence[tuple[NDArray[np.floating], tuple[int, int, int]]],
) -> Image:
    from PIL import Image, ImageDraw

    size = (image.shape[1], image.shape[0])
    picture = Image.fromarray(image).resize((size[0] * SCALE, size[1] * SCALE))
    draw, radius = ImageDraw.Draw(picture), DOT_PX * SCALE
    affine = geometry.crop_affine(crop)
    for points, color in groups:
        flat = np.pad(points[:, :2], ((0, 0), (0, 1)))
        for x, y in (geometry.apply_affine(affine, flat)[:, :2] + 0.5) * SCALE:
            if np.isfinite([x, y]).all():
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    return picture.resize(size, Image.Resampling.LANCZOS)
