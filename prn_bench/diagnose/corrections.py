"""What may have gone wrong with 68 points, as pure functions that undo it.

A :class:`Correction` moves points as they stand in a file; ``size`` is the width and height of the
space that they belong to. Corrections of one file are applied in the order of their ``stage``: which
rows, which landmarks, which unit, which axes, and last which space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose import moves
from prn_bench.landmarks import GROUPS, N_LANDMARKS, mirror_permutation

Array = NDArray[np.float64]
Move = Callable[[Array, Array], Array]
Stage = Literal["rows", "order", "unit", "axes", "space"]

STAGES: tuple[Stage, ...] = ("rows", "order", "unit", "axes", "space")
#: ``side - y`` with each of these: 0-based pixels are flipped by h - 1.
FLIP_GAPS = ((1.0, "- 1 "), (0.5, "- 0.5 "), (0.0, ""), (-1.0, "+ 1 "))
CROP_SIDES_PX = (112, 120, 128, 192, 200, 224, 256, 512)
#: What networks divide position maps by, besides the side of the crop.
MAP_FACTORS = ((281.6, "256 x 1.1"), (280.0, "280"))


@dataclass(frozen=True)
class Correction:
    """One thing to undo.

    Attributes
    ----------
    family : str
        What went wrong, such as ``y-flip``; variants of one mistake share it.
    name : str
        The correction, such as ``y -> h - 1 - y``.
    cause, remedy : str
        A clause that says what is wrong, and a sentence that says what to do.
    stage : str
        One of ``STAGES``.
    move : callable
        (n, 68, 2|3) points and (n, 1, 2) sizes to points.
    space : str or None
        The space that the points are in, when it is not the declared one.
    fitted : bool
        Whether it has free parameters, so that it fits a little better than it should.
    """

    family: str
    name: str
    cause: str
    remedy: str
    stage: Stage
    move: Move
    space: str | None = None
    fitted: bool = False


def axis_corrections(n_dims: int) -> Iterator[Correction]:
    """Flipped, mirrored and exchanged axes.

    Parameters
    ----------
    n_dims : 2 or 3
        Coordinates of the points.
    """
    for gap, words in FLIP_GAPS:
        yield Correction(
            "y-flip",
            f"y -> h {words}- y",
            "y runs up",
            "Write the file again with y down.",
            "axes",
            partial(moves.flipped, axis=1, gap=gap),
        )
    for gap, words in FLIP_GAPS:
        yield Correction(
            "x-mirror",
            f"x -> w {words}- x",
            "x runs to the left",
            "Write the file again with x to the right.",
            "axes",
            partial(moves.flipped, axis=0, gap=gap),
        )
        yield Correction(
            "x-mirror",
            f"x -> w {words}- x with left and right landmarks exchanged",
            "these are the points of the mirrored image",
            "Mirror them back (x, and left against right landmarks), or predict on the image as it is.",
            "axes",
            partial(moves.mirrored, gap=gap),
        )
    names = ("x and y", (1, 0, 2)), ("x and z", (2, 1, 0)), ("y and z", (0, 2, 1))
    for words, axes in names[: 1 if n_dims == 2 else 3]:
        yield Correction(
            "axis-swap",
            f"exchanging {words}",
            f"{words} have changed places",
            "Write the columns in the order x, y, z.",
            "axes",
            partial(moves.exchanged, axes=axes),
        )


def unit_corrections(space: str) -> Iterator[Correction]:
    """Coordinates in other units than pixels of the space.

    Parameters
    ----------
    space : str
        The declared frame; position maps have units of their own in crops.
    """
    side = "the image's" if space == "image" else "the crop's"
    pixels = "Write pixels: multiply x by the width and y by the height."
    table: tuple[tuple[str, str, Move], ...] = (
        ("x -> x w, y -> y h", "are fractions of", partial(moves.of_side, whole=1)),
        ("x -> x w / 100, y -> y h / 100", "are per cent of", partial(moves.of_side, whole=100)),
        ("x -> (x + 1) w / 2, y -> (y + 1) h / 2", "run from -1 to 1 over", moves.of_half_side),
    )
    for name, words, move in table:
        cause = f"coordinates {words} {side} sides"
        yield Correction("fractions", name, cause, pixels, "unit", move)
    for factor, words in MAP_FACTORS if space == "crop" else ():
        yield Correction(
            "scale",
            f"multiplying by {factor:g}",
            f"coordinates are divided by {words}, as in the network's own output",
            f"Multiply the network's output by {words} before writing it.",
            "unit",
            partial(moves.scaled, factor=factor),
        )
    for pixels_wide in CROP_SIDES_PX:
        yield Correction(
            "scale",
            f"multiplying by w / {pixels_wide}",
            f"pixels are those of a picture resized to {pixels_wide} x {pixels_wide}",
            f"Multiply x by w / {pixels_wide} and y by h / {pixels_wide}.",
            "unit",
            partial(moves.resized, side_px=pixels_wide),
        )


def scale_correction(factor: float) -> Correction:
    """A scale that was measured, and that no table names."""
    return Correction(
        "scale",
        f"multiplying by {factor:.4g}",
        f"the points are {1 / factor:.4g} times as large as they should be, from the origin",
        "Find out in pixels of which picture they are, and scale them to the declared frame.",
        "unit",
        partial(moves.scaled, factor=factor),
        fitted=True,
    )


def order_corrections() -> Iterator[Correction]:
    """Known other orders of the 68 points."""
    reverse = np.arange(N_LANDMARKS)[::-1]
    jaw = np.arange(N_LANDMARKS)
    jaw[list(GROUPS["jaw"])] = list(GROUPS["jaw"])[::-1]
    yield order_correction(
        mirror_permutation(),
        "exchanging left and right landmarks",
        "the landmarks are numbered from the viewer's left, not the subject's right",
    )
    yield order_correction(reverse, "reversing the order", "the 68 points come in reverse order")
    yield order_correction(
        jaw, "reversing the jaw", "the 17 points of the jaw come in reverse order"
    )


def order_correction(order: NDArray[np.intp], name: str = "", cause: str = "") -> Correction:
    """Landmarks put into another order, ``corrected[i] = points[order[i]]``."""
    moved = np.flatnonzero(order != np.arange(len(order)))
    some = ", ".join(f"{i} stands at {order[i]}" for i in moved[:4])
    return Correction(
        "order",
        name or f"putting {len(moved)} points back",
        cause
        or f"{len(moved)} of {len(order)} landmarks stand at another's place ({some}"
        f"{', ...' if len(moved) > 4 else ''})",
        "Write the 68 points in the iBUG 300-W order.",
        "order",
        partial(moves.reordered, order=order),
        fitted=not name,
    )


def space_corrections(declared: str, spaces: dict[str, str]) -> Iterator[Correction]:
    """Points that are in another space than the declared one.

    Parameters
    ----------
    declared : str
    spaces : dict of str to str
        What each space is called in a sentence.
    """
    for name, words in spaces.items():
        if name == declared:
            continue
        remedy = f"Declare frame={name!r}, or map the points to the {declared} frame."
        if name == "roi":
            remedy = "Map them back to the image with the crop boxes (roi_box)."
        yield Correction(
            "space",
            f"reading them as pixels of {words}",
            f"these are pixels of {words}, not of {spaces[declared]}",
            remedy,
            "space",
            moves.unmoved,
            name,
        )


def rows_correction(order: NDArray[np.intp], name: str, cause: str) -> Correction:
    """Rows that belong to other samples, ``corrected[i] = points[order[i]]``."""
    return Correction(
        "rows",
        name,
        cause,
        "Write each row beside the id of the image that it was predicted from.",
        "rows",
        partial(moves.rows_moved, order=order),
    )


def offset_correction(shift: Array, name: str, cause: str, remedy: str) -> Correction:
    """A constant ``shift`` (2,) px taken off every point."""
    return Correction(
        "offset",
        name,
        cause,
        remedy,
        "axes",
        partial(moves.shifted, shift=shift),
    )
