"""Checks of other people's files: annotations, images, meshes, checkpoints, and folders of raw data.

Each of the faults that users of this field meet again and again has its own code, so that a message
can be looked up: a raw model in place of the converted one, hidden points used as points, landmarks of
the unrotated picture, angles beyond the head's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, Finding
from prn_bench.formats.matfile import read_mat
from prn_bench.formats.sniff import describe, kind_of

if TYPE_CHECKING:
    from prn_bench.formats.objfile import ObjMesh
    from prn_bench.recipes import Recipe
    from prn_bench.recipes.rawsource import RawSource

IMAGES = (".jpg", ".jpeg", ".png", ".bmp")
LARGE_PX = 1000  # dlib's detector and PRNet's demo gave up above
WIDE_DEG = 99.0  # Hopenet's bins end here
VIEW = re.compile(r"(?P<face>.+)_(?P<view>\d+)")
SAMPLES_READ = 64  # of a raw folder: enough to know it


def check_raw_file(path: Path) -> Iterator[Finding]:
    """Faults of one file that is not ours, by its suffix.

    Raises
    ------
    BenchError
        When it cannot be read at all: ``git-lfs-pointer``, ``zero-filled``, ``html-page``,
        ``matlab-v73``, ``empty-file`` and others.
    """
    suffix = path.suffix.lower()
    if suffix == ".mat":
        yield from _check_mat(path)
    elif suffix == ".obj":
        yield from _check_obj(path)
    elif suffix in IMAGES:
        yield from _check_image(path)
    else:
        yield from _check_checkpoint(path)


def check_raw_folder(path: Path) -> Iterator[Finding]:
    """What a folder of raw data or of a method's output holds, and what is wrong with it.

    Of raw data the first samples are read, of outputs all.

    Raises
    ------
    BenchError
        ``no-images`` when no recipe finds a sample, and those of the readers of outputs.
    """
    from prn_bench.checks.outputs import check_arrays, check_outputs
    from prn_bench.recipes.rawsource import open_raw

    source, hints = open_raw(path), list[str]()
    found = check_outputs(source) or _check_samples(source, hints) or check_arrays(source)
    if found is None:
        raise _no_images(source, hints)
    yield from found


def _check_samples(source: RawSource, hints: list[str]) -> Iterator[Finding] | None:
    """Findings of the recipe that finds samples; None, and what each says, when none does."""
    from prn_bench.recipes import available_recipes

    for name, recipe in available_recipes().items():
        try:
            samples = recipe.module.find(source)
        except BenchError as error:
            hints.append(f"{name}: {error.what}")
            continue
        if not samples:
            continue
        return _sample_findings(source, recipe, samples)
    return None


def _sample_findings(
    source: RawSource, recipe: Recipe, samples: Sequence[Any]
) -> Iterator[Finding]:
    words = f"{len(samples)} samples of {recipe.card.title}"
    yield Finding("note", "raw-data", str(source.root), words)
    for sample in samples[:SAMPLES_READ]:
        try:
            yield from recipe.module.read(source, sample).findings
        except BenchError as error:
            yield Finding.from_error(error, where=sample.sample_id)


def _no_images(source: RawSource, hints: Sequence[str]) -> BenchError:
    return BenchError(
        "no dataset is found in this folder",
        code="no-images",
        where=source.root,
        expected="the folder as its authors publish it, such as 300W_LP/AFW/NAME_0.jpg and .mat, or "
        "AFLW2000/image00002.jpg and .mat",
        found="; ".join(hints[:3]) or ", ".join(sorted(source.names)[:3]) or "nothing",
        remedy="Give the folder that holds these, not one above or below; see `prn-bench recipes`.",
    )


def _check_mat(path: Path) -> Iterator[Finding]:
    fields = read_mat(path, str(path))
    if {"shapeMU", "shapePC"} <= set(fields):
        from prn_bench.facemodel.bfm.files import raw_bfm

        yield replace(Finding.from_error(raw_bfm(path)), code="raw-bfm")
        return
    yield Finding("note", "mat-file", str(path), f"MATLAB arrays: {', '.join(sorted(fields))}")
    yield from _point_findings(path, fields)
    pose = fields.get("Pose_Para")
    if pose is not None and pose.size >= 3:
        angles = np.degrees(pose.reshape(-1)[:3].astype(np.float64))
        if (np.abs(angles) > WIDE_DEG).any():
            told = ", ".join(f"{angle:.1f}" for angle in angles)
            words = f"pitch, yaw, roll are {told} degrees: beyond the 99 of the usual pose bins"
            remedy = "Score head pose under aflw2000/pose@1969, which leaves such samples out."
            yield Finding("warning", "pose-beyond-99", str(path), words, remedy)


def _point_findings(path: Path, fields: Mapping[str, NDArray]) -> Iterator[Finding]:
    points = fields.get("pt2d")
    if points is None:
        return
    hidden = int((points == -1).all(0).sum()) if points.ndim == 2 else 0
    if hidden:
        words = f"{hidden} of {points.shape[-1]} points of pt2d are hidden (-1, -1)"
        remedy = "Never crop or score by pt2d here: take pt3d_68."
        yield Finding("warning", "hidden-points", str(path), words, remedy)
    first = _first_view(path)
    if first is None:
        return
    other = read_mat(first, str(first))
    same, alike = (
        name in other and name in fields and np.array_equal(fields[name], other[name])
        for name in ("pt2d", "Pose_Para")
    )
    if same and not alike:
        words = f"pt2d is that of {first.name}, though the pose is another: stale landmarks"
        remedy = "Project Shape_Para, Exp_Para and Pose_Para instead, as `prn-bench build` does."
        yield Finding("warning", "stale-landmarks", str(path), words, remedy)


def _first_view(path: Path) -> Path | None:
    """The unrotated view of the same face in 300W-LP, when this is another view."""
    match = VIEW.fullmatch(path.stem)
    if match is None or match["view"] == "0":
        return None
    first = path.with_name(f"{match['face']}_0{path.suffix}")
    return first if first.is_file() else None


def _check_obj(path: Path) -> Iterator[Finding]:
    from prn_bench.formats.objfile import read_obj

    yield from mesh_findings(read_obj(path, str(path)), str(path))


def mesh_findings(mesh: ObjMesh, where: str) -> Iterator[Finding]:
    """What a mesh is, and whether it has triangles without an area."""
    words = f"{len(mesh.vertices)} vertices, {len(mesh.triangles)} triangles"
    words += ", vertex colours" * (mesh.colors is not None)
    yield Finding("note", "mesh", where, words)
    a, b, c = (mesh.vertices[mesh.triangles[:, corner]] for corner in range(3))
    flat = int((np.linalg.norm(np.cross(b - a, c - a), axis=1) == 0).sum())
    if flat:
        words = f"{flat} of {len(mesh.triangles)} triangles have no area"
        remedy = "They are left out and counted wherever surfaces are measured."
        yield Finding("warning", "degenerate-triangles", where, words, remedy)


def _check_image(path: Path) -> Iterator[Finding]:
    from prn_bench.images import load_image, open_image

    picture = open_image(path.read_bytes(), str(path))
    mode, size = picture.mode, picture.size
    load_image(picture, str(path))
    yield Finding("note", "image", str(path), f"{size[0]} x {size[1]} px, {mode}")
    if mode != "RGB":
        words = f"the picture is {mode}, where most networks want RGB"
        remedy = "`prn-bench build` converts it; other programs may stop here."
        yield Finding("warning", "image-mode", str(path), words, remedy)
    if max(size) > LARGE_PX:
        words = f"the larger side has {max(size)} px: PRNet's demo shrinks such pictures"
        remedy = "Give predictions in pixels of the file as it is."
        yield Finding("warning", "large-image", str(path), words, remedy)


def _check_checkpoint(path: Path) -> Iterator[Finding]:
    kind = kind_of(path)
    if kind.code is not None:
        from prn_bench.formats.sniff import fault

        raise fault(kind.code, path, expected="a checkpoint")
    words = f"this is {describe(path)}; files that need pickle are never opened here"
    yield Finding("note", "checkpoint", str(path), words, "Convert weights to safetensors.")
