"""Score tables for people: one per family, and under it every choice behind the figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prn_bench.cli import tables

if TYPE_CHECKING:
    from prn_bench.protocol import Protocol
    from prn_bench.results import Result

#: Fields that say what a figure is; the rest names it or describes it in prose.
CHOICES = (
    "dims",
    "annotation",
    "reference",
    "reference_frame",
    "z_rule",
    "normalizer",
    "normalizer_shape",
    "yaw_source",
    "bin_edges",
    "closed",
    "over_90",
    "subset",
    "draws",
    "seed",
    "aggregate",
    "missing",
    "penalty",
)
ONLY_WITH = {"draws": "balanced", "seed": "balanced", "penalty": "penalise"}


def print_results(results: Sequence[Result]) -> None:
    """A table per protocol family, then the choices and the notes."""
    families: dict[tuple[str, tuple[str, ...]], list[Result]] = {}
    for result in results:
        labels = tuple(part.label for part in result.summary.bins)
        families.setdefault((_family(result.protocol), labels), []).append(result)
    for (family, labels), members in families.items():
        _print_family(family, labels, members)


def _family(protocol: Protocol) -> str:
    return protocol.id.split("@")[0]


def _print_family(family: str, labels: tuple[str, ...], results: Sequence[Result]) -> None:
    first = results[0]
    rows = [_row(result) for result in results]
    short = [label.replace(" ", "").replace("inf", "..") for label in labels]
    columns = ["variant", *short, "bins", "images", "median", "n"]
    unit = "%" if first.protocol.unit == "percent" else "px"
    title = f"{first.method.get('name', 'predictions')} on {first.dataset.get('title', 'dataset')}"
    tables.print_table(
        f"{title}: {family}, NME in {unit}",
        columns,
        rows,
        right=columns[1:],
        caption="bins, images: mean of the bin means, mean of all images; *: that protocol's headline",
    )
    _print_choices(results)
    _print_notes(results)


def _row(result: Result) -> list[str]:
    summary, protocol = result.summary, result.protocol
    marks = {
        name: "*" if summary.aggregate == name else ""
        for name in ("mean-of-bins", "mean-of-images", "median")
    }
    n = f"{summary.n - summary.n_missing}"
    if summary.n_missing:
        n += f"/{summary.n}"
    return [
        protocol.id.partition("@")[2],
        *(_figure(part.mean) for part in summary.bins),
        _figure(summary.mean_of_bins) + marks["mean-of-bins"],
        _figure(summary.mean_of_images) + marks["mean-of-images"],
        _figure(summary.median) + marks["median"],
        n,
    ]


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _print_choices(results: Sequence[Result]) -> None:
    """The usual choice of each field, then what each protocol does otherwise: together all of them."""
    said = [_choices(result.protocol) for result in results]
    names = list(dict.fromkeys(name for choices in said for name in choices))
    usual = {
        name: Counter(c[name] for c in said if name in c).most_common(1)[0][0] for name in names
    }
    several = len(results) > 1
    common = {k: v for k, v in usual.items() if all(k in choices for choices in said)}
    pairs: dict[str, object] = {"unless said" if several else "choices": _text(common)}
    for result, choices in zip(results, said, strict=True):
        own = {k: v for k, v in choices.items() if k not in common or v != common[k]}
        name = result.protocol.id.partition("@")[2]
        pairs[f"  {name}"] = _text(own | {"hash": result.protocol.short_hash})
    tables.print_pairs(pairs)


def _choices(protocol: Protocol) -> dict[str, object]:
    values = protocol.as_dict()
    chosen = {name: values[name] for name in CHOICES if name in values}
    for name, needed in ONLY_WITH.items():
        if needed not in (protocol.subset.split("-")[0], protocol.missing):
            chosen.pop(name, None)
    return chosen


def _text(choices: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in choices.items())


def _print_notes(results: Sequence[Result]) -> None:
    for result in results:
        draws = result.summary.draws
        name = result.protocol.id.partition("@")[2]
        if draws is not None:
            print(
                f"{name}: {draws.draws} draws of {draws.size} a bin, seed {draws.seed}: mean "
                f"{draws.mean:.3f}, sd {draws.sd:.3f}, from {draws.min:.3f} to {draws.max:.3f}"
            )
    first = results[0]
    expected = first.protocol.expected_samples
    in_dataset = first.dataset.get("n_samples")
    if expected and in_dataset is not None and in_dataset != expected:
        print(
            f"A SUBSET: {in_dataset:,} of {expected:,} samples. Not comparable with published figures."
        )
    tables.print_findings(list(dict.fromkeys(f for result in results for f in result.findings)))
