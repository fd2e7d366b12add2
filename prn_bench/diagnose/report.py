"""What ``doctor`` says: mistakes, each with its remedy and with what undoing it would change."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from prn_bench.diagnose.offset import Offset
from prn_bench.errors import Level

LEVELS: tuple[Level, ...] = ("error", "warning", "note")
DIGITS = 2
#: Families that move x and y by more than an offset.
MOVES = {"y-flip", "x-mirror", "axis-swap", "space", "scale", "fractions", "order", "rows"}
MOVES |= {"map-order"}


@dataclass(frozen=True)
class Change:
    """One figure before and after a correction.

    Attributes
    ----------
    what : str
        Such as ``68-point 2D NME``.
    protocol : str
        Under which it is measured.
    unit : str
        ``%``, ``px`` or ``deg``.
    before, after : float
    against : str
        What it is measured against, where two ways are shown side by side.
    """

    what: str
    protocol: str
    unit: str
    before: float
    after: float
    against: str = ""

    @property
    def steps(self) -> str:
        """``from 91.20 % to 3.28 %``."""
        return " to ".join(f"{value:.{DIGITS}f} {self.unit}" for value in (self.before, self.after))


@dataclass(frozen=True)
class Other:
    """Another correction that improves too, and the 2D NME it leaves: per cent, mean of images."""

    family: str
    correction: str
    after: float


@dataclass(frozen=True)
class Mistake:
    """One thing that is probably wrong.

    Attributes
    ----------
    level : str
        ``error`` and ``warning`` deserve a correction, a ``note`` is good to know.
    family : str
        Stable name: ``y-flip``, ``x-mirror``, ``axis-swap``, ``offset``, ``space``, ``scale``,
        ``fractions``, ``order``, ``rows``, ``z-sign``, ``z-scale``, ``z-origin``, ``zero-depth``,
        ``angle-unit``, ``angle-sign``, ``angle-order``, ``map-order``, ``constant``, ``ids``,
        ``unknown-crop``, ``unexplained``, ``reported-unit``; two at once are joined by ``+``.
    cause : str
        What is wrong.
    correction : str
        How the numbers would change; empty where there is none.
    remedy : str
    changes : tuple of Change
        The protocol's own figure, and for an offset also that of the image frame.
    others : tuple of Other
        Best first.
    """

    level: Level
    family: str
    cause: str
    correction: str = ""
    remedy: str = ""
    changes: tuple[Change, ...] = ()
    others: tuple[Other, ...] = ()

    @property
    def sentence(self) -> str:
        """Cause and effect in plain words."""
        if not self.changes:
            return f"{self.cause}."
        text = f"{self.cause}; {self.correction} brings the {self.changes[0].what}"
        if not self.changes[0].against:
            return f"{text} from {self.changes[0].steps}."
        return f"{text} " + ", and ".join(f"{c.against} from {c.steps}" for c in self.changes) + "."


@dataclass(frozen=True)
class Diagnosis:
    """What is probably wrong with a prediction file, worst first.

    Attributes
    ----------
    method, dataset, protocol : str
    frame : str
        That the predictions declare.
    n, n_given : int
        Samples of the dataset, and those with a whole prediction.
    mistakes : tuple of Mistake
    figure : Change or None
        The protocol's figure as the file is (``after`` equals ``before``); None for angles alone.
    offset : Offset or None
        Of the points from the reference in the image frame, px, after the other corrections in x
        and y.
    stored_offset : (float, float)
        What the protocol's reference points have on top of the image frame, px.
    """

    method: str
    dataset: str
    protocol: str
    frame: str
    n: int
    n_given: int
    mistakes: tuple[Mistake, ...]
    figure: Change | None = None
    offset: Offset | None = None
    stored_offset: tuple[float, float] = (0.0, 0.0)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong; notes do not count."""
        return all(mistake.level == "note" for mistake in self.mistakes)

    @property
    def moved(self) -> bool:
        """Whether ``offset`` is measured after a correction."""
        return any(MOVES & set(mistake.family.split("+")) for mistake in self.mistakes)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite bounds become None."""
        plain = asdict(self)
        for mistake, entry in zip(self.mistakes, plain["mistakes"], strict=True):
            entry["sentence"] = mistake.sentence
        return dict(_finite({"good": self.good, **plain}))


def ranked(mistakes: list[Mistake]) -> tuple[Mistake, ...]:
    """Worst level first; within a level as they were found."""
    return tuple(sorted(mistakes, key=lambda mistake: LEVELS.index(mistake.level)))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
