"""Files to be made: whole or not at all, and never over something that cannot be made again.

Everything that a command writes takes its name only when it is whole. A file that is there already
is replaced where it is of the kind about to be written; an input, a download or a picture is not.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prn_bench.errors import BenchError
from prn_bench.formats.sniff import describe, format_of

CANNOT_WRITE = {
    errno.ENOSPC: "The disk is full: make room, or write to another disk.",
    errno.EDQUOT: "Your share of the disk is used up: make room, or write to another disk.",
    errno.EACCES: "Write into a folder that is yours, or have its permissions changed.",
    errno.EPERM: "Write into a folder that is yours, or have its permissions changed.",
    errno.EROFS: "This place is read-only: write into another folder.",
}


@contextmanager
def atomic_path(path: str | Path, kind: str | None = None) -> Iterator[Path]:
    """A temporary name beside ``path`` that takes its place when the block ends without error.

    Parameters
    ----------
    path : path
    kind : str, optional
        The format about to be written, such as ``prn-bench/predictions``. A file that is there
        already must then be of it; without, anything is replaced.

    Raises
    ------
    BenchError
        ``no-such-folder``, ``is-a-folder``, ``not-replaced``, ``cannot-write``.
    """
    path = Path(path)
    require_place(path, kind)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(path):
        part.unlink(missing_ok=True)  # writing through a link left there would leave the folder
        try:
            yield part
            replace_file(part, path)
        finally:
            part.unlink(missing_ok=True)


def replace_file(part: Path, path: Path) -> None:
    """Put a whole file in its place, on the disk before it gets its name."""
    with open(part, "rb") as stream:
        os.fsync(stream.fileno())
    os.replace(part, path)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Say of a full or read-only disk which file it was to be, not which temporary name it had.

    Raises
    ------
    BenchError
        ``cannot-write``.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        raise cannot_write(path, error.errno) from None


def cannot_write(path: str | Path, number: int) -> BenchError:
    """The error for a system error of the kinds in ``CANNOT_WRITE``."""
    return BenchError(
        f"cannot write ({os.strerror(number)})",
        code="cannot-write",
        where=path,
        remedy=CANNOT_WRITE[number],
    )


def require_place(path: str | Path, kind: str | None = None, *suffixes: str) -> None:
    """Refuse, before any work, a name under which the file could not be written.

    Parameters
    ----------
    path : path
        The file to be made.
    kind : str, optional
        See :func:`atomic_path`.
    *suffixes : str
        Such as ``.h5``; none given: any will do.

    Raises
    ------
    BenchError
        ``unknown-suffix``, ``no-such-folder``, ``is-a-folder``, ``not-replaced``, ``cannot-write``.
    """
    path = Path(path)
    if suffixes and path.suffix not in suffixes:
        raise BenchError(
            "this file name has the wrong ending",
            code="unknown-suffix",
            where=path,
            expected=" or ".join(suffixes),
            found=path.suffix or "none",
            remedy=f"Name it {path.stem}{suffixes[0]}.",
        )
    if not path.parent.is_dir():
        raise BenchError(
            "the folder to write into does not exist",
            code="no-such-folder",
            where=path.parent,
            remedy="Create it first.",
        )
    if path.is_dir():
        what, remedy = "a folder has this name already", "Name a file, in this folder or elsewhere."
        raise BenchError(what, code="is-a-folder", where=path, remedy=remedy)
    if not os.access(path.parent, os.W_OK):
        read_only = os.name == "posix" and bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
        raise cannot_write(path, errno.EROFS if read_only else errno.EACCES)
    if kind is not None and path.exists() and path.stat().st_size and format_of(path) != kind:
        raise BenchError(
            "another kind of file has this name, and would be lost",
            code="not-replaced",
            where=path,
            expected=f"nothing there, or an older {kind} file",
            found=format_of(path) or describe(path),
            remedy="Choose another name for --out, or remove that file yourself.",
        )


def refuse_overwriting_input(out: str | Path, *inputs: str | Path | None) -> None:
    """Refuse an output that is one of the inputs, or would replace a raw file in one of them.

    Parameters
    ----------
    out : path
        The file to be made; it may well be new in an input folder, or a file of ours there.
    *inputs : path, or None
        Files and folders that the command reads; None is skipped.

    Raises
    ------
    BenchError
        ``overwrites-input``.
    """
    out = Path(out)
    if not out.exists():
        return
    for place in [Path(place) for place in inputs if place is not None]:
        inside = place.is_dir() and place.resolve() in out.resolve().parents
        same = place.exists() and out.samefile(place) and not place.is_dir()
        if same or (inside and out.is_file() and format_of(out) is None):
            raise BenchError(
                "the file to make is one of the files to read, and would replace it",
                code="overwrites-input",
                where=out,
                remedy="Choose another name for --out.",
            )
