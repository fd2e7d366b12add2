"""Writing a site: pages from templates, one copy of each script and style."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.errors import BenchError
from prn_bench.leaderboard.build import render
from prn_bench.leaderboard.data import Leaderboard
from prn_bench.site.pages import all_pages
from prn_bench.site.views import Page
from prn_bench.store import atomic_path

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
ASSETS = ("site.css", "site.js", "charts.js")
PLOTLY = "plotly.min.js"
MARK = "prn-bench-site"  # a file that says a folder may be written over


def build_site(data: Leaderboard, folder: str | Path) -> Path:
    """Write the site of a leaderboard; the same data give the same bytes.

    Parameters
    ----------
    data : Leaderboard
    folder : path
        Empty, not there, or a site that was written before, which is replaced.

    Returns
    -------
    Path
        Of its first page.

    Raises
    ------
    BenchError
        ``not-a-site`` for a folder with other files, ``site-parts-missing`` without the extra ``site``.
    """
    root = Path(folder)
    scripts = plotly_script()
    templates = environment()
    _clear(root)
    for page in all_pages(data):
        _write(root / page.path, render_page(templates, page))
    for name in ASSETS:
        _write(root / "assets" / name, (HERE / "assets" / name).read_text("utf-8"))
    _write(root / "assets" / PLOTLY, scripts)
    _write(root / "assets" / "datasets.bib", _datasets(data.folder))
    for name, text in render(data).items():
        if name.endswith((".csv", ".tex")):
            _write(root / "tables" / name, text)
    return root / "index.html"


def require_parts() -> None:
    """Refuse at once where pages could not be made; BenchError ``site-parts-missing``."""
    if find_spec("plotly") is None:
        raise _missing()


def environment() -> Environment:
    """Templates of this package, with every text escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(templates: Environment, page: Page) -> str:
    """The HTML of a page."""
    template = templates.get_template(page.template)
    return template.render(page=page, root=page.root, **page.values)


def plotly_script() -> str:
    """The copy of plotly.js that the Python package plotly carries."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise _missing() from None
    return str(get_plotlyjs())


def _missing() -> BenchError:
    return BenchError(
        "pages need plotly",
        code="site-parts-missing",
        remedy="Install it: pip install 'prn-bench[site]'.",
    )


def _clear(root: Path) -> None:
    if root.exists() and any(root.iterdir()) and not (root / MARK).is_file():
        raise BenchError(
            "this folder holds other files",
            code="not-a-site",
            where=root,
            remedy="Name an empty folder, or one with a site that was made before.",
        )
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    _write(root / MARK, "Made by prn-bench leaderboard build --site; it may be replaced.\n")


def _datasets(folder: Path) -> str:
    path = folder / "datasets.bib"
    return path.read_text("utf-8") if path.is_file() else ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        part.write_bytes(text.encode())
