"""Rendered faces as training data: people of a face model, seen from all sides.

The raw data are two files: ``synthetic.toml`` with ``seed``, ``people`` and ``views``, and
``face-model.h5``. A sample is ``person000012/view03``; all that is random about it follows from the seed
and these two numbers, so that any number of workers renders the same pictures. Nothing but crops is kept:
the whole pictures of 60,000 samples would take 2 GB.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prn_bench.errors import BenchError
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.file import load_face_model
from prn_bench.formats.texts import parse_toml
from prn_bench.recipes.annotation import Annotation, Companions, SampleFiles
from prn_bench.recipes.rawsource import RawSource
from prn_bench.synthetic import scene
from prn_bench.synthetic.people import Person, random_person

if TYPE_CHECKING:
    from PIL.Image import Image

PLAN, MODEL = "synthetic.toml", "face-model.h5"
LIMITS = {"seed": range(2**32), "people": range(1, 1_000_000), "views": range(1, 100)}
MAX_YAW_DEG = 90.0


@dataclass(frozen=True)
class Plan:
    """What ``synthetic.toml`` says."""

    seed: int
    people: int
    views: int


def find(source: RawSource) -> list[SampleFiles]:
    """Every view of every person."""
    if PLAN not in source:
        return []
    plan = _plan(source.read(PLAN), source.where(PLAN))
    return [
        SampleFiles(f"person{person:06d}/view{view:02d}", PLAN, PLAN)
        for person in range(plan.people)
        for view in range(plan.views)
    ]


def read(source: RawSource, sample: SampleFiles) -> Annotation:
    """One view: its exact fit, and what renders it."""
    plan, file = _plan(source.read(PLAN), source.where(PLAN)), _file(source)
    model = _load(file)
    who, view = (int(digits) for digits in re.findall("[0-9]+", sample.sample_id))
    rng = np.random.default_rng([plan.seed, who, view])
    yaw_deg = float(rng.uniform(-MAX_YAW_DEG, MAX_YAW_DEG))
    person = _person(file, plan.seed, who)
    shot = scene.random_shot(rng, model, person, yaw_deg)
    said = f"{plan.seed} {sample.sample_id} {model.model_id}"
    return Annotation(
        shot.fit, raw=said.encode(), picture=partial(_photograph, model, person, shot)
    )


def companions(source: RawSource, samples: Sequence[SampleFiles]) -> Companions:
    """There are no further arrays."""
    return Companions()


def _photograph(model: FaceModel, person: Person, shot: scene.Shot) -> Image:
    from PIL import Image

    return Image.fromarray(scene.photograph(model, person, shot))


@lru_cache(maxsize=2)
def _plan(content: bytes, where: str) -> Plan:
    try:
        values = parse_toml(content)
    except ValueError as error:
        what = f"this is not valid TOML ({error})"
        raise BenchError(what, code="bad-plan", where=where) from None
    good = values.keys() == LIMITS.keys() and all(
        type(values[name]) is int and values[name] in limit for name, limit in LIMITS.items()
    )
    if not good:
        raise BenchError(
            "the plan is not usable",
            code="bad-plan",
            where=where,
            expected=", ".join(f"{name} {lim[0]} to {lim[-1]}" for name, lim in LIMITS.items()),
            found=str(values)[:100],
        )
    return Plan(**values)


@dataclass(frozen=True)
class _File:
    """The face model's file, known by its content."""

    sha256: bytes
    source: RawSource = field(compare=False)


def _file(source: RawSource) -> _File:
    if MODEL not in source:
        raise BenchError(f"{MODEL} is missing", code="no-annotation", where=source.where(MODEL))
    return _File(source.sha256(MODEL), source)


@lru_cache(maxsize=1)
def _load(file: _File) -> FaceModel:
    with tempfile.NamedTemporaryFile(suffix=".h5") as copy:  # it may lie in a zip
        copy.write(file.source.read(MODEL))
        copy.flush()
        return load_face_model(Path(copy.name))


@lru_cache(maxsize=1)
def _person(file: _File, seed: int, who: int) -> Person:
    """Made once for all views: the colours of a face take as long as its picture."""
    return random_person(np.random.default_rng([seed, who]), _load(file))
