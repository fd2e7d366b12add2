"""What templates are given: tables, charts, pages; all plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes
    ----------
    text : str
    href : str
        Where it leads.
    sort : str
        What it is sorted by; the text when empty.
    strong : bool
        The best of its column among those it may be compared with.
    title : str
        More about it, shown on hover and read aloud.
    code : bool
        A name for machines.
    note : str
        A second, smaller line.
    """

    text: str
    href: str = ""
    sort: str = ""
    strong: bool = False
    title: str = ""
    code: bool = False
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """A table that can be sorted and filtered.

    Attributes
    ----------
    name : str
        Unique on its page.
    caption : str
    columns : sequence of str
    rows : sequence of sequence of Cell
    numbers : set of str
        Columns that hold numbers.
    anchors : sequence of str
        Id of each row; empty where rows need none.
    """

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numbers: frozenset[str] = frozenset()
    anchors: Sequence[str] = ()


@dataclass(frozen=True)
class Chart:
    """A chart that the page's script draws from ``data``.

    Attributes
    ----------
    name : str
        Unique on its page.
    kind : str
        ``ced``, ``yaw``, ``variants``, ``uv`` or ``surface``.
    title : str
    text : str
        What it shows, for those who do not see it.
    data : dict
        Plain values.
    """

    name: str
    kind: str
    title: str
    text: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One page of a site.

    Attributes
    ----------
    path : str
        Relative to the site, with ``/``.
    template : str
    title : str
    values : dict
        What its template shows.
    """

    path: str
    template: str
    title: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """From this page to the top of the site: empty or ``../``."""
        return "../" * self.path.count("/")
