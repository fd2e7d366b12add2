"""What may be wrong with z: its sign, its scale, its origin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose.scene import Scene
from prn_bench.diagnose.search import FEW_SAMPLES, FITTED, improves

Array = NDArray[np.float64]

MIN_LOG_SCALE = 0.2  # a method's own flattening of z is smaller
MIN_GAIN = 0.08  # poor z always gains a little when it is scaled down
AS_SEEN = "Write z towards the viewer, in the pixel unit of x and y."


@dataclass(frozen=True)
class DepthFault:
    """A correction of z, and the points that it gives.

    Attributes
    ----------
    family, name, cause, remedy : str
        As in :class:`prn_bench.diagnose.corrections.Correction`.
    points : (n, 68, 3) float64
        Image frame.
    """

    family: str
    name: str
    cause: str
    remedy: str
    points: Array


@dataclass(frozen=True)
class _Change:
    """z times ``factor``, before the origins of both sides are brought together."""

    name: str
    cause: str
    factor: Array | float
    fitted: bool = False


def depth_fault(scene: Scene, points: Array) -> DepthFault | None:
    """The change of sign or scale that brings z nearest to the reference, if one does.

    Parameters
    ----------
    scene : Scene
        With z in its reference.
    points : (n, 68, 3) float
        Image frame, x and y corrected.
    """
    before = _errors(scene, points)
    best: tuple[float, _Change, Array] | None = None
    for change in _changes(scene, points):
        depth = points[..., 2:] * np.asarray(change.factor)[..., None]
        moved = np.concatenate([points[..., :2], depth], -1)
        errors = _errors(scene, moved)
        enough = np.nanmean(errors) < (1 - MIN_GAIN) * np.nanmean(before)
        rank = float(np.nanmean(errors)) * (FITTED if change.fitted else 1.0)
        if enough and improves(before, errors) and (best is None or rank < best[0]):
            best = rank, change, moved
    if best is None:
        return None
    _, change, moved = best
    family = "z-sign" if np.all(np.asarray(change.factor) < 0) else "z-scale"
    return DepthFault(family, change.name, change.cause, AS_SEEN, moved)


def origin_fault(scene: Scene, points: Array) -> DepthFault | None:
    """The constant to add to z, under rules that leave the origin of z as it comes."""
    gap = np.nanmean(points[..., 2] - scene.reference[..., 2], axis=1)
    shift = float(np.nanmedian(gap))
    moved = points - [0.0, 0.0, shift]
    sides = (points, moved)
    before, after = (
        np.abs(side[..., 2] - scene.reference[..., 2]).mean(1) / scene.scale_px * 100
        for side in sides
    )
    if not improves(before, after):
        return None
    low, high = np.nanpercentile(gap, [5, 95])
    cause = f"z starts {abs(shift):.1f} px {'before' if shift > 0 else 'behind'} the reference's"
    cause += f" (5 to 95 % of samples: {low:.0f} to {high:.0f} px)"
    name = f"z {'-' if shift > 0 else '+'} {abs(shift):.1f}"
    remedy = "Most papers leave the origin of z free: take a protocol with z_rule=mean."
    return DepthFault("z-origin", name, cause, remedy, moved)


def _errors(scene: Scene, points: Array) -> Array:
    """(n,) 3D NME after the mean difference in z is removed, per cent."""
    gap = points - scene.reference
    gap[..., 2] -= gap[..., 2].mean(1, keepdims=True)
    return np.asarray(np.linalg.norm(gap, axis=-1).mean(1) / scene.scale_px * 100)


def _changes(scene: Scene, points: Array) -> Iterator[_Change]:
    factors: list[tuple[str, str, Array | float, bool]] = [
        ("z", "", 1.0, False),
        ("2 z", "z is halved, as in VRN's volumes", 2.0, False),
        ("z / 2", "z is doubled", 0.5, False),
    ]
    if "crop" in scene.spaces:
        scale = 1 / scene.spaces["crop"].to_image[:, 2, 2][:, None]  # of image to crop
        factors += [
            ("z / crop scale", "z was left in pixels of the crop", 1 / scale, False),
            (
                "z times crop scale",
                "z was divided by the crop's scale once too often",
                scale,
                False,
            ),
        ]
    ratio = _spread_ratio(scene, points[..., 2]) if scene.known.sum() >= FEW_SAMPLES else 1.0
    if abs(np.log(ratio)) > MIN_LOG_SCALE:
        words = f"z is {1 / ratio:.3g} times as large as it should be"
        factors.append((f"{ratio:.3g} z", words, ratio, True))
    for name, cause, factor, fitted in factors:
        if cause:
            yield _Change(f"z -> {name}", cause, factor, fitted)
        both = "z runs away from the viewer" + (f", and {cause}" if cause else "")
        yield _Change(f"z -> -{name}", both, -1.0 * factor, fitted)


def _spread_ratio(scene: Scene, depth: Array) -> float:
    """Median over samples of the reference's spread in z over the predicted one.

    Not a regression, whose factor would be too small by the noise of the prediction.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.nanmedian(scene.reference[..., 2].std(1) / depth.std(1)))
    return ratio if np.isfinite(ratio) and ratio > 0 else 1.0
