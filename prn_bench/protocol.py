"""Protocols: frozen, versioned, hashed descriptions of one score.

A protocol is a flat TOML table (``prn_bench/protocols/*.toml``, or a user's own file). A file may
extend another protocol and state only what differs. Any field can be changed in the id itself,
``aflw2000/68/2d@3ddfa-fit+reference_frame=image``, so every combination has a full name. The hash
covers what decides a number (every field but id and prose), so one computation has one hash.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from prn_bench.errors import BenchError
from prn_bench.formats.texts import parse_toml
from prn_bench.protocol_fields import OWN, Protocol, text_of

__all__ = ["Protocol", "match_protocols", "protocol", "protocols"]


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
    return replace(changed, id="+".join([base.id, *(f"{k}={text_of(v)}" for k, v in differs)]))


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
        table = {k: v for k, v in above.as_dict().items() if k not in OWN} | table
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
        return parse_toml(path.read_bytes())
    except OSError as error:
        what = f"the protocol file cannot be read ({error.strerror})"
    except ValueError as error:
        what = f"this is not TOML ({error})"
    raise BenchError(what, code="protocol-file", where=path)


def _overrides(changes: list[str], where: str | Path) -> dict[str, str]:
    pairs = [change.partition("=") for change in changes]
    table = {key: value for key, _, value in pairs}
    if len(table) < len(pairs) or set(table) & set(OWN) or not all(p[1] for p in pairs):
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
