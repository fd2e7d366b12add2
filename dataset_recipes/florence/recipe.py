"""Florence (MICC): renderings of frontal scans at named poses, with the scan as ground truth.

The raw data hold no pictures to score on: this recipe makes them, by casting a ray through every pixel.
Which poses, is a *variant* (``poses.py``). A sample is ``subject_01/p-15_y+40``; its scan, texture,
landmarks and regions come from the subject's folder (``tree.py``, ``scans.py``). The camera of every
rendering is stored exactly (``cameras.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dataset_recipes.florence import poses, scans, tree
from dataset_recipes.florence.cameras import View
from dataset_recipes.florence.rendering import render, visible
from prn_bench.errors import BenchError
from prn_bench.geometry import landmark_box
from prn_bench.recipes.annotation import Annotation, Companions, SampleFiles
from prn_bench.recipes.rawsource import RawSource

VARIANTS = (
    "vrn",
    "paper",
    "sadrnet",
    "vrn-perspective",
    "paper-perspective",
    "sadrnet-perspective",
)
DEFAULT_VARIANT = "vrn"  # what Fig. 9 of PRNet most likely shows, see docs/florence.md


def find(source: RawSource, variant: str = DEFAULT_VARIANT) -> list[SampleFiles]:
    """Every pose of every subject that has scans."""
    poses_of = poses.variant(variant).poses
    found = []
    for subject in tree.subjects(source).values():
        mesh = (subject.attempts or [subject.files[0][2]])[0]
        texture = next((n for _, kind, n in subject.files if kind in tree.PICTURES), mesh)
        for pose in poses_of(subject.number):
            found.append(SampleFiles(f"{subject.name}/{pose.name}", mesh, texture))
    return found


def read(source: RawSource, sample: SampleFiles, variant: str = DEFAULT_VARIANT) -> Annotation:
    """One rendering: picture, landmarks in the image frame, box, camera."""
    from PIL import Image

    chosen, subjects = poses.variant(variant), tree.subjects(source)
    subject, pose = _parse(sample.sample_id, chosen, subjects)
    scan = scans.load(subject)
    view = View(chosen.rotation(pose), scan.pivot, chosen.fov_deg)
    world = np.full((68, 3), np.nan) if scan.landmarks is None else scan.landmarks
    columns: dict[str, NDArray] = {
        **view.columns(),
        "scan_of/index": np.array(list(subjects).index(subject.name)),
        "yaw_deg/rendered": np.array(float(pose.yaw)),
        "points_visible/ibug-68": visible(scan, view, world),
    }
    return Annotation(
        landmarks=None if scan.landmarks is None else view.project(world),
        box=landmark_box(view.project(scan.vertices[scan.regions[scan.region]])),
        columns=columns,
        picture=lambda: Image.fromarray(render(scan, view)),
        findings=tuple(replace(f, where=sample.sample_id) for f in scan.warnings),
    )


def companions(
    source: RawSource, samples: Sequence[SampleFiles], variant: str = DEFAULT_VARIANT
) -> Companions:
    """The scans themselves: ragged arrays, one slot for every subject in the order of their names.

    ``scan/vertices[scan/vertex_start[i]:scan/vertex_start[i + 1]]`` is scan ``i`` (world frame, mm),
    triangles likewise (counting from the scan's own first vertex), ``scan/region_NAME`` runs along the
    vertices. A subject that cannot be read, or of whom no sample is wanted, has an empty slot.
    """
    wanted = {sample.sample_id.partition("/")[0] for sample in samples}
    read_scans = {
        name: _scan_or_none(subject) if name in wanted else None
        for name, subject in tree.subjects(source).items()
    }
    known = [scan for scan in read_scans.values() if scan is not None]
    findings = tuple(note for scan in known for note in scan.notes)
    return Companions(shared=_shared(read_scans), findings=findings) if known else Companions()


def _parse(
    sample_id: str, chosen: poses.Variant, subjects: dict[str, tree.Subject]
) -> tuple[tree.Subject, poses.Pose]:
    name, _, pose_name = sample_id.partition("/")
    for pose in chosen.poses(subjects[name].number) if name in subjects else ():
        if pose.name == pose_name:
            return subjects[name], pose
    raise ValueError(f"{sample_id!r} is no sample of the variant {chosen.name!r}")


def _scan_or_none(subject: tree.Subject) -> scans.Scan | None:
    try:
        return scans.load(subject)
    except BenchError:
        return None  # its renderings are quarantined with the reason


def _shared(found: dict[str, scans.Scan | None]) -> dict[str, NDArray]:
    known = [scan for scan in found.values() if scan is not None]
    nowhere = np.full((68, 3), np.nan)
    arrays = {
        "scan/subject": np.array(list(found), object),
        "scan/source": np.array([s.member if s else "" for s in found.values()], object),
        "scan/vertices": np.concatenate([s.vertices for s in known]).astype(np.float32),
        "scan/vertex_start": _starts([len(s.vertices) if s else 0 for s in found.values()]),
        "scan/triangles": np.concatenate([s.triangles for s in known]),
        "scan/triangle_start": _starts([len(s.triangles) if s else 0 for s in found.values()]),
        "scan/nose_tip": np.array([s.nose_tip if s else nowhere[0] for s in found.values()]),
        "scan/landmarks": np.array(
            [s.landmarks if s and s.landmarks is not None else nowhere for s in found.values()]
        ),
    }
    names = {name for scan in known for name in scan.regions}
    for name in sorted(names):
        masks = [s.regions.get(name, np.zeros(len(s.vertices), bool)) for s in known]
        arrays[f"scan/region_{name}"] = np.concatenate(masks)
    return arrays


def _starts(sizes: list[int]) -> NDArray[np.int64]:
    """(n + 1,) first rows of ragged slots, and the end."""
    return np.cumsum([0, *sizes])
