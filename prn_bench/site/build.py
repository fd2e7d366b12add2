"""Writing a site: pages from templates, one copy of each script and style."""

from __future__ import annotations

from contextlib import suppress
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
    _require_own(root)
    texts = {page.path: render_page(templates, page) for page in all_pages(data)}
    texts |= {f"assets/{name}": (HERE / "assets" / name).read_text("utf-8") for name in ASSETS}
    texts |= {f"assets/{PLOTLY}": scripts, "assets/datasets.bib": _datasets(data.folder)}
    tables = render(data).items()
    texts |= {f"tables/{name}": text for name, text in tables if name.endswith((".csv", ".tex"))}
    for name, text in texts.items():
        _write(root / name, text)
    _remove_others(root, {root / MARK, *(root / name for name in texts)})
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


def _require_own(root: Path) -> None:
    if root.exists() and any(root.iterdir()) and not (root / MARK).is_file():
        raise BenchError(
            "this folder holds other files",
            code="not-a-site",
            where=root,
            remedy="Name an empty folder, or one with a site that was made before.",
        )
    _write(root / MARK, "Made by prn-bench leaderboard build --site; it may be replaced.\n")


def _remove_others(root: Path, ours: set[Path]) -> None:
    """Remove pages of an earlier site; last, so that one that fails to be made takes none with it."""
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):
                path.rmdir()  # if it is empty by now
        elif path not in ours and path.suffix != ".part":
            path.unlink(missing_ok=True)


def _datasets(folder: Path) -> str:
    path = folder / "datasets.bib"
    return path.read_text("utf-8", errors="replace") if path.is_file() else ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        part.write_bytes(text.encode())
