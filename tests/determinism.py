"""Fingerprints and scores of a synthetic world as JSON, to compare machines and library versions.

    python -m tests.determinism --inputs FOLDER --jobs 2 --out there.json
    python -m tests.determinism --compare here.json there.json

Raw data and predictions are made by the first run in FOLDER, and read by the others: what encodes a
picture is no part of what is compared.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.build import build
from prn_bench.dataset import Dataset, open_dataset
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.evaluate.scans import ScanClouds
from prn_bench.facemodel.file import save_face_model
from prn_bench.predictions import open_predictions, write_predictions
from prn_bench.protocol import Protocol, protocols
from prn_bench.recipes import find_recipe
from prn_bench.synthetic.face import synthetic_face_model

RECIPES = ("300w-lp", "aflw2000-3d", "aflw-lfpa", "florence")
WITH_FITS = RECIPES[:2]
LAYOUTS = ("maps", "coefficients")
TOLERANCE = 1e-9
Figures = dict[str, float | str | None]


def world(folder: Path, n: int, only: str = "") -> None:
    """Raw data of every recipe, and the face model that they were made with."""
    folder.mkdir()
    model = synthetic_face_model()
    save_face_model(model, folder / "face-model.h5")
    for name in (name for name in RECIPES if only in name):
        find_recipe(name).write_synthetic(folder / f"raw-{name}", model, n, seed=3)


def figures(
    inputs: Path, work: Path, asked: Sequence[Protocol], jobs: int, only: str = ""
) -> Figures:
    """Every fingerprint, per-sample error and figure of a summary, by a name."""
    found: Figures = {}
    for name in (name for name in RECIPES if only in name):
        for layout in LAYOUTS if name in WITH_FITS else LAYOUTS[:1]:
            out, raw = work / f"{name}-{layout}.h5", inputs / f"raw-{name}"
            options: dict[str, Any] = {"face_model": inputs / "face-model.h5", "layout": layout}
            report = build(find_recipe(name), raw, out, jobs=jobs, **options)
            found[f"{name}/{layout}/fingerprint"] = report.fingerprint
            own = [one for one in asked if one.dataset == name]
            found |= scores(open_dataset(out), inputs, own, f"{name}/{layout}", jobs)
    return found


def scores(
    dataset: Dataset, inputs: Path, asked: Sequence[Protocol], prefix: str, jobs: int
) -> Figures:
    """Figures of all protocols that a dataset can answer, of landmarks and of dense shapes."""
    found: Figures = {}
    for path in predicted(dataset, inputs / f"predictions-{dataset.attributes['recipe']}"):
        kind, method = path.stem, open_predictions(path)
        for one in asked:
            name = f"{prefix}/{kind}/{one.id}"
            try:
                result = score(method, dataset, one, jobs=jobs)
            except BenchError as error:
                found[f"{name}/refused"] = error.code
                continue
            table = {"summary": result.summary.as_dict(), "errors": result.samples.errors.tolist()}
            found |= flat(table, name)
    return found


def predicted(dataset: Dataset, folder: Path) -> list[Path]:
    """Predictions a few pixels off: landmarks and angles; maps or meshes where there are any."""
    if not folder.exists():
        folder.mkdir()
        for kind, arrays in predictions(dataset).items():
            path = folder / f"{kind}.h5"
            write_predictions(path, dataset.sample_ids, method="wave", **arrays)
    return sorted(folder.glob("*.h5"))


def predictions(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """By kind, the arrays of a prediction file."""
    n = len(dataset)
    truth = np.nan_to_num(dataset.read("landmarks").astype(np.float64))
    points: dict[str, Any] = {"frame": "image", "landmarks": truth + wave(truth.shape, 3.0)}
    kinds = {"points": points}
    if "pose_deg" in dataset.names:
        points["pose_deg"] = dataset.read("pose_deg") + wave((n, 3), 4.0)
    if "position_map" in dataset.names:
        maps = dataset.position_maps()
        kinds["maps"] = {"frame": "crop", "position_map": maps + wave(maps.shape, 2.0)}
    if "scan/vertices" in dataset.names:
        scans = ScanClouds(dataset, "sphere95")
        meshes = [scans.cloud(row).vertices[::7] for row in range(n)]
        meshes = [mesh + wave(mesh.shape, 2.0) for mesh in meshes]
        starts = np.cumsum([0, *map(len, meshes)])
        points |= {"topology": "unordered", "vertices": np.concatenate(meshes)}
        points["vertex_start"] = starts
    return kinds


def wave(shape: tuple[int, ...], size: float) -> NDArray[np.float64]:
    """Numbers of both signs."""
    values = [math.sin(0.7 * i * i % 97) for i in range(int(np.prod(shape)) % 4093 + 4093)]
    return size * np.resize(np.array(values), shape)


def flat(value: Any, name: str) -> Figures:
    """Nested lists and dictionaries as one dictionary by path."""
    if not isinstance(value, dict | list):
        return {name: None if isinstance(value, float) and math.isnan(value) else value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for key, item in items for k, v in flat(item, f"{name}/{key}").items()}


def differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Names of what is not the same: texts to the letter, numbers to ``TOLERANCE``."""
    found = [f"{name}: only on one side" for name in sorted(set(here) ^ set(there))]
    for name in sorted(set(here) & set(there)):
        if not same(here[name], there[name]):
            found.append(f"{name}: {here[name]} and {there[name]}")
    return found


def same(here: Any, there: Any) -> bool:
    """Whether two figures are equal, or both numbers and close."""
    numbers = isinstance(here, int | float) and isinstance(there, int | float)
    return here == there or (
        numbers and math.isclose(here, there, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    )


def farthest(here: Mapping[str, Any], there: Mapping[str, Any]) -> float:
    """Largest difference of two numbers of one name, over the larger of 1 and the number."""
    pairs = [(here[n], there[n]) for n in here if n in there and isinstance(here[n], float)]
    return max(
        (abs(a - b) / max(1.0, abs(a)) for a, b in pairs if isinstance(b, float)), default=0.0
    )


def main() -> int:
    """Print the figures, or compare two prints; exit code 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--inputs", type=Path, help="folder of raw data and predictions")
    parser.add_argument(
        "--samples", type=int, default=6, help="of each recipe, where they are made"
    )
    parser.add_argument("--only", default="", help="part of the name of a recipe")
    parser.add_argument("--protocols", default="/", help="parts of their ids, with commas")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--compare", type=Path, nargs=2)
    given = parser.parse_args()
    if given.compare:
        here, there = (json.loads(path.read_text())["figures"] for path in given.compare)
        found = differences(here, there)
        print("\n".join([*found[:20], f"{len(found)} of {len(here)} figures differ; "
              f"largest difference of numbers {farthest(here, there):.1e}"]))  # fmt: skip
        return 1 if found else 0
    with tempfile.TemporaryDirectory() as folder:
        inputs = given.inputs or Path(folder) / "inputs"
        if not inputs.exists():
            world(inputs, given.samples, given.only)
        asked = [p for p in protocols() if any(w in p.id for w in given.protocols.split(","))]
        found_here = figures(inputs, Path(folder), asked, given.jobs, given.only)
    versions = {name: version(name) for name in ("numpy", "scipy", "pandas", "h5py", "numba")}
    text = json.dumps({"versions": versions, "figures": found_here}, indent=1)
    given.out.write_text(text) if given.out else print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
