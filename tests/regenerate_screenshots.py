"""Build the site of ``leaderboards/`` and save the screenshots that the documentation shows.

Run by hand when the pages look otherwise: ``python tests/regenerate_screenshots.py [DEMO]``. DEMO is the
folder of a finished ``prn-bench demo``; with it, the report on its synthetic faces is shown too.
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
PHONE = {"width": 390, "height": 844}
PART = {"width": 720, "height": 895}  # of the demo's report, beside another
Shot = tuple[Path, str, dict[str, int], str | None]


def main(demo: Path | None) -> None:
    """A board, the first page on a telephone, a protocol in the dark theme, a result, 3D, a report."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=chromium, args=OPTIONS)
        wanted = shots(Path(folder), demo)
        for name, (page, scheme, size, place) in wanted.items():
            context = browser.new_context(viewport=size, color_scheme=scheme)
            shoot(context.new_page(), page, place, IMAGES / name)
            context.close()
        if demo is not None:
            beside(
                IMAGES / "demo_report.png", IMAGES / "demo_pictures.png", IMAGES / "demo_report.jpg"
            )
        for name in wanted:
            if (IMAGES / name).is_file():
                shrink(IMAGES / name)


def shots(folder: Path, demo: Path | None) -> dict[str, Shot]:
    """Page, theme, size of the window and place to scroll to, of each picture."""
    from prn_bench.leaderboard.data import open_leaderboard
    from prn_bench.site.build import build_site

    site = build_site(open_leaderboard(ROOT / "leaderboards"), folder / "site").parent
    board, variants = site / "boards/aflw2000-dense.html", site / "protocols/aflw2000-68-2d.html"
    result = site / "results/aflw2000-68-2d.3ddfa-v2-mb05.html"
    found: dict[str, Shot] = {
        "leaderboard_board.png": (board, "light", SIZE, None),
        "leaderboard_phone.png": (site / "index.html", "light", PHONE, None),
        "leaderboard_protocol.png": (variants, "dark", SIZE, "#grid-variants"),
        "leaderboard_result.png": (result, "light", SIZE, "#grid-scores"),
        "leaderboard_3d.png": (site / "example.html", "light", SIZE, "#chart-surface"),
    }
    if demo is not None:
        found["demo_report.png"] = (demo / "report.html", "light", PART, None)
        found["demo_pictures.png"] = (demo / "report.html", "light", PART, "#pictures")
        found["leaderboard_report.png"] = (report(demo, folder), "light", SIZE, "#worst")
    return found


def report(demo: Path, folder: Path) -> Path:
    """The report on what the demo's network predicts."""
    from prn_bench.dataset import open_dataset
    from prn_bench.evaluate import score
    from prn_bench.predictions import open_predictions
    from prn_bench.site.report import write_report

    predictions = open_predictions(demo / "prn.h5")
    dataset = open_dataset(demo / "aflw2000-3d.h5")
    names = ("aflw2000/68/2d@3ddfa-fit", "aflw2000/dense/3d@prnet-mask")
    results = [score(predictions, dataset, name) for name in names]
    return write_report(results, dataset, predictions, folder / "report.html")


def beside(left: Path, right: Path, out: Path) -> None:
    """Two pictures as one, with photographs in it: JPEG."""
    from PIL import Image

    parts = [Image.open(path).convert("RGB") for path in (left, right)]
    both = Image.new("RGB", (sum(part.width for part in parts), parts[0].height))
    for part, x in zip(parts, (0, parts[0].width), strict=True):
        both.paste(part, (x, 0))
    both.save(out, quality=84, optimize=True, progressive=True)
    left.unlink()
    right.unlink()


def shrink(path: Path) -> None:
    """Fewer colours take half the bytes."""
    from PIL import Image

    Image.open(path).convert("RGB").quantize(192, dither=0).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def shoot(page: Any, path: Path, place: str | None, out: Path) -> None:
    """One picture of a page, scrolled to a place, with its 3D view opened."""
    page.goto(path.as_uri())
    page.wait_for_timeout(2000)
    buttons = page.get_by_role("button", name="Show in 3D")
    while buttons.count():
        buttons.first.click()
        page.wait_for_timeout(4000)
    page.mouse.move(0, 0)  # away from what shows its tools when pointed at
    if place:
        page.evaluate(f"document.querySelector('{place}').scrollIntoView({{behavior: 'instant'}})")
        page.wait_for_timeout(500)
    page.screenshot(path=out)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
