"""What can go wrong for a user, said in one message.

Every fault that a user can cause or repair is a :class:`BenchError`. It carries a short code (for
``--json`` and for searching the docs) and prints as: what, where, expected and found, what to do.
Misuse of a function by its programmer stays a ``ValueError``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

Level = Literal["error", "warning", "note"]


#: Control characters other than line ends and tabs, marks that turn the writing direction, half pairs.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Text of unknown origin, with escapes (as JSON has them) for what a terminal would act upon."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def first_few(names: Collection[Any], n: int = 3) -> str:
    """The first ``n`` of some names, for a message: ``a, b, c, ...``."""
    shown = ", ".join(str(name) for name in islice(names, n))
    return shown + (", ..." if len(names) > n else "")


class BenchError(Exception):
    """A user-facing fault.

    Parameters
    ----------
    what : str
        One clause that names the fault.
    code : str
        Stable kebab-case name of the fault, such as ``git-lfs-pointer``.
    where : str or Path, optional
        The file, and the sample where there is one.
    expected, found : str, optional
        Both sides of the disagreement.
    remedy : str, optional
        What to do now, as an imperative sentence.
    """

    def __init__(
        self,
        what: str,
        *,
        code: str,
        where: str | Path | None = None,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.code, self.where = what, code, where
        self.expected, self.found, self.remedy = expected, found, remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where is not None else self.what
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.found is not None:
            text += f"{',' if self.expected is not None else ';'} found {self.found}"
        return printable(text + "." + (f" {self.remedy}" if self.remedy else ""))

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a worker process (keyword arguments are not in ``args``)."""
        fields = (self.what, self.code, self.where, self.expected, self.found, self.remedy)
        return _rebuild, fields


def _rebuild(
    what: str,
    code: str,
    where: str | Path | None,
    expected: str | None,
    found: str | None,
    remedy: str | None,
) -> BenchError:
    return BenchError(what, code=code, where=where, expected=expected, found=found, remedy=remedy)


@dataclass(frozen=True)
class Finding:
    """One line of an audit or of ``prn-bench check``: how bad, its code, where, what, what to do."""

    level: Level
    code: str
    where: str
    message: str
    remedy: str = ""

    @classmethod
    def from_error(cls, error: BenchError, *, where: str | None = None) -> Finding:
        """The finding that says the same as a caught error."""
        place = where if where is not None else str(error.where or "")
        message = error.what
        if error.expected is not None:
            message += f"; expected {error.expected}"
        if error.found is not None:
            message += f", found {error.found}"
        return cls("error", error.code, place, message, error.remedy or "")

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Finding:
        """A finding that was written to a file; TypeError or ValueError where it is none."""
        found = cls(**table)
        if not all(isinstance(value, str) for value in table.values()):
            raise TypeError("a finding holds texts")
        if found.level not in get_args(Level):
            raise ValueError(f"there is no level {found.level!r}")
        return found
