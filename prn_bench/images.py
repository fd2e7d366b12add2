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
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "BMP")) as picture:
            picture.load()
            return picture.convert("RGB")
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


def warp_crop(picture: Image, crop: NDArray[np.float64], size_px: int) -> Image:
    """The square crop of a picture, bilinear, black beyond its borders.

    Parameters
    ----------
    picture : PIL image
    crop : (3, 3) float
        Image frame to crop frame, pixel centres at integers.
    size_px : int
    """
    from PIL import Image

    inverse = np.linalg.inv(crop)[:2]
    # Pillow samples at centre + 0.5 on both sides; our centres lie at integers.
    inverse[:, 2] += 0.5 - inverse[:, :2].sum(1) / 2
    return picture.transform(
        (size_px, size_px),
        Image.Transform.AFFINE,
        tuple(inverse.reshape(-1)),
        Image.Resampling.BILINEAR,
    )


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
