"""Mutations of NumPy's files and of zips, and of the members of zips."""

from __future__ import annotations

import io
import random
import zipfile

import numpy as np

from tests.fuzz.mutate import BYTES, SIZES, Mutator

SHAPES = (
    "()",
    "(0,)",
    "(-1,)",
    "(10**12,)",
    "(1000000000000, 3)",
    "(2, 68)",
    "(68, 3, 2)",
    "(1,) * 40",
)
SHAPES += ("(4294967296, 4294967296, 4294967296)", "(2.0, 3)", "'a'", "(True, 68, 3)", "(3, 0, 68)")
TYPES = (
    "|O",
    "<f8",
    ">f4",
    "<i1",
    "<U9",
    "|S5",
    "<c16",
    "<M8[s]",
    "|V8",
    "<f2",
    "|b1",
    "<U1000000000",
)
TYPES += ("[('a', '<f4')]", "<m8", "x", "", "O" * 1000, "<f16")


# -- NumPy ------------------------------------------------------------------------------------------


def change_npy(data: bytes, draw: random.Random) -> bytes:
    """Another header: shape, type, order, text, version or length."""
    array = _first_array(data)
    header: dict[str, str] = {
        "descr": repr("<f4" if array is None else array.dtype.str),
        "fortran_order": "False",
        "shape": "(3,)" if array is None else repr(array.shape),
    }
    body = b"" if array is None else array.tobytes()
    key = draw.choice(tuple(header))
    values = {"descr": [repr(t) for t in TYPES], "fortran_order": ["True", "1", "None", "[]"]}
    header[key] = draw.choice(values.get(key, SHAPES))
    if draw.random() < 0.2:
        header[draw.choice(("__import__", key, "more", "x" * 70_000))] = draw.choice(SHAPES)
    text = "{" + ", ".join(f"{k!r}: {v}" for k, v in header.items()) + "}"
    text = draw.choice(
        (text, text, text, text[:-1], "(" * 9000 + text, "__import__('os').getcwd()")
    )
    return npy_bytes(text, body, draw.choice((1, 1, 2, 3, 9)))


def npy_bytes(header: str, body: bytes, version: int = 1) -> bytes:
    """An .npy whose header says what it likes."""
    head = header.encode("utf-8")
    width = 2 if version == 1 and len(head) < 65_000 else 4
    version = version if width == 2 or version > 1 else 2
    head = head.ljust(-(-(len(head) + 8 + width + 1) // 64) * 64 - 9 - width) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(head).to_bytes(width, "little") + head + body


def change_values(data: bytes, draw: random.Random) -> bytes:
    """The same array with other values, another shape or another type; a sound file."""
    array = _first_array(data)
    if array is None or array.dtype.kind == "O":
        return data
    stream = io.BytesIO()
    np.save(stream, _other_values(array, draw), allow_pickle=False)
    return stream.getvalue()


def _other_values(array: np.ndarray, draw: random.Random) -> np.ndarray:
    array = array.copy()
    if array.size and array.dtype.kind in "fiu":
        odd = (np.nan, np.inf, -np.inf, 1e38, -1e300, 0, -1, 2**31, 2**63)
        with np.errstate(all="ignore"):
            values = np.array(draw.choice(odd)).astype(array.dtype)
        array.reshape(-1)[draw.randrange(array.size) :: draw.choice((1, 7, 10**9))] = values
    kind = draw.randrange(6)
    with np.errstate(all="ignore"):
        if kind == 0 and array.dtype.kind in "fiu":
            array = array.astype(draw.choice(("f2", "f8", "i8", "u1", ">f4", "c8", "U5", "b1")))
        elif kind == 1:
            array = draw.choice(
                (array.T, array[..., None], array.reshape(-1), array[:0], array[:1])
            )
        elif kind == 2:
            array = np.repeat(array, 2, axis=0) if array.ndim else array
    return array


def _first_array(data: bytes) -> np.ndarray | None:
    try:
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    except Exception:  # it was damaged by an earlier mutation
        return None


# -- zip and npz ------------------------------------------------------------------------------------


def change_member(data: bytes, draw: random.Random) -> bytes:
    """One member of a zip is mutated, and the zip made again around it."""
    members = _members(data)
    if not members:
        return data
    name = draw.choice(sorted(members))
    suffix = "." + name.rpartition(".")[2].lower()
    mutators = draw.choice((BYTES, NUMPY if suffix == ".npy" else BYTES))
    if members[name] and suffix != ".zip":
        members[name] = draw.choice(mutators)(members[name], draw)
    return _zip(members, draw)


def change_names(data: bytes, draw: random.Random) -> bytes:
    """Names that leave the folder, links, doubles, odd letters, other methods, bombs, wrong sizes."""
    members = _members(data)
    name = draw.choice(sorted(members) or ["x"])
    stream = io.BytesIO()
    stem, _, end = name.rpartition(".")
    names = (
        f"../{name}",
        f"/tmp/{name}",
        f"..\\{name}",
        f"C:\\{name}",
        f"{stem}\0.{end}",
        f"./{name}",
    )
    names += (
        f"{stem}\x1b[31m.{end}",
        f"é\u202e.{end}",
        f"{'a/' * 500}{name}",
        f"//{name}",
        ".",
        "..",
    )
    with zipfile.ZipFile(stream, "w", draw.choice((0, 8, 8, 12, 14))) as archive:
        for key, value in members.items():
            archive.writestr(key, value)
        kind = draw.randrange(5)
        if kind <= 1:
            archive.writestr(draw.choice(names), members.get(name, b"x"))
        elif kind == 2:
            link = zipfile.ZipInfo(name if draw.random() < 0.5 else f"link.{end}")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, draw.choice(("/etc/passwd", "../../x", name)))
        elif kind == 3:
            archive.writestr(f"bomb.{end}", bytes(1 << 24))
        else:
            for number in range(3000):
                archive.writestr(f"{stem}{number}.{end}", b"")
    return stream.getvalue()


def change_list(data: bytes, draw: random.Random) -> bytes:
    """Sizes, offsets, methods, flags and names in the zip's own list."""
    at = data.find(b"PK\x01\x02", draw.randrange(max(len(data), 1)))
    at = data.find(b"PK\x01\x02") if at < 0 else at
    if at < 0:
        return data
    offset, width = draw.choice(
        ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4))
    )
    value = draw.choice((*SIZES, len(data), draw.getrandbits(32))) % 256**width
    return data[: at + offset] + value.to_bytes(width, "little") + data[at + offset + width :]


def _members(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {info.filename: archive.read(info) for info in archive.infolist()}
    except Exception:  # it was damaged by an earlier mutation
        return {}


def _zip(members: dict[str, bytes], draw: random.Random) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", draw.choice((0, 8))) as archive:
        for name, value in members.items():
            archive.writestr(name, value)
    return stream.getvalue()


NUMPY: tuple[Mutator, ...] = (change_npy, change_npy, change_values)
ZIP: tuple[Mutator, ...] = (change_member, change_member, change_names, change_list)
