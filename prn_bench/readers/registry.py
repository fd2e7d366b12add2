"""Readers by name, their own options, and what an entry point of another package must be.

A reader is a function ``read(path, *, frame, dataset) -> Predictions``; any package can bring one as an
entry point of the group ``prn_bench.readers``. Further keyword parameters are its options, which the
command line passes on as ``--option name=value``.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from prn_bench.errors import BenchError

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

GROUP = "prn_bench.readers"
OWN = {
    "2dasl": "tddfa:read_2dasl",
    "3d-fan": "fan:read_fan",
    "3ddfa": "tddfa:read_3ddfa",
    "3ddfa-v2": "tddfa_v2:read_3ddfa_v2",
    "csv": "generic:read_csv",
    "npz": "generic:read_npz",
    "obj": "objfolder:read_obj_folder",
    "position-map": "posmap:read_position_maps",
    "prnet": "prnet:read_prnet",
    "sadrnet": "posmap:read_sadrnet",
    "synergynet": "tddfa:read_synergynet",
    "vrn": "vrn:read_vrn",
}
COMMON = ("path", "frame", "dataset")
YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Reader(Protocol):
    """What an entry point of the group ``prn_bench.readers`` must be."""

    def __call__(
        self, path: Path, *, frame: str | None, dataset: Dataset | None = None, **options: Any
    ) -> Predictions:
        """Read one file or folder of a method's own output."""
        ...


def available_readers() -> dict[str, EntryPoint]:
    """Entry points of all readers by name, those of other packages included; nothing is loaded."""
    home = __name__.rpartition(".")[0]
    own = [EntryPoint(name, f"{home}.{place}", GROUP) for name, place in OWN.items()]
    return {point.name: point for point in (*entry_points(group=GROUP), *own)}


def find_reader(name: str) -> Reader:
    """The reader of this name.

    Raises
    ------
    BenchError
        ``unknown-reader`` with the known names, ``broken-reader`` when its package does not load.
    """
    known = available_readers()
    if name not in known:
        close = difflib.get_close_matches(name.lower(), known, 1)
        raise BenchError(
            f"there is no reader {name!r}",
            code="unknown-reader",
            expected="one of " + ", ".join(sorted(known)),
            remedy=f"Did you mean {close[0]!r}?" if close else None,
        )
    try:
        return known[name].load()
    except (ImportError, AttributeError) as error:
        raise BenchError(
            f"the reader {name!r} does not load ({error})",
            code="broken-reader",
            where=known[name].value,
            remedy="Install what it needs, or ask its author.",
        ) from None


def reader_options(reader: Callable[..., Any], given: Iterable[str]) -> dict[str, Any]:
    """Keyword arguments of a reader from words such as ``scale=280``.

    Parameters
    ----------
    reader : callable
        Its keyword parameters besides path, frame and dataset are its options; their annotations
        say whether they are numbers, yes or no, or text.
    given : iterable of str

    Raises
    ------
    BenchError
        ``unknown-option``, ``bad-option``.
    """
    parameters = inspect.signature(reader).parameters
    kinds = {
        name: str(getattr(one.annotation, "__name__", one.annotation))
        for name, one in parameters.items()
        if name not in COMMON and one.kind is not one.VAR_KEYWORD
    }
    options = {}
    for word in given:
        name, sign, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if name not in kinds or not sign:
            raise BenchError(
                f"the reader has no option {word!r}",
                code="unknown-option",
                expected=", ".join(f"{n}=..." for n in kinds) or "no options",
                remedy="See docs/readers.md for what each reader needs.",
            )
        options[name] = _value(name, kinds[name], text.strip())
    return options


def _value(name: str, kind: str, text: str) -> Any:
    try:
        if "bool" in kind:
            return YES_NO[text.lower()]
        return float(text) if "float" in kind else int(text) if "int" in kind else text
    except (ValueError, KeyError):
        raise BenchError(
            f"the option {name} cannot have this value",
            code="bad-option",
            expected="true or false" if "bool" in kind else "a number",
            found=repr(text[:40]),
        ) from None
