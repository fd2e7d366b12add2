"""Raw downloads as one flat view: a folder, a zip as downloaded, or a folder that holds zips.

Nothing is ever extracted. A zip's list of members is read once; members are then read by position,
so that a worker process needs no second look at the list. Names that point out of the folder
(absolute, ``..``, links) are refused.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from prn_bench import sniff
from prn_bench.errors import BenchError

MAX_MEMBER_BYTES = 256 << 20
RECENT, RECENT_BYTES = 2, 1 << 20
STORED, DEFLATED = 0, 8
LOCAL_HEADER_BYTES, LOCAL_SIGNATURE = 30, b"PK\x03\x04"
FLAG_ENCRYPTED = 1


class Member(NamedTuple):
    """Where a file lies: on disk (``archive`` is the file), or at an offset of a zip."""

    archive: Path
    offset: int | None = None  # None: a file of its own
    packed_size: int = 0
    size: int = 0
    method: int = STORED
    checksum: int = 0


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
                content = _read_member(member, self.where(name))
            self._remember(name, content)
            return content
        except OSError as error:
            raise BenchError(
                f"the file cannot be read ({error.strerror or error})",
                code="unreadable",
                where=self.where(name),
            ) from None

    def _remember(self, name: str, content: bytes) -> None:
        """Keep the last few small members: what is parsed is digested too."""
        if len(content) <= RECENT_BYTES:
            while len(self._recent) >= RECENT:
                self._recent.pop(next(iter(self._recent)), None)
            self._recent[name] = content

    def where(self, name: str) -> str:
        """A member's place for messages: its path, or ``ZIP: member``."""
        member = self.members.get(name)
        if member is None:
            return str(self.root / name)
        return str(member.archive) if member.offset is None else f"{member.archive}: {name}"


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
    members = _folder_members(root) if root.is_dir() else dict(_zip_members(root, ""))
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
            for inner, member in _zip_members(files[name], "" if prefix == "." else prefix + "/"):
                members.setdefault(inner, member)
    loose = {name: Member(file) for name, file in files.items() if name[-4:].lower() != ".zip"}
    return members | loose


def _walk(folder: Path, resolved_root: Path) -> Iterator[tuple[str, Path]]:
    """Regular files below a folder; links within it stay, links that leave it are refused."""
    pending = [(folder, "")]
    while pending:
        place, prefix = pending.pop()
        with _scan(place) as entries:
            for entry in entries:
                if _is_debris(entry.name):
                    continue
                if entry.is_symlink():
                    _refuse_outside(Path(entry.path), resolved_root)
                if entry.is_dir(follow_symlinks=False):
                    pending.append((Path(entry.path), f"{prefix}{entry.name}/"))
                elif entry.is_file():  # pipes and devices are no data
                    yield prefix + entry.name, Path(entry.path)


def _scan(place: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    try:
        return os.scandir(place)
    except OSError as error:
        raise BenchError(
            f"the folder cannot be read ({error.strerror})", code="unreadable", where=place
        ) from None


def _is_debris(name: str) -> bool:
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


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


def _zip_members(path: Path, prefix: str) -> Iterator[tuple[str, Member]]:
    for info in _zip_list(path):
        name = info.filename.replace("\\", "/")  # some Windows programs write these
        _refuse_unsafe(name, path)
        if name.endswith("/") or any(_is_debris(part) for part in name.split("/")):
            continue
        if info.flag_bits & FLAG_ENCRYPTED:
            raise BenchError(
                f"the zip is encrypted ({name})",
                code="encrypted-zip",
                where=path,
                remedy="Unpack it with its password, and name the folder.",
            )
        place = (info.header_offset, info.compress_size, info.file_size, info.compress_type)
        yield prefix + name, Member(path, *place, info.CRC)


def _zip_list(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except OSError as error:
        raise BenchError(
            f"the file cannot be read ({error.strerror or error})", code="unreadable", where=path
        ) from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError) as error:
        with path.open("rb") as stream:
            is_zip = stream.read(4) == LOCAL_SIGNATURE
        if not is_zip:
            raise sniff.wrong_kind(
                path, path, code="not-a-zip", expected="a folder or a zip archive"
            ) from None
        raise BenchError(
            f"the zip is cut short or damaged ({error})",
            code="damaged-zip",
            where=path,
            remedy="Download it again and compare its size with the one its source states.",
        ) from None


def _refuse_unsafe(name: str, path: Path) -> None:
    drive = re.match(r"[A-Za-z]:", name) is not None
    if name.startswith("/") or drive or ".." in name.split("/") or "\0" in name:
        raise BenchError(
            f"the zip's member {name!r} points out of its folder",
            code="unsafe-member-name",
            where=path,
            remedy="Do not use this zip: get it from its original source.",
        )


def _read_file(path: Path, where: str) -> bytes:
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BenchError("this is not a regular file", code="unreadable", where=where)
        _refuse_large(status.st_size, where)
        return stream.read(MAX_MEMBER_BYTES)


def _read_member(member: Member, where: str) -> bytes:
    _refuse_large(member.size, where)
    offset = member.offset or 0
    if min(offset, member.packed_size) < 0:
        raise _damaged(where, "its place in the zip is impossible")
    with member.archive.open("rb", buffering=0) as stream:
        stream.seek(offset)
        head = stream.read(LOCAL_HEADER_BYTES)
        if len(head) < LOCAL_HEADER_BYTES or head[:4] != LOCAL_SIGNATURE:
            raise _damaged(where, "its header is not where the list says")
        stream.seek(sum(struct.unpack_from("<HH", head, 26)), os.SEEK_CUR)
        packed = stream.read(min(member.packed_size, MAX_MEMBER_BYTES + (1 << 20)))
    if len(packed) < member.packed_size:
        raise _damaged(where, "the zip ends before it")
    data = _unpack(packed, member, where)
    if len(data) != member.size or zlib.crc32(data) != member.checksum:
        raise _damaged(where, "its checksum does not hold")
    return data


def _unpack(packed: bytes, member: Member, where: str) -> bytes:
    if member.method == STORED:
        return packed
    if member.method != DEFLATED:
        raise BenchError(
            f"the zip packs this file by method {member.method}, which is not supported",
            code="damaged-zip-member",
            where=where,
            remedy="Unpack the zip, and name the folder.",
        )
    try:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        return unpacker.decompress(packed, member.size + 1)  # never more than it claims
    except zlib.error as error:
        raise _damaged(where, str(error)) from None


def _damaged(where: str, reason: str) -> BenchError:
    return BenchError(
        f"this member of the zip is damaged: {reason}",
        code="damaged-zip-member",
        where=where,
        remedy="Download the zip again.",
    )


def _refuse_large(size: int, where: str) -> None:
    if size > MAX_MEMBER_BYTES:
        raise BenchError(
            "the file is too large for a raw sample",
            code="too-large",
            where=where,
            expected=f"at most {MAX_MEMBER_BYTES >> 20} MiB",
            found=f"{size / (1 << 20):.0f} MiB",
        )
