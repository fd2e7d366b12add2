"""What the numbers of a file say by themselves, whatever the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose.report import Mistake
from prn_bench.diagnose.scene import Scene

Array = NDArray[np.float64]

CONSTANT_SHARE = 0.25  # of the reference's own spread over samples
FRACTION_MAX = 2.0
DEPTH_SHARE = (0.05, 3.0)  # of z's extent in that of x and y; real faces lie between 0.3 and 1.2
REPORTED_RATIO = (80.0, 125.0)  # of what is measured to what is reported, when units differ


def constant_output(scene: Scene) -> Mistake | None:
    """All predictions alike, but for noise."""
    raw = scene.raw[scene.known]
    if len(raw) < 2:
        return None
    same = bool((raw == raw[0]).all())
    spreads = [_spread(scene.from_image(scene.reference, name)) for name in scene.spaces]
    if not same and _spread(raw) > CONSTANT_SHARE * min(spreads):
        return None
    words = "the same points" if same else "nearly the same points"
    return Mistake(
        "error",
        "constant",
        f"all {len(raw)} predictions are {words}, whatever the image",
        remedy="Look at the network's input and at the export: is one batch written again and again?",
    )


def value_mistakes(scene: Scene, families: set[str]) -> Iterator[Mistake]:
    """Zero or implausible z, and coordinates that cannot be pixels.

    Parameters
    ----------
    scene : Scene
    families : set of str
        What was found already; it is not said twice.
    """
    raw = scene.raw[scene.known]
    if not len(raw):
        return
    low, high = float(raw[..., :2].min()), float(raw[..., :2].max())
    if max(-low, high) <= FRACTION_MAX and not families & {"fractions", "scale"}:
        words = f"x and y lie between {low:.3g} and {high:.3g}, which are no pixels"
        yield Mistake("error", "fractions", words, remedy="Write pixels of the declared frame.")
    if raw.shape[-1] == 3:
        yield from _depth_mistakes(raw, families)


def _depth_mistakes(raw: Array, families: set[str]) -> Iterator[Mistake]:
    if not raw[..., 2].any():
        words = "z is zero everywhere, so 3D protocols would score a flat face"
        yield Mistake("warning", "zero-depth", words, remedy="Store x and y alone: (n, 68, 2).")
        return
    extent = np.ptp(raw, axis=1)
    share = float(np.median(extent[:, 2] / np.maximum(extent[:, :2].max(1), 1e-9)))
    known = families & {"z-scale", "z-sign", "axis-swap"}
    if not DEPTH_SHARE[0] <= share <= DEPTH_SHARE[1] and not known:
        words = f"the extent of z is {share:.2g} times that of x and y, which no face has"
        yield Mistake("warning", "z-scale", words, remedy="Write z in the pixel unit of x and y.")


def reported_mistakes(method: Mapping[str, Any], measured: float) -> Iterator[Mistake]:
    """An NME on the method card that is ours in another unit.

    Parameters
    ----------
    method : mapping
        The method card.
    measured : float
        NME, per cent.
    """
    for key, value in method.items():
        if "nme" not in key.lower() or isinstance(value, bool):
            continue
        if not isinstance(value, int | float) or not value > 0 or not measured > 0:
            continue
        ratio = measured / value
        for factor, unit in ((1.0, "a fraction"), (1e-4, "per cent of a percentage")):
            if REPORTED_RATIO[0] * factor <= ratio <= REPORTED_RATIO[1] * factor:
                words = f"the method card says {key} = {value:g}, and {measured:.3g} % is measured"
                words += f": the card's figure is {unit}"
                yield Mistake("note", "reported-unit", words, remedy="Report NME in per cent.")


def _spread(points: Array) -> float:
    """Standard deviation of a point over samples, relative to the size of a face."""
    points = points[np.isfinite(points).all((1, 2))][..., :2]
    extent = float(np.median(np.ptp(points, axis=1)))
    return float(np.median(points.std(0))) / max(extent, 1e-12)
