"""Numbers of charts, rounded to what can be seen, so that pages stay small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.evaluate.face_errors import ErrorMap, Surface
from prn_bench.intervals import Interval, ced_band, headline_interval, subjects
from prn_bench.results import Result
from prn_bench.site.packing import packed, packed_whole
from prn_bench.site.views import Chart
from prn_bench.site.wording import family_of, unit_words

CURVE_POINTS = 240
BAND_POINTS = 60
TOP_SHARE = 0.995  # of an error map is inside its colours: single pixels at its edge may be far off
SHOWN_SHARE = 0.98  # of the images of the worst curve are inside the error axis


def ced_chart(
    name: str, results: Sequence[tuple[str, Result]], *, only_first: bool = False
) -> Chart:
    """Cumulative error distributions of named results of one unit, with 95 % intervals.

    ``only_first``: the others, whose errors may be much larger, are there but not shown at once.
    """
    protocol = results[0][1].protocol
    errors = [_failures(result) for _, result in results]
    limit = max(_limit(values) for values in errors[: 1 if only_first else None])
    curves = [
        _curve(label, result, values, limit)
        for (label, result), values in zip(results, errors, strict=True)
    ]
    words = ", ".join(f"{c['name']} {c['mean']:.3f}" for c in curves)
    off = list(range(1, len(curves))) if only_first else []
    unit = unit_words(protocol)
    return Chart(
        name,
        "ced",
        f"Error distribution under {family_of(protocol.id) if off else protocol.id}",
        f"Share of images with an error up to each value. Mean over images in {unit}: {words}.",
        {"unit": unit, "limit": round(limit, 3), "curves": curves, "off": off},
    )


def yaw_chart(name: str, results: Sequence[tuple[str, Result]]) -> Chart | None:
    """Mean error by yaw bin with 95 % intervals; None for a protocol with a single bin."""
    protocol, summary = results[0][1].protocol, results[0][1].summary
    labels = [part.label for part in summary.bins]
    if len(labels) < 2:
        return None
    curves = [{"name": label, **_bins(result)} for label, result in results]
    return Chart(
        name,
        "yaw",
        f"Error by yaw under {protocol.id}",
        f"Mean error in the yaw bins {', '.join(labels)}; 95 % intervals where there are images enough.",
        {"unit": unit_words(protocol), "labels": labels, "curves": curves},
    )


def variants_chart(name: str, method: str, rows: Sequence[tuple[str, Result]]) -> Chart:
    """Headlines of one method under variants of a protocol, as bars with intervals."""
    values = [result.summary.headline for _, result in rows]
    ends = [
        _ends(result.summary.interval, value)
        for (_, result), value in zip(rows, values, strict=True)
    ]
    return Chart(
        name,
        "variants",
        f"{method} under {len(rows)} variants",
        "; ".join(f"{label} {value:.3f}" for (label, _), value in zip(rows, values, strict=True)),
        {
            "labels": [label for label, _ in rows],
            "values": _rounded(values),
            "low": _rounded([low for low, _ in ends]),
            "high": _rounded([high for _, high in ends]),
            "unit": unit_words(rows[0][1].protocol),
        },
    )


def uv_chart(name: str, found: ErrorMap, *, step: int = 2) -> Chart:
    """Mean error over the UV map, in blocks of ``step`` by ``step`` pixels."""
    thin = _thinned(found.error, step)
    top, worst = np.nanquantile(thin, [TOP_SHARE, 1])
    return Chart(
        name,
        "uv",
        f"Mean error over the face, {found.n_samples:,} samples",
        f"Error at each pixel of the UV map in per cent of the box: mean "
        f"{np.nanmean(found.error):.2f}, largest {worst:.2f}.",
        {"z": packed(thin), "top": round(float(top), 3), "unit": "%"},
    )


def surface_chart(name: str, surface: Surface) -> Chart:
    """Both surfaces of a sample, coloured by error."""
    return Chart(
        name,
        "surface",
        f"Sample {surface.sample_id}: predicted and true surface",
        f"Predicted and true surface of one face, {len(surface.error):,} points, coloured by their "
        f"distance: mean {surface.error.mean():.2f} %, largest {surface.error.max():.2f} %.",
        {
            "predicted": [packed(axis) for axis in surface.predicted.T],
            "reference": [packed(axis) for axis in surface.reference.T],
            "triangles": [packed_whole(corner) for corner in surface.triangles.T],
            "error": packed(surface.error),
            "top": round(float(surface.error.max()), 3),
            "unit": "%",
        },
    )


def _thinned(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Means of the known values of square blocks; NaN where less than half of them are known."""
    side = len(values) // step * step
    blocks = values[:side, :side].reshape(side // step, step, -1, step).swapaxes(1, 2)
    known = np.isfinite(blocks)
    n = known.sum((2, 3))
    return np.where(
        2 * n >= step**2, np.where(known, blocks, 0).sum((2, 3)) / np.maximum(n, 1), np.nan
    )


def _failures(result: Result) -> NDArray[np.float64]:
    samples = result.samples
    return np.where(samples.missing, np.nan, samples.errors)


def _limit(errors: NDArray[np.float64]) -> float:
    known = errors[np.isfinite(errors)]
    return 1.25 * float(np.quantile(known, SHOWN_SHARE)) if len(known) else 1.0


def _curve(label: str, result: Result, errors: NDArray[np.float64], limit: float) -> dict[str, Any]:
    bins = result.samples.bins
    inside = np.sort(errors[(bins >= 0) & np.isfinite(errors)])
    counted = max(int((bins >= 0).sum()), 1)
    places = np.unique(np.linspace(0, len(inside) - 1, min(len(inside), CURVE_POINTS)).astype(int))
    at = np.linspace(0, limit, BAND_POINTS + 1)
    groups = subjects(result.samples.ids) if result.protocol.group == "subject" else None
    _, low, high = ced_band(errors, bins, at, groups=groups)
    return {
        "name": label,
        "mean": round(result.summary.mean_of_images, 3),
        "thinned": len(places) < len(inside),  # then lines between the points are truer than steps
        "x": packed(inside[places]),
        "y": packed(100 * (places + 1) / counted),
        "low": packed(100 * low),
        "high": packed(100 * high),
    }


def _bins(result: Result) -> dict[str, Any]:
    errors, bins = result.samples.errors, result.samples.bins  # penalties count, as in the means
    groups = subjects(result.samples.ids) if result.protocol.group == "subject" else None
    means, ends = [], []
    for at, part in enumerate(result.summary.bins):
        inside = np.where(bins == at, 0, -1)
        known = np.isfinite(errors[inside == 0]).any()
        found = (
            headline_interval(errors, inside, "mean-of-images", groups=groups) if known else None
        )
        means.append(part.mean)
        ends.append(_ends(found, part.mean))
    return {
        "mean": _rounded(means),
        "low": _rounded([low for low, _ in ends]),
        "high": _rounded([high for _, high in ends]),
    }


def _ends(interval: Interval | None, value: float) -> tuple[float, float]:
    return (value, value) if interval is None else (interval.low, interval.high)


def _rounded(values: Sequence[float] | NDArray[np.floating], digits: int = 3) -> list[float | None]:
    """Plain numbers; JSON has no NaN."""
    return [round(float(v), digits) if np.isfinite(v) else None for v in values]
