"""Whether results may stand in one table: the same rules, reference and samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prn_bench.errors import BenchError, first_few
from prn_bench.protocol_fields import OWN, Protocol
from prn_bench.results import Result


def check_comparable(results: Sequence[Result]) -> None:
    """Refuse results that do not measure the same thing, naming what differs.

    Raises
    ------
    BenchError
        ``too-few-results`` for fewer than two, ``mixed-protocols`` for different protocol hashes,
        ``mixed-references`` for different reference digests, ``mixed-samples`` for other samples
        or samples that count in other bins, ``mixed-conditions`` for times of other hardware.
    """
    if len(results) < 2:
        raise BenchError(
            "there is nothing to compare",
            code="too-few-results",
            expected="results of two or more methods",
            found=f"{len(results)}",
            remedy="Score another method under the same protocol.",
        )
    first = results[0]
    for other in results[1:]:
        _check_rules(first, other)
        _check_reference(first, other)
        _check_samples(first, other)
        _check_conditions(first, other)


def changed_fields(protocol: Protocol, other: Protocol) -> dict[str, tuple[object, object]]:
    """The fields that decide a number in which two protocols differ, with both values."""
    pairs = zip(protocol.as_dict().items(), other.as_dict().values(), strict=True)
    return {
        name: (value, another)
        for (name, value), another in pairs
        if value != another and name not in OWN
    }


def _check_rules(first: Result, other: Result) -> None:
    if first.protocol.hash == other.protocol.hash:
        return
    fields = changed_fields(first.protocol, other.protocol)
    words = [f"{name} {value} and {another}" for name, (value, another) in fields.items()]
    raise BenchError(
        f"{_named(first, other)} were scored under different protocols",
        code="mixed-protocols",
        expected=first.protocol.id,
        found=f"{other.protocol.id} ({', '.join(words) or 'another version'})",
        remedy="Score both under one protocol; of a folder of results name one: --protocol.",
    )


def _check_reference(first: Result, other: Result) -> None:
    if first.reference_digest == other.reference_digest:
        return
    sides = [
        f"{r.dataset.get('title')}, {r.dataset.get('n')} samples, {100 * r.coverage:.4g} % of the "
        f"points, reference digest {r.reference_digest[:12]}"
        for r in (first, other)
    ]
    remedy = "Score both against the same dataset file, with the same further inputs."
    if first.coverage < 1 or other.coverage < 1:
        remedy = "Score both on the points that both have: --common-region."
    raise BenchError(
        f"{_named(first, other)} were measured against different references",
        code="mixed-references",
        expected=sides[0],
        found=sides[1],
        remedy=remedy,
    )


def _check_samples(first: Result, other: Result) -> None:
    mine, theirs = first.samples, other.samples
    alone = set(mine.ids).symmetric_difference(theirs.ids)
    if (
        not alone
        and np.array_equal(mine.ids, theirs.ids)
        and np.array_equal(mine.bins, theirs.bins)
    ):
        return
    what = f"{len(alone)} are of one only: {first_few(sorted(alone))}"
    if not alone:
        counts = [int((side.bins >= 0).sum()) for side in (mine, theirs)]
        what = f"they count {counts[0]} and {counts[1]} samples, or sort them into other bins"
    raise BenchError(
        f"{_named(first, other)} are about different samples",
        code="mixed-samples",
        found=what,
        remedy="Score both with the same dataset file and the same --subset.",
    )


def _check_conditions(first: Result, other: Result) -> None:
    """Hardware and batch of times are what their method cards say, and stand in the results."""
    if first.protocol.task != "runtime" or first.inputs == other.inputs:
        return
    sides = [", ".join(f"{k} {v}" for k, v in r.inputs.items()) for r in (first, other)]
    raise BenchError(
        f"{_named(first, other)} were not timed under the same conditions",
        code="mixed-conditions",
        expected=sides[0] or "hardware that nobody has named",
        found=sides[1] or "hardware that nobody has named",
        remedy="Time both on one machine, one image at a time.",
    )


def _named(first: Result, other: Result) -> str:
    return f"the results of {first.method['name']} and {other.method['name']}"
