"""Mutations of bytes and of lines of text, and which mutators suit which file."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

Mutator = Callable[[bytes, random.Random], bytes]

#: Numbers that size checks get wrong, written in 1, 2, 4 and 8 bytes of either order.
SIZES = (0, 1, -1, 2**7, 2**15 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1)
LANDMARKS = (b"TREE", b"HEAP", b"SNOD", b"OHDR", b"OCHK", b"GCOL", b"FRHP", b"FHDB", b"FADB")
LANDMARKS += (b"BTHD", b"BTLF", b"EAHD", b"FAHD", b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06")
LANDMARKS += (b"\x93NUMPY", b"end_header", b"\xff\xc0", b"\xff\xc4", b"\xff\xda", b"IHDR", b"IDAT")

#: What no field of a text expects.
TOKENS = (
    "", "0", "-1", "1e308", "1e-320", "-1e400", "nan", "inf", "-inf", "0x10", "1_000", "1,5", "true",
    "1" * 400, "9" * 5000, "99999999999999999999", "18446744073709551616", "-2147483649", "1e18",
    "\u0663\u0664", "\u00b2", "é", "\U0001f600", "\u202e", "\ufeff", "\x00", "\x1b[31m", "a" * 100_000,
    "[/b]", "[bold]", "{}", "%s%n", "../../x", "/etc/passwd", "~", "con", ";", '"', "'", "\\", "\r",
    "null", "None", "[]", "[[]]", '""', "''", "1/2", "1//", "-", "+", ".", "e", "1e", "1979-05-27",
)  # fmt: skip
NESTINGS = ("[", "{", '{"a":', "(", "<", "Group { children [ ")


def flip_bits(data: bytes, draw: random.Random) -> bytes:
    """One to eight bits."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        changed[_place(data, draw)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def set_bytes(data: bytes, draw: random.Random) -> bytes:
    """A short run of one value or of noise."""
    at, size = _place(data, draw), draw.choice((1, 2, 4, 8, 64, 4096))
    filling = draw.choice((b"\0", b"\xff", b" ", b"\n", draw.randbytes(1))) * size
    new = draw.choice((filling, draw.randbytes(size)))
    return data[:at] + new[: len(data) - at] + data[at + size :]


def set_number(data: bytes, draw: random.Random) -> bytes:
    """A number of one to eight bytes that is likely to be taken for a size."""
    width = draw.choice((1, 2, 4, 8))
    value = draw.choice((*SIZES, len(data), len(data) - 1, draw.getrandbits(64))) % 256**width
    new = value.to_bytes(width, draw.choice(("little", "big")))
    at = _place(data, draw)
    return data[:at] + new[: len(data) - at] + data[at + width :]


def truncate(data: bytes, draw: random.Random) -> bytes:
    """The end is missing, or a tail of zeros stands in its place."""
    at = draw.choice((0, 1, 8, len(data) - 1, draw.randrange(len(data) + 1), _place(data, draw)))
    return data[: max(at, 0)] + draw.choice((b"", b"", bytes(max(len(data) - at, 0))))


def move_block(data: bytes, draw: random.Random) -> bytes:
    """A block is removed, doubled, or put elsewhere."""
    start, size = _place(data, draw), draw.choice((1, 4, 8, 64, 512, 4096, len(data) // 3))
    block = data[start : start + size]
    rest = data[:start] + data[start + size :]
    at = draw.randrange(len(rest) + 1)
    return draw.choice((rest, data[:start] + block + data[start:], rest[:at] + block + rest[at:]))


BYTES: tuple[Mutator, ...] = (flip_bits, set_bytes, set_number, set_number, truncate, move_block)


def change_token(data: bytes, draw: random.Random) -> bytes:
    """One word, number or name in a line becomes something else."""
    lines = data.splitlines(keepends=True) or [b""]
    at = draw.choice((0, draw.randrange(min(len(lines), 12)), draw.randrange(len(lines))))
    words = lines[at].split(draw.choice((b" ", b",", b"=", b"/", b":", b"\t")))
    separator = lines[at][len(words[0]) : len(words[0]) + 1]
    words[draw.randrange(len(words))] = _token(draw)
    lines[at] = separator.join(words) + (b"" if lines[at][-1:] == words[-1][-1:] else b"\n")
    return b"".join(lines)


def change_lines(data: bytes, draw: random.Random) -> bytes:
    """Lines are removed, doubled, moved, joined, or swapped for another kind of line end."""
    lines = data.splitlines(keepends=True) or [b""]
    at, to = draw.randrange(len(lines)), draw.randrange(len(lines))
    kind = draw.randrange(6)
    if kind == 0:
        del lines[at : at + draw.choice((1, 1, 5))]
    elif kind == 1:
        lines[at:at] = [lines[at]] * draw.choice((1, 2, 1000))
    elif kind == 2:
        lines[at], lines[to] = lines[to], lines[at]
    elif kind == 3:
        lines[at] = lines[at].rstrip(b"\r\n")
    elif kind == 4:
        return b"".join(lines).replace(
            b"\n", draw.choice((b"\r\n", b"\r", b"\n\n", b"\\\n", b"\v"))
        )
    else:
        lines.insert(at, _token(draw) + b"\n")
    return b"".join(lines)


def nest(data: bytes, draw: random.Random) -> bytes:
    """Brackets, a hundred thousand deep or a few too many, somewhere or as the whole file."""
    opening = draw.choice(NESTINGS).encode() * draw.choice((3, 1000, 100_000))
    at = draw.choice((0, len(data), draw.randrange(len(data) + 1)))
    if b"=" in data and draw.random() < 0.7:
        at = data.find(b"=", at % len(data)) + 1
    return draw.choice((opening, data[:at] + opening + data[at:]))


def recode(data: bytes, draw: random.Random) -> bytes:
    """The same text in another encoding, or with a mark before it."""
    text = data.decode("utf-8", "replace")
    kind = draw.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le", "surrogate"))
    if kind == "surrogate":
        at = draw.randrange(len(data) + 1)
        return data[:at] + b"\xed\xa0\x80" + data[at:]
    return text.encode(kind, "replace")


TEXT: tuple[Mutator, ...] = (change_token, change_token, change_token, change_lines, nest, recode)
TEXT_SUFFIXES = {".toml", ".json", ".csv", ".txt", ".obj", ".wrl", ".ply", ".ljson", ".mtl", ".bib"}
TEXT_SUFFIXES |= {".roibox", ".crop", ".ids", ".md"}


def _place(data: bytes, draw: random.Random) -> int:
    """A byte, likely one of a header or of the structures that a format has."""
    if not data:
        return 0
    kind = draw.randrange(5)
    if kind == 0:
        return draw.randrange(len(data))
    if kind == 1:
        return draw.randrange(min(len(data), 512))
    if kind == 2:
        return len(data) - 1 - draw.randrange(min(len(data), 512))
    mark = draw.choice(LANDMARKS)
    found = data.find(mark, draw.randrange(len(data)))
    if found < 0:
        found = data.find(mark)
    return min(max(found, 0) + draw.randrange(64), len(data) - 1)


def _token(draw: random.Random) -> bytes:
    return draw.choice(TOKENS).encode("utf-8", "surrogatepass")


def splice(data: bytes, other: bytes, draw: random.Random) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1) :]


def mutated(path: Path, others: list[Path], draw: random.Random) -> bytes:
    """What becomes of a file: its own kind's mutations, those of text, of bytes, or a splice."""
    from tests.fuzz.structures import STRUCTURED, pack, unpack

    name, data = path.name.lower(), path.read_bytes()
    data, packed = unpack(name, data)
    suffix = Path(name.removesuffix(".gz")).suffix
    suffix = ".data" if ".data-0" in name else suffix
    choices = [BYTES]
    choices += [TEXT] * 2 if suffix in TEXT_SUFFIXES else []
    choices += [STRUCTURED[suffix]] * 3 if suffix in STRUCTURED else []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if others and draw.random() < 0.04:
            data = splice(data, draw.choice(others).read_bytes(), draw)
        elif data:
            with contextlib.suppress(Exception):  # not possible here, such as after an earlier one
                data = draw.choice(draw.choice(choices))(data, draw)
    return pack(data) if packed and draw.random() < 0.9 else data
