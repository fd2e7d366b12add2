"""Digests of a dataset: of its content, of what identifies it, and of each sample's pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.dataset import Dataset, open_dataset, schema

PIXELS = ("image", "position_map")
DIGEST_ROWS, DIGEST_VALUES = 2048, 1 << 18  # blocks of a digest: rows of samples, values of others


def row_digest(image: bytes | NDArray[np.uint8] | None, codes: NDArray[np.uint16] | None) -> bytes:
    """sha256 of one sample's pixels: its encoded image and its position map in little-endian uint16."""
    digest = hashlib.sha256()
    if image is not None:
        digest.update(image if isinstance(image, bytes) else image.tobytes())
    if codes is not None:
        digest.update(np.ascontiguousarray(codes, "<u2").data)
    return digest.digest()


def recompute_digests(path: str | Path) -> dict[str, Any]:
    """What the digests of a dataset file are, from its content.

    Returns
    -------
    dict
        ``fingerprint`` and ``content_sha256`` (hex), and ``damaged``: the sample ids whose image or
        position map no longer has the digest of its row.
    """
    dataset = open_dataset(path)
    digests = file_digests(dataset)
    damaged = []
    if "row_sha256" in dataset.names:
        stored = dataset.read("row_sha256")
        for row, sample_id in enumerate(dataset.sample_ids):
            image, codes = (
                dataset.read(name, [row])[0] if name in dataset.stored_names else None
                for name in ("image", "position_map")
            )
            if row_digest(image, codes) != stored[row].tobytes():
                damaged.append(str(sample_id))
    return {**digests, "damaged": damaged}


def file_digests(dataset: Dataset) -> dict[str, str]:
    """``fingerprint`` and ``content_sha256`` of a dataset, from its small arrays (pixels by row digest)."""
    return {
        "fingerprint": _digest(dataset, identity_only=True),
        "content_sha256": _digest(dataset, identity_only=False),
    }


def _digest(dataset: Dataset, *, identity_only: bool) -> str:
    keys = ("recipe", "recipe_version", "recipe_variant", "uv_layout", "face_model_id", "origin")
    digest = hashlib.sha256()
    for key in keys if identity_only else (*keys, "layout"):
        digest.update(f"{key}={dataset.attributes.get(key)}\n".encode())
    for name in sorted(dataset.names if identity_only else dataset.stored_names):
        column = schema.column(name)
        if name in PIXELS:
            digest.update(f"{name} present\n".encode())
        elif not identity_only or (column is not None and column.identity):
            digest.update(f"{name}\n".encode())
            digits = column.digits if column is not None and identity_only else None
            for block in _blocks(dataset, name, per_sample=column is not None):
                rounded = block if digits is None else np.round(block.astype(np.float64), digits)
                digest.update(f"{rounded.shape}{rounded.dtype.kind}{rounded.itemsize}".encode())
                digest.update(canonical_bytes(rounded))
    return digest.hexdigest()


def _blocks(dataset: Dataset, name: str, *, per_sample: bool) -> Iterator[NDArray]:
    """An array in blocks of rows, so that memory does not grow with the dataset."""
    if not per_sample:
        values = dataset.read(name).reshape(-1)
        yield from (values[i : i + DIGEST_VALUES] for i in range(0, len(values), DIGEST_VALUES))
        return
    for start in range(0, len(dataset), DIGEST_ROWS):
        yield dataset.read(name, slice(start, start + DIGEST_ROWS))


def canonical_bytes(values: NDArray) -> bytes | memoryview:
    """The same bytes for the same values on every machine: little-endian, one NaN, one zero, utf-8."""
    if values.dtype.kind in "UO":
        return "".join(f"{value}\n" for value in values.reshape(-1)).encode()
    if values.dtype.kind == "f":
        values = values + values.dtype.type(0)  # a copy, in which -0.0 is 0.0
        unknown = np.isnan(values)
        if unknown.any():
            values[unknown] = np.nan
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return plain.reshape(-1).view(np.uint8).data
