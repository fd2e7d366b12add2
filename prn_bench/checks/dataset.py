"""What can be wrong with a dataset file, rule by rule; each rule goes on after a fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from prn_bench import store, uvmap
from prn_bench.dataset import Dataset, open_dataset, schema
from prn_bench.dataset.derive import derivable
from prn_bench.dataset.digests import recompute_digests
from prn_bench.dataset.structure import COUNTS, misshapen, read_report
from prn_bench.errors import BenchError, Finding
from prn_bench.geometry import apply_affine, crop_affine, invert_affine

SIMILARITY_TOLERANCE = 1e-6
MAP_SAMPLES = 64  # whose maps are compared with their landmarks
RESIDUAL_WARN_PX = 0.1  # real fits reproduce their points to 1e-3 px
MAP_WARN_PX = 5.0  # a pixel of the map is about a pixel of the face
PROFILE_DEG = 90.0


def check_dataset(path: Path) -> Iterator[Finding]:
    """Every fault of a dataset file, and notes on what it holds.

    Raises
    ------
    BenchError
        When it cannot be read at all.
    """
    yield from _layout(path)
    dataset = open_dataset(path)
    for rule in (_ids, _landmarks, _frames, _yaws, _report, _digests, _maps_and_landmarks):
        try:
            yield from rule(dataset)
        except BenchError as error:
            if error.code != "dataset-lacks":  # said by _layout
                yield Finding.from_error(error)
        except (ValueError, IndexError, TypeError) as error:  # arrays of unusable shapes
            words = f"the check {rule.__name__.strip('_')} could not run ({error})"
            yield Finding("error", "not-checked", str(path), words)
    dataset.close()


def _error(
    path: Path, code: str, message: str, remedy: str = "Build the dataset again."
) -> Finding:
    return Finding("error", code, str(path), message, remedy)


def _layout(path: Path) -> Iterator[Finding]:
    """Names, shapes and types, without reading any array."""
    with store.open_file(path, schema.DATASET_FORMAT, schema.DATASET_VERSION) as file:
        nodes = {name: file[name] for name in store.array_names(file)}
        coefficients = file.attrs.get("layout") == "coefficients"
        derived = derivable(frozenset(nodes)) if coefficients else frozenset()
        for name in schema.ALWAYS:
            if name not in nodes and name not in derived:
                yield _error(path, "missing-array", f"the array {name} is not there")
        for code, words in misshapen(nodes):
            yield _error(path, code, words)
        if "position_map" in nodes:
            yield from _map_attributes(path, dict(nodes["position_map"].attrs))
            for name in ("z_shift", "uv/landmark_pixels"):
                if name not in nodes:
                    yield _error(path, "missing-array", f"position maps without {name}")


def _map_attributes(path: Path, found: dict[str, Any]) -> Iterator[Finding]:
    wanted = {
        "scale_factor": uvmap.MAP_SCALE_PX,
        "add_offset": uvmap.MAP_OFFSET_PX,
        "units": "px",
    }
    for name, value in wanted.items():
        if found.get(name) != value:
            words = f"position_map.{name} is {found.get(name)!r}, expected {value!r}"
            yield _error(path, "map-attributes", words)


def _ids(dataset: Dataset) -> Iterator[Finding]:
    ids = [str(name) for name in dataset.sample_ids]
    if not ids:
        yield _error(dataset.path, "no-samples", "the dataset holds no samples")
    if len(set(ids)) < len(ids):
        twice = sorted({name for name in ids if ids.count(name) > 1})[:3]
        yield _error(dataset.path, "duplicate-ids", f"ids occur more than once: {', '.join(twice)}")
    if ids != sorted(ids):
        yield _error(dataset.path, "unsorted-ids", "the sample ids are not sorted")
    if not all(name.strip() for name in ids):
        yield _error(dataset.path, "empty-id", "a sample id is empty")


def _landmarks(dataset: Dataset) -> Iterator[Finding]:
    points, visible = dataset.read("landmarks"), dataset.read("landmarks_visible")
    odd = (~np.isfinite(points).all(-1) & visible).any(-1)
    if odd.any():
        words = f"landmarks marked visible are not finite in {_some(dataset, odd)}"
        yield _error(dataset.path, "landmarks-not-finite", words)


def _frames(dataset: Dataset) -> Iterator[Finding]:
    for name, bad in (("image_size", _not_positive(dataset)), ("box", _empty_boxes(dataset))):
        if bad.any():
            words = f"{name} is empty or negative in {_some(dataset, bad)}"
            yield _error(dataset.path, "bad-" + name.replace("_", "-"), words)
    crop = dataset.read("crop")
    finite = np.isfinite(crop).all((1, 2))
    linear = np.where(finite[:, None, None], crop, 0)[:, :2, :2]
    gram = linear @ linear.swapaxes(1, 2)
    size = gram[:, 0, 0]
    off = np.abs(gram - size[:, None, None] * np.eye(2)).max((1, 2), initial=0)
    good = (off <= SIMILARITY_TOLERANCE * size) & (np.linalg.det(linear) > 0)
    good &= finite & (crop[:, 2] == [0, 0, 1]).all(1)
    if not good.all():
        words = f"crop is no similarity (scale, rotation, shift) in {_some(dataset, ~good)}"
        yield _error(dataset.path, "crop-not-similarity", words)
    if "z_shift" in dataset.names and not np.isfinite(dataset.read("z_shift")).all():
        yield _error(dataset.path, "bad-z-shift", "z_shift is not finite everywhere")


def _not_positive(dataset: Dataset) -> Any:
    return (dataset.read("image_size") <= 0).any(1)


def _empty_boxes(dataset: Dataset) -> Any:
    box = dataset.read("box")
    return ~((box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1]))  # also true where NaN


def _yaws(dataset: Dataset) -> Iterator[Finding]:
    for name in sorted(name for name in dataset.names if name.startswith("yaw_deg/")):
        yaw = dataset.read(name)
        unknown, beyond = int(np.isnan(yaw).sum()), int((np.abs(yaw) > PROFILE_DEG).sum())
        if unknown or beyond:
            words = f"{name}: {beyond} beyond 90 degrees (kept as stored), {unknown} unknown"
            yield Finding("note", "yaw-range", str(dataset.path), words)


def _report(dataset: Dataset) -> Iterator[Finding]:
    try:
        report = read_report(dataset.attributes, dataset.path)
    except BenchError:
        yield _error(dataset.path, "bad-report", "the report of the build is missing or garbled")
        return
    counts = {key: report[key] for key in COUNTS}
    n_rows, words = len(dataset), ", ".join(f"{n} {key}" for key, n in counts.items())
    kept = counts["read"] + counts["warned"]
    if kept + counts["quarantined"] != counts["found"] or kept != n_rows:
        message = f"the report does not add up: {words}; {n_rows} samples in the file"
        yield _error(dataset.path, "report-counts", message)
    else:
        yield Finding("note", "report", str(dataset.path), words)
    for name, line in report["residuals"].items():
        if name == "landmarks":
            yield _residual(dataset, line)


def _residual(dataset: Dataset, line: dict[str, Any]) -> Finding:
    """How far the fits, projected with this face model, lie from the points as stored."""
    median, highest = (float(line.get(key, np.nan)) for key in ("median_px", "max_px"))
    numbers = f"median {median:.2g} px, max {highest:.2g} px"
    if highest <= RESIDUAL_WARN_PX:
        words = f"projected 68 landmarks agree with the stored ones: {numbers}"
        return Finding("note", "residuals", str(dataset.path), words)
    words = f"projected 68 landmarks do not lie on the stored ones: {numbers}"
    remedy = "The face model is not the one of these fits, or its basis is truncated: "
    remedy += "build again with the whole model; until then trust no position map of this file."
    return Finding("warning", "residuals", str(dataset.path), words, remedy)


def _digests(dataset: Dataset) -> Iterator[Finding]:
    found = recompute_digests(dataset.path)
    for name, code in (("fingerprint", "fingerprint-mismatch"), ("content_sha256", "edited")):
        stored = dataset.attributes.get(name)
        if stored != found[name]:
            words = (
                f"the content no longer has its {name}: {str(stored)[:12]}, now {found[name][:12]}"
            )
            yield _error(dataset.path, code, words)
    if found.get("damaged"):
        names = found["damaged"]
        words = f"images or position maps of {len(names)} samples changed: {', '.join(names[:3])}"
        yield _error(dataset.path, "damaged-rows", words)
    if found["fingerprint"] == dataset.attributes.get("fingerprint"):
        words = f"{len(dataset)} samples, fingerprint {found['fingerprint'][:12]}"
        yield Finding("note", "fingerprint", str(dataset.path), words)


def _maps_and_landmarks(dataset: Dataset) -> Iterator[Finding]:
    """Landmarks read back from the position maps against the stored ones, in the image frame."""
    if "position_map" not in dataset.names:
        return
    rows = np.unique(np.linspace(0, len(dataset) - 1, min(MAP_SAMPLES, len(dataset))).astype(int))
    affine = crop_affine(dataset.read("crop", rows), dataset.read("z_shift", rows))
    sound = np.isfinite(affine).all((1, 2)) & (np.linalg.det(np.nan_to_num(affine[..., :3])) > 0)
    rows, affine = rows[sound], affine[sound]  # the others are said by _frames
    row, column = dataset.read("uv/landmark_pixels").T
    maps = dataset.position_maps(rows)[:, :, row, column].swapaxes(1, 2).astype(np.float64)
    points = apply_affine(invert_affine(affine), maps)
    away = np.linalg.norm(points[..., :2] - dataset.read("landmarks", rows)[..., :2], axis=-1)
    if not np.isfinite(away).any():
        return
    median, highest = float(np.nanmedian(away)), float(np.nanmax(away))
    words = (
        f"landmarks read from the position maps of {len(rows)} samples lie from the stored ones: "
    )
    words += f"median {median:.2g} px, max {highest:.2g} px"
    if median > MAP_WARN_PX:
        remedy = "Was the face model the one of these fits, with its own landmark pixels?"
        yield Finding("warning", "maps-off", str(dataset.path), words, remedy)
    else:
        yield Finding("note", "maps-agree", str(dataset.path), words)


def _some(dataset: Dataset, rows: Any) -> str:
    names = dataset.sample_ids[rows]
    shown = ", ".join(str(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} samples ({shown})"
