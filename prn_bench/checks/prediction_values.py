"""What the values of predicted points and angles give away: holes, copies, units, clipping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import Finding, Level, first_few
from prn_bench.predictions import numbers_of
from prn_bench.predictions.rows import Array as Stored

BLOCK = 64  # rows looked at together: 50 MB of position maps
FRACTION_MAX, PER_CENT_MAX = 2.0, 100.0
PER_CENT_ROWS = 20  # fewer faces may well lie in the top left corner
PINNED_AT = (0.0, 255.0, 256.0)  # where clipping, or a sigmoid times 255 or 256, ends
PINNED_SHARE = 1e-3  # of the pixels; positions meet these numbers by chance only
POSE_MAX_DEG, RADIANS_MAX = 360.0, np.pi
SECONDS_BELOW_MS = 0.1  # a network takes longer, and 0.1 s is what many take
LOOK_AT_EXPORT = "Check the export."


@dataclass(frozen=True)
class Survey:
    """What one look at an array of points finds.

    Attributes
    ----------
    missing, partial, infinite, far : (n,) bool
        Rows that are all NaN, partly NaN, hold infinity, leave the range.
    lowest, highest : (d,) float
        Of the finite values, by coordinate; NaN when there are none.
    constant, whole : bool
        All rows alike; only whole numbers.
    pinned : float
        Share of the pixels of maps whose x or y lies exactly at a limit of 8-bit pictures; pixels
        of zeros, which are no face, are left out.
    """

    missing: NDArray[np.bool_]
    partial: NDArray[np.bool_]
    infinite: NDArray[np.bool_]
    far: NDArray[np.bool_]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    constant: bool
    whole: bool
    pinned: float


def survey_points(points: Stored, range_px: tuple[float, float]) -> Survey:
    """Look at points once, block by block.

    Parameters
    ----------
    points : (n, d), (n, p, d), or maps (n, d, h, w); float or integer
        In memory or in a file.
    range_px : (float, float)
        Where x and y of a plausible prediction lie.
    """
    missing, partial, infinite, far = np.zeros((4, len(points)), bool)
    size = points.shape[1 if len(points.shape) == 4 else -1]
    lowest, highest = np.full(size, np.inf), np.full(size, -np.inf)
    constant, whole, first, n_pinned, n_points = True, True, None, 0, 0
    for start in range(0, len(points), BLOCK):
        rows = slice(start, start + BLOCK)
        block = numbers_of(np.asarray(points[rows]))
        block = np.moveaxis(block, 1, -1) if block.ndim == 4 else block
        block = block.reshape(len(block), -1, size)
        axes = [block[..., i] for i in range(size)]  # twenty times faster than over the middle axis
        low, high = (np.stack([f(axis, 1) for axis in axes], 1) for f in (np.min, np.max))
        odd = ~np.isfinite(low + high).all(1)  # one NaN or infinity shows in its row
        if odd.any():
            part, unknown = block[odd], np.isnan(block[odd])
            missing[rows][odd] = unknown.all((1, 2))
            partial[rows][odd] = unknown.any((1, 2)) & ~unknown.all((1, 2))
            infinite[rows][odd] = np.isinf(part).any((1, 2))
            part = np.where(np.isfinite(part), part, np.nan)
            low[odd], high[odd] = np.fmin.reduce(part, 1), np.fmax.reduce(part, 1)
        far[rows] = ((low[:, :2] < range_px[0]) | (high[:, :2] > range_px[1])).any(1)
        lowest, highest = (
            np.fmin(lowest, np.fmin.reduce(low)),
            np.fmax(highest, np.fmax.reduce(high)),
        )
        kept = block[~missing[rows]]
        first = kept[0] if first is None and len(kept) else first
        constant = constant and (first is None or bool((kept == first).all()))
        whole = whole and not (kept[np.isfinite(kept)] % 1).any()
        if len(points.shape) == 4:
            n_pinned += int((np.isin(kept[..., :2], PINNED_AT).any(-1) & kept.any(-1)).sum())
        n_points += kept.shape[0] * kept.shape[1]
    pinned = n_pinned / max(n_points, 1)
    return Survey(missing, partial, infinite, far, lowest, highest, constant, whole, pinned)


def value_findings(survey: Survey, ids: NDArray, where: str, name: str) -> Iterator[Finding]:
    """Findings of any points: landmarks, position maps, dense or ragged vertices."""
    n_given = int((~survey.missing).sum())
    if not n_given:
        yield nothing_given(where)
        return
    yield from row_findings(survey, ids, where)
    if survey.constant and n_given > 1:
        message = f"all {n_given} predictions are the same points"
        yield Finding("warning", "constant-predictions", where, message, LOOK_AT_EXPORT)
    yield from _unit_findings(survey, n_given, where)
    if (
        name == "landmarks"
        and len(survey.highest) == 3
        and survey.lowest[2] == survey.highest[2] == 0
    ):
        message = "z is zero everywhere, so 3D protocols would score a flat face"
        yield Finding("warning", "zero-depth", where, message, "Store (N, 68, 2) without z.")
    if name == "position_map":
        yield from _map_findings(survey, where)


def nothing_given(where: str) -> Finding:
    """The finding for an array without a single prediction."""
    words = "every row is NaN, or there is none: nothing to score"
    remedy = "Look at the method's own output: did it find no face, or did the export fail?"
    return Finding("error", "all-missing", where, words, remedy)


def row_findings(survey: Survey, ids: NDArray, where: str) -> Iterator[Finding]:
    """Rows that are missing, partly missing, infinite or far from any picture, with their samples."""
    rules: tuple[tuple[NDArray[np.bool_], Level, str, str, str], ...] = (
        (survey.missing, "note", "missing-rows", "rows are NaN and count as missing", ""),
        (
            *(survey.partial, "error", "partly-missing", "rows hold NaN beside numbers"),
            "Give all points of a sample, or a whole row of NaN.",
        ),
        (
            *(survey.infinite, "error", "infinite-values", "rows hold infinite values"),
            "Find out why the method gives them.",
        ),
        (
            *(survey.far, "warning", "far-outside", "rows have points far outside any picture"),
            "Check the frame and the unit: pixels, 0-based, y down.",
        ),
    )
    for rows, level, code, words, remedy in rules:
        if rows.any():
            message = f"{rows.sum()} of {len(ids)} {words}: {first_few(ids[rows])}"
            yield Finding(level, code, where, message, remedy)


def _unit_findings(survey: Survey, n_given: int, where: str) -> Iterator[Finding]:
    low, high = float(survey.lowest[:2].min()), float(survey.highest[:2].max())
    span = f"x and y lie between {low:.3g} and {high:.3g}"
    if max(-low, high) <= FRACTION_MAX:
        remedy = "Multiply by the width and the height, or by 256 in the crop frame."
        yield Finding("error", "looks-like-fractions", where, f"{span}: no pixels", remedy)
    elif low >= 0 and high <= PER_CENT_MAX and n_given >= PER_CENT_ROWS:
        remedy = "If they are per cent of the image side, convert them to pixels."
        message = f"{span} in all {n_given} rows: per cent?"
        yield Finding("warning", "looks-like-per-cent", where, message, remedy)


def _map_findings(survey: Survey, where: str) -> Iterator[Finding]:
    if survey.whole:
        message = "the maps hold only whole numbers, as after a detour over a picture file"
        remedy = "Store the network's own output."
        yield Finding("warning", "rounded-maps", where, message, remedy)
    inside = survey.lowest[:2].min() >= 0 and survey.highest[:2].max() <= PINNED_AT[-1]
    if inside and not survey.whole and survey.pinned > PINNED_SHARE:
        message = (
            f"{100 * survey.pinned:.2g} % of the positions lie exactly on the edge of the crop, "
        )
        message += "and none beyond: clipped, or out of a sigmoid that was trained on 0 to 255"
        remedy = (
            "Faces reach over the crop, by about a tenth: scale labels so that they fit (PRNet "
        )
        remedy += "divides by 256 * 1.1), and never clip."
        yield Finding("warning", "clipped-maps", where, message, remedy)


def pose_findings(pose_deg: Stored, ids: NDArray, where: str) -> Iterator[Finding]:
    """Findings of (n, 3) angles in degrees."""
    angles = np.asarray(pose_deg, np.float64)
    survey = survey_points(angles[:, None], (-np.inf, np.inf))
    n_given = int((~survey.missing).sum())
    if not n_given:
        yield nothing_given(where)
        return
    yield from row_findings(survey, ids, where)
    largest = float(np.nanmax(np.abs(np.where(np.isfinite(angles), angles, np.nan))))
    if largest > POSE_MAX_DEG:
        message = f"angles reach {largest:.4g} degrees"
        yield Finding("error", "pose-range", where, message, "Store pitch, yaw, roll in degrees.")
    elif largest <= RADIANS_MAX and n_given >= PER_CENT_ROWS:
        message = f"no angle of {n_given} poses is over {largest:.3g} degrees: radians?"
        yield Finding("warning", "looks-like-radians", where, message, "Convert them to degrees.")
    if survey.constant and n_given > 1:
        message = f"all {n_given} poses are the same"
        yield Finding("warning", "constant-predictions", where, message, LOOK_AT_EXPORT)


def runtime_findings(runtime_ms: Stored, ids: NDArray, where: str) -> Iterator[Finding]:
    """Findings of (n,) times; also of a score that averages them."""
    times = np.asarray(runtime_ms, np.float64)
    known = times[~np.isnan(times)]
    wrong = ~np.isnan(times) & ~((times > 0) & np.isfinite(times))
    if wrong.any():
        message = f"{wrong.sum()} of {len(ids)} times are not above 0 and finite: "
        message += first_few(ids[wrong])
        remedy = "Store milliseconds, and NaN where a time is unknown."
        yield Finding("error", "bad-runtime", where, message, remedy)
    elif len(known) and known.max() < SECONDS_BELOW_MS:
        message = f"no image took more than {known.max():.3g} ms: seconds?"
        yield Finding("warning", "looks-like-seconds", where, message, "Convert them to ms.")
    if len(known) > 1 and (known == known[0]).all():
        message = (
            f"all {len(known)} times are the same: one figure for all images, not measured singly"
        )
        yield Finding("warning", "constant-times", where, message, "Time every image by itself.")
