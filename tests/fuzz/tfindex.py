"""Mutations of a TensorFlow checkpoint's index whose checksums hold again."""

from __future__ import annotations

import random

from prn_bench.formats.tfbundle import masked_crc
from tests.fuzz.mutate import BYTES

FOOTER, TRAILER = 48, 5


def change_index(data: bytes, draw: random.Random) -> bytes:
    """A block of the table, or its footer."""
    body = data[: len(data) - FOOTER]
    try:
        places = blocks(data)
    except IndexError:
        places = []
    if not places or draw.random() < 0.1:
        return body + draw.choice(BYTES)(data[len(data) - FOOTER :], draw)
    start, size = draw.choice(places)
    block = draw.choice(BYTES[:4])(data[start : start + size], draw)
    crc = masked_crc(block + b"\0").to_bytes(4, "little")
    return data[:start] + block + b"\0" + crc + data[start + len(block) + TRAILER :]


def blocks(data: bytes) -> list[tuple[int, int]]:
    """Offset and size of the index of blocks and of the first block."""
    numbers, at = [], len(data) - FOOTER
    for _ in range(4):
        number, at = varint(data, at)
        numbers.append(number)
    meta, _, offset, size = numbers
    return [(offset, size), (0, max(meta - TRAILER, 0))]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number, and the place after it."""
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return number, at
