"""Score tables for people: one per family, and under it every choice behind the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import nan
from typing import TYPE_CHECKING

from prn_bench.cli import tables

if TYPE_CHECKING:
    from prn_bench.errors import Finding
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
OF_LANDMARKS = ("annotation", "reference")
OF_POINTS = ("dims", "reference_frame", "z_rule", "normalizer", "normalizer_shape")
OF_ICP = ("icp_search", "icp_start", "icp_criterion", "icp_tolerance", "icp_iterations")
FIGURES = {
    "percent": "error in %",
    "px": "mean distance in px",
    "deg": "error in degrees",
    "ms": "milliseconds",
    "none": "no unit",
}
NAMED = 5  # protocols that a note writes out
ONLY_WITH = {
    "draws": {"balanced"},
    "seed": {"balanced", "balanced-sdrn"},
    "penalty": {"penalise"},
}


def print_results(results: Sequence[Result]) -> None:
    """A table per protocol family, bins and unit, each with its choices; then the notes."""
    families: dict[tuple[str, str, tuple[str, ...]], list[Result]] = {}
    for result in results:
        labels = tuple(part.label for part in result.summary.bins)
        family = result.protocol.id.partition("+")[0].partition("@")[0]
        families.setdefault((family, result.protocol.unit, labels), []).append(result)
    for (family, unit, labels), members in families.items():
        _print_family(family, unit, labels, members)
    tables.print_findings(shared_notes(results), examples=len(results))


def _variant(protocol: Protocol) -> str:
    """What tells a protocol from the others of its family; one without ``@`` has only its id."""
    return protocol.id.partition("@")[2] or protocol.id


def _print_family(
    family: str, unit: str, labels: tuple[str, ...], results: Sequence[Result]
) -> None:
    first = results[0]
    rows = [_row(result) for result in results]
    columns = ["variant", *_columns(first, labels), "images", "median", "n"]
    caption = "images: mean of all images; *: that protocol's headline"
    if len(labels) > 1:
        caption = f"bins: mean of the bin means; {caption}"
    nme = unit == "percent" and first.protocol.task == "nme"
    figures = "NME in %" if nme else FIGURES[unit]
    title = f"{first.method.get('name', 'predictions')} on {first.dataset.get('title', 'dataset')}"
    tables.print_table(
        f"{title}: {family}, {figures}",
        columns,
        rows,
        right=columns[1:],
        caption=caption,
    )
    _print_choices(results)
    _print_draws(results)


def _columns(first: Result, labels: tuple[str, ...]) -> list[str]:
    """What stands before the means over all images: yaw bins and their mean, or the three angles."""
    if len(labels) > 1:
        return [*(label.replace(" ", "").replace("inf", "..") for label in labels), "bins"]
    return [name.removesuffix("_error_deg") for name in _angles(first)]


def _angles(result: Result) -> dict[str, float]:
    """Mean errors of pitch, yaw and roll, where the protocol is about them."""
    if result.protocol.task != "pose" or result.protocol.pose_error != "euler":
        return {}
    found = result.samples.columns()
    return {
        name: nan if value is None else value
        for name, value in found.items()
        if name.endswith("_error_deg")
    }


def _row(result: Result) -> list[str]:
    from prn_bench.summary import figure_text

    summary, protocol = result.summary, result.protocol
    marks = {
        name: "*" if summary.aggregate == name else ""
        for name in ("mean-of-bins", "mean-of-images", "median")
    }
    n = f"{summary.n - summary.n_missing}"
    if summary.n_missing:
        n += f"/{summary.n}"
    before = [figure_text(value) for value in _angles(result).values()]
    if len(summary.bins) > 1:
        before = [figure_text(part.mean) for part in summary.bins]
        before.append(figure_text(summary.mean_of_bins) + marks["mean-of-bins"])
    elif summary.aggregate == "mean-of-bins":  # of one bin, that is the mean of its images
        marks["mean-of-images"] = "*"
    return [
        _variant(protocol),
        *before,
        figure_text(summary.mean_of_images) + marks["mean-of-images"],
        figure_text(summary.median) + marks["median"],
        n,
    ]


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
        told = _text(own | {"hash": result.protocol.short_hash})
        pairs[f"  {_variant(result.protocol)}"] = f"{_interval(result)}{_others(result)}{told}"
    tables.print_pairs(pairs)


def _interval(result: Result) -> str:
    """How sure the headline is, in words."""
    from prn_bench.summary import figure_text

    sure, headline = result.summary.interval, figure_text(result.summary.headline)
    if sure is None:
        return f"{headline} (no interval: too few samples); "
    low, high = figure_text(sure.low), figure_text(sure.high)
    return f"{headline} ({100 * sure.level:.0f} % interval {low} to {high}); "


def _others(result: Result) -> str:
    """Further figures of errors in per cent of a face: area, failures, spread of the bins."""
    import numpy as np

    from prn_bench.summary import AUC_LIMIT, FAILURE_LIMIT, figure_text

    summary, protocol = result.summary, result.protocol
    if protocol.unit != "percent" or protocol.task != "nme":
        return ""
    words = f"AUC@{AUC_LIMIT:g} % {figure_text(summary.auc)}, "
    words += f"failures above {FAILURE_LIMIT:g} % {figure_text(100 * summary.failure_rate)} %, "
    words += "missing ones among them, " if summary.n_missing else ""
    if len(summary.bins) > 1:
        words += f"std of bins {figure_text(float(np.std([part.mean for part in summary.bins])))}, "
    return words


def _choices(protocol: Protocol) -> dict[str, object]:
    values, neutral = protocol.as_dict(), _neutral_values(protocol)
    chosen = {name: values[name] for name in CHOICES if name in values}
    for name in () if protocol.point_set == "landmarks" else OF_LANDMARKS:
        chosen.pop(name)
    for name in OF_POINTS if protocol.task in ("pose", "runtime") else ():
        chosen.pop(name, None)
    chosen |= {name: values[name] for name, value in neutral.items() if values[name] != value}
    if protocol.uses_icp:
        chosen |= {name: values[name] or "none" for name in OF_ICP}
    for name, needed in ONLY_WITH.items():
        if not {protocol.subset, protocol.missing} & needed:
            chosen.pop(name, None)
    return chosen


def _neutral_values(protocol: Protocol) -> dict[str, object]:
    """Fields that only some protocols need, with the value that means nothing."""
    from dataclasses import MISSING, fields

    return {
        field.name: "" if field.default == () else field.default
        for field in fields(protocol)
        if field.default is not MISSING
    }


def _text(choices: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in choices.items())


def _print_draws(results: Sequence[Result]) -> None:
    from prn_bench.summary import figure_text

    for result in results:
        draws = result.summary.draws
        if draws is not None:
            low, high = figure_text(draws.min), figure_text(draws.max)
            words = f"{draws.draws} draws of {draws.size} a bin, seed {draws.seed}: "
            words += f"mean {figure_text(draws.mean)}, sd {figure_text(draws.sd)}, {low} to {high}"
            tables.print_pairs({_variant(result.protocol): words})


def shared_notes(results: Sequence[Result]) -> list[Finding]:
    """Each finding once, with the protocols that it is about unless that is all of them."""
    about: dict[Finding, list[str]] = {}
    for result in results:
        for finding in dict.fromkeys(result.findings):
            about.setdefault(finding, []).append(result.protocol.id.rpartition("/")[2])
    return [
        finding
        if len(names) == len(results)
        else replace(finding, message=f"{finding.message} ({_told(names)})")
        for finding, names in about.items()
    ]


def _told(names: Sequence[str]) -> str:
    """Protocols by name, where they are few."""
    names = list(dict.fromkeys(names))
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} protocols"
