"""What raw data lies on this disk: each recipe's own ``find``, tried on a folder and what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prn_bench.errors import BenchError
from prn_bench.recipes import available_recipes
from prn_bench.recipes.rawsource import open_raw


def survey(folder: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Raw data found in a folder, its sub-folders and its zips.

    Parameters
    ----------
    folder : path

    Returns
    -------
    dict
        Recipe name to a list of ``{"path": str, "samples": int}``.

    Raises
    ------
    BenchError
        ``no-such-path`` when there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise BenchError("there is no such folder", code="no-such-path", where=root)
    inside = sorted(p for p in root.iterdir() if p.is_dir() or p.suffix.lower() == ".zip")
    return _look(inside) or _look([root])


def _look(places: list[Path]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for place in places:
        try:
            source = open_raw(place)
        except BenchError:
            continue  # not raw data, or damaged: `build` says what is wrong with it
        for name, recipe in available_recipes().items():
            try:
                n_samples = len(recipe.module.find(source))
            except BenchError:
                continue
            if n_samples:
                found.setdefault(name, []).append({"path": str(place), "samples": n_samples})
    return found
