"""Which protocols a command scores, with which further inputs; shared by all commands that score."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.evaluate.inputs import ScoreInputs
    from prn_bench.predictions import Predictions
    from prn_bench.protocol import Protocol
    from prn_bench.results import Result

Subset = Annotated[
    Path | None,
    typer.Option("--subset", help="Only these samples count: ids, one a line.", dir_okay=False),
]
FaceModelFile = Annotated[
    Path | None,
    typer.Option(help="For dense scores of a dataset built without one.", dir_okay=False),
]
IndexMaps = Annotated[
    list[str] | None,
    typer.Option("--index-map", help="TOPOLOGY=FILE: how a mesh lies on the dataset's."),
]
LandmarkMapFile = Annotated[
    str | None, typer.Option("--landmark-map", help="AFLW-LFPA's points from the 68 (a .toml).")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, metavar="N", help="Worker processes; all cores if not given."
    ),
]
Scheduler = Annotated[str | None, typer.Option(help="Dask scheduler, tcp://host:8786.")]

CACHE_VARIABLE = "PRN_BENCH_CACHE"
#: What is scored when no protocol is named: the figures that papers report.
DEFAULTS = {
    "aflw2000-3d": (
        "aflw2000/68/2d@3ddfa-fit",
        "aflw2000/68/2d@3ddfa-aflw",
        "aflw2000/68/3d@z-mean",
        "aflw2000/dense/2d@prnet-mask",
        "aflw2000/dense/3d@prnet-mask",
        "aflw2000/rec@corr-umeyama",
        "aflw2000/pose@1969",
    ),
    "aflw-lfpa": ("aflw-lfpa/21@3ddfa-map", "aflw-lfpa/34@userlist"),
    "florence": ("florence/rec@vrn921-icp", "florence/rec@vrn921"),
    "florence@paper": ("florence/rec@paper",),
    "florence@sadrnet": ("florence/rec@sadrnet20",),
}
#: Faults that mean «this data has no answer under this protocol», as opposed to bad data.
CANNOT_ANSWER = (
    "dataset-lacks",
    "face-model-needed",
    "landmark-map-needed",
    "no-clouds",
    "no-coverage",
    "no-dense-points",
    "no-depth",
    "no-index-map",
    "no-landmarks",
    "no-pose",
    "no-runtime",
    "nothing-to-score",
    "reference-2d",
    "reference-incomplete",
    "wrong-dataset",
)
REASONS_SHOWN = 2  # in an error; nothing was scored, so most often they are alike


@dataclass(frozen=True)
class Scoring:
    """How to score: further inputs, workers, and where earlier results lie."""

    inputs: ScoreInputs
    jobs: int = 1
    scheduler: str | None = None
    cache: Path | None = None


def read_inputs(
    subset: Path | None,
    face_model: Path | None,
    index_maps: Sequence[str] | None,
    landmark_map: str | None,
) -> ScoreInputs:
    """The further inputs that options name.

    Raises
    ------
    BenchError
        ``bad-option`` for an index map that is not TOPOLOGY=FILE, and those of the files.
    """
    from prn_bench.errors import BenchError
    from prn_bench.evaluate.inputs import ScoreInputs, load_subset
    from prn_bench.landmark_map import load_landmark_map

    maps: dict[str, Path] = {}
    for text in index_maps or ():
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise BenchError(
                "--index-map wants a topology and a file",
                code="bad-option",
                expected="--index-map bfm-noneck-38365=indices.npy",
                found=text,
            )
        maps[name] = Path(path)
    return ScoreInputs(
        face_model=face_model,
        index_maps=maps,
        landmark_map=load_landmark_map(landmark_map) if landmark_map else None,
        subset=load_subset(subset) if subset else None,
    )


def cache_folder() -> Path:
    """Where earlier results are kept: ``PRN_BENCH_CACHE``, else the user's folder for programs."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given) if given else Path(typer.get_app_dir("prn-bench")) / "results"


def score_all(
    predictions: Predictions,
    dataset: Dataset,
    patterns: list[str] | None,
    how: Scoring | None = None,
) -> tuple[list[Result], list[tuple[str, str]]]:
    """Results, and the protocols of a pattern that this data cannot answer, each with the reason.

    A protocol that was named outright fails instead of being left out.

    Raises
    ------
    BenchError
        ``nothing-scored`` when all are left out, and those of :func:`prn_bench.evaluate.score`.
    """
    from prn_bench.errors import BenchError

    results, left_out = [], []
    for protocol, asked in chosen_protocols(predictions, dataset, patterns):
        try:
            results.append(_score(predictions, dataset, protocol, how))
        except BenchError as error:
            if asked or error.code not in CANNOT_ANSWER:
                raise
            left_out.append((protocol.id, f"{error.what}. {error.remedy or ''}".rstrip()))
    if not results:
        reasons = not_scored(left_out, word="")
        raise BenchError(
            f"none of {len(left_out)} protocols can be scored with these two files",
            code="nothing-scored",
            where=predictions.path,
            found="; ".join(reasons[:REASONS_SHOWN]).rstrip("."),
            remedy="See `prn-bench protocols` for those of other datasets.",
        )
    return results, left_out


def _score(
    predictions: Predictions, dataset: Dataset, protocol: Protocol, how: Scoring | None
) -> Result:
    from prn_bench.evaluate import score
    from prn_bench.evaluate.inputs import ScoreInputs
    from prn_bench.evaluate.result_cache import cached

    how = how or Scoring(ScoreInputs())
    return cached(
        how.cache,
        predictions,
        dataset,
        protocol,
        how.inputs,
        lambda: score(
            predictions,
            dataset,
            protocol,
            inputs=how.inputs,
            jobs=how.jobs,
            scheduler=how.scheduler,
        ),
    )


def not_scored(left_out: list[tuple[str, str]], word: str = "not scored: ") -> list[str]:
    """A line for each reason, with the protocols that it keeps from being scored, by family."""
    names: dict[str, dict[str, list[str]]] = {}
    for name, why in left_out:
        family, _, variant = name.partition("@")
        names.setdefault(why, {}).setdefault(family, []).append(variant)
    return [
        f"{word}{'; '.join(map(_together, found.items()))}: {why}" for why, found in names.items()
    ]


def _together(family: tuple[str, list[str]]) -> str:
    name, variants = family
    return f"{name}@{', '.join(variants)}" if any(variants) else name


def chosen_protocols(
    predictions: Predictions, dataset: Dataset, patterns: list[str] | None
) -> list[tuple[Protocol, bool]]:
    """The protocols to use, each with whether it was named outright."""
    from prn_bench.protocol import match_protocols
    from prn_bench.protocol_fields import ANY_DATASET

    chosen: dict[str, tuple[Protocol, bool]] = {}
    for pattern in patterns or _defaults(dataset):
        named = bool(patterns) and not set(pattern) & set("*?[")
        matches = match_protocols(pattern)
        fitting = [p for p in matches if p.dataset != ANY_DATASET or _answers(predictions, p)]
        here = (ANY_DATASET, str(dataset.attributes.get("recipe")))
        own = [p for p in fitting if p.dataset in here]
        for protocol in own or fitting or matches:  # of a pattern, those of others are not meant
            if not patterns and not _answers(predictions, protocol):
                continue
            if named or protocol.id not in chosen:
                chosen[protocol.id] = (protocol, named)
    return list(chosen.values()) or _first(dataset)


def _answers(predictions: Predictions, protocol: Protocol) -> bool:
    """Whether the predictions hold an array that the protocol is about at all."""
    by_points = {
        "landmarks": {"landmarks", "position_map", "vertices"},
        "named": {"landmarks", "position_map"},
    }.get(protocol.point_set, {"vertices", "position_map"})
    wanted = {"pose": {"pose_deg"}, "runtime": {"runtime_ms"}}.get(protocol.task, by_points)
    return bool(wanted & set(predictions.arrays))


def _first(dataset: Dataset) -> list[tuple[Protocol, bool]]:
    """What says best why nothing can be scored."""
    from prn_bench.protocol import protocol

    return [(protocol(_defaults(dataset)[0]), True)]


def _defaults(dataset: Dataset) -> tuple[str, ...]:
    from prn_bench.errors import BenchError

    recipe, variant = (str(dataset.attributes.get(f"recipe{x}")) for x in ("", "_variant"))
    for name in (f"{recipe}@{variant.removesuffix('-perspective')}", recipe):
        if name in DEFAULTS:
            return DEFAULTS[name]
    raise BenchError(
        f"no protocol is the usual one for the dataset {recipe!r}",
        code="no-default-protocol",
        remedy="Name one with --protocol (see `prn-bench protocols`).",
    )
