"""Build the site of ``leaderboards/`` and save the screenshots that the documentation shows.

Run by hand when the pages look otherwise: ``python tests/regenerate_screenshots.py``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1180, "height": 860}
OPTIONS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
VARIANTS = "protocols/aflw2000-68-2d.html"


def main() -> None:
    """Three pictures: a board, a protocol page in the dark theme, the 3D view."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    from prn_bench.leaderboard.data import open_leaderboard
    from prn_bench.site.build import build_site

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        site = build_site(open_leaderboard(ROOT / "leaderboards"), Path(folder) / "site").parent
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=chromium, args=OPTIONS)
        shots = {
            "leaderboard_board.png": ("boards/aflw2000-68-2d.html", "light", None),
            "leaderboard_protocol.png": (VARIANTS, "dark", "#grid-variants"),
            "leaderboard_3d.png": ("example.html", "light", "#chart-surface"),
        }
        for name, (page, scheme, place) in shots.items():
            context = browser.new_context(viewport=SIZE, color_scheme=scheme)
            shoot(context.new_page(), site / page, place, IMAGES / name)
            context.close()
            picture = Image.open(IMAGES / name).convert("RGB").quantize(192, dither=0)
            picture.save(IMAGES / name, optimize=True)
            print(f"{name}: {(IMAGES / name).stat().st_size / 1e3:.0f} kB")


def shoot(page: Any, path: Path, place: str | None, out: Path) -> None:
    """One picture of a page, scrolled to a place, with its 3D view opened."""
    page.goto(path.as_uri())
    page.wait_for_timeout(2000)
    for button in page.get_by_role("button", name="Show in 3D").all():
        button.click()
        page.wait_for_timeout(4000)
        page.get_by_role("checkbox").nth(1).check()
        page.wait_for_timeout(1000)
    if place:
        page.evaluate(f"document.querySelector('{place}').scrollIntoView({{behavior: 'instant'}})")
        page.wait_for_timeout(500)
    page.screenshot(path=out)


if __name__ == "__main__":
    sys.exit(main())
