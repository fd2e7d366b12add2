"""Reading one subject's scan: mesh, texture, landmarks, regions; falling back where a file is bad."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from dataset_recipes.florence import reading, regions, tree
from prn_bench.errors import BenchError, Finding
from prn_bench.surface import Scene

Array = NDArray[np.float64]

SIZE_MM = (80.0, 3000.0)  # a head's larger extent; outside it the file is in another unit
MIN_TRIANGLES = 100


@dataclass(frozen=True)
class Scan:
    """One scan, ready to render.

    Attributes
    ----------
    member : str
        The mesh file it comes from.
    vertices : (v, 3) float64
        World frame, mm: x to the subject's left, y up, z to the scanner.
    triangles : (t, 3) int32
        Without degenerate ones.
    uv, uv_triangles : (k, 2) float64, (t, 3) int32, or None
    texture : (h, w, 3) uint8 or None
    landmarks : (68, 3) float64 or None
        World frame.
    nose_tip : (3,) float64
    regions : dict of (v,) bool
        ``sphere95`` always, ``vrn19618`` where a registered BFM face lies beside the scan.
    warnings : tuple of Finding
        What every rendering of it suffers from; ``where`` is empty.
    notes : tuple of Finding
        What is worth saying once.
    """

    member: str
    vertices: Array
    triangles: NDArray[np.int32]
    uv: Array | None
    uv_triangles: NDArray[np.int32] | None
    texture: NDArray[np.uint8] | None
    landmarks: Array | None
    nose_tip: Array
    regions: dict[str, NDArray[np.bool_]]
    warnings: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @cached_property
    def scene(self) -> Scene:
        """For ray casting; built once."""
        return Scene(self.vertices, self.triangles)

    @cached_property
    def normals(self) -> NDArray[np.float32]:
        """(v, 3) normals, as long as the area around the vertex."""
        a, b, c = (self.vertices[self.triangles[:, k]] for k in range(3))
        facets, flat = np.cross(b - a, c - a), self.triangles.reshape(-1)
        n = len(self.vertices)
        sums = [np.bincount(flat, np.repeat(facets[:, k], 3), n) for k in range(3)]
        return np.stack(sums, 1).astype(np.float32)

    @property
    def region(self) -> str:
        """The region to crop around: VRN's where known."""
        return "vrn19618" if "vrn19618" in self.regions else "sphere95"

    @cached_property
    def pivot(self) -> Array:
        """(3,) middle of the sphere's vertices, rounded so that it does not hang on the last bit."""
        return np.round(self.vertices[self.regions["sphere95"]].mean(0), 3)


@lru_cache(maxsize=2)
def load(subject: tree.Subject) -> Scan:
    """The best readable scan of a subject; the last two are kept, poses of one scan come in a row.

    Raises
    ------
    BenchError
        ``no-scan`` when there is none, or the fault of the only file.
    """
    failures: list[BenchError] = []
    for member in subject.attempts:
        try:
            return _read(subject, member, failures)
        except BenchError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    raise BenchError(
        "no frontal scan of this subject can be read",
        code="no-scan",
        where=subject.source.where(subject.name),
        expected="an .obj or .wrl in Model/frontal1 or Model/frontal2",
        found="; ".join(str(error) for error in failures) or "none",
        remedy="Copy the subject again from the original archive.",
    )


def _read(subject: tree.Subject, member: str, failures: list[BenchError]) -> Scan:
    source, where = subject.source, subject.source.where(member)
    mesh = reading.read_mesh(source, member)
    if not np.isfinite(mesh.vertices).all():
        raise BenchError("the scan has points that are not finite", code="not-finite", where=where)
    keep = _proper(mesh)
    if keep.sum() < MIN_TRIANGLES:
        raise BenchError(
            "the scan has hardly any surface",
            code="no-geometry",
            where=where,
            found=f"{keep.sum()} proper triangles of {len(keep)}",
        )
    _check_size(mesh.vertices[np.unique(mesh.triangles[keep])], where)
    triangles = mesh.triangles[keep]
    texture, texture_warning = reading.read_texture(subject, member, mesh)
    landmarks = reading.read_landmarks(subject, member)
    tip = regions.nose_tip(mesh.vertices, triangles, landmarks)
    return Scan(
        member,
        mesh.vertices,
        triangles,
        mesh.uv,
        None if mesh.uv_triangles is None else mesh.uv_triangles[keep],
        texture,
        landmarks,
        tip,
        reading.read_regions(subject, member, mesh.vertices, tip),
        _fallback_warning(subject, member, failures) + texture_warning,
        _notes(subject, member, mesh, int((~keep).sum()), landmarks),
    )


def _proper(mesh: reading.Mesh) -> NDArray[np.bool_]:
    """(t,) triangles with an area."""
    a, b, c = (mesh.vertices[mesh.triangles[:, k]] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return np.asarray(areas > 1e-9)


def _check_size(vertices: Array, where: str) -> None:
    size = float(np.ptp(vertices, 0).max())
    if not SIZE_MM[0] <= size <= SIZE_MM[1]:
        raise BenchError(
            "the scan has not the size of a head in millimetres",
            code="scan-units",
            where=where,
            expected="{:.0f} to {:.0f} mm".format(*SIZE_MM),
            found=f"{size:.4g}",
            remedy="Take the original file, in millimetres.",
        )


def _fallback_warning(
    subject: tree.Subject, member: str, failures: list[BenchError]
) -> tuple[Finding, ...]:
    """Said of every rendering that is not of the frontal1 .obj."""
    if tree.scan_of(member) == "frontal1" and member.lower().endswith(".obj") and not failures:
        return ()
    reasons = [str(error) for error in failures]
    if subject.number in tree.FAULTY_OBJ:
        reasons.append(f"the .obj of subject {subject.number} is known to be faulty")
    message = f"rendered from {member}: {'; '.join(reasons) or 'there is no frontal1 .obj'}"
    return (Finding("warning", "scan-fallback", "", message),)


def _notes(
    subject: tree.Subject, member: str, mesh: reading.Mesh, n_dropped: int, landmarks: Array | None
) -> tuple[Finding, ...]:
    """What is said once of a scan."""
    said = {}
    if n_dropped:
        said["degenerate-triangles"] = f"{n_dropped} triangles without area left out of {member}"
    if landmarks is None:
        said["no-landmarks"] = (
            "no .ljson landmarks of this scan: the nose tip is found by its shape"
        )
    if mesh.moved:
        said["wrl-transforms"] = f"the transform nodes of {member} are not applied"
    if subject.extra_meshes:
        said["more-scans"] = f"left unread: {', '.join(subject.extra_meshes)}"
    return tuple(Finding("note", code, subject.name, text) for code, text in said.items())
