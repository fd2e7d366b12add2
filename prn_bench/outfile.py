"""Files to be made: whole or not at all, and never over something that cannot be made again.

Everything that a command writes takes its name only when it is whole. A file that is there already
is replaced where it is of the kind about to be written; an input, a download or a picture is not.
"""

from __future__ import annotations

import errno
import glob
import io
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from prn_bench.errors import BenchError
from prn_bench.formats.sniff import describe, format_of

CANNOT_WRITE = {
    errno.ENOSPC: "The disk is full: make room, or write to another disk.",
    errno.EDQUOT: "Your share of the disk is used up: make room, or write to another disk.",
    errno.EFBIG: "A file may not grow so large here: see `ulimit -f`, or write to another disk.",
    errno.EACCES: "Write into a folder that is yours, or have its permissions changed.",
    errno.EPERM: "Write into a folder that is yours, or have its permissions changed.",
    errno.EROFS: "This place is read-only: write into another folder.",
}
FORGOTTEN_S = 86_400  # a temporary file that has not grown for so long belongs to nobody


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
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with writing(path):
        _sweep(path)
        try:
            yield part
            replace_file(part, path)
        finally:
            part.unlink(missing_ok=True)


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files that belong together: none takes its place before all are whole and on the disk."""
    with ExitStack() as stack:
        for path, content in contents.items():
            with open(stack.enter_context(atomic_path(path)), "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())


class DeafStream:
    """A file for HDF5 to write into, which keeps the first error of the system to itself.

    HDF5 writes much of a file when it is closed, where it loses errors or the whole process with
    them. So it hears of none; whoever closes the file asks for ``error`` afterwards.
    """

    def __init__(self, stream: io.FileIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def read(self, size: int = -1) -> bytes | None:
        """As of a file."""
        return self._stream.read(size)

    def readinto(self, buffer: Any) -> int | None:
        """As of a file."""
        return self._stream.readinto(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of a file."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        return self._stream.tell()

    def flush(self) -> None:
        """Nothing is held back."""

    def write(self, data: Any) -> int:
        """All of it, or, once there was an error, nothing."""
        left = memoryview(data).cast("B")
        n_bytes = len(left)
        with self._kept():
            while self.error is None and len(left):
                left = left[self._stream.write(left) :]
        return n_bytes

    def truncate(self, size: int | None = None) -> None:
        """As of a file, or, once there was an error, nothing."""
        with self._kept():
            if self.error is None:
                self._stream.truncate(size)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error


def _sweep(path: Path) -> None:
    """Remove what killed commands left of earlier tries to write this file."""
    for name in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(OSError):
            if name.is_file() and name.stat().st_mtime < time.time() - FORGOTTEN_S:
                name.unlink()


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
