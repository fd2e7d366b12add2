"""Pages that are one file: pictures as data addresses, styles and scripts written into them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.site.build import HERE, environment, render_page
from prn_bench.site.views import Page
from prn_bench.store import atomic_path

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITY = 85  # of JPEG: a crop takes about 15 kB


@dataclass(frozen=True)
class Picture:
    """A picture inside a page.

    Attributes
    ----------
    address : str
        The picture itself, as a data address.
    caption : str
        Also its text for those who do not see it.
    """

    address: str
    caption: str


def photograph(picture: Image, caption: str) -> Picture:
    """A picture as JPEG."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    return _embedded(stream.getvalue(), caption, "jpeg")


def drawing(picture: Image | Path, caption: str) -> Picture:
    """A picture as PNG: one in memory, or a file."""
    if isinstance(picture, Path):
        return _embedded(picture.read_bytes(), caption, "png")
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return _embedded(stream.getvalue(), caption, "png")


def _embedded(data: bytes, caption: str, kind: str) -> Picture:
    return Picture(f"data:image/{kind};base64,{base64.b64encode(data).decode()}", caption)


def asset(name: str) -> str:
    """The text of a style sheet or a script of the site."""
    return (HERE / "assets" / name).read_text("utf-8")


def write_page(path: Path, page: Page, scripts: Sequence[str]) -> None:
    """Write a page with the site's style and the texts of some scripts; only a whole one gets its name."""
    values = {**page.values, "style": asset("site.css"), "scripts": scripts}
    text = render_page(environment(), Page(page.path, page.template, page.title, values))
    with atomic_path(path) as part:
        part.write_bytes(text.encode())
