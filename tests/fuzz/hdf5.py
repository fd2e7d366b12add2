"""Mutations of HDF5 files through the library itself: sound files with hostile or odd content."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np


def change_hdf5(data: bytes, draw: random.Random) -> bytes:
    """One or two changes to arrays, attributes or links."""
    import h5py

    stream = io.BytesIO(data)
    try:
        with h5py.File(stream, "r+") as file:
            names: list[str] = []
            file.visititems(lambda n, x: names.append(n) if isinstance(x, h5py.Dataset) else None)
            for _ in range(draw.choice((1, 1, 2))):
                draw.choice(CHANGES)(file, draw.choice(names), draw)
                # A virtual array of itself, once read, kills the library and with it this process.
                names = [
                    n for n in names if n in file and not (file[n].is_virtual or file[n].external)
                ]
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, OverflowError):
        pass  # this change is not possible here: the file stays as far as it got
    return stream.getvalue()


def _link(file: Any, name: str, draw: random.Random) -> None:
    import h5py

    links = (
        h5py.SoftLink("/" + name),
        h5py.SoftLink("/nowhere"),
        h5py.ExternalLink("../secret.h5", "/x"),
        h5py.ExternalLink("/etc/passwd", "/"),
    )
    place = draw.choice((name, "more", "coefficients/more"))
    if place in file:
        del file[place]
    file[place] = draw.choice(links)


def _loop(file: Any, name: str, draw: random.Random) -> None:
    group = file.require_group("deep")
    for level in range(draw.choice((1, 3, 400))):
        group = group.require_group(f"g{level}")
    group["back"] = draw.choice((file["/"], file["deep"], file[name], _soft("/deep")))


def _soft(place: str) -> Any:
    import h5py

    return h5py.SoftLink(place)


def _virtual(file: Any, name: str, draw: random.Random) -> None:
    import h5py

    node = file[name]
    layout = h5py.VirtualLayout(node.shape, node.dtype)
    source = draw.choice((".", "../secret.h5", "/etc/passwd", "x%b"))
    layout[...] = h5py.VirtualSource(source, name if source != "." else "/other", node.shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


def _external(file: Any, name: str, draw: random.Random) -> None:
    node, dtype = file[name], file[name].dtype
    shape = node.shape
    del file[name]
    places = [(draw.choice(("/etc/passwd", "../secret.h5")), 0, draw.choice((8, 2**40)))]
    file.create_dataset(name, shape, dtype, external=places)


def _shape(file: Any, name: str, draw: random.Random) -> None:
    """Impossibly large, empty, scalar, another rank; nothing of it is stored."""
    node = file[name]
    dtype, rank = node.dtype, node.ndim
    del file[name]
    shapes: tuple[Any, ...] = (
        (0,),
        (),
        (10**12,),
        (10**6, 68, 3),
        (3, 0, 68),
        (1,) * 32,
        (2,) * rank,
    )
    shape = draw.choice(shapes)
    chunks = True if shape and 0 not in shape and draw.random() < 0.7 else None
    file.create_dataset(name, shape, dtype, chunks=chunks)


def _type(file: Any, name: str, draw: random.Random) -> None:
    import h5py

    node = file[name]
    shape = node.shape
    odd = ("f2", ">f8", "i1", "u8", "S3", "c16", "b1", h5py.ref_dtype, h5py.string_dtype("ascii"))
    odd += (
        np.dtype([("a", "f4")]),
        h5py.vlen_dtype("f4"),
        h5py.enum_dtype({"a": 1}),
        np.dtype("V8"),
    )
    odd += (np.dtype(("f4", (3,))), h5py.string_dtype("utf-8", 4), h5py.regionref_dtype)
    del file[name]
    file.create_dataset(name, shape, draw.choice(odd))


def _values(file: Any, name: str, draw: random.Random) -> None:
    node = file[name]
    if node.dtype.kind in "fiu" and node.size:
        odd = (np.nan, np.inf, -np.inf, 1e30, -1e30, 0, 1, -1, 2**31 - 1)
        whole = node[...]
        with np.errstate(all="ignore"):
            value = np.array(draw.choice(odd)).astype(node.dtype)
        whole.reshape(-1)[draw.randrange(whole.size) :: draw.choice((1, 5, 10**9))] = value
        node[...] = whole
    elif node.size:
        whole = node[...]
        odd_text = ("", "\x1b[31m", "[/b]", "a\0b", "x" * 5000, "../x", "é\u202e", whole.flat[0])
        whole.reshape(-1)[draw.randrange(whole.size)] = draw.choice(odd_text)
        node[...] = whole


def _absent(file: Any, name: str, draw: random.Random) -> None:
    if draw.random() < 0.5:
        del file[name]
    else:
        del file.attrs[draw.choice(list(file.attrs))]


def _fewer_rows(file: Any, name: str, draw: random.Random) -> None:
    whole = file[name][...]
    del file[name]
    rows = draw.choice(
        (whole[:-1], whole[:1], whole[:0], np.concatenate([whole, whole[:1]]), whole[::-1])
    )
    file.create_dataset(name, data=rows)


def _attribute(file: Any, name: str, draw: random.Random) -> None:
    key = draw.choice([*file.attrs, "format_version", "more"])
    odd: tuple[Any, ...] = (
        "",
        0,
        -1,
        2**62,
        1.5,
        float("nan"),
        "nan",
        "\x1b[31m",
        "[/b]",
        "{}",
        "[]",
    )
    odd += (
        np.arange(3),
        np.array(["a", "b"], object),
        np.zeros((2, 2)),
        "a" * 30_000,
        True,
        "null",
    )
    odd += (
        '{"findings": 3}',
        '{"a":' * 20_000,
        "[" * 100_000,
        file[name].ref,
        b"\xff\xfe",
        np.bytes_(b"a"),
    )
    holder = file if draw.random() < 0.7 else file[name]
    holder.attrs[key] = draw.choice(odd)


def _copied(file: Any, name: str, draw: random.Random) -> None:
    """An array under another name that the format knows, or an unknown one."""
    others = (
        "sample_id",
        "landmarks",
        "crop",
        "image",
        "uv/x",
        "scan/x",
        "\x1b[31m",
        "a/b/c",
        "é",
        "[/b]",
    )
    place = draw.choice(others)
    if place in file:
        del file[place]
    file.copy(file[name], place)


def _filter(file: Any, name: str, draw: random.Random) -> None:
    node = file[name]
    whole, dtype, shape = node[...], node.dtype, node.shape
    del file[name]
    chunks = tuple(min(n, 7) for n in shape)
    options = ({"compression": "lzf"}, {"fletcher32": True}, {"scaleoffset": 0}, {"compression": 9})
    made = file.create_dataset(name, shape, dtype, chunks=chunks, **draw.choice(options))
    made[...] = whole
    if draw.random() < 0.5:  # a chunk that does not unpack
        made.id.write_direct_chunk(
            (0,) * len(shape), draw.randbytes(64), draw.choice((0, 1, 2**31))
        )


CHANGES = (_link, _loop, _virtual, _external, _shape, _type, _values, _values, _absent, _fewer_rows)
CHANGES += (_attribute, _attribute, _copied, _filter)
