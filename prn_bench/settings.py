"""Settings from TOML: a flat table into a frozen dataclass, every value of it checked before any work."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Any, TypeVar

from prn_bench.errors import BenchError
from prn_bench.formats.texts import parse_toml

T = TypeVar("T")
#: What a setting may be: whole numbers, a closed interval (of both numbers of a pair), or words.
Limits = range | tuple[float, float] | tuple[str, ...]


def setting(default: T, limits: Limits) -> T:
    """A default of a dataclass, and what else the setting may be; true or false need none."""
    return field(default=default, metadata={"limits": limits})


def load_settings(path: str | Path, changes: Iterable[str] = ()) -> dict[str, Any]:
    """The values of a TOML file, with changes on top; nothing is checked yet.

    Parameters
    ----------
    path : path
    changes : iterable of str
        ``key=value``, the value written as in TOML; words need no quotes.

    Raises
    ------
    BenchError
        ``bad-config``.
    """
    path = Path(path)
    values = _toml(path.read_bytes().decode("utf-8", "replace"), str(path))
    for change in changes:
        key, _, text = change.partition("=")
        try:
            values |= _toml(f"{key} = {text}", change)
        except BenchError:
            values |= _toml(f"{key} = '{text}'", f"--set {change}")
    return values


def find_preset(presets: Path, name: str | Path) -> Path:
    """The path of ``name.toml`` among the presets of a folder, or of a file of this name.

    Raises
    ------
    BenchError
        ``no-such-config``.
    """
    known = sorted(path.stem for path in presets.glob("*.toml"))
    path = presets / f"{name}.toml" if str(name) in known else Path(name)
    if not path.is_file():
        expected = f"{', '.join(known)} or a .toml file"
        what = "there is no such preset or file"
        raise BenchError(what, code="no-such-config", where=name, expected=expected)
    return path


def check_settings(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """A dataclass of settings from plain values.

    Parameters
    ----------
    kind : dataclass
        Its defaults say the types: bool, int, float, str, or a pair of floats [low, high]; those of
        :func:`setting` say the limits too.
    values : dict
    where : str
        Where the values come from, for the message.

    Raises
    ------
    BenchError
        ``bad-config``, naming the setting, what it may be and what it was.
    """
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    checked = {}
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            expected = f"perhaps {near[0]}" if near else ", ".join(known)
            raise _fault(where, f"there is no setting {name!r}", expected)
        default: Any = known[name].default
        limit = known[name].metadata.get("limits")
        checked[name] = _fitting(value, default, limit)
        if checked[name] is None:
            what = f"the setting {name} is unusable"
            raise _fault(where, what, _words(default, limit), repr(value)[:60])
    return kind(**checked)


def _fitting(value: Any, default: Any, limit: Any) -> Any:
    """The value in the type of its default, or None."""
    if isinstance(default, tuple):
        pair = [_fitting(one, 0.0, limit) for one in value] if isinstance(value, list) else []
        return tuple(pair) if len(pair) == 2 and None not in pair and pair[0] <= pair[1] else None
    if isinstance(default, float) and type(value) in (int, float):
        return float(value) if limit[0] <= value <= limit[1] else None
    good = type(value) is type(default) and (limit is None or value in limit)
    return value if good else None


def _words(default: Any, limit: Any) -> str:
    if limit is None:
        return "true or false"
    if isinstance(default, str):
        return " or ".join(limit)
    if isinstance(default, int):
        step = f" in steps of {limit.step}" if limit.step > 1 else ""
        return f"a whole number from {limit[0]} to {limit[-1]}{step}"
    many = "two numbers [low, high]" if isinstance(default, tuple) else "a number"
    return f"{many} from {limit[0]:g} to {limit[1]:g}"


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ValueError as error:
        raise _fault(where, f"this is not TOML ({error})", "key = value") from None


def _fault(where: str, what: str, expected: str, found: str | None = None) -> BenchError:
    return BenchError(what, code="bad-config", where=where, expected=expected, found=found)
