"""From corrections that help to mistakes that a person can read, in x and y first, then in z."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose.corrections import Correction
from prn_bench.diagnose.depth import DepthFault, depth_fault, origin_fault
from prn_bench.diagnose.estimate import name_offset
from prn_bench.diagnose.figures import Figures, with_depth
from prn_bench.diagnose.offset import measure_offset
from prn_bench.diagnose.report import Mistake, Other
from prn_bench.diagnose.scene import Scene
from prn_bench.diagnose.search import (
    GROSS_NME,
    PAIR_GAIN,
    Trial,
    apply,
    in_order,
    search,
    try_parts,
)
from prn_bench.diagnose.shape import unexplained
from prn_bench.errors import Level

Array = NDArray[np.float64]
MapVariants = Callable[[], list[tuple[str, str, Array]]]

OTHERS_KEPT = 3
#: Offsets at least this long, in px and in per cent of the face, are worth a note or a correction.
#: Below, a convention cannot be told from a network's own bias (0.2 px and 0.1 % for 3DDFA-V2).
NOTE_PX, NOTE_PERCENT = 0.4, 0.2
FAULT_PX, FAULT_PERCENT = 0.75, 0.35
LEARNT = "A network may have learnt it from its labels: look there before you change the file."


def point_mistakes(figures: Figures, variants: MapVariants) -> tuple[list[Mistake], Array]:
    """Mistakes in x, y and z.

    Parameters
    ----------
    figures : Figures
        Of the scene to judge.
    variants : callable
        Gives (cause, remedy, points) of position maps read in other ways, see
        :func:`prn_bench.diagnose.reading.map_variants`; called only when errors are gross.

    Returns
    -------
    list of Mistake
    (n, 68, 2|3) float64
        Image frame, x and y corrected, but for an offset.
    """
    scene = figures.scene
    best, others = search(scene)
    points = apply(scene, best.parts)
    if best.mean > GROSS_NME:
        turned = _turned_maps(figures, best, variants)
        if turned is not None:
            return turned
        lost = unexplained(scene, points, best.mean)
        if lost is not None:
            return [lost], points
    found = [_mistake_of(figures, best, others)] if best.parts else list(_small_offset(figures))
    found += [_depth_mistake(figures, fault, points) for fault in _depth_faults(figures, points)]
    kept = tuple(part for part in best.parts if part.family != "offset")
    return found, apply(scene, kept)


def _turned_maps(
    figures: Figures, best: Trial, variants: MapVariants
) -> tuple[list[Mistake], Array] | None:
    """The mistake when position maps lie otherwise on the UV square, and the points read so."""
    scene = figures.scene
    for cause, remedy, raw in variants():
        if try_parts(replace(scene, raw=raw)).mean < PAIR_GAIN * best.mean:
            points = scene.to_image(raw)
            change = figures.change(scene.to_image(scene.raw), points)
            mistake = Mistake("error", "map-order", cause, "reading them so", remedy, (change,))
            return [mistake], points
    return None


def _mistake_of(figures: Figures, best: Trial, others: list[Trial]) -> Mistake:
    scene, parts = figures.scene, in_order(best.parts)
    start, points = scene.to_image(scene.raw), apply(scene, best.parts)
    both = best.family == "offset"
    changes = figures.both_changes(start, points) if both else (figures.change(start, points),)
    return Mistake(
        "error",
        best.family,
        ", and ".join(part.cause for part in parts),
        ", then ".join(part.name for part in parts),
        " ".join(dict.fromkeys(part.remedy for part in parts)),
        changes,
        tuple(Other(t.family, t.parts[-1].name, t.mean) for t in others[:OTHERS_KEPT]),
    )


def _small_offset(figures: Figures) -> Iterator[Mistake]:
    """An offset too small to show in the error, but sure and long enough to be a convention."""
    scene = figures.scene
    reference = scene.from_image(scene.reference)
    offset = measure_offset(scene.raw, reference)
    face_px = float(np.median(np.sqrt(np.ptp(reference[..., :2], axis=1).prod(-1))))
    share = 100 * offset.length_px / face_px
    if not offset.likely or offset.length_px < NOTE_PX or share < NOTE_PERCENT:
        return
    part = name_offset(offset)
    sure = offset.proven and offset.length_px >= FAULT_PX and share >= FAULT_PERCENT
    sure = sure and try_parts(scene, part).mean < try_parts(scene).mean
    yield _offset_mistake(figures, part, "warning" if sure else "note")


def _offset_mistake(figures: Figures, part: Correction, level: Level) -> Mistake:
    scene: Scene = figures.scene
    changes = figures.both_changes(scene.to_image(scene.raw), apply(scene, (part,)))
    remedy = LEARNT if level == "note" else part.remedy
    return Mistake(level, part.family, part.cause, part.name, remedy, changes)


def _depth_faults(figures: Figures, points: Array) -> Iterator[DepthFault]:
    scene, rules = figures.scene, figures.protocol
    if points.shape[-1] < 3 or not np.nan_to_num(scene.raw[..., 2]).any():
        return
    fault = depth_fault(scene, points)
    if fault is None and rules.dims == 3 and rules.z_rule in ("none", "min-mesh"):
        fault = origin_fault(scene, points)
    if fault is not None:
        yield fault


def _depth_mistake(figures: Figures, fault: DepthFault, points: Array) -> Mistake:
    change = figures.change(points, fault.points, with_depth(figures.protocol))
    level: Level = "note" if fault.family == "z-origin" else "error"
    return Mistake(level, fault.family, fault.cause, fault.name, fault.remedy, (change,))
