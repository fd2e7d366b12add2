"""Recomputed rows: results on file in ``results/PROTOCOL/KEY.json``, and how one gets there.

KEY is the method's; where the samples are synthetic or not all of the benchmark's, it says so, so that
such a row stands beside the one on the whole set and never in its place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from prn_bench.errors import BenchError
from prn_bench.leaderboard.facts import Method
from prn_bench.outfile import write_together
from prn_bench.protocol import protocols
from prn_bench.results import Result, load_result
from prn_bench.runner import run

MANY = 8  # results from which on they are read in several processes
_MACHINE_PATH = re.compile(r'"[^"]*(/home/|/Users/|/root/|/tmp/|[A-Za-z]:\\\\)[^"]*"')


@dataclass(frozen=True)
class Filed:
    """One result on file.

    Attributes
    ----------
    path : Path
        Of the .json, relative to the folder of the leaderboard.
    method_key : str
    variant : str
        Empty for the whole benchmark, else such as ``subset10`` or ``synthetic48``.
    result : Result
    """

    path: Path
    method_key: str
    variant: str
    result: Result

    @property
    def origin(self) -> str:
        """``real`` or ``synthetic``."""
        return "synthetic" if self.result.dataset.get("origin") == "synthetic" else "real"

    @property
    def stale(self) -> bool:
        """Whether its protocol has changed since."""
        return not is_current(self.result)

    @property
    def scope(self) -> str:
        """What it was scored on, in words; empty for the whole benchmark."""
        n, whole = _counted(self.result), self.result.protocol.expected_samples
        if self.origin == "synthetic":
            return f"{n:,} synthetic samples"
        return f"subset: {n:,} of {whole:,}" if self.variant else ""


def read_filed(folder: Path, methods: Mapping[str, Method]) -> tuple[Filed, ...]:
    """Every result under ``results/``, each checked against its samples.

    Raises
    ------
    BenchError
        ``misfiled`` for one under another name than its content asks for, and those of
        :func:`prn_bench.results.load_result`.
    """
    paths = sorted((folder / "results").glob("*/*.json"))
    found = []
    for path, result in zip(paths, _load(paths), strict=True):
        key = path.stem
        method = methods.get(key.partition("@")[0])
        if method is None or _place(result, method) != path.relative_to(folder):
            name = "none known" if method is None else str(_place(result, method))
            raise BenchError(
                "this result is not under its own name",
                code="misfiled",
                where=path,
                expected=f"results/PROTOCOL/METHOD.json ({name})",
                remedy="Results are filed by `prn-bench leaderboard add`.",
            )
        found.append(Filed(path.relative_to(folder), method.key, key.partition("@")[2], result))
    return tuple(found)


def add_result(
    path: Path,
    folder: Path,
    methods: Mapping[str, Method],
    *,
    method_key: str | None = None,
    replace: bool = False,
) -> Path:
    """Check a result and file a copy of its two files, byte by byte.

    Parameters
    ----------
    path : Path
        ``KEY.json`` or ``KEY.csv.gz``, as ``score --out`` writes them.
    folder : Path
        Of the leaderboard.
    methods : mapping
    method_key : str, optional
        Default: the method whose ``names`` hold the name in the result.
    replace : bool
        Allow it to take the place of another result.

    Returns
    -------
    Path
        Of the filed .json.

    Raises
    ------
    BenchError
        ``protocol-not-published``, ``unknown-method``, ``machine-path``, ``filed-already``, and those
        of :func:`prn_bench.results.load_result`.
    """
    path = path.with_name(path.name.removesuffix(".csv.gz").removesuffix(".json") + ".json")
    result = load_result(path)
    if not is_current(result):
        raise BenchError(
            "only scores under a published protocol, as it is now, are filed",
            code="protocol-not-published",
            where=path,
            found=f"{result.protocol.id} with the hash {result.protocol.short_hash}",
            remedy="Score again with an id that `prn-bench protocols` lists.",
        )
    method = _method(result, methods, method_key, path)
    contents = [file.read_bytes() for file in (path, path.with_suffix(".csv.gz"))]
    _refuse_machine_paths(contents[0].decode(), path)
    target = folder / _place(result, method)
    if target.exists() and target.read_bytes() != contents[0] and not replace:
        raise BenchError(
            "another result is on file there",
            code="filed-already",
            where=target,
            remedy="Give --replace if this one shall take its place.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_together(dict(zip((target, target.with_suffix(".csv.gz")), contents, strict=True)))
    return target


def is_current(result: Result) -> bool:
    """Whether the protocol is a published one with the hash that it has now."""
    return _hashes().get(result.protocol.id) == result.protocol.hash


def is_published(protocol_id: str) -> bool:
    """Whether there is a published protocol of this id."""
    return protocol_id in _hashes()


def current_hash(protocol_id: str) -> str:
    """Hash of a published protocol as it is now; KeyError for another id."""
    return _hashes()[protocol_id]


@cache
def _hashes() -> dict[str, str]:
    return {one.id: one.hash for one in protocols()}


def folder_of(protocol_id: str) -> str:
    """Folder of a protocol's results, named like the protocol's file."""
    family, _, variant = protocol_id.partition("@")
    return ".".join(filter(None, (family.replace("/", "-"), variant)))


def _load(paths: Sequence[Path]) -> list[Result]:
    """All of them; their intervals are drawn anew, which takes about 0.2 s each."""
    jobs = 1 if len(paths) < MANY else min(os.cpu_count() or 1, len(paths) // 4)
    done = dict(run(load_result, list(enumerate(paths)), jobs=jobs))
    return [done[at] for at in range(len(paths))]


def _place(result: Result, method: Method) -> Path:
    name = "@".join(filter(None, (method.key, _variant(result))))
    return Path("results") / folder_of(result.protocol.id) / f"{name}.json"


def _variant(result: Result) -> str:
    n, whole = _counted(result), result.protocol.expected_samples
    if result.dataset.get("origin") == "synthetic":
        return f"synthetic{n}"
    return "" if whole in (0, n) else f"subset{n}"  # 0: any number is the whole


def _counted(result: Result) -> int:
    """Samples that a result is about: those that its protocol leaves out, but no list of a user."""
    return result.summary.n + ("subset" not in result.inputs) * result.summary.n_left_out


def _method(result: Result, methods: Mapping[str, Method], key: str | None, path: Path) -> Method:
    name = str(result.method["name"])
    fitting = [m for m in methods.values() if m.key == key or (key is None and name in m.names)]
    if len(fitting) != 1:
        raise BenchError(
            f"no method file is about {key or name!r}",
            code="unknown-method",
            where=path,
            expected=f"methods/KEY.toml with {name!r} among its names, or --method KEY",
            remedy="Write one first: docs/leaderboard.md shows how.",
        )
    if not fitting[0].predictions:
        raise BenchError(
            "the method file does not say where the predictions come from",
            code="unknown-predictions",
            where=f"methods/{fitting[0].key}.toml",
            expected="predictions = who ran it, with which weights and boxes",
        )
    return fitting[0]


def _refuse_machine_paths(text: str, path: Path) -> None:
    if (match := _MACHINE_PATH.search(text)) is not None:
        raise BenchError(
            "the result names a folder of the machine it was made on",
            code="machine-path",
            where=path,
            found=match[0][:80],
            remedy="Score again from a file in the folder you work in.",
        )
