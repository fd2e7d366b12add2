"""Tables of comparisons for people, in 80 columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prn_bench.cli import tables

if TYPE_CHECKING:
    from prn_bench.comparison import Comparison, Difference
    from prn_bench.comparison.sensitivity import Family, Sensitivity, Variant
    from prn_bench.intervals import Interval

UNITS = {"percent": "%", "px": "px", "deg": "degrees", "ms": "ms", "none": "no unit"}
PAIRS_SHOWN = 10  # those of five methods; of more methods, neighbours only
NAMES_WIDTH = 45  # characters for the names of methods in a row


def print_comparison(comparison: Comparison) -> None:
    """The methods with their ranks, then the differences that the ranks follow from."""
    from prn_bench.summary import figure_text

    unit = UNITS[comparison.unit]
    interval = f"{100 * comparison.level:g} % interval"
    columns = ["method", f"{comparison.aggregate}, {unit}", interval, "rank", "n"]
    rows = [
        [
            entry.method,
            figure_text(entry.headline),
            _interval(entry.interval),
            entry.ranks,
            f"{entry.n - entry.n_missing}" + (f"/{entry.n}" if entry.n_missing else ""),
        ]
        for entry in comparison.entries
    ]
    caption = "rank: what the differences below leave open; methods that share a rank are tied"
    title = f"{comparison.protocol} on {comparison.dataset}"
    tables.print_table(title, columns, rows, right=columns[1:], caption=caption)
    shown = _shown(comparison)
    columns = ["A", "B", "A - B", interval, "A ahead", "verdict"]
    rows = [_difference(one) for one in shown]
    caption = "A ahead: share of resamples in which A has the smaller error"
    title = f"Differences in {unit}"
    tables.print_table(title, columns, rows, right=columns[2:5], caption=caption)
    _print_how(comparison, n_shown=len(shown))


def print_sensitivity(found: Sensitivity) -> None:
    """A table a family: every variant, and what it changes against the default."""
    for family in found.families:
        if len(found.methods) == 1:
            _print_one(found.methods[0], family)
        else:
            _print_several(found.methods, family)


def _shown(comparison: Comparison) -> Sequence[Difference]:
    if len(comparison.differences) <= PAIRS_SHOWN:
        return comparison.differences
    place = {entry.method: row for row, entry in enumerate(comparison.entries)}
    return [one for one in comparison.differences if place[one.second] == place[one.first] + 1]


def _difference(one: Difference) -> list[str]:
    from prn_bench.summary import figure_text

    known = math.isfinite(one.low)
    ends = f"{one.low:.3f} to {one.high:.3f}" if known else "too few samples"
    share = f"{100 * one.first_better:.1f} %" if known else "-"
    verdict = {one.first: "A better", one.second: "B better"}.get(one.verdict, "tie")
    return [one.first, one.second, figure_text(one.difference), ends, share, verdict]


def _print_how(comparison: Comparison, *, n_shown: int) -> None:
    n = len(comparison.differences)
    sure = next((entry.interval for entry in comparison.entries if entry.interval), None)
    drawn = f"{comparison.resamples} resamples, seed {comparison.seed}"
    tables.print_pairs(
        {
            "intervals": f"{sure.method}, {sure.resamples} resamples, seed {sure.seed}"
            if sure
            else "too few samples",
            "differences": f"each on the same {drawn}"
            + ("" if n == 1 else f"; the intervals of all {n} hold at once (max-|t|)"),
            "not shown": f"{n - n_shown} differences of methods that are no neighbours; --json has "
            "them"
            if n > n_shown
            else "",
            "common region": f"{100 * comparison.common_region:.1f} % of the points are in all of them"
            if comparison.common_region is not None
            else "",
            "left out": f"{comparison.n_unpaired} samples that not every method has an error for"
            if comparison.n_unpaired
            else "",
        }
    )


def _print_one(method: str, family: Family) -> None:
    default = family.variants[0]
    rows = [
        [
            _variant(variant),
            _figure(variant, 0, default),
            _interval(variant.intervals[0]),
            _shift(variant.shifts[0]),
            _changes(variant, default),
        ]
        for variant in family.variants
    ]
    columns = ["variant", UNITS[default.unit], "95 % interval", "shift", "what differs"]
    title = f"{method} under every {family.name}"
    doubted = any(variant.doubt for variant in family.variants)
    caption = "!: see the warning, the figure says nothing of the method" if doubted else ""
    tables.print_table(title, columns, rows, right=columns[1:4], caption=caption)


def _print_several(methods: Sequence[str], family: Family) -> None:
    default = family.variants[0]
    rows = [
        [
            _variant(variant),
            *(_figure(variant, column, default) for column in range(len(methods))),
            "-" if math.isnan(variant.tau) else f"{variant.tau:.2f}",
        ]
        for variant in family.variants
    ]
    columns = ["variant", *methods, "tau"]
    caption = (
        f"tau: Kendall's, between this order of the methods and that under {_variant(default)}"
    )
    if any(variant.doubt for variant in family.variants):
        caption += "; !: see the warning, the order under it says nothing"
    title = f"{family.name}, {UNITS[default.unit]}"
    narrow = sum(map(len, methods)) < NAMES_WIDTH  # else their names are folded
    right = columns[1:] if narrow else ["tau"]
    tables.print_table(title, columns, rows, right=right, caption=caption)
    tables.print_pairs(
        {
            f"order under {_variant(variant)}": "; ".join(
                f"{better} before {worse}" for better, worse in variant.swapped
            )
            for variant in family.variants
        }
    )


def _variant(variant: Variant) -> str:
    mark = "!" if variant.doubt else ""
    return (variant.protocol.partition("@")[2] or variant.protocol) + mark


def _figure(variant: Variant, column: int, default: Variant) -> str:
    """A headline, with its unit where that is not the default's."""
    from prn_bench.summary import figure_text

    text = figure_text(variant.headlines[column])
    return text if variant.unit == default.unit else f"{text} {UNITS[variant.unit]}"


def _changes(variant: Variant, default: Variant) -> str:
    if variant is default:
        return "the default"
    return ", ".join(f"{name} {value}" for name, value in variant.changes.items()) or "nothing"


def _shift(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.3f}"


def _interval(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
