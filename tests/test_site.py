"""The site: what its pages say, and where their links lead."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prn_bench.errors import BenchError
from prn_bench.leaderboard.data import open_leaderboard
from prn_bench.site import charts, packing, wording
from prn_bench.site.build import build_site
from prn_bench.site.example import mean_face_example
from tests.small_leaderboard import FIT, small_site

BYTES = 8_000_000
BOARD = "boards/board.html"
RESULT = "results/aflw2000-68-2d.a.html"
FAMILY = "protocols/aflw2000-68-2d.html"
PAGES = ("index.html", BOARD, RESULT, FAMILY, "methods/a.html", "methods.html", "sources.html")


class Links(HTMLParser):
    """Links, ids and scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.links += [found[name] for name in ("href", "src") if name in found]
        self.ids += [found["id"]] if "id" in found else []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a small leaderboard."""
    return small_site(tmp_path_factory.mktemp("site"))


def read(site: Path, name: str) -> str:
    """The text of a page."""
    return (site / name).read_text(encoding="utf-8")


def test_every_link_leads_somewhere(site: Path) -> None:
    """Links within the site have a target, ids are unique, and only sources are elsewhere."""
    pages = {path: Links(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    assert {str(path.relative_to(site)) for path in pages} >= set(PAGES)
    for path, page in pages.items():
        assert len(set(page.ids)) == len(page.ids), path
        for link in page.links:
            if link.startswith(("https://", "data:")):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.exists(), (path, link)
            assert not anchor or anchor in pages[target].ids, (path, link)


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No script, style, font or picture of a page has an address outside the site."""
    loads = re.compile(r'<(?:script|img|link|iframe|source)[^>]*(?:src|href)="([^"]*)"')
    for path in site.rglob("*.html"):
        for address in loads.findall(path.read_text("utf-8")):
            assert not re.match(r"(https?:)?//", address), (path, address)
    styles = read(site, "assets/site.css")
    assert "url(" not in styles
    assert "@import" not in styles


def test_a_number_reaches_its_source_in_two_clicks(site: Path) -> None:
    """From a cell to its line in the list of sources, and from there to the address."""
    board = read(site, BOARD)
    assert '<a href="../sources.html#p001">2.50</a>' in board
    line = re.search(r'<tr id="p001">.*?</tr>', read(site, "sources.html"), re.S)
    assert line is not None
    assert 'href="https://example.org/1"' in line[0]


def test_a_board_page(site: Path) -> None:
    """Both kinds of rows, each in its own table, with the disagreements and the files."""
    board = read(site, BOARD)
    assert board.index('id="grid-recomputed"') < board.index('id="grid-reported"')
    assert "What it is | about." in board
    assert "Nobody knows." in board
    assert 'href="../tables/board.csv"' in board
    assert "B &amp; C" in board


def test_a_family_page_says_how_much_choices_matter(site: Path) -> None:
    """Each variant stands with what it changes, and with the difference of its score."""
    page = read(site, FAMILY)
    assert "normalizer = bbox-max" in page
    assert re.search(r"\d\.\d{3} \([+-]\d\.\d{3}\)", page)
    assert "sqrt(w h) of the box of these points" in page
    assert "Nobody knows." in page


def test_same_bytes(site: Path, tmp_path: Path) -> None:
    """The same leaderboard gives the same site; a folder with other files is left alone."""
    data = open_leaderboard(site.parent / "board")
    again = build_site(data, tmp_path / "again").parent
    for path in site.rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(site)).read_bytes() == path.read_bytes(), path
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(BenchError) as error:
        build_site(data, tmp_path / "other")
    assert error.value.code == "not-a-site"
    assert (tmp_path / "other" / "file").exists()


def test_the_size(site: Path) -> None:
    """A site is small enough for any host."""
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < BYTES


def test_formulas() -> None:
    """Every published protocol has a formula in words, with its length and its average."""
    from prn_bench.protocol import protocol, protocols

    for one in protocols():
        lines = wording.formula(one)
        assert lines[-1].startswith("score = ")
        assert all("{" not in line and line for line in lines), one.id
    lines = wording.formula(protocol("aflw2000/68/3d@z-min"))
    assert "z: after moving the smallest z of each side to 0" in lines
    assert wording.formula(protocol("aflw2000/rec@icp-rigid"))[0].endswith("by rigid ICP.")


def test_the_curve_of_a_chart() -> None:
    """A thinned curve keeps its ends, rises, and says which share of images it leaves out."""
    from tests.test_plots import result

    one = result(f"{FIT}+missing=drop", missing=10)
    chart = charts.ced_chart("c", [("A", one)])
    (curve,) = chart.data["curves"]
    x, y = (packing.unpacked(curve[name]) for name in "xy")
    assert y[-1] == pytest.approx(75)
    assert x == sorted(x)
    assert x[-1] == pytest.approx(np.nanmax(one.samples.errors), abs=1e-3)
    assert json.dumps(chart.data, allow_nan=False)


def test_penalties_count_in_the_bins() -> None:
    """Under a policy that penalises, the interval of each yaw bin holds its mean; so in figures."""
    from prn_bench.plots import bar_figure
    from tests.test_plots import result

    one = result(f"{FIT}+missing=penalise", missing=10)
    chart = charts.yaw_chart("y", [("A", one)])
    assert chart is not None
    (curve,) = chart.data["curves"]
    for low, mean, high in zip(curve["low"], curve["mean"], curve["high"], strict=True):
        assert low <= mean <= high
    bars = bar_figure(one).axes[0]
    ends = np.array(bars.containers[0].lines[2][0].get_segments())
    tops = np.array([bar.get_height() for bar in bars.patches])
    assert (ends[:, 0, 1] <= tops + 1e-9).all()
    assert (tops <= ends[:, 1, 1] + 1e-9).all()


@given(
    st.lists(st.one_of(st.just(np.nan), st.floats(-1e4, 1e4)), min_size=1, max_size=40),
)
def test_packed_numbers(values: list[float]) -> None:
    """Numbers come back to half a step of their range, and what is missing stays missing."""
    found = np.array(packing.unpacked(packing.packed(values)))
    known = np.isfinite(values)
    assert (np.isfinite(found) == known).all()
    if known.any():
        given_ = np.array(values)[known]
        assert np.abs(found[known] - given_).max() <= 1e-4 * np.ptp(given_) + 1e-5


def test_packed_whole_numbers() -> None:
    """Indices come back exactly; those that do not fit are refused."""
    assert packing.unpacked(packing.packed_whole([0, 7, 65534])) == [0, 7, 65534]
    with pytest.raises(ValueError, match="65534"):
        packing.packed_whole([65535])


def test_a_result_page(site: Path) -> None:
    """One page for a method and a family: a line for each variant, curves of all, digests."""
    page = read(site, RESULT)
    assert '<tr id="r-3ddfa-fit-synthetic40">' in page
    assert '<tr id="r-max-synthetic40">' in page
    assert f'href="../{RESULT}#r-3ddfa-fit-synthetic40"' in read(site, BOARD)
    charts_data = re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert [curve["name"] for curve in json.loads(charts_data[0])["curves"]] == ["3ddfa-fit", "max"]
    assert json.loads(charts_data[0])["off"] == [1]


def test_the_example_belongs_to_nobody() -> None:
    """The mean face errs nowhere less than zero, and its surface is a whole one."""
    found = mean_face_example()
    assert np.nanmin(found.errors.error) > 0
    surface = found.surface
    assert surface.triangles.max() == len(surface.reference) - 1
    assert surface.error.shape == (len(surface.predicted),)
    gap = np.linalg.norm(surface.predicted - surface.reference, axis=1)
    assert np.corrcoef(gap, surface.error)[0, 1] > 0.99
