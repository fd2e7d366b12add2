"""Which corrections bring the points of a file nearest to their reference.

Errors are 2D NME of each sample, per cent, in the image frame. A correction counts only when it gains
enough on average and a paired test over samples leaves no doubt: with free parameters, and with a
hundred tries, something always improves a little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose import corrections
from prn_bench.diagnose.corrections import STAGES, Correction
from prn_bench.diagnose.estimate import estimated_corrections, matched_rows
from prn_bench.diagnose.scene import Scene

Array = NDArray[np.float64]

GROSS_NME = 12.0  # per cent; no published method is that far off
MIN_GAIN = 0.05  # of the error before
MIN_GAIN_NME = 0.1  # points
LARGE_GAIN = 0.5
#: Chance of a gain by luck, one-sided. About a hundred corrections are tried, and any of them may gain
#: a little on a good file; none halves the error.
CHANCE, CHANCE_OF_LARGE = 1e-4, 1e-2
FEW_SAMPLES = (
    8  # fewer prove nothing small; each of them must gain LARGE_GAIN, and nothing is fitted
)
PAIR_SAMPLES = 100  # that all pairs of corrections are tried on
FITTED = 1.03
PAIR_GAIN = 0.5  # a pair must halve what the best single correction leaves


@dataclass(frozen=True)
class Trial:
    """Corrections together, and what they leave.

    Attributes
    ----------
    parts : tuple of Correction
    errors : (n,) float64
        2D NME of each sample, per cent; NaN where unknown.
    mean : float
    """

    parts: tuple[Correction, ...]
    errors: Array
    mean: float

    @property
    def family(self) -> str:
        """Families of its corrections, joined by ``+``."""
        return "+".join(part.family for part in self.parts)

    @property
    def rank(self) -> float:
        """The mean, a little raised for fitted corrections: a named one that does as well is first."""
        return self.mean * (FITTED if any(part.fitted for part in self.parts) else 1.0)


def apply(scene: Scene, parts: tuple[Correction, ...]) -> Array:
    """Points of the file after some corrections, in the image frame."""
    space = next((part.space for part in parts if part.space), scene.frame)
    points, size = scene.raw, scene.spaces[space].size
    for part in in_order(parts):
        points = part.move(points, size)
    return scene.to_image(points, space)


def in_order(parts: tuple[Correction, ...]) -> list[Correction]:
    """Corrections as they are applied one after the other."""
    return sorted(parts, key=lambda part: STAGES.index(part.stage))


def try_parts(scene: Scene, *parts: Correction) -> Trial:
    """The errors that some corrections leave."""
    errors = scene.errors(apply(scene, parts))
    known = errors[np.isfinite(errors)]
    return Trial(parts, errors, float(known.mean()) if len(known) else float("inf"))


def search(scene: Scene) -> tuple[Trial, list[Trial]]:
    """The corrections that explain the points best.

    Returns
    -------
    best : Trial
        Without parts when nothing improves.
    others : list of Trial
        Other single corrections that improve as well, best first.
    """
    start = try_parts(scene)
    found = _improving(scene, start, _all_parts(scene, start))
    best = _extended(scene, found[0]) if found else start
    if best.mean > GROSS_NME:
        best = _best_pair(scene, start, best)
    if best.mean > GROSS_NME and scene.known.sum() >= FEW_SAMPLES:
        best = _with_rows_matched(scene, best)
    return best, [trial for trial in found if trial.parts != best.parts]


def improves(before: Array, after: Array) -> bool:
    """Whether paired errors went down by enough, and not by luck.

    Parameters
    ----------
    before, after : (n,) float, per cent
        Samples unknown in either are left out.
    """
    both = np.isfinite(before) & np.isfinite(after)
    before, after = before[both], after[both]
    gain = before - after
    n = len(gain)
    if not n or gain.mean() < max(MIN_GAIN * before.mean(), MIN_GAIN_NME):
        return False
    if n < FEW_SAMPLES:
        return bool((gain >= LARGE_GAIN * before).all())
    from scipy.special import stdtrit

    # Shares of each sample's own error: a few faces with large errors decide nothing alone.
    total = before + after
    share = np.divide(gain, total, out=np.zeros(n), where=total > 0)
    chance = CHANCE_OF_LARGE if gain.mean() >= LARGE_GAIN * before.mean() else CHANCE
    return bool(share.mean() > stdtrit(n - 1, 1 - chance) * share.std(ddof=1) / np.sqrt(n))


def known_parts(scene: Scene) -> list[Correction]:
    """Every correction of the tables, for the declared frame of a scene."""
    n_dims = scene.raw.shape[-1]
    spaces = {name: space.words for name, space in scene.spaces.items()}
    return [
        *corrections.axis_corrections(n_dims),
        *corrections.space_corrections(scene.frame, spaces),
        *corrections.unit_corrections(scene.frame),
        *corrections.order_corrections(),
    ]


def _all_parts(scene: Scene, start: Trial) -> Iterator[Correction]:
    yield from known_parts(scene)
    if scene.known.sum() >= FEW_SAMPLES:
        yield from estimated_corrections(
            scene, apply(scene, start.parts), gross=start.mean > GROSS_NME
        )


def _improving(scene: Scene, start: Trial, parts: Iterator[Correction]) -> list[Trial]:
    """Trials that improve on ``start`` by one more correction, best first."""
    taken = {part.stage for part in start.parts}
    trials = (try_parts(scene, *start.parts, part) for part in parts if part.stage not in taken)
    good = [trial for trial in trials if improves(start.errors, trial.errors)]
    return sorted(good, key=lambda trial: trial.rank)


def _extended(scene: Scene, best: Trial) -> Trial:
    """With another correction on top, where that one gains as much as half of what is left."""
    parts = _all_parts(scene, best)
    for trial in _improving(scene, best, parts)[:1]:
        if trial.mean < PAIR_GAIN * best.mean:
            return trial
    return best


def _with_rows_matched(scene: Scene, best: Trial) -> Trial:
    matched = matched_rows(scene)
    trial = best if matched is None else try_parts(scene, matched)
    return trial if trial.mean < PAIR_GAIN * best.mean else best


def _best_pair(scene: Scene, start: Trial, best: Trial) -> Trial:
    """The best two known corrections of different families, if they beat the best one by far."""
    few = scene.take(np.unique(np.linspace(0, len(scene.ids) - 1, PAIR_SAMPLES).astype(int)))
    parts = known_parts(scene)
    pairs = [
        (first, second)
        for i, first in enumerate(parts)
        for second in parts[i + 1 :]
        if first.family != second.family
    ]
    chosen = min(pairs, key=lambda pair: try_parts(few, *pair).mean)
    trial = try_parts(scene, *chosen)
    better = trial.mean < PAIR_GAIN * best.mean and improves(start.errors, trial.errors)
    return trial if better else best
