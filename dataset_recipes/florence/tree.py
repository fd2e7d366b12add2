"""The tree of the MICC set: which files are scans of whom, and in which order they are tried."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from prn_bench.errors import BenchError
from prn_bench.recipes.rawsource import RawSource

_MEMBER = re.compile(r"(?:^|/)subject_(\d+)/Model/([a-z0-9]+)/.*?([^/]+)\.([a-z0-9]+)$", re.I)
_FRONTAL = ("frontal1", "frontal2")
PICTURES = (".bmp", ".jpg", ".jpeg", ".png")
LANDMARKS = ".ljson"
BFM_SUFFIX = ".bfm53215.npy"
VRN_REGION = "vrn_face_region_53215.npy"

#: Subjects whose frontal .obj another user of the set found faulty: their .wrl comes first.
FAULTY_OBJ = (3, 27, 30)


@dataclass(frozen=True)
class Subject:
    """All files of one subject that matter here, by ``(scan, suffix)``.

    ``stamp`` makes two states of the same files different, so that a cache does not outlive a repair.
    """

    name: str
    number: int
    source: RawSource = field(compare=False, repr=False)
    files: tuple[tuple[str, str, str], ...]
    stamp: tuple[int, ...]

    @property
    def attempts(self) -> list[str]:
        """Mesh files in the order in which they are tried."""
        order = [(scan, kind) for scan in _FRONTAL for kind in (".obj", ".wrl")]
        if self.number in FAULTY_OBJ:
            order = [order[1], order[2], order[3], order[0]]
        return [name for wanted in order for name in self._named(*wanted)][:8]

    @property
    def extra_meshes(self) -> list[str]:
        """Meshes passed over because their folder holds another of the same kind."""
        kinds = [(scan, kind) for scan in _FRONTAL for kind in (".obj", ".wrl")]
        return [name for wanted in kinds for name in self._named(*wanted)[1:]]

    def companion(self, mesh: str, suffix: str) -> str | None:
        """A file of the same scan and stem, in whatever tree it lies."""
        stem, scan = PurePosixPath(mesh).stem, scan_of(mesh)
        names = (name for s, _, name in self.files if s == scan and name.lower().endswith(suffix))
        return next((n for n in names if PurePosixPath(n).name.split(".")[0] == stem), None)

    def _named(self, scan: str, kind: str) -> list[str]:
        return [name for s, k, name in self.files if (s, k) == (scan, kind)]


def scan_of(member: str) -> str:
    """The scan's folder in a member's name, such as ``frontal1``."""
    match = _MEMBER.search(member)
    return match[2].lower() if match else ""


def subjects(source: RawSource) -> dict[str, Subject]:
    """Every subject of which there is a mesh (or a ``Model`` folder with pictures), by name, sorted.

    Raises
    ------
    BenchError
        ``duplicate-id`` when two trees hold the same subject.
    """
    found: dict[int, list[tuple[str, str, str]]] = {}
    for name in source.names:
        match = _MEMBER.search(name)
        if match:
            kind = "." + match[4].lower()
            found.setdefault(int(match[1]), []).append((match[2].lower(), kind, name))
    return {
        subject.name: subject
        for number, files in sorted(found.items())
        if (subject := _subject(source, number, files)) is not None
    }


def _subject(source: RawSource, number: int, files: list[tuple[str, str, str]]) -> Subject | None:
    meshes = [name for _, kind, name in files if kind in (".obj", ".wrl")]
    pictures = [name for _, kind, name in files if kind in PICTURES]
    if not meshes and not pictures:
        return None  # a tree of landmarks alone is no scan
    roots = {name[: name.index("/Model/")] for name in meshes}
    if len(roots) > 1:
        raise BenchError(
            f"two trees hold the scans of subject {number}",
            code="duplicate-id",
            where=source.root,
            found=" and ".join(sorted(roots)),
            remedy="Name a folder that holds the set once.",
        )
    name = f"subject_{number:02d}"
    return Subject(name, number, source, tuple(files), _stamp(source, (n for _, _, n in files)))


def _stamp(source: RawSource, names: Iterable[str]) -> tuple[int, ...]:
    values: list[int] = []
    for name in names:
        member = source.members[name]
        try:
            state = os.stat(member.archive)
        except OSError:
            continue
        values += [state.st_mtime_ns, state.st_size, member.checksum]
    return tuple(values)
