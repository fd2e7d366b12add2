"""One self-contained HTML page: text, tables and pictures, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.store import atomic_path

if TYPE_CHECKING:
    from PIL.Image import Image

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9da7b3; --line: #30363d; --page: #0d1117; } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; }
p.lead, figcaption { color: var(--soft); }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #fff; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
code { font-size: .92em; }
"""


@dataclass
class Page:
    """A page that is written top to bottom.

    Attributes
    ----------
    title, lead : str
    parts : list of str
        Finished pieces of HTML.
    """

    title: str
    lead: str
    parts: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """A section begins."""
        self.parts.append(f"<h2>{html.escape(text)}</h2>")

    def paragraph(self, text: str) -> None:
        """A paragraph of plain text."""
        self.parts.append(f"<p>{html.escape(text)}</p>")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; the first column holds words, the others numbers."""
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        self.parts.append(
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def picture(self, picture: Image | bytes, caption: str, *, kind: str = "png") -> None:
        """A picture within the page, with its caption (which is also its text for the blind)."""
        data = picture if isinstance(picture, bytes) else _encoded(picture, kind)
        mime = {"png": "image/png", "jpeg": "image/jpeg", "svg": "image/svg+xml"}[kind]
        text = html.escape(caption, quote=True)
        source = f"data:{mime};base64,{base64.b64encode(data).decode()}"
        self.parts.append(
            f'<figure><img alt="{text}" src="{source}"><figcaption>{text}</figcaption></figure>'
        )

    def save(self, path: str | Path) -> None:
        """Write the page; it appears under its name only when whole."""
        title, lead = html.escape(self.title), html.escape(self.lead)
        text = (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{STYLE}</style></head><body><main><h1>{title}</h1>"
            f'<p class="lead">{lead}</p>' + "\n".join(self.parts) + "</main></body></html>\n"
        )
        with atomic_path(path) as part:
            part.write_text(text, "utf-8")


def _encoded(picture: Image, kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "jpeg":
        picture.save(stream, "JPEG", quality=88)
    else:
        picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()
