"""How much a choice matters: one method, or several, under all variants of a protocol family.

A family is what stands before the ``@`` of a protocol id; its variants measure the same predictions
by other rules. For reconstruction they are the estimators of one error, so a ranking that changes
with the variant says more about the estimator than about the methods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import nan
from typing import Any

from prn_bench.comparison.comparable import changed_fields
from prn_bench.intervals import Interval
from prn_bench.protocol_fields import Protocol, text_of
from prn_bench.ranking import kendall_tau
from prn_bench.results import Result

ARTEFACTS = {"depth-origin"}  # warnings that a figure says nothing of the method
UNTOLD = {"expected_samples"}  # decides no figure of the samples that there are


@dataclass(frozen=True)
class Variant:
    """One protocol of a family.

    Attributes
    ----------
    protocol, unit : str
    changes : dict
        Fields in which it differs from the family's default, with its own values.
    headlines : tuple of float
        One a method; NaN where this method has no answer under it.
    intervals : tuple of Interval or None
    shifts : tuple of float
        Headline minus that under the default; NaN where the units differ.
    tau : float
        Kendall's tau-b between the methods' order here and under the default: 1 is the same order.
        NaN for a single method, and for a variant in doubt.
    swapped : tuple of (str, str)
        Pairs of methods in the order that they have here and had not under the default.
    doubt : tuple of str
        Codes of warnings that a figure is an artefact, such as of where z has its origin.
    """

    protocol: str
    unit: str
    changes: dict[str, str]
    headlines: tuple[float, ...]
    intervals: tuple[Interval | None, ...]
    shifts: tuple[float, ...]
    tau: float
    swapped: tuple[tuple[str, str], ...]
    doubt: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """The variants of one family, the default first."""

    name: str
    default: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Sensitivity:
    """What the choice of the protocol does to the figures of some methods.

    Attributes
    ----------
    methods : tuple of str
    families : tuple of Family
    """

    methods: tuple[str, ...]
    families: tuple[Family, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def sensitivity(
    results: Mapping[str, Sequence[Result]], *, defaults: Sequence[str] = ()
) -> Sensitivity:
    """Lay the results of each method under the variants of a family beside each other.

    Parameters
    ----------
    results : mapping
        Name of a method to its results under several protocols.
    defaults : sequence of str
        Protocol ids: the first that a family holds is its default, which the others are compared
        with. Without one it is the variant that has the fewest differences from all others.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ValueError
        Without any result.
    """
    if not any(results.values()):
        raise ValueError("there is no result to compare")
    families: dict[str, dict[str, Protocol]] = {}
    for result in (result for each in results.values() for result in each):
        name = result.protocol.id.partition("+")[0].partition("@")[0]
        families.setdefault(name, {})[result.protocol.id] = result.protocol
    found = {
        name: {result.protocol.id: result for result in each} for name, each in results.items()
    }
    return Sensitivity(
        tuple(results),
        tuple(_family(name, families[name], found, defaults) for name in sorted(families)),
    )


def differences(protocol: Protocol, default: Protocol) -> dict[str, str]:
    """Fields in which a protocol differs from another, with its own values as text."""
    changed = changed_fields(default, protocol)
    return {name: text_of(mine) for name, (_, mine) in changed.items() if name not in UNTOLD}


def _family(
    name: str,
    protocols: Mapping[str, Protocol],
    found: Mapping[str, Mapping[str, Result]],
    defaults: Sequence[str],
) -> Family:
    default = next((one for one in defaults if one in protocols), None) or _central(protocols)
    order = sorted(protocols, key=lambda one: (one != default, one))
    variants = tuple(_variant(protocols[one], protocols[default], found) for one in order)
    return Family(name, default, variants)


def _central(protocols: Mapping[str, Protocol]) -> str:
    """The protocol with the fewest differences from all others; of equals the first by name."""
    distance: Counter[str] = Counter(dict.fromkeys(protocols, 0))
    for first, second in combinations(protocols, 2):
        n = len(differences(protocols[first], protocols[second]))
        distance.update({first: n, second: n})
    return min(protocols, key=lambda name: (distance[name], name))


def _variant(
    protocol: Protocol, default: Protocol, found: Mapping[str, Mapping[str, Result]]
) -> Variant:
    here = [each.get(protocol.id) for each in found.values()]
    there = [each.get(default.id) for each in found.values()]
    headlines, usual = map(_headlines, (here, there))
    same_unit = protocol.unit == default.unit
    shifts = [a - b if same_unit else nan for a, b in zip(headlines, usual, strict=True)]
    codes = {finding.code for one in here if one is not None for finding in one.findings}
    doubt = tuple(sorted(codes & ARTEFACTS))
    return Variant(
        protocol.id,
        protocol.unit,
        differences(protocol, default),
        headlines,
        tuple(None if one is None else one.summary.interval for one in here),
        tuple(shifts),
        nan if doubt else kendall_tau(headlines, usual),
        () if doubt else tuple(_swapped(list(found), headlines, usual)),
        doubt,
    )


def _headlines(results: Sequence[Result | None]) -> tuple[float, ...]:
    return tuple(nan if one is None else one.summary.headline for one in results)


def _swapped(
    names: Sequence[str], here: Sequence[float], there: Sequence[float]
) -> Iterator[tuple[str, str]]:
    for (i, first), (j, second) in combinations(enumerate(names), 2):
        if (here[i] - here[j]) * (there[i] - there[j]) < 0:
            yield (first, second) if here[i] < here[j] else (second, first)
