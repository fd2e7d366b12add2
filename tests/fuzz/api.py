"""The Python API as a user would call it on a file of unknown origin."""

from __future__ import annotations

import shutil


def dataset(path: str) -> None:
    """Open, read the first and the last sample, and every array."""
    from prn_bench import open_dataset

    opened = open_dataset(path)
    for row in {0, len(opened) - 1}:
        opened[row]
    for name in opened.names:
        opened.read(name, slice(0, 2))


def predictions(path: str) -> None:
    """Open and read every array."""
    from prn_bench import open_predictions

    opened = open_predictions(path)
    ragged = opened.topology == "unordered"
    for name in opened.arrays:
        opened.mesh(0) if ragged else opened.rows(name, slice(0, 2))


def result(path: str) -> None:
    """Load a result."""
    from prn_bench import load_result

    load_result(path).as_dict()


def settings(path: str) -> None:
    """The settings of a training; nothing is trained."""
    from reference_model.config import load_config

    load_config(path)


def checkpoint(path: str) -> None:
    """A network ready to evaluate."""
    from reference_model.weights import load_checkpoint

    load_checkpoint(path)


def recipe(path: str) -> None:
    """A recipe's card."""
    from prn_bench.recipes import find_recipe

    find_recipe(path)


def ict(path: str) -> None:
    """The face model of a small ICT folder."""
    from prn_bench.facemodel.ict import read_ict_model
    from tests.toy_ict import make_toy

    read_ict_model(path, parts=make_toy().parts)


def board(source: str, target: str) -> None:
    """A copy of a leaderboard, for commands that write into it."""
    shutil.copytree(source, target)
