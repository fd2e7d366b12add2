"""Members of a zip, read by position and without trusting its list.

The list is read once; a worker then reads a member from its offset. Names that point out of the folder
are refused, and nothing is ever extracted.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prn_bench.errors import BenchError
from prn_bench.formats import sniff

MAX_MEMBER_BYTES = 256 << 20
STORED, DEFLATED = 0, 8
LOCAL_HEADER_BYTES, LOCAL_SIGNATURE = 30, b"PK\x03\x04"
FLAG_ENCRYPTED = 1


class Member(NamedTuple):
    """Where a file lies: on disk (``archive`` is the file), or at an offset of a zip."""

    archive: str
    offset: int | None = None  # None: a file of its own
    packed_size: int = 0
    size: int = 0
    method: int = STORED
    checksum: int = 0


def is_debris(name: str) -> bool:
    """Hidden files, and what macOS and Windows leave behind."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


def zip_members(path: Path, prefix: str) -> Iterator[tuple[str, Member]]:
    """Name, after the prefix, and place of every file in a zip; refuses what `open_raw` names."""
    for info in _zip_list(path):
        name = info.filename.replace("\\", "/")  # some Windows programs write these
        _refuse_unsafe(name, path)
        if name.endswith("/") or any(is_debris(part) for part in name.split("/")):
            continue
        if info.flag_bits & FLAG_ENCRYPTED:
            raise BenchError(
                f"the zip is encrypted ({name})",
                code="encrypted-zip",
                where=path,
                remedy="Unpack it with its password, and name the folder.",
            )
        place = (info.header_offset, info.compress_size, info.file_size, info.compress_type)
        yield prefix + name, Member(str(path), *place, info.CRC)


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


def read_member(member: Member, where: str) -> bytes:
    """Content of a member; ``damaged-zip-member`` or ``too-large`` otherwise."""
    refuse_large(member.size, where)
    offset = member.offset or 0
    if min(offset, member.packed_size) < 0:
        raise _damaged(where, "its place in the zip is impossible")
    with open(member.archive, "rb", buffering=0) as stream:
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


def refuse_large(size: int, where: str) -> None:
    """Refuse a raw file beyond ``MAX_MEMBER_BYTES``."""
    if size > MAX_MEMBER_BYTES:
        raise BenchError(
            "the file is too large for a raw sample",
            code="too-large",
            where=where,
            expected=f"at most {MAX_MEMBER_BYTES >> 20} MiB",
            found=f"{size / (1 << 20):.0f} MiB",
        )
