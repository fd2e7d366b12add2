"""Numbers of charts, rounded to what can be seen, so that pages stay small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.face_errors import ErrorMap, Surface
from prn_bench.intervals import Interval, ced_band, headline_interval, subjects
from prn_bench.results import Result
from prn_bench.site.views import Chart

CURVE_POINTS = 240
BAND_POINTS = 60
UNITS = {"percent": "%", "px": "px", "deg": "degrees"}
SHOWN_SHARE = 0.98  # of the images of the worst curve are inside the error axis


def ced_chart(name: str, results: Sequence[tuple[str, Result]]) -> Chart:
    """Cumulative error distributions of named results under one protocol, with 95 % intervals."""
    protocol = results[0][1].protocol
    errors = [_failures(result) for _, result in results]
    limit = max(_limit(values) for values in errors)
    curves = [
        _curve(label, result, values, limit)
        for (label, result), values in zip(results, errors, strict=True)
    ]
    words = ", ".join(f"{c['name']} {c['mean']:.3f}" for c in curves)
    unit = UNITS[protocol.unit]
    return Chart(
        name,
        "ced",
        f"Error distribution under {protocol.id}",
        f"Share of images with an error up to each value. Mean over images in {unit}: {words}.",
        {"unit": unit, "limit": round(limit, 3), "curves": curves},
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
        f"Mean error in the yaw bins {', '.join(labels)}, with 95 % intervals.",
        {"unit": UNITS[protocol.unit], "labels": labels, "curves": curves},
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
            "unit": UNITS[rows[0][1].protocol.unit],
        },
    )


def uv_chart(name: str, found: ErrorMap, *, step: int = 2) -> Chart:
    """Mean error at every ``step``-th pixel of the UV map."""
    thin = found.error[::step, ::step]
    worst = float(np.nanmax(thin))
    return Chart(
        name,
        "uv",
        f"Mean error over the face, {found.n_samples:,} samples",
        f"Error at each pixel of the UV map, from 0 to {worst:.2f} % of the box; mean "
        f"{np.nanmean(found.error):.2f} %.",
        {"z": [_rounded(row, 2) for row in thin], "unit": "%"},
    )


def surface_chart(name: str, surface: Surface) -> Chart:
    """Both surfaces of a sample, coloured by error."""
    corners = [surface.triangles[:, at].tolist() for at in range(3)]
    return Chart(
        name,
        "surface",
        f"Sample {surface.sample_id}: predicted and true surface",
        f"Predicted and true surface of one face, {len(surface.error):,} points, coloured by their "
        f"distance: mean {surface.error.mean():.2f} %, largest {surface.error.max():.2f} %.",
        {
            "predicted": _points(surface.predicted),
            "reference": _points(surface.reference),
            "triangles": corners,
            "error": _rounded(surface.error, 2),
            "unit": "%",
        },
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
        "x": _rounded(inside[places]),
        "y": _rounded(100 * (places + 1) / counted, 2),
        "at": _rounded(at),
        "low": _rounded(100 * low, 2),
        "high": _rounded(100 * high, 2),
    }


def _bins(result: Result) -> dict[str, Any]:
    errors, bins = _failures(result), result.samples.bins
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


def _points(points: NDArray[np.float32]) -> list[list[float | None]]:
    return [_rounded(points[:, axis], 1) for axis in range(3)]


def _rounded(values: Sequence[float] | NDArray[np.floating], digits: int = 3) -> list[float | None]:
    """Plain numbers; JSON has no NaN."""
    return [round(float(v), digits) if np.isfinite(v) else None for v in values]
