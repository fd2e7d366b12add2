"""Printing: tables for people, JSON for programs, progress for long work."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from prn_bench.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

    from prn_bench.errors import Finding

LEVEL_STYLE = {"error": "bold red", "warning": "yellow", "note": "cyan"}
GAP = 3  # characters between two columns
TEXT_COLUMNS, WORD = 10, 16  # that a folded column of text keeps; longest word that is not broken
LOG_EVERY = 0.1  # of the whole, where the output is no terminal


def console(*, at_least: int = 0) -> Console:
    """Where tables go; wider than the terminal only where ``at_least`` says so."""
    from rich.console import Console

    out = Console(highlight=False, soft_wrap=False)
    out.width = max(out.width, at_least)
    return out


def plain(text: object) -> str:
    """Text of unknown origin for Rich: neither markup nor what a terminal acts upon."""
    from rich.markup import escape

    return escape(printable(str(text)))


def print_json(content: object) -> None:
    """One JSON document, NaN as null."""
    print(printable(json.dumps(_plain(content), indent=2, ensure_ascii=False)))


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Sequence[str] = (),
    caption: str = "",
) -> None:
    """A table that fits the terminal; columns named in ``right`` hold numbers.

    Text is folded to fit, numbers never: where they do not fit, the table is wider. In a file or
    pipe the first column, which holds names to search for, is not folded either.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1),
    )
    texts = [[plain(cell) for cell in row] for row in rows]
    whole = {*right, *([] if console().is_terminal else columns[:1])}
    needed = -GAP
    for i, name in enumerate(columns):
        justify: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(plain(name), justify=justify, no_wrap=name in whole, overflow="fold")
        cells: list[str] = [name, *(row[i] for row in texts)]
        widest = max(map(cell_len, cells))
        needed += GAP + (widest if name in whole else min(widest, _kept(cells)))
    for row in texts:
        table.add_row(*row)
    out = console(at_least=needed)
    out.print(table)
    out.print()


def _kept(cells: Sequence[str]) -> int:
    """Characters that a folded column of text keeps: words of a usual length stay whole."""
    words = [len(word) for cell in cells for word in cell.split() if len(word) <= WORD]
    return max([TEXT_COLUMNS, *words])


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Names and values, one a line; empty values are left out."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs.items():
        if value is not None and str(value):
            grid.add_row(plain(name), plain(value))
    console().print(grid)


def print_findings(findings: Sequence[Finding], *, examples: int = 3) -> None:
    """Findings, worst first; of many of one code only the first few are written out."""
    out = console()
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.level, finding.code), []).append(finding)
    for (level, code), group in sorted(groups.items(), key=lambda item: _rank(item[0][0])):
        style = LEVEL_STYLE[level]
        for finding in group[:examples]:
            place = f"{finding.where}: " if finding.where else ""
            out.print(plain(f"{level} {code}  {place}{finding.message}"), style=style)
        more = len(group) - examples
        if more > 0:
            out.print(f"  ... {more} more {code} (all of them with --json)", style=style)
        if group[0].remedy:
            out.print(plain(f"  -> {group[0].remedy}"), style=style)


def wrapped(text: str) -> str:
    """A sentence in lines that fit the terminal; words stay whole, so that commands can be copied."""
    from textwrap import fill

    return fill(
        printable(text),
        console().width,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _rank(level: str) -> int:
    return list(LEVEL_STYLE).index(level)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress callback: a bar with rate and time left on a terminal, plain lines in a log."""
    if sys.stderr.isatty():
        with _bar(label) as update:
            yield update
    else:
        yield _lines(label)


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """A callback that names the step under way, with the seconds that the last one took."""
    import time

    start = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - start:5.1f} s] {text}", file=sys.stderr, flush=True)

    yield say


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.speed:.0f}/s"),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        bar.tasks[0].finished_speed = 0.0  # so that the rate column has a number from the start

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update


def _lines(label: str) -> Callable[[int, int], None]:
    import time

    start, last = time.monotonic(), [0.0]

    def update(done: int, total: int) -> None:
        share = done / max(total, 1)
        if share - last[0] >= LOG_EVERY or done == total:
            last[0] = share
            rate = done / max(time.monotonic() - start, 1e-9)
            left = (total - done) / max(rate, 1e-9)
            print(f"{label} {done}/{total}, {rate:.0f}/s, {left:.0f} s left", file=sys.stderr)

    return update


def _plain(content: Any) -> Any:
    """JSON has no NaN, no NumPy and no tuple keys."""
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float):
        return content if content == content and abs(content) != float("inf") else None
    if hasattr(content, "tolist"):
        return _plain(content.tolist())
    return content
