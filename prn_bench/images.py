"""Image bytes in and out: decode, cut out a crop, encode (Pillow)."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.formats.sniff import describe

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG_QUALITY = 95


def decode_image(data: bytes, where: str) -> Image:
    """An RGB picture from encoded bytes; grey, palette and RGBA pictures are converted.

    Raises
    ------
    BenchError
        ``truncated-image`` when the end is missing, ``not-an-image`` for anything else.
    """
    return load_image(open_image(data, where), where)


def open_image(data: bytes, where: str) -> Image:
    """A picture of which only the header is read, for its size; raises as :func:`decode_image`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _damage_named(where), warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "BMP"))
    except UnidentifiedImageError:
        raise BenchError(
            "this is not an image",
            code="not-an-image",
            where=where,
            found=describe(data),
            remedy="Download it again.",
        ) from None


def load_image(opened: Image, where: str) -> Image:
    """The RGB pixels of an opened picture; raises ``truncated-image``."""
    with _damage_named(where):
        opened.load()
        if opened.mode == "RGB":
            return opened
        with opened:
            return opened.convert("RGB")


@contextmanager
def _damage_named(where: str) -> Iterator[None]:
    """What Pillow raises on a damaged picture, as one BenchError."""
    from PIL import Image, UnidentifiedImageError

    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        yield
    except UnidentifiedImageError:
        raise
    except (OSError, SyntaxError, ValueError, *bombs) as error:
        raise BenchError(
            f"the image is cut short or damaged ({error})",
            code="truncated-image",
            where=where,
            remedy="Download it again.",
        ) from None


def cut_crop(picture: Image, crop: NDArray[np.float64], size_px: int) -> Image:
    """The square crop of a picture, black where the picture does not reach.

    Parameters
    ----------
    picture : PIL image
    crop : (3, 3) float
        Image frame to crop frame, pixel centres at integers; scale and translation only.
    size_px : int

    Notes
    -----
    Bilinear where the crop enlarges; where it shrinks, the filter widens with it, so that fine
    texture does not alias (PRNet's own warp samples single points).
    """
    from PIL import Image

    scale = float(crop[0, 0])
    across = _span(scale, float(crop[0, 2]), picture.width, size_px)
    down = _span(scale, float(crop[1, 2]), picture.height, size_px)
    if across is None or down is None:
        return Image.new("RGB", (size_px, size_px))
    (left, right), (low_x, high_x) = across
    (top, bottom), (low_y, high_y) = down
    size, box = (right - left, bottom - top), (low_x, low_y, high_x, high_y)
    part = picture.resize(size, Image.Resampling.BILINEAR, box=box)
    if size == (size_px, size_px):
        return part
    canvas = Image.new("RGB", (size_px, size_px))
    canvas.paste(part, (left, top))
    return canvas


def _span(
    scale: float, offset: float, n_pixels: int, size_px: int
) -> tuple[tuple[int, int], tuple[float, float]] | None:
    """Along one axis: which pixels of the crop lie on the picture, and the part of it that fills them.

    Pillow counts from the pixels' outer edges, the frames from their centres.
    """
    edge = (0.5 * (scale - 1) - offset) / scale
    first = math.ceil(max(-edge * scale, 0) - 1e-6)
    last = math.floor(min((n_pixels - edge) * scale, size_px) + 1e-6)
    if last <= first:
        return None
    low, high = max(edge + first / scale, 0.0), min(edge + last / scale, float(n_pixels))
    return (first, last), (low, high)


def encode_image(picture: Image, *, lossless: bool) -> bytes:
    """JPEG quality 95 without chroma subsampling, or PNG."""
    stream = io.BytesIO()
    if lossless:
        picture.save(stream, "PNG", compress_level=3)
    else:
        picture.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return stream.getvalue()


def encode_pixels(pixels: NDArray[np.uint8], *, lossless: bool = False) -> bytes:
    """(h, w, 3) uint8 RGB as :func:`encode_image` encodes it."""
    from PIL import Image

    return encode_image(Image.fromarray(np.ascontiguousarray(pixels)), lossless=lossless)
