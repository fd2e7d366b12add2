"""Image bytes in and out: decode, cut out a crop, encode (Pillow)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.sniff import describe

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
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "BMP"))
        picture.load()
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    except UnidentifiedImageError:
        raise BenchError(
            "this is not an image",
            code="not-an-image",
            where=where,
            found=describe(data),
            remedy="Download it again.",
        ) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
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

    scale = crop[0, 0]
    # Pillow counts from the pixels' outer edges, the frames from their centres.
    edge = (0.5 * (scale - 1) - crop[:2, 2]) / scale
    size = np.array([picture.width, picture.height])
    first = np.ceil(np.maximum(-edge * scale, 0) - 1e-6).astype(int)
    last = np.floor(np.minimum((size - edge) * scale, size_px) + 1e-6).astype(int)
    if (last <= first).any():
        return Image.new("RGB", (size_px, size_px))
    low, high = np.clip(edge + first / scale, 0, size), np.clip(edge + last / scale, 0, size)
    part = picture.resize(
        (int(last[0] - first[0]), int(last[1] - first[1])),
        Image.Resampling.BILINEAR,
        box=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
    )
    if part.size == (size_px, size_px):
        return part
    canvas = Image.new("RGB", (size_px, size_px))
    canvas.paste(part, (int(first[0]), int(first[1])))
    return canvas


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
