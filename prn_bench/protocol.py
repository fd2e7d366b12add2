"""Protocols: frozen, versioned, hashed descriptions of one score.

A protocol is a flat TOML table (``prn_bench/protocols/*.toml``, or a user's own file). A file may
extend another protocol and state only what differs. Any field can be changed in the id itself,
``aflw2000/68/2d@3ddfa-fit+reference_frame=image``, so every combination has a full name. The hash
covers what decides a number (every field but the prose), so one computation has one hash.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from prn_bench.errors import BenchError
from prn_bench.metrics import Z_RULES, ZRule
from prn_bench.normalizers import normalizer_names
from prn_bench.subsets import CLOSED, OVER_90, Closed, Over90
from prn_bench.summary import AGGREGATES, Aggregate

_PROSE = ("title", "source", "notes")
_OWN = ("id", "version", *_PROSE)  # never inherited: each file states them itself
_ID = re.compile(r"[a-z0-9][a-z0-9/_.@-]*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class Protocol:
    """One way to compute one score. ``docs/protocols.md`` explains each field and its values."""

    id: str
    version: int
    title: str
    source: str
    notes: str
    dataset: str  # recipe
    expected_samples: int  # 0: any number
    points: int
    dims: int
    annotation: str
    reference: str
    reference_frame: str
    z_rule: ZRule
    normalizer: str
    normalizer_shape: str
    yaw_source: str
    bin_edges: tuple[float, ...]
    closed: Closed
    over_90: Over90
    subset: str
    draws: int
    seed: int
    aggregate: Aggregate
    missing: str
    penalty: float
    unit: str

    @property
    def hash(self) -> str:
        """Sha256 (hex) of every field that decides the number, version included."""
        names = (name for name in _FIELDS if name not in ("id", *_PROSE))
        text = {name: _text(getattr(self, name)) for name in names}
        return hashlib.sha256(json.dumps(text, sort_keys=True).encode()).hexdigest()

    @property
    def short_hash(self) -> str:
        """First 12 digits of the hash, as tables show it."""
        return self.hash[:12]

    def as_dict(self) -> dict[str, Any]:
        """Every field, in plain values that JSON and :meth:`from_dict` take (edges as text)."""
        return {
            name: _text(value) if isinstance(value, tuple) else value
            for name, value in ((field.name, getattr(self, field.name)) for field in fields(self))
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], *, where: str | Path) -> Protocol:
        """Check every field of a complete table.

        Raises
        ------
        BenchError
            ``protocol-key`` for unknown or absent fields, ``protocol-value``, ``protocol-clash`` for
            fields that contradict each other.
        """
        for name in table:
            _known_key(name, where)
        absent = [name for name in _FIELDS if name not in table]
        if absent:
            raise BenchError(
                f"the protocol lacks {', '.join(absent)}",
                code="protocol-key",
                where=where,
                remedy='State them, or inherit them with `extends = "ID"`.',
            )
        result = cls(**{name: _value(name, value, where) for name, value in table.items()})
        _check_agreement(result, where)
        return result

    def changed(self, **overrides: Any) -> Protocol:
        """The protocol with some fields changed; its id says which (``ID+field=value``).

        Raises
        ------
        BenchError
            As :meth:`from_dict`.
        """
        where = "".join([self.id, *(f"+{key}={value}" for key, value in overrides.items())])
        for name in overrides:
            _known_key(name, where)
            if name in _OWN:
                raise BenchError(f"{name} cannot be changed", code="protocol-key", where=where)
        new = {key: _value(key, value, where) for key, value in overrides.items()}
        base, *earlier = self.id.split("+")
        marks = dict(item.split("=", 1) for item in earlier)
        marks |= {key: _text(value) for key, value in new.items() if value != getattr(self, key)}
        name = "".join([base, *(f"+{key}={marks[key]}" for key in sorted(marks))])
        return Protocol.from_dict({**self.as_dict(), **new, "id": name}, where=where)


def protocols() -> tuple[Protocol, ...]:
    """Every published protocol, by id."""
    return tuple(_load(path, ()) for _, path in sorted(_published().items()))


def protocol(name: str | Path) -> Protocol:
    """The protocol of an id, of an id with changed fields, or of a TOML file (likewise changed).

    Examples
    --------
    >>> protocol("aflw2000/68/2d@3ddfa-fit+yaw_source=aflw").yaw_source
    'aflw'

    Raises
    ------
    BenchError
        ``protocol-unknown``, ``protocol-file``, and those of :meth:`Protocol.from_dict`.
    """
    if Path(name).is_file():
        return _load(Path(name), ())
    base, *changes = str(name).split("+")
    found = _load(_find(base), ())
    overrides: dict[str, str] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or key in overrides:
            raise BenchError(
                f"{change!r} does not change a field",
                code="protocol-value",
                where=str(name),
                expected="each field once, as +field=value",
            )
        overrides[key] = value
    return found.changed(**overrides) if overrides else found


def match_protocols(pattern: str) -> tuple[Protocol, ...]:
    """The published protocols whose ids match a glob such as ``aflw2000/68/*``; else :func:`protocol`.

    Changed fields after the glob apply to every match: ``aflw2000/68/2d@*+reference_frame=image``.

    Raises
    ------
    BenchError
        ``protocol-unknown`` when nothing matches, and those of :func:`protocol`.
    """
    glob, plus, changes = pattern.partition("+")
    if not set(glob) & set("*?["):
        return (protocol(pattern),)
    names = [name for name in sorted(_published()) if fnmatchcase(name, glob)]
    if not names:
        raise _unknown(glob)
    return tuple(protocol(name + plus + changes) for name in names)


@cache
def _published() -> Mapping[str, Path]:
    files = sorted(Path(__file__).with_name("protocols").glob("*.toml"))
    return {str(_read(path)["id"]): path for path in files}


@cache
def _load(path: Path, chain: tuple[Path, ...]) -> Protocol:
    table = dict(_read(path))
    parent = table.pop("extends", None)
    if parent is not None:
        if path in chain or not isinstance(parent, str):
            raise BenchError("`extends` must name another protocol", code="protocol-file", where=path)
        beside = path.parent / parent  # a user's file may extend its neighbour
        source = beside if parent.endswith(".toml") else _find(parent)
        inherited = _load(source, (*chain, path)).as_dict()
        table = {k: v for k, v in inherited.items() if k not in _OWN} | table
    result = Protocol.from_dict({"notes": "", **table}, where=path)
    taken = _published().get(result.id, path) if path.parent != _home() else path
    if taken != path and _load(taken, ()).hash != result.hash:
        raise BenchError(
            f"{result.id} is a published protocol, and this file differs from it",
            code="protocol-id-taken",
            where=path,
            remedy="Give it an id of its own.",
        )
    return result
