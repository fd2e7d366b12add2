"""Ranks of recomputed rows: only among results of the same rules, reference and samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prn_bench.comparison import compare
from prn_bench.errors import BenchError
from prn_bench.leaderboard.filed import Filed

Group = tuple[str, str, tuple[str, ...]]


def group_of(filed: Filed) -> Group:
    """What results must share to be ranked together: protocol, reference, samples."""
    result = filed.result
    return result.protocol.hash, result.reference_digest, tuple(result.samples.ids)


def groups(filed: Sequence[Filed]) -> list[list[Filed]]:
    """Current results that may be ranked together, two or more at a time."""
    found: dict[Group, list[Filed]] = defaultdict(list)
    for one in filed:
        if not one.stale:
            found[group_of(one)].append(one)
    return [members for members in found.values() if len(members) > 1]


def ranks(filed: Sequence[Filed]) -> dict[Path, str]:
    """Rank of each result that has any to be ranked with, as ``1`` or ``2-3``, by its path.

    A result that lacks samples which others have is not ranked with them.
    """
    found: dict[Path, str] = {}
    for members in groups(filed):
        named = [
            replace(one.result, method={**one.result.method, "name": str(one.path)})
            for one in members
        ]
        try:
            comparison = compare(named)
        except BenchError:
            continue
        found |= {Path(entry.method): entry.ranks for entry in comparison.entries}
    return found
