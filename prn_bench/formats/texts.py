"""TOML and JSON of unknown origin: whatever is wrong with it is a ValueError."""

from __future__ import annotations

import json
import tomllib
from typing import Any

TOO_DEEP = "its brackets are nested too deep"


def parse_toml(text: str | bytes) -> dict[str, Any]:
    """The table of a TOML text; bytes are UTF-8.

    Raises
    ------
    ValueError
        For text that is not TOML or not UTF-8, numbers of thousands of digits, and brackets too deep.
    """
    try:
        return tomllib.loads(text if isinstance(text, str) else text.decode("utf-8"))
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text; ValueError as :func:`parse_toml`."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
