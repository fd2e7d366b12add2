"""Lines of a Wavefront .obj as numbers, a block of the file at a time: no file is worth much memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError

BLOCK_BYTES = 1 << 20  # read together; no line of a mesh is longer
NUMERIC = (b"v", b"vt", b"f")
KINDS = (*NUMERIC, b"usemtl", b"mtllib")
PADDING = b"\n" * 8  # so that looking a word ahead never leaves the text
INT32 = np.iinfo(np.int32)
REMEDY = "Export the mesh again, or take the file from its original source."

Lines = tuple[list[bytes], NDArray[np.int64]]


@dataclass(frozen=True)
class Corners:
    """Corners of polygons as they are written, counted from 1 or from the newest backwards.

    Attributes
    ----------
    vertex : (c,) int32, or int64 where a number needs it
    texture : (c,) int32 or int64, or None
        0 for a corner without one; None where no corner has one.
    sizes : (f,) int32
        Corners of each polygon.
    line : (f,) int32
        Its line in the file.
    """

    vertex: NDArray[np.integer]
    texture: NDArray[np.integer] | None
    sizes: NDArray[np.int32]
    line: NDArray[np.int32]


def blocks_of_lines(
    data: bytes, where: str, kinds: tuple[bytes, ...] = KINDS
) -> Iterator[dict[bytes, Lines]]:
    """For each kind of line, block by block: what follows its first word, and line numbers from 1.

    Raises
    ------
    BenchError
        ``damaged-obj`` for a line longer than a block.
    """
    start, number = 0, 1
    while start < len(data):
        end = _end_of_block(data, start)
        if end <= start:
            raise BenchError(
                "this line of the mesh cannot be read",
                code="damaged-obj",
                where=f"{where}, line {number}",
                expected=f"lines of at most {BLOCK_BYTES >> 20} MiB",
                found=repr(data[start : start + 40].decode("ascii", "replace")),
                remedy=REMEDY,
            )
        text, starts, ends = _lines(data[start:end])
        yield {kind: _of_kind(text, starts, ends, kind, number) for kind in kinds}
        start, number = end, number + len(starts) - 1  # the last is what follows the last line end


def _end_of_block(data: bytes, start: int) -> int:
    """Where the last whole line of the next block ends; the start where none does."""
    limit = start + BLOCK_BYTES
    if limit >= len(data):
        return len(data)
    end = data.rfind(b"\n", start, limit) + 1
    return end or data.rfind(b"\r", start, limit - 1) + 1  # before a pair that the limit would part


def _lines(data: bytes) -> tuple[bytes, NDArray[np.int64], NDArray[np.int64]]:
    """The text with plain line ends and no indents, and where its lines start and end."""
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + PADDING
    starts, ends = _line_places(data)
    if np.isin(np.frombuffer(data, np.uint8)[starts], (32, 9)).any():
        data = b"\n".join(line.strip() for line in data[: -len(PADDING)].split(b"\n")) + PADDING
        starts, ends = _line_places(data)
    return data, starts, ends


def _line_places(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ends = np.flatnonzero(np.frombuffer(data, np.uint8)[: -len(PADDING)] == 10)
    ends = np.append(ends, len(data) - len(PADDING))
    return np.append(0, ends[:-1] + 1), ends


def _of_kind(
    data: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], kind: bytes, first: int
) -> Lines:
    letters, length = np.frombuffer(data, np.uint8), len(kind)
    chosen = np.isin(letters[starts + length], (32, 9))
    for i, letter in enumerate(kind):
        chosen &= letters[starts + i] == letter
    rows = np.flatnonzero(chosen)
    places = zip((starts[rows] + length).tolist(), ends[rows].tolist(), strict=True)
    texts = [data[start:end] for start, end in places]
    if kind in NUMERIC and any(b"#" in text for text in texts):
        texts = [text.partition(b"#")[0] for text in texts]
    return texts, rows + first


def table_of(lines: Lines, least: int, where: str, *, finite: bool = True) -> NDArray[np.float64]:
    """(n, k) float64; where lines differ in length, only the first ``least`` columns.

    Raises
    ------
    BenchError
        ``damaged-obj``; ``not-finite`` where values must be finite.
    """
    texts = lines[0]
    values = _numbers(b" ".join(texts), np.float64, float)
    counts = np.array([len(text.split()) for text in texts], np.int64)
    if values is None or (len(counts) and counts.min() < least):
        raise _damaged(lines, least, float, where)
    if finite and not np.isfinite(values).all():
        row = np.searchsorted(np.cumsum(counts), np.isfinite(values).argmin(), "right")
        raise BenchError(
            "the mesh holds values that are not finite",
            code="not-finite",
            where=f"{where}, line {lines[1][row]}",
            remedy=REMEDY,
        )
    if len(counts) and (counts == counts[0]).all():
        return values.reshape(len(texts), -1)
    starts = np.cumsum(counts) - counts
    return np.asarray(values[starts[:, None] + np.arange(least)])


def corners_of(lines: Lines, where: str) -> Corners:
    """The corners of polygons; BenchError ``damaged-obj``."""
    texts, numbers = lines
    sizes = np.array([len(text.split()) for text in texts], np.int32)
    # `7//2` names a normal and no texture point: with a 0 between, all corners read alike.
    joined = b" ".join(texts).replace(b"//", b"/0/")
    fields = np.array([word.count(b"/") + 1 for word in joined.split()], np.int64)
    values = _numbers(joined.replace(b"/", b" "), np.int64, int)
    if values is None or (len(sizes) and sizes.min() < 3) or len(values) != fields.sum():
        raise _damaged(lines, 3, int, where)
    starts = np.cumsum(fields) - fields
    if len(values) and -INT32.max < values.min() and values.max() < INT32.max:
        values = values.astype(np.int32)  # half the memory, of files that are not refused anyway
    texture = None
    if (fields > 1).any():
        texture = np.zeros(len(fields), values.dtype)
        texture[fields > 1] = values[starts[fields > 1] + 1]
    return Corners(values[starts], texture, sizes, numbers.astype(np.int32))


def _numbers(
    text: bytes, dtype: type[np.generic], read: Callable[[bytes], float]
) -> NDArray | None:
    """All words as numbers; None when one is no number or too large for the type."""
    if b"_" in text:  # Python reads 1_000 as a number, the format does not
        return None
    words = text.split()
    try:
        return np.fromiter(map(read, words), dtype, len(words))
    except (ValueError, OverflowError):
        return None


def _damaged(lines: Lines, least: int, read: Callable[[bytes], float], where: str) -> BenchError:
    """The error for the first line that cannot be read; looked for only once one is known to be."""
    dtype = np.int64 if read is int else np.float64
    for text, number in zip(*lines, strict=True):  # noqa: B007
        plain = _plain(text) if read is int else text
        if len(text.split()) < least or plain is None or _numbers(plain, dtype, read) is None:
            break
    return BenchError(
        "this line of the mesh cannot be read",
        code="damaged-obj",
        where=f"{where}, line {number}",
        expected=f"at least {least} " + ("corners" if read is int else "numbers"),
        found=repr(text[:60].decode("ascii", "replace").strip()),
        remedy=REMEDY,
    )


def _plain(text: bytes) -> bytes | None:
    """Corners with their slashes as spaces; None where a number is missing beside one."""
    fields = [part for word in text.replace(b"//", b"/0/").split() for part in word.split(b"/")]
    return b" ".join(fields) if all(fields) else None
