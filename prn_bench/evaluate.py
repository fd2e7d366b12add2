"""Scoring: one prediction file, one dataset, one protocol, one result.

Rows are joined by sample id. Predictions are brought into the image frame (0-based pixels); the
reference is used in the frame that the protocol names. In the *stored* frame the 1-based reference
is compared with 0-based predictions as they are, because that is what the published scripts do.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, Finding, first_few
from prn_bench.metrics import align_depth, nme, point_errors
from prn_bench.predictions_structure import FRAMES
from prn_bench.protocol import Protocol
from prn_bench.protocol import protocol as find_protocol
from prn_bench.reference import Reference, image_points, name_some, read_reference
from prn_bench.results import Result, Samples
from prn_bench.subsets import NO_BIN, PROFILE_DEG, sdrn_subset, yaw_bins
from prn_bench.summary import Summary

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

Array = NDArray[np.float64]


def score(predictions: Predictions, dataset: Dataset, protocol: Protocol | str | Path) -> Result:
    """Score predictions under a protocol.

    Parameters
    ----------
    predictions : Predictions
        In any order; landmarks, or position maps, which are read at the 68 landmark pixels.
    dataset : Dataset
    protocol : Protocol, or its id or file

    Returns
    -------
    Result

    Raises
    ------
    BenchError
        ``wrong-dataset``, ``dataset-lacks``, ``unknown-ids``, ``duplicate-ids``,
        ``missing-predictions`` (strict policy), ``partly-missing``, ``no-landmarks``, ``no-depth``,
        ``reference-2d``, ``reference-incomplete``, ``zero-normalizer``, ``nothing-to-score``,
        ``unknown-frame`` and ``bad-method`` (predictions put together by hand), and those of
        :func:`prn_bench.protocol.protocol`.
    """
    if not isinstance(protocol, Protocol):
        protocol = find_protocol(protocol)
    _check_recipe(dataset, protocol)
    _check_declared(predictions)
    predictions, set_aside = _without_quarantined(predictions, dataset)
    rows = _join(predictions, dataset)
    predicted = np.full((len(dataset), protocol.points, protocol.dims), np.nan)
    predicted[rows] = image_points(predictions, dataset, rows, protocol)
    missing = _missing(predicted, predictions, dataset, protocol)
    reference = read_reference(dataset, protocol)
    errors = np.full(len(dataset), protocol.penalty if protocol.missing == "penalise" else np.nan)
    errors[~missing] = _errors(predicted, reference, ~missing, protocol)
    bins = _bins(reference.yaw_deg, protocol)
    ids, lengths = dataset.sample_ids, reference.scale_px
    samples = Samples(ids, errors, lengths, reference.yaw_deg, bins, missing)
    summary = samples.summarize(protocol)
    _check_something_left(summary, predictions, protocol)
    findings = (
        *set_aside,
        *_findings(predictions, dataset, protocol, samples, summary, predicted),
    )
    return Result(
        protocol,
        summary,
        samples,
        dict(predictions.method),
        _about(dataset),
        reference.digest(ids),
        predictions.sha256,
        findings,
        _tool_version(),
    )


def _errors(
    predicted: Array, reference: Reference, rows: NDArray[np.bool_], protocol: Protocol
) -> Array:
    points, target = predicted[rows], reference.points[rows]
    if protocol.dims == 3:
        mesh_min = None if reference.mesh_min is None else reference.mesh_min[rows]
        points, target = align_depth(points, target, protocol.z_rule, mesh_min=mesh_min)
    if protocol.unit == "px":
        return np.asarray(point_errors(points, target).mean(-1))
    return nme(points, target, scale=reference.scale_px[rows])


def _bins(yaw_deg: Array, protocol: Protocol) -> NDArray[np.intp]:
    edges, over_90 = protocol.bin_edges, protocol.over_90
    bins = yaw_bins(yaw_deg, edges=edges, closed=protocol.closed, over_90=over_90)
    if protocol.subset == "balanced-sdrn":
        kept = np.full(len(bins), NO_BIN)
        rows = sdrn_subset(bins, n_bins=len(edges) - 1, seed=protocol.seed)
        kept[rows] = bins[rows]
        return kept
    return bins


def _check_recipe(dataset: Dataset, protocol: Protocol) -> None:
    recipe = dataset.attributes.get("recipe")
    if recipe != protocol.dataset:
        raise BenchError(
            f"{protocol.id} is not a protocol of this dataset",
            code="wrong-dataset",
            where=dataset.path,
            expected=f"a dataset built by {protocol.dataset}",
            found=str(recipe),
            remedy="Take a protocol of this dataset, or say that the rules shall apply to it: "
            f"{protocol.id}+dataset={recipe}+expected_samples={len(dataset)}.",
        )


def _check_declared(predictions: Predictions) -> None:
    """What a file is checked for on opening, but an object made in memory is not."""
    if predictions.frame not in FRAMES:
        raise BenchError(
            "the predictions name no known frame",
            code="unknown-frame",
            where=predictions.path,
            expected=" or ".join(FRAMES),
            found=repr(predictions.frame),
        )
    name = predictions.method.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BenchError(
            "the method card has no name",
            code="bad-method",
            where=predictions.path,
            expected='method = {"name": "PRN", ...}',
            found=repr(dict(predictions.method))[:60],
        )


def _check_something_left(summary: Summary, predictions: Predictions, protocol: Protocol) -> None:
    if np.isnan(summary.mean_of_images):
        raise BenchError(
            "nothing is left to score: no sample that counts has an error",
            code="nothing-to-score",
            where=predictions.path,
            found=f"{summary.n} samples that count, {summary.n_missing} of them without a "
            f"prediction; {summary.n_left_out} in no bin or not in the subset",
            remedy=f"Give predictions for samples that {protocol.id} counts.",
        )


def _without_quarantined(
    predictions: Predictions, dataset: Dataset
) -> tuple[Predictions, tuple[Finding, ...]]:
    """Set aside predictions for samples that this build of the dataset could not read.

    A method predicts the whole set; that one raw file of ours was damaged is not its fault.
    """
    report = json.loads(dataset.attributes.get("report", "{}"))
    bad = {f["where"] for f in report.get("findings", ()) if f["level"] == "error"}
    kept = np.array([str(name) not in bad for name in predictions.sample_ids], bool)
    if kept.all():
        return predictions, ()
    arrays = {name: values[kept] for name, values in predictions.arrays.items()}
    names = predictions.sample_ids[~kept]
    message = (
        f"{len(names)} predictions are for samples that this dataset quarantined: "
        + first_few(list(names))
    )
    finding = Finding("warning", "quarantined-samples", dataset.path.name, message)
    return replace(predictions, sample_ids=predictions.sample_ids[kept], arrays=arrays), (finding,)


def _join(predictions: Predictions, dataset: Dataset) -> NDArray[np.intp]:
    """Row of the dataset for each row of the predictions."""
    ids = np.asarray(predictions.sample_ids, object)
    row_of = {str(name): row for row, name in enumerate(dataset.sample_ids)}
    twice = np.array([name for name, count in Counter(ids.tolist()).items() if count > 1], object)
    unknown = np.array([name for name in ids if str(name) not in row_of], object)
    for names, code, what in (
        (twice, "duplicate-ids", "sample ids occur more than once"),
        (unknown, "unknown-ids", "sample ids are not in the dataset"),
    ):
        if len(names):
            raise BenchError(
                f"{name_some(names)} {what}",
                code=code,
                where=predictions.path,
                expected=f"ids like {', '.join(map(str, dataset.sample_ids[:2]))}",
                remedy="Every id must be one of the dataset's, once; drop or rename the others.",
            )
    return np.array([row_of[str(name)] for name in ids], np.intp)


def _missing(
    predicted: Array, predictions: Predictions, dataset: Dataset, protocol: Protocol
) -> NDArray[np.bool_]:
    """Samples without a prediction; partly unknown rows are an error under every policy."""
    missing = np.asarray(np.isnan(predicted).all((1, 2)))
    partly = ~missing & ~np.isfinite(predicted).all((1, 2))
    if partly.any():
        raise BenchError(
            f"{name_some(dataset.sample_ids[partly])} rows hold NaN or infinity beside numbers",
            code="partly-missing",
            where=predictions.path,
            expected="finite numbers, or a whole row of NaN for a sample without a prediction",
            remedy="Find out why the method gives them; a score never skips single points.",
        )
    if missing.any() and protocol.missing == "strict":
        raise BenchError(
            f"{name_some(dataset.sample_ids[missing])} samples have no prediction",
            code="missing-predictions",
            where=predictions.path,
            expected=f"all {len(dataset)} samples of {dataset.path}",
            remedy="Predict them, or score under a policy that the result will name: "
            f"{protocol.id}+missing=drop or +missing=penalise.",
        )
    return missing


def _findings(
    predictions: Predictions,
    dataset: Dataset,
    protocol: Protocol,
    samples: Samples,
    summary: Summary,
    predicted: Array,
) -> Iterator[Finding]:
    """What a reader of the figures should know."""
    where = predictions.path.name if predictions.path else "the predictions"
    n, n_missing, n_expected = len(dataset), int(samples.missing.sum()), protocol.expected_samples
    if n_expected not in (0, n):
        words = f"{n} of {n_expected} samples: these figures are not those of the whole benchmark"
        yield Finding("warning", "partial-dataset", dataset.path.name, words)
    if n_missing:
        fate = "left out of the means" if protocol.missing == "drop" else "counted at the penalty"
        words = f"{n_missing} of {n} samples have no prediction and are {fate}"
        yield Finding("warning", "missing-predictions", where, words)
    present = predicted[~samples.missing]
    if len(present) > 1 and (present == present[0]).all():
        words = f"all {len(present)} predictions are the same points"
        yield Finding("warning", "constant-predictions", where, words, "Check the export.")
    untouched = protocol.dims == 3 and protocol.z_rule == "none" and predictions.frame == "crop"
    if untouched and "z_shift" not in dataset.names:
        words = "the dataset has no z_shift, so crop z was only scaled, not moved"
        yield Finding("warning", "unknown-z-shift", where, words)
    if protocol.z_rule == "min-mesh" and predictions.frame == "image":
        behind = int((present[..., 2] < 0).any(1).sum())
        words = "min-mesh takes predicted z as it comes, so in an image-frame file it must be 0 at "
        words += "the rearmost vertex of the mesh, as PRNet writes it (crop z / crop scale)"
        words += f"; {behind} of {len(present)} samples have landmarks behind that" * (behind > 0)
        remedy = "Score the crop-frame output, or take a rule for both sides such as z_rule=mean."
        yield Finding("warning", "depth-origin", where, words, remedy)
    yield from _bin_findings(dataset, protocol, samples, summary)


def _bin_findings(
    dataset: Dataset, protocol: Protocol, samples: Samples, summary: Summary
) -> Iterator[Finding]:
    where = dataset.path.name  # not the whole path: results must not depend on the machine
    n_beyond = int((np.abs(samples.yaw_deg) > PROFILE_DEG).sum())
    if n_beyond:
        words = f"{n_beyond} samples have a yaw beyond 90 degrees; over_90 = {protocol.over_90}"
        yield Finding("note", "yaw-beyond-90", where, words)
    if summary.n_left_out:
        words = f"{summary.n_left_out} samples are in no bin or not in the subset"
        yield Finding("note", "left-out", where, words)
    empty = [part.label for part in summary.bins if np.isnan(part.mean)]
    if empty:
        words = f"no error in {', '.join(empty)}, so there is no mean of bins"
        yield Finding("warning", "empty-bin", where, words)


def _about(dataset: Dataset) -> dict[str, str | int | None]:
    keys = ("title", "recipe", "recipe_version", "fingerprint", "origin")
    return {**{key: dataset.attributes.get(key) for key in keys}, "n": len(dataset)}


def _tool_version() -> str:
    from prn_bench import __version__

    return __version__
