"""Everything that a leaderboard folder holds, read and checked as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prn_bench.errors import BenchError
from prn_bench.leaderboard.boards import Board, Disagreement, read_boards, read_disagreements
from prn_bench.leaderboard.facts import Method, Published, bad, read_methods, read_published
from prn_bench.leaderboard.filed import Filed, read_filed


@dataclass(frozen=True)
class Leaderboard:
    """Facts, published numbers and results of one folder.

    Attributes
    ----------
    folder : Path
    methods : dict of Method
    published : tuple of Published
    boards : tuple of Board
        In their order.
    filed : tuple of Filed
        By path.
    disagreements : tuple of Disagreement
    """

    folder: Path
    methods: dict[str, Method]
    published: tuple[Published, ...]
    boards: tuple[Board, ...]
    filed: tuple[Filed, ...]
    disagreements: tuple[Disagreement, ...]


def open_leaderboard(folder: str | Path) -> Leaderboard:
    """Read a leaderboard folder.

    Raises
    ------
    BenchError
        ``no-leaderboard``, ``bad-fact`` for facts that contradict each other or the schema, and those
        of :func:`prn_bench.leaderboard.filed.read_filed`.
    """
    root = Path(folder)
    if not (root / "published.csv").is_file():
        raise BenchError(
            "there is no leaderboard here",
            code="no-leaderboard",
            where=root,
            expected="a folder with published.csv, methods/ and boards/",
            remedy="Name one with --data; the published one is the folder leaderboards of a clone.",
        )
    methods = read_methods(root / "methods")
    board = Leaderboard(
        root,
        methods,
        read_published(root / "published.csv"),
        read_boards(root / "boards"),
        read_filed(root, methods),
        read_disagreements(root / "disagreements.toml"),
    )
    for where, expected, found in _contradictions(board):
        raise bad(root / where, expected, found)
    return board


def _contradictions(board: Leaderboard) -> Iterator[tuple[str, str, str]]:
    places = {one.key: {column.name for column in one.columns} for one in board.boards}
    ids = {one.id for one in board.published}
    for one in board.published:
        if one.column not in places.get(one.board, set()):
            yield "published.csv", f"a column of a board for {one.id}", f"{one.board}, {one.column}"
        if one.method_key not in board.methods:
            yield "published.csv", f"a file in methods/ for {one.id}", one.method_key
    for item in board.disagreements:
        for name in set(item.numbers) - ids:
            yield "disagreements.toml", "ids of published numbers", name
