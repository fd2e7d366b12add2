"""One score to be made: predictions joined to a dataset, and what comes out of them before averaging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.dataset.structure import read_report
from prn_bench.errors import BenchError, Finding, first_few
from prn_bench.evaluate.inputs import ScoreInputs, subset_rows
from prn_bench.evaluate.mesh_landmarks import mesh_landmarks
from prn_bench.evaluate.reference import name_some
from prn_bench.predictions.structure import FRAMES
from prn_bench.protocol_fields import ANY_DATASET, Protocol

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Predictions joined to a dataset under a protocol.

    Attributes
    ----------
    predictions : Predictions
    dataset : Dataset
    protocol : Protocol
    inputs : ScoreInputs
    rows, own_rows : (m,) int
        Row of the dataset, increasing, and row of the predictions, of every joined sample.
    jobs : int
    scheduler : str or None
    findings : tuple of Finding
        Of the joining.
    """

    predictions: Predictions
    dataset: Dataset
    protocol: Protocol
    inputs: ScoreInputs
    rows: NDArray[np.intp]
    own_rows: NDArray[np.intp]
    jobs: int = 1
    scheduler: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """(n,) bool: samples that the user's list names, or all."""
        if self.inputs.subset is None:
            return np.ones(len(self.dataset), bool)
        return subset_rows(self.inputs.subset, self.dataset.sample_ids)

    @property
    def where(self) -> str:
        """Name of the predictions in findings: not the whole path, results go to other machines."""
        return self.predictions.path.name if self.predictions.path else "the predictions"


@dataclass(frozen=True)
class Scored:
    """Per-sample values of a whole dataset.

    Attributes
    ----------
    errors : (n,) float64
        In the protocol's unit; NaN where there is none.
    scale_px : (n,) float64
        The normaliser.
    yaw_deg : (n,) float64
        As stored.
    missing : (n,) bool
        No prediction, or none that could be aligned.
    digest : str
        Of exactly what the errors were measured against.
    extra : mapping of (n,) float64
        Further columns, such as the scale that an alignment found.
    coverage : float
        Share of the points that the predictions have.
    inputs : mapping
        Which further inputs were used, by kind.
    findings : tuple of Finding
    """

    errors: Values
    scale_px: Values
    yaw_deg: Values
    missing: NDArray[np.bool_]
    digest: str
    extra: Mapping[str, Values] = field(default_factory=dict)
    coverage: float = 1.0
    inputs: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def make_case(
    predictions: Predictions,
    dataset: Dataset,
    protocol: Protocol,
    inputs: ScoreInputs,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
) -> Case:
    """Join by id, in the order of the dataset.

    Raises
    ------
    BenchError
        ``wrong-dataset``, ``unknown-frame``, ``bad-method``, ``duplicate-ids``, ``unknown-ids``.
    """
    _check_recipe(dataset, protocol)
    _check_declared(predictions)
    kept, findings = _without_quarantined(predictions, dataset)
    rows = _join(predictions, kept, dataset)
    order = np.argsort(rows, kind="stable")
    return Case(
        predictions, dataset, protocol, inputs, rows[order], kept[order], jobs, scheduler, findings
    )


def chosen(case: Case) -> Predictions:
    """The joined predictions in the dataset's order, in memory: for landmarks, which are small.

    Meshes without landmarks are read at those of their topology.
    """
    arrays = {
        name: np.asarray(values[case.own_rows])
        for name, values in case.predictions.arrays.items()
        if name in ("landmarks", "position_map", "pose_deg")
    }
    if not arrays.keys() & {"landmarks", "position_map"}:
        maps = case.inputs.index_maps
        found = mesh_landmarks(case.predictions, case.dataset, case.own_rows, maps)
        arrays |= {} if found is None else {"landmarks": found}
    ids = np.asarray(case.predictions.sample_ids, object)[case.own_rows]
    return replace(case.predictions, sample_ids=ids, arrays=arrays)


def refuse_missing(case: Case, missing: NDArray[np.bool_], why: str = "have no prediction") -> None:
    """Under the strict policy, every sample needs a prediction; BenchError ``missing-predictions``."""
    protocol = case.protocol
    missing = missing & case.wanted
    if not missing.any() or protocol.missing != "strict":
        return
    raise BenchError(
        f"{name_some(case.dataset.sample_ids[missing])} samples {why}",
        code="missing-predictions",
        where=case.predictions.path,
        expected=f"all {int(case.wanted.sum())} samples of {case.dataset.path}",
        remedy="Predict them, or score under a policy that the result will name: "
        f"{protocol.id}+missing=drop or +missing=penalise.",
    )


def refuse_partly(case: Case, rows: NDArray[np.intp]) -> None:
    """Rows that hold NaN beside numbers are an error under every policy: ``partly-missing``."""
    if not len(rows):
        return
    raise BenchError(
        f"{name_some(case.dataset.sample_ids[rows])} rows hold NaN or infinity beside numbers",
        code="partly-missing",
        where=case.predictions.path,
        expected="finite numbers, or a whole row of NaN for a sample without a prediction",
        remedy="Find out why the method gives them; a score never skips single points.",
    )


def _check_recipe(dataset: Dataset, protocol: Protocol) -> None:
    recipe = dataset.attributes.get("recipe")
    if protocol.dataset not in (ANY_DATASET, recipe):
        raise BenchError(
            f"{protocol.id} is not a protocol of this dataset",
            code="wrong-dataset",
            where=dataset.path,
            expected=f"a dataset built by {protocol.dataset}",
            found=str(recipe),
            remedy="Take a protocol of this dataset, or say that the rules shall apply to it: "
            f"{protocol.id}+dataset={recipe}+expected_samples={len(dataset)}.",
        )

    variant = str(dataset.attributes.get("recipe_variant") or "default")
    # Orthographic or in perspective, the renderings show the same poses.
    known = {variant, variant.removesuffix("-perspective")}
    if protocol.dataset_variants and not known & set(protocol.dataset_variants.split(",")):
        raise BenchError(
            f"{protocol.id} is about another variant of this dataset",
            code="wrong-dataset",
            where=dataset.path,
            expected=f"{protocol.dataset} of the variant "
            + protocol.dataset_variants.replace(",", " or "),
            found=variant,
            remedy="Build the variant (`prn-bench recipes` names them), or say that the rules shall "
            f"apply to this one: {protocol.id}+dataset_variants={variant}.",
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


def _without_quarantined(
    predictions: Predictions, dataset: Dataset
) -> tuple[NDArray[np.intp], tuple[Finding, ...]]:
    """Set aside predictions for samples that this build of the dataset could not read.

    A method predicts the whole set; that one raw file of ours was damaged is not its fault.
    """
    found = "report" in dataset.attributes
    report = read_report(dataset.attributes, dataset.path) if found else {"findings": ()}
    bad = {one["where"] for one in report["findings"] if one["level"] == "error"}
    kept = np.array([str(name) not in bad for name in predictions.sample_ids], bool)
    if kept.all():
        return np.arange(len(kept)), ()
    names = predictions.sample_ids[~kept]
    message = (
        f"{len(names)} predictions are for samples that this dataset quarantined: "
        + first_few(list(names))
    )
    finding = Finding("warning", "quarantined-samples", dataset.path.name, message)
    return np.flatnonzero(kept), (finding,)


def _join(predictions: Predictions, kept: NDArray[np.intp], dataset: Dataset) -> NDArray[np.intp]:
    """Row of the dataset for each kept row of the predictions."""
    ids = np.asarray(predictions.sample_ids, object)[kept]
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
