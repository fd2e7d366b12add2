"""Raw downloads as one flat view: a folder, a zip as downloaded, or a folder that holds zips.

Nothing is ever extracted. A zip's list of members is read once; members are then read by position,
so that a worker process needs no second look at the list. Names that point out of the folder
(absolute, ``..``, links) are refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from prn_bench.errors import BenchError
from prn_bench.recipes.rawzip import (
    Member,
    is_debris,
    read_member,
    refuse_large,
    zip_members,
)

RECENT, RECENT_BYTES = 2, 1 << 20  # members kept: what is parsed is digested too
RECENT_DIGESTS = 4  # many renderings share a scan, many rows a table


@dataclass(frozen=True)
class RawSource:
    """A flat, read-only view of raw files.

    Attributes
    ----------
    root : Path
        The folder or zip.
    members : dict of Member
        By posix path relative to the root; a zip's members stand where the zip does.
    names : tuple of str
        Sorted names.
    """

    root: Path
    members: dict[str, Member]
    names: tuple[str, ...]
    _recent: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    _digests: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def __contains__(self, name: object) -> bool:
        return name in self.members

    def read(self, name: str) -> bytes:
        """Content of a member.

        Raises
        ------
        BenchError
            ``no-such-member``, ``too-large`` (beyond 256 MiB), ``damaged-zip-member``,
            ``unreadable``.
        """
        if (recent := self._recent.get(name)) is not None:
            return recent
        member = self.members.get(name)
        if member is None:
            raise BenchError("there is no such file", code="no-such-member", where=self.where(name))
        try:
            if member.offset is None:
                content = _read_file(member.archive, self.where(name))
            else:
                content = read_member(member, self.where(name))
            if len(content) <= RECENT_BYTES:
                _keep(self._recent, name, content, RECENT)
            return content
        except OSError as error:
            raise BenchError(
                f"the file cannot be read ({error.strerror or error})",
                code="unreadable",
                where=self.where(name),
            ) from None

    def sha256(self, name: str) -> bytes:
        """Digest of a member's content; raises as :meth:`read`."""
        if (known := self._digests.get(name)) is None:
            known = hashlib.sha256(self.read(name)).digest()
            _keep(self._digests, name, known, RECENT_DIGESTS)
        return known

    def where(self, name: str) -> str:
        """A member's place for messages: its path, or ``ZIP: member``."""
        member = self.members.get(name)
        if member is None:
            return str(self.root / name)
        return member.archive if member.offset is None else f"{member.archive}: {name}"


def _keep(recent: dict[str, bytes], name: str, content: bytes, size: int) -> None:
    """Put an entry into a small store, in place of the oldest."""
    while len(recent) >= size:
        recent.pop(next(iter(recent)), None)
    recent[name] = content


def open_raw(path: str | Path) -> RawSource:
    """Look at a raw download.

    Parameters
    ----------
    path : path
        A folder, a zip, or a folder that holds zips (at any depth; zips within zips stay closed).
        A file on disk wins over one of the same name in a zip. Hidden files and the debris of
        macOS and Windows (``__MACOSX``, ``Thumbs.db``) are passed over.

    Raises
    ------
    BenchError
        ``no-such-path``, ``empty-folder``, ``not-a-zip``, ``damaged-zip``, ``encrypted-zip``,
        ``unsafe-member-name``, ``link-leaves-folder``, or the fault of a file that only has the
        name of a zip (``git-lfs-pointer``, ``html-page``, ...).
    """
    root = Path(path)
    if not root.exists():
        raise BenchError("there is no such file or folder", code="no-such-path", where=root)
    members = _folder_members(root) if root.is_dir() else dict(zip_members(root, ""))
    if not members:
        raise BenchError(
            "the folder holds no files" if root.is_dir() else "the zip holds no files",
            code="empty-folder",
            where=root,
            remedy="Name the folder or zip that holds the raw files.",
        )
    return RawSource(root, members, tuple(sorted(members)))


def _folder_members(root: Path) -> dict[str, Member]:
    files = dict(_walk(root, root.resolve()))
    members: dict[str, Member] = {}
    for name in sorted(files):
        if name.lower().endswith(".zip"):
            prefix = str(PurePosixPath(name).parent)
            inside = zip_members(Path(files[name]), "" if prefix == "." else prefix + "/")
            for inner, member in inside:
                members.setdefault(inner, member)
    loose = {name: Member(file) for name, file in files.items() if name[-4:].lower() != ".zip"}
    return members | loose


def _walk(folder: Path, resolved_root: Path) -> Iterator[tuple[str, str]]:
    """Regular files below a folder; links within it stay, links that leave it are refused."""
    pending = [(str(folder), "")]
    while pending:
        place, prefix = pending.pop()
        with _scan(place) as entries:
            for entry in entries:
                if is_debris(entry.name):
                    continue
                if entry.is_symlink():
                    _refuse_outside(Path(entry.path), resolved_root)
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, f"{prefix}{entry.name}/"))
                elif entry.is_file():  # pipes and devices are no data
                    yield prefix + entry.name, entry.path


def _scan(place: str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    try:
        return os.scandir(place)
    except OSError as error:
        raise BenchError(
            f"the folder cannot be read ({error.strerror})", code="unreadable", where=place
        ) from None


def _refuse_outside(link: Path, resolved_root: Path) -> None:
    try:
        inside = link.resolve().is_relative_to(resolved_root)
    except (OSError, RuntimeError):  # a loop of links
        inside = False
    if not inside:
        raise BenchError(
            "this link leaves the folder",
            code="link-leaves-folder",
            where=link,
            remedy="Copy the file into the folder, or name the link's own target.",
        )


def _read_file(path: str, where: str) -> bytes:
    with open(path, "rb", buffering=0) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BenchError("this is not a regular file", code="unreadable", where=where)
        refuse_large(status.st_size, where)
        return stream.readall()  # not read(limit), which would be allocated first
