"""Pictures of the worst samples with their landmarks, for the report of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench import gallery
from prn_bench.errors import BenchError
from prn_bench.evaluate.case import chosen, make_case
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.evaluate.reference import predicted_landmarks
from prn_bench.results import Result
from prn_bench.site.embed import Picture, photograph
from prn_bench.site.wording import unit_words

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions


def worst_pictures(
    result: Result, dataset: Dataset, predictions: Predictions, inputs: ScoreInputs, n: int
) -> list[Picture]:
    """The ``n`` worst samples, reference landmarks in green and predicted ones in red.

    Predictions of any kind are drawn in whose points the 68 landmarks are known, whatever their frame.

    Returns
    -------
    list of Picture
        The worst first; empty for a dataset without images or landmarks, and for other predictions.
    """
    if not {"image", "landmarks"} <= dataset.names:
        return []
    rows = worst_first(result, dataset)[:n]
    points = _predicted(result, dataset, predictions, inputs, rows)
    if points is None:
        return []
    captions = _captions(result)
    return [
        photograph(
            gallery.sample_sheet(dataset, [row], predicted=own[None]),
            captions[str(dataset.sample_ids[row])],
        )
        for row, own in zip(rows, points, strict=True)
    ]


def worst_first(result: Result, dataset: Dataset) -> list[int]:
    """Rows of the dataset, largest error first, of samples that count and have a prediction."""
    samples = result.samples
    known = np.flatnonzero((samples.bins >= 0) & ~samples.missing)
    order = known[np.argsort(-samples.errors[known], kind="stable")]
    row_of = {str(name): row for row, name in enumerate(dataset.sample_ids)}
    return [row_of[str(name)] for name in samples.ids[order]]


def _predicted(
    result: Result,
    dataset: Dataset,
    predictions: Predictions,
    inputs: ScoreInputs,
    rows: Sequence[int],
) -> NDArray[np.float64] | None:
    """(len(rows), 68, 2|3) landmarks in the image frame; None where the predictions name none."""
    case = make_case(predictions, dataset, result.protocol, inputs)
    place = {int(row): at for at, row in enumerate(case.rows)}
    at = np.array([place[row] for row in rows], np.intp)
    case = replace(case, rows=case.rows[at], own_rows=case.own_rows[at])
    try:
        return predicted_landmarks(chosen(case), dataset, case.rows)
    except BenchError as error:
        if error.code != "no-landmarks":
            raise
        return None


def _captions(result: Result) -> dict[str, str]:
    samples, unit = result.samples, unit_words(result.protocol)
    gap = " " if unit[0].isalpha() else "\u202f"
    return {
        str(
            name
        ): f"{name}: {error:.2f}{gap}{unit}, yaw {(yaw + 180) % 360 - 180:.0f}\N{DEGREE SIGN}"
        for name, error, yaw in zip(samples.ids, samples.errors, samples.yaw_deg, strict=True)
    }
