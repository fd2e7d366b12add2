"""What a file really is, whatever its name says.

Downloads of research data often end as something else under the right name: a Git LFS pointer, the
HTML page of a download service, a file of zeros. Their readers then fail with errors about versions
and keys; here they are recognised by their first bytes and said in words. The loaders of plain
arrays stand here too; they never unpickle.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError

HEAD_BYTES = 4096
MAX_ARRAY_BYTES = 1 << 31
LFS_START = b"version https://git-lfs.github.com/spec/"
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
MATLAB_73_START = b"MATLAB 7.3"

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, HDF5_SIGNATURE, "an HDF5 file"),
    (0, b"MATLAB 5.0", "a MATLAB v5 to v7 file"),
    (0, b"PK\x03\x04", "a zip (or npz) archive"),
    (0, b"PK\x05\x06", "an empty zip archive"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"\xfd7zXZ\x00", "an xz file"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x93NUMPY", "a NumPy .npy array"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"BM", "a BMP image"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x7fELF", "a program"),
    (0, b"ply\n", "a PLY mesh"),
)
_DOWNLOAD_AGAIN = "Download it again and compare its size with the one its source states."
_REMEDIES = {
    "git-lfs-pointer": "Run `git lfs pull` in the repository it came from, or download it by hand.",
    "html-page": "Open the download link in a browser, confirm its questions, and save the file.",
    "matlab-v73": "In MATLAB: s = load('file.mat'); save('file.mat', '-struct', 's', '-v7').",
    "zero-filled": _DOWNLOAD_AGAIN,
    "empty-file": _DOWNLOAD_AGAIN,
}
_WHATS = {
    "git-lfs-pointer": "this is a Git LFS pointer, not the file itself",
    "html-page": "this is an HTML page, most likely the download service's own",
    "matlab-v73": "this is a MATLAB v7.3 file, which is HDF5 inside",
    "zero-filled": "the file is filled with zeros: its download never finished",
    "empty-file": "the file is empty",
}


@dataclass(frozen=True)
class Kind:
    """What a file is: in words, and the code of its fault where its kind is always one."""

    words: str
    code: str | None = None


def describe(source: str | Path | bytes) -> str:
    """Human words for what a file really is.

    Parameters
    ----------
    source : path or bytes
        Of a path only the first 4096 bytes are read, of bytes only as many are looked at.

    Returns
    -------
    str
        Such as ``a Git LFS pointer``, ``an HTML page``, ``zeros``, ``a JPEG image``.
    """
    try:
        return kind_of(source).words
    except OSError as error:
        return f"nothing readable ({error.strerror or error})"


def format_of(path: str | Path) -> str | None:
    """The ``format`` that an HDF5 or .npz file declares, such as ``prn-bench/dataset``, or None."""
    from prn_bench import store
    from prn_bench.formats.npyfile import read_npz

    try:
        if not zipfile.is_zipfile(path):
            with store.open_file(path) as file:
                found = store.read_attributes(file).get("format")
        else:
            found = read_npz(Path(path), ["format"])["format"].tolist()
    except (BenchError, OSError):
        return None  # not ours, or too damaged to say
    return found if isinstance(found, str) else None


def kind_of(source: str | Path | bytes) -> Kind:
    """The kind of a file; raises OSError where it cannot be read."""
    if isinstance(source, bytes):
        head = source[:HEAD_BYTES]
    else:
        path = Path(source)
        if path.is_dir():
            return Kind("a folder")
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    return _faulty_kind(head) or Kind(_words(head))


def wrong_kind(
    source: str | Path | bytes, where: str | Path, *, code: str, expected: str, remedy: str = ""
) -> BenchError:
    """The error for a file that is not what its name promised.

    Parameters
    ----------
    source : path or bytes
    where : str or Path
        Name for the message.
    code : str
        Used when the file has none of the usual faults (``git-lfs-pointer``, ``html-page``,
        ``zero-filled``, ``empty-file``, ``matlab-v73``), which bring their own codes and remedies.
    expected : str
        What was wanted, such as ``a JPEG image``.

    Returns
    -------
    BenchError
        To be raised by the caller.
    """
    kind = kind_of(source)
    if kind.code is not None:
        return fault(kind.code, where, expected=expected)
    return BenchError(
        "this file is of another kind than its name says",
        code=code,
        where=where,
        expected=expected,
        found=kind.words,
        remedy=remedy or _DOWNLOAD_AGAIN,
    )


def read_bytes(path: Path, where: str | Path, limit: int) -> bytes:
    """A whole file; BenchError ``unreadable``, or ``too-large`` beyond ``limit`` bytes."""
    try:
        size = path.stat().st_size
        if size <= limit:
            return path.read_bytes()
    except OSError as error:
        raise BenchError(
            f"the file cannot be read ({error.strerror or error})", code="unreadable", where=where
        ) from None
    raise BenchError(
        "the file is too large for its kind",
        code="too-large",
        where=where,
        expected=f"at most {limit >> 20} MiB",
        found=f"{size / (1 << 20):.0f} MiB",
    )


def fault(code: str, where: str | Path, *, expected: str) -> BenchError:
    """The error for one of the usual faults, by its code."""
    return BenchError(
        _WHATS[code], code=code, where=where, expected=expected, remedy=_REMEDIES[code]
    )


def read_table(path: Path) -> NDArray[np.float64]:
    """Numbers of a text file; BenchError ``not-a-table`` or the usual faults."""
    data = read_bytes(path, path, MAX_ARRAY_BYTES)
    if kind_of(data).code is not None:
        raise wrong_kind(data, path, code="not-a-table", expected="a table of numbers")
    try:
        return np.loadtxt(data.decode("ascii").splitlines(), dtype=np.float64)
    except (ValueError, UnicodeDecodeError) as error:
        raise BenchError(
            f"this is no table of numbers ({error})", code="not-a-table", where=path
        ) from None


def _faulty_kind(head: bytes) -> Kind | None:
    """Kinds that nobody ever wants."""
    if not head:
        return Kind("an empty file", "empty-file")
    if head.startswith(LFS_START):
        return Kind("a Git LFS pointer", "git-lfs-pointer")
    if not head.strip(b"\0"):
        return Kind("zeros", "zero-filled")
    if head.startswith(MATLAB_73_START):
        return Kind("a MATLAB v7.3 (HDF5) file", "matlab-v73")
    if _is_html(head):
        return Kind("an HTML page", "html-page")
    return None


def _is_html(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")) or (
        text.startswith((b"<?xml", b"<!--")) and b"<html" in text
    )


def _words(head: bytes) -> str:
    for offset, magic, words in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return words
    if head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle, which is never read"
    if b"/annex/objects/" in head[:512]:
        return "a git-annex pointer"
    return _text_words(head)


def _text_words(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if b"\0" in head or sum(byte < 9 for byte in head):
        return f"unknown binary data (it starts with {head[:8].hex(' ')})"
    if text.startswith((b"{", b"[")):
        return "JSON text"
    if text.startswith(b"<"):
        return "XML text"
    try:
        head[:-4].decode("utf-8") if len(head) > 4 else head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character cut at the end of the head is no sign of binary data.
        if error.start < len(head) - 8:
            return f"unknown binary data (it starts with {head[:8].hex(' ')})"
    first = text.split(b"\n", 1)[0][:40].decode("utf-8", "replace").strip()
    return f"text that starts {first!r}"
