"""The diagnosis: reads both files, lets each part say what it finds, and puts it together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prn_bench.diagnose.angles import angle_fault
from prn_bench.diagnose.figures import Figures, in_image_frame
from prn_bench.diagnose.findings import point_mistakes
from prn_bench.diagnose.offset import measure_offset
from prn_bench.diagnose.reading import join, map_variants, read_scene
from prn_bench.diagnose.report import Change, Diagnosis, Mistake, ranked
from prn_bench.diagnose.scene import Rows, Scene
from prn_bench.diagnose.values import constant_output, reported_mistakes, value_mistakes
from prn_bench.errors import BenchError, first_few
from prn_bench.evaluate.reference import read_reference
from prn_bench.protocol import Protocol
from prn_bench.protocol import protocol as find_protocol

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

DEFAULT = "aflw2000/68/2d@3ddfa-fit"
NO_PLACE = {"constant", "unexplained", "unknown-crop"}  # then an offset means nothing
POSE = "pose_deg"


def diagnose(
    predictions: Predictions, dataset: Dataset, protocol: Protocol | str | Path = DEFAULT
) -> Diagnosis:
    """Say what is probably wrong with predictions: frame, axes, unit, order, depth, angles.

    Corrections are tried on the 68 points; nothing is written and no score is changed. A correction is
    reported when it gains at least 5 % of the error and 0.1 NME points, and a paired test over samples
    leaves no doubt (one chance in 10,000); a constant offset when it is at least 0.4 px and 0.2 % of a
    face long and its interval excludes zero.

    Parameters
    ----------
    predictions : Predictions
        Landmarks, position maps, or vertices of the dataset's own face model; perhaps ``pose_deg``.
        Samples without a whole prediction are left out.
    dataset : Dataset
    protocol : Protocol, or its id or file
        Of 68 landmarks: its figure is the one that is said to change. It is used for the dataset at
        hand, whichever it names.

    Returns
    -------
    Diagnosis

    Raises
    ------
    BenchError
        ``no-landmarks``, ``no-depth`` (a 3D protocol for points without z), ``unknown-ids`` when the
        dataset knows none, ``duplicate-ids``, ``nothing-to-diagnose``, ``not-68-points``, and those
        of :func:`prn_bench.evaluate.reference.read_reference` and :func:`prn_bench.evaluate.score`.

    Examples
    --------
    >>> found = diagnose(predictions, dataset)  # doctest: +SKIP
    >>> [mistake.family for mistake in found.mistakes]  # doctest: +SKIP
    ['y-flip']
    """
    rules = _rules(protocol, dataset)
    own, rows = join(predictions, dataset)
    others = (*_unknown_ids(predictions, own), *_angle_mistakes(predictions, dataset, own, rows))
    name, title = str(predictions.method.get("name")), str(dataset.attributes.get("title"))
    head = Diagnosis(name, title, rules.id, predictions.frame, len(dataset), len(own), others)
    if set(predictions.arrays) == {POSE}:
        return head
    scene = read_scene(predictions, dataset, rules, own, rows)
    _check(scene, rules, predictions)
    figures = Figures(scene, dataset, rules, dict(predictions.method))
    points = scene.to_image(scene.raw)
    figure = figures.change(points, points)
    constant = constant_output(scene)
    if constant is not None:
        found = [constant]
    else:
        found, points = point_mistakes(figures, partial(map_variants, predictions, dataset, own))
    families = {name for mistake in found for name in mistake.family.split("+")}
    found += value_mistakes(scene, families)
    found += reported_mistakes(predictions.method, figure.before)
    return replace(
        head,
        n_given=int(scene.known.sum()),
        mistakes=ranked([*found, *others]),
        figure=figure,
        offset=None if families & NO_PLACE else measure_offset(points, scene.reference),
        stored_offset=_stored_offset(rules, dataset),
    )


def _rules(protocol: Protocol | str | Path, dataset: Dataset) -> Protocol:
    """The protocol, for whatever dataset this is."""
    rules = protocol if isinstance(protocol, Protocol) else find_protocol(protocol)
    if rules.task != "nme" or rules.point_set != "landmarks":
        raise BenchError(
            f"{rules.id} does not compare 68 landmarks",
            code="not-68-points",
            expected=f"a protocol such as {DEFAULT}",
            remedy="The mistakes that doctor knows show in the 68 landmarks; name such a protocol.",
        )
    recipe = str(dataset.attributes.get("recipe"))
    if recipe == rules.dataset:
        return rules
    words = f"{rules.id}+dataset={recipe}+expected_samples=0"
    return replace(rules, id=words, dataset=recipe, expected_samples=0)


def _check(scene: Scene, rules: Protocol, predictions: Predictions) -> None:
    if not scene.known.any():
        raise BenchError(
            "no sample has a whole prediction",
            code="nothing-to-diagnose",
            where=predictions.path,
            remedy="`prn-bench check` says what the file holds.",
        )
    if rules.dims > scene.raw.shape[-1]:
        raise BenchError(
            f"these predictions have no z, which {rules.id} needs",
            code="no-depth",
            where=predictions.path,
            remedy="Name a 2D protocol.",
        )


def _unknown_ids(predictions: Predictions, own: Rows) -> Iterator[Mistake]:
    unknown = np.delete(np.asarray(predictions.sample_ids), own)
    if len(unknown):
        names = first_few(unknown.tolist())
        cause = f"{len(unknown)} of {len(predictions)} ids are not in the dataset ({names})"
        remedy = "Rename or drop them: `prn-bench import` matches names such as image00002.jpg."
        yield Mistake("warning", "ids", cause, remedy=remedy)


def _angle_mistakes(
    predictions: Predictions, dataset: Dataset, own: Rows, rows: Rows
) -> Iterator[Mistake]:
    if POSE not in predictions.arrays or POSE not in dataset.names:
        return
    angles = np.asarray(predictions.arrays[POSE])[own].astype(np.float64)
    fault = angle_fault(angles, np.asarray(dataset.read(POSE, rows), np.float64))
    if fault is not None:
        change = Change("mean angle error", "pitch, yaw, roll", "deg", fault.before, fault.after)
        remedy = "Write pitch, yaw, roll in degrees, with the signs of the 3DDFA fits."
        yield Mistake("error", fault.family, fault.cause, fault.name, remedy, (change,))


def _stored_offset(rules: Protocol, dataset: Dataset) -> tuple[float, float]:
    """What the protocol's reference points have on top of the image frame."""
    if rules.reference_frame == "image" or rules.annotation != "original":
        return 0.0, 0.0
    sides = [read_reference(dataset, one).points for one in (rules, in_image_frame(rules))]
    x, y = (sides[0] - sides[1])[..., :2].reshape(-1, 2).mean(0)
    return (float(x), float(y)) if math.isfinite(x + y) else (0.0, 0.0)
