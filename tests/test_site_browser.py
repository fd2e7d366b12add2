"""The site and the report in a real browser: headless Chromium, driven by playwright.

Without playwright (``pip install 'prn-bench[browser]'``) or Chromium all of it is skipped, visibly.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prn_bench.evaluate import score
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.site.report import write_report
from tests.small_leaderboard import FIT, small_site

BOARD = "boards/board.html"
RESULT = "results/aflw2000-68-2d.a.html"
FAMILY = "protocols/aflw2000-68-2d.html"
PAGES = ("index.html", BOARD, RESULT, FAMILY, "methods/a.html", "methods.html", "sources.html")
DARK_PAGES = (BOARD, FAMILY, "example.html")  # other pages have no other colours


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a small leaderboard."""
    return small_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, or a visible skip."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    options = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
    options.append("--enable-unsafe-swiftshader")
    with api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=options)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on which no error is logged, and from which nothing is asked from elsewhere."""
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    local = ("file:", "data:", "blob:")
    opened.on("request", lambda r: None if r.url.startswith(local) else faults.append(r.url))
    yield opened
    context.close()
    assert faults == []


def visit(page: Any, site: Path, name: str) -> None:
    """Open a page of the site from the disk, and wait for its charts."""
    page.goto((site / name).as_uri())
    charts_there = "[...document.querySelectorAll('figure.chart:not([data-kind=surface])')]"
    page.wait_for_function(f"{charts_there}.every(f => f.dataset.ready === 'yes')")


def first_column(page: Any, table: str) -> list[str]:
    """Texts of the visible cells of the first column."""
    return list(page.locator(f"#table-{table} tbody tr:visible td:first-child").all_inner_texts())


def test_sorting(site: Path, page: Any) -> None:
    """A click sorts, another turns the order round; nothing goes last; the keyboard does it too."""
    visit(page, site, BOARD)
    assert first_column(page, "reported") == ["A", "B & C", "Other"]
    head = page.locator("#table-reported th", has_text="mean")
    head.get_by_role("button").click()
    assert first_column(page, "reported") == ["Other", "B & C", "A"]
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert first_column(page, "reported") == ["A", "B & C", "Other"]
    page.locator("#table-reported th", has_text="front").get_by_role("button").click()
    assert first_column(page, "reported")[0] == "A"


def test_filtering(site: Path, page: Any) -> None:
    """Words in the filter leave the rows that hold all of them, and say how many."""
    visit(page, site, FAMILY)
    n = len(first_column(page, "variants"))
    page.get_by_label("Filter").fill("yaw aflw")
    left = first_column(page, "variants")
    assert 0 < len(left) < n
    assert page.locator("[data-count=variants]").inner_text() == f"{len(left)} of {n} rows"
    page.get_by_label("Filter").fill("")
    assert len(first_column(page, "variants")) == n


def test_a_curve_is_toggled(site: Path, page: Any) -> None:
    """A checkbox hides the curve of one method, with its interval, and brings it back."""
    visit(page, site, BOARD)
    figure = page.locator("#chart-ced-0")
    shown = "f => f.querySelector('.plot').data.filter(t => t.visible !== false).length"
    assert figure.evaluate(shown) == 6
    box = figure.get_by_role("checkbox").first
    box.uncheck()
    page.wait_for_timeout(100)
    assert figure.evaluate(shown) == 3
    box.check()
    page.wait_for_timeout(100)
    assert figure.evaluate(shown) == 6
    drawn = "f => f.querySelector('.plot').data.filter(t => t.hovertemplate).map(t => t.line.color)"
    hues = "f => [...f.querySelectorAll('.line line')].map(l => l.style.stroke)"
    assert [rgb(c) for c in figure.evaluate(drawn)] == figure.evaluate(hues)
    page.get_by_role("button", name="Theme").click(click_count=2)
    page.wait_for_timeout(200)
    assert [rgb(c) for c in figure.evaluate(drawn)] == figure.evaluate(hues)


def rgb(colour: str) -> str:
    """``#0072B2`` as a browser's styles give it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgb({red}, {green}, {blue})"


def test_a_curve_tells_its_values(site: Path, page: Any) -> None:
    """Hovering over a curve shows its share of images; dragging zooms."""
    visit(page, site, BOARD)
    middle = """f => { const p = f.querySelector('.plot'), t = p.data[2], i = t.x.length >> 1,
      a = p._fullLayout, b = p.getBoundingClientRect();
      return [b.x + a.margin.l + a.xaxis.d2p(t.x[i]), b.y + a._size.t + a.yaxis.d2p(t.y[i])]; }"""
    plot = page.locator("#chart-ced-0 .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    at = "f => f.querySelector('.plot')._fullLayout.xaxis.range[1]"
    page.mouse.move(*page.locator("#chart-ced-0").evaluate(middle))
    page.locator("#chart-ced-0 .hovertext").wait_for()
    assert "% of images up to" in page.locator("#chart-ced-0 .hovertext").first.text_content()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.3)
    before = page.locator("#chart-ced-0").evaluate(at)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.8, steps=4)
    page.mouse.up()
    page.wait_for_timeout(400)
    assert page.locator("#chart-ced-0").evaluate(at) < before


def test_long_texts_unfold(site: Path, page: Any) -> None:
    """A box shows all long texts of a table; a click on a row shows those of that row."""
    visit(page, site, RESULT)
    grid = page.locator("#grid-origins")
    cell = grid.locator("td.clip").first
    spaces = "c => getComputedStyle(c).whiteSpace"
    assert cell.evaluate(spaces) == "nowrap"
    grid.get_by_label("whole texts").check()
    assert cell.evaluate(spaces) == "normal"
    assert cell.evaluate("c => c.scrollWidth <= c.clientWidth")
    grid.get_by_label("whole texts").uncheck()
    cell.click()
    assert cell.evaluate(spaces) == "normal"


def test_other_variants_are_shown_on_demand(site: Path, page: Any) -> None:
    """Of a method's curves under a family, the default's is drawn, and the others on demand."""
    visit(page, site, RESULT)
    figure = page.locator("#chart-ced")
    shown = "f => f.querySelector('.plot').data.filter(t => t.visible !== false).length"
    assert figure.evaluate(shown) == 3
    figure.get_by_role("checkbox").nth(1).check()
    page.wait_for_timeout(100)
    assert figure.evaluate(shown) == 6


def test_the_3d_view(site: Path, page: Any) -> None:
    """The face is drawn on demand, both surfaces can be shown."""
    visit(page, site, "example.html")
    figure = page.locator("#chart-surface")
    figure.get_by_role("button", name="Show in 3D").click()
    page.wait_for_function("document.querySelector('#chart-surface').dataset.ready === 'yes'")
    assert figure.locator("canvas").count() >= 1
    true_surface = figure.get_by_role("checkbox").nth(1)
    true_surface.check()
    page.wait_for_timeout(200)
    assert figure.evaluate("f => f.querySelector('.plot').data[1].visible") is True


def test_themes(site: Path, page: Any) -> None:
    """The button goes from the system's theme to light and to dark."""
    visit(page, site, BOARD)
    button = page.get_by_role("button", name="Theme")
    colours = set()
    for words in ("light", "dark"):
        button.click()
        assert words in button.inner_text()
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_a_telephone(site: Path, page: Any) -> None:
    """On a narrow screen nothing but tables scrolls sideways."""
    page.set_viewport_size({"width": 360, "height": 740})
    for name in PAGES:
        visit(page, site, name)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, (name, wide)


@pytest.mark.parametrize(
    ("scheme", "names"), [("light", (*PAGES, "example.html")), ("dark", DARK_PAGES)]
)
def test_accessibility(site: Path, page: Any, scheme: str, names: tuple[str, ...]) -> None:
    """axe finds nothing serious on any kind of page, in either theme."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    page.emulate_media(color_scheme=scheme)
    for name in names:
        visit(page, site, name)
        found = axe.Axe().run(page, options={"preload": False}).response["violations"]
        serious = [
            (name, one["id"], [node["html"][:90] for node in one["nodes"]][:3])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_the_report(dataset: Any, faces: Any, page: Any, tmp_path: Path) -> None:
    """The report of one run draws its charts and sorts its tables, with nothing beside it."""
    path = tmp_path / "p.h5"
    write_predictions(
        path, dataset.sample_ids, frame="image", landmarks=faces, method={"name": "A"}
    )
    predictions = open_predictions(path)
    write_report([score(predictions, dataset, FIT)], dataset, predictions, tmp_path / "r.html")
    visit(page, tmp_path, "r.html")
    assert page.locator("#chart-ced-0 .scatterlayer").count() == 1
    worst = first_column(page, "worst")
    page.locator("#table-worst th", has_text="error").get_by_role("button").click()
    assert first_column(page, "worst") == worst[::-1]
