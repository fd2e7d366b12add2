"""Sample ids from names of files: folders, extensions and numbers that methods add are taken off."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from prn_bench.errors import BenchError


def match_ids(
    given: list[str], known: Iterable[str], *, where: str | Path = ""
) -> tuple[list[str], int]:
    """Sample ids for file names: folders and the extension are dropped where nothing else fits.

    Parameters
    ----------
    given : list of str
        Such as ``AFLW2000/image00002.mat``; an id that is known is kept, and so is one that fits
        nothing.
    known : iterable of str
        The dataset's ids, which may have folders themselves.
    where : path
        For the message.

    Returns
    -------
    tuple
        The ids, and how many of them were changed.

    Raises
    ------
    BenchError
        ``ambiguous-id``, when a name fits several samples or two names fit one.
    """
    matched = SampleNames(known).match(given, where)
    return matched, sum(a != b for a, b in zip(given, matched, strict=True))


class SampleNames:
    """The ids of a dataset, looked up by names of files.

    Parameters
    ----------
    known : iterable of str, or None
        None: there is no dataset, and every name is as good as any other.
    """

    def __init__(self, known: Iterable[str] | None) -> None:
        self._ids = None if known is None else {str(name) for name in known}
        self._by_stem = _by_stem(self._ids or ())

    def knows(self, name: str) -> bool:
        """Whether this is a sample id."""
        return self._ids is None or name in self._ids

    def fits(self, name: str) -> bool:
        """Whether a name leads to one of the dataset's ids."""
        return bool(self._ids) and bool(self._fitting(name))

    def _fitting(self, name: str) -> list[str]:
        ids = self._ids or set()
        return [name] if name in ids else _fitting(name, ids, self._by_stem)

    def match(self, given: list[str], where: str | Path = "") -> list[str]:
        """An id for each name, or the name itself; see :func:`match_ids`."""
        if self._ids is None:
            return _without_common_folder(given)
        matched = []
        owner = {name: name for name in given if name in self._ids}
        for name in given:
            fits = self._fitting(name)
            if len(fits) > 1 or (fits and owner.setdefault(fits[0], name) != name):
                several = len(fits) > 1
                other = " and ".join(sorted(fits)[:2]) if several else f"{fits[0]}, like another"
                raise BenchError(
                    f"the id {name!r} could mean {other}",
                    code="ambiguous-id",
                    where=where,
                    remedy="Name the samples as the dataset does (`prn-bench info` shows its ids).",
                )
            matched.append(fits[0] if fits else name)
        return matched


def _without_common_folder(names: list[str]) -> list[str]:
    """Names relative to the deepest folder that holds them all: a zip often packs that folder too."""
    folders = [name.split("/")[:-1] for name in names]
    shared = 0
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            break
        shared += 1
    return ["/".join(name.split("/")[shared:]) for name in names]


def _by_stem(ids: Iterable[str]) -> dict[str, list[str]]:
    stems: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        stems[name.rsplit("/", 1)[-1]].append(name)
    return stems


def _fitting(name: str, ids: set[str], by_stem: Mapping[str, list[str]]) -> list[str]:
    bare = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name.replace("\\", "/"))
    parts = bare.split("/")
    for start in range(len(parts)):  # the longest tail that is an id
        tail = "/".join(parts[start:])
        if tail in ids:
            return [tail]
    return by_stem.get(parts[-1], [])
