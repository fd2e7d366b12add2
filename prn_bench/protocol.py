"""Protocols: frozen, versioned, hashed descriptions of one score.

A protocol is a flat TOML table (``prn_bench/protocols/*.toml``, or a user's own file). A file may
extend another protocol and state only what differs. Any field can be changed in the id itself,
``aflw2000/68/2d@3ddfa-fit+reference_frame=image``, so every combination has a full name. The hash
covers what decides a number (every field but id and prose), so one computation has one hash.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from prn_bench.errors import BenchError
from prn_bench.metrics import ZRule
from prn_bench.normalizers import normalizer_names
from prn_bench.subsets import Closed, Over90
from prn_bench.summary import Aggregate

_PROSE = ("title", "source", "notes")
_OWN = ("id", "version", *_PROSE)  # never inherited: each file states them itself
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_ALLOWED = {
    "id": re.compile(r"[a-z0-9][a-z0-9/_.@-]*(\+[a-z0-9_]+=[a-z0-9,._-]+)*"),
    "version": range(1, 10_000),
    "dataset": _NAME,
    "expected_samples": range(10**9),
    "points": range(68, 69),
    "dims": range(2, 4),
    "annotation": _NAME,
    "normalizer": normalizer_names(),
    "yaw_source": _NAME,
    "draws": range(1, 100_001),
    "seed": range(2**32),
}
_WORDS = {"bin_edges": "increasing degrees >= 0, as 0,30,60,inf", "penalty": "a number >= 0"}


@dataclass(frozen=True)
class Protocol:
    """One way to compute one score."""

    id: str
    version: int
    title: str
    source: str  # paper, or script and commit
    notes: str
    dataset: str  # recipe of the dataset file
    expected_samples: int  # of the whole benchmark; 0: any number
    points: int
    dims: int
    annotation: str  # `original`, or the name of another annotation of the same points
    reference: Literal["landmarks", "uv-index"]  # uv-index: the map read at the landmark pixels
    reference_frame: Literal["stored", "image"]  # stored: 1-based, as the published scripts
    z_rule: ZRule  # metrics.align_depth
    normalizer: str  # normalizers
    normalizer_shape: Literal["reference", "landmarks"]  # measured on these points
    yaw_source: str
    bin_edges: tuple[float, ...]  # degrees of absolute yaw
    closed: Closed  # which end of a bin belongs to it
    over_90: Over90  # subsets.yaw_bins
    subset: Literal["all", "balanced", "balanced-sdrn"]
    draws: int  # balanced subsets only
    seed: int
    aggregate: Aggregate  # the headline
    missing: Literal["strict", "penalise", "drop"]  # refuse, count `penalty`, or leave out
    penalty: float  # in the unit of the errors
    unit: Literal["percent", "px"]

    @property
    def hash(self) -> str:
        """Sha256 (hex) of every field that decides the number, version included."""
        text = {k: _text(v) for k, v in vars(self).items() if k not in ("id", *_PROSE)}
        return hashlib.sha256(json.dumps(text, sort_keys=True).encode()).hexdigest()

    @property
    def short_hash(self) -> str:
        """First 12 digits of the hash, as tables show it."""
        return self.hash[:12]

    def as_dict(self) -> dict[str, Any]:
        """Every field, in plain values that JSON and :meth:`from_dict` take (edges as text)."""
        return {k: _text(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], *, where: str | Path) -> Protocol:
        """Check every field of a complete table; texts are read as the field's type.

        Raises
        ------
        BenchError
            ``protocol-key`` for unknown or absent fields, ``protocol-value``, and
            ``protocol-clash`` for fields that contradict each other.
        """
        known = {field.name for field in fields(cls)}
        wrong = [f"no field {key!r}" for key in sorted(table.keys() - known)]
        wrong += [f"to state or inherit {key!r}" for key in sorted(known - table.keys())]
        if wrong:
            raise BenchError(
                f"a protocol has {' and '.join(wrong)}",
                code="protocol-key",
                where=where,
                expected=", ".join(sorted(known)),
            )
        result = cls(**{name: _value(name, raw, where) for name, raw in table.items()})
        _check_agreement(result, where)
        return result


def protocols() -> tuple[Protocol, ...]:
    """Every published protocol, by id."""
    return tuple(_by_id(name) for name in sorted(_published()))


def protocol(name: str | Path) -> Protocol:
    """The protocol of an id or of a TOML file, either with changed fields.

    The id of a changed protocol lists what differs from its base, by name of the field.

    Examples
    --------
    >>> protocol("aflw2000/68/2d@all+seed=0+yaw_source=aflw").id
    'aflw2000/68/2d@all+yaw_source=aflw'

    Raises
    ------
    BenchError
        ``protocol-unknown``, ``protocol-file``, ``protocol-override`` for a change that is none,
        and those of :meth:`Protocol.from_dict`.
    """
    first, *changes = str(name).split("+")
    if str(name).endswith(".toml"):  # a path may hold a plus sign
        first, changes = str(name), []
    base = _load(Path(first)) if first.endswith(".toml") else _by_id(first)
    changed = Protocol.from_dict({**base.as_dict(), **_overrides(changes, name)}, where=name)
    differs = sorted(set(vars(changed).items()) - set(vars(base).items()))
    return replace(changed, id="+".join([base.id, *(f"{k}={_text(v)}" for k, v in differs)]))


def match_protocols(pattern: str) -> tuple[Protocol, ...]:
    """The published protocols whose ids match a glob such as ``aflw2000/68/*``; else that one.

    Changed fields after the glob apply to every match: ``aflw2000/68/2d@*+reference_frame=image``.

    Raises
    ------
    BenchError
        ``protocol-unknown`` when nothing matches, and those of :func:`protocol`.
    """
    glob, plus, changes = pattern.partition("+")
    if not set(glob) & set("*?["):
        return (protocol(pattern),)
    names = [name for name in sorted(_published()) if fnmatchcase(name, glob)] or [glob]
    return tuple(protocol(name + plus + changes) for name in names)


@cache
def _published() -> Mapping[str, Path]:
    files = sorted(Path(__file__).with_name("protocols").glob("*.toml"))
    return {str(_read(path)["id"]): path for path in files}


@cache
def _by_id(name: str) -> Protocol:
    if name not in _published():
        raise _unknown(name)
    return _load(_published()[name])


def _load(path: Path, chain: tuple[Path, ...] = ()) -> Protocol:
    table = _read(path)
    parent = table.pop("extends", None)
    if parent is not None:
        if not isinstance(parent, str) or path in chain:
            what = "`extends` must name another protocol"
            raise BenchError(what, code="protocol-file", where=path)
        beside = path.parent / parent  # a user's file may extend its neighbour
        above = _load(beside, (*chain, path)) if parent.endswith(".toml") else _by_id(parent)
        table = {k: v for k, v in above.as_dict().items() if k not in _OWN} | table
    result = Protocol.from_dict({"notes": "", **table}, where=path)
    home = _published().get(result.id.partition("+")[0], path)
    if home.resolve() != path.resolve() and protocol(result.id).hash != result.hash:
        raise BenchError(
            f"{result.id} is the name of a published protocol, and this file differs from it",
            code="protocol-id-taken",
            where=path,
            remedy="Give it an id of its own.",
        )
    return result


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"the protocol file cannot be read ({error.strerror})"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        what = f"this is not TOML ({error})"
    raise BenchError(what, code="protocol-file", where=path)


def _overrides(changes: list[str], where: str | Path) -> dict[str, str]:
    pairs = [change.partition("=") for change in changes]
    table = {key: value for key, _, value in pairs}
    if len(table) < len(pairs) or set(table) & set(_OWN) or not all(p[1] for p in pairs):
        raise BenchError(
            "a protocol is changed by +field=value, each field once and none of its prose",
            code="protocol-override",
            where=where,
        )
    return table


def _unknown(name: str) -> BenchError:
    near = difflib.get_close_matches(name, sorted(_published()), n=3, cutoff=0)
    return BenchError(
        f"there is no protocol {name!r}",
        code="protocol-unknown",
        expected=f"a .toml file or a published id such as {' or '.join(near)}",
    )


def _value(name: str, raw: Any, where: str | Path) -> Any:
    """The checked value of a field."""
    hint = get_type_hints(Protocol)[name]
    allowed: Any = get_args(hint) if get_origin(hint) is Literal else _ALLOWED.get(name)
    try:
        value = _edges(raw) if name == "bin_edges" else _plain(raw, hint)
        if not (allowed is None or _fits(value, allowed)):
            raise ValueError
    except (ValueError, TypeError):
        raise BenchError(
            f"the field {name} has a value that it cannot take",
            code="protocol-value",
            where=where,
            expected=_WORDS.get(name) or _words(allowed),
            found=repr(raw),
        ) from None
    return value


def _plain(raw: Any, hint: Any) -> Any:
    if type(raw) not in {int: (int, str), float: (float, int, str)}.get(hint, (str,)):
        raise TypeError
    value: Any = hint(raw) if hint in (int, float) else raw.strip()
    if hint is float and not 0 <= value < math.inf:
        raise ValueError
    return value


def _edges(raw: Any) -> tuple[float, ...]:
    edges = tuple(float(edge) for edge in (raw.split(",") if isinstance(raw, str) else raw))
    if len(edges) < 2 or edges[0] < 0 or not all(a < b for a, b in pairwise(edges)):
        raise ValueError
    return edges


def _fits(value: Any, allowed: Any) -> bool:
    if isinstance(allowed, re.Pattern):
        return allowed.fullmatch(value) is not None
    return value in allowed


def _words(allowed: Any) -> str:
    if isinstance(allowed, re.Pattern):
        return f"text of the form {allowed.pattern}"
    if isinstance(allowed, range):
        return f"a whole number from {allowed.start} to {allowed[-1]}"
    return f"one of {', '.join(allowed)}" if allowed else "text"


def _text(value: Any) -> str:
    """How a value is written in an id and hashed; :func:`_value` reads it back."""
    if isinstance(value, tuple):
        return ",".join(_text(item) for item in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _check_agreement(p: Protocol, where: str | Path) -> None:
    other_mean = p.subset == "balanced" and p.aggregate != "mean-of-bins"
    stored_map = p.reference == "uv-index" and p.reference_frame == "stored"
    clashes = {
        "2D errors have no z, so z_rule must be none": p.dims == 2 and p.z_rule != "none",
        "the unit px goes with the normalizer none": (p.unit == "px") != (p.normalizer == "none"),
        "balanced subsets are averaged as mean-of-bins": other_mean,
        "maps were never stored 1-based: uv-index needs reference_frame=image": stored_map,
    }
    for words in (words for words, clash in clashes.items() if clash):
        raise BenchError(words, code="protocol-clash", where=where)
