"""Croissant metadata (JSON-LD, mlcommons.org/croissant) of a dataset file.

The file is described as a file, with its digest, licence and citation; HDF5 has no record extraction in
Croissant 1.0, so the arrays are listed in words.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from prn_bench.dataset import Dataset, schema

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
READ_BYTES = 1 << 22


def croissant(dataset: Dataset, *, url: str | None = None) -> dict[str, Any]:
    """Croissant 1.0 metadata of one dataset file.

    Parameters
    ----------
    dataset : Dataset
    url : str, optional
        Where its home page is; without one the recipe's name stands in as a URN.

    Returns
    -------
    dict
        JSON-LD. The digest is of the whole file, so this reads it once. ``datePublished`` is when the raw
        data were, as the recipe's card says; what is synthetic never was.
    """
    attributes, path = dataset.attributes, dataset.path
    name = f"{attributes['recipe']}-{attributes['fingerprint'][:12]}"
    published = {"datePublished": attributes["published"]} if "published" in attributes else {}
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": name,
        "description": _description(dataset),
        "license": attributes["licence"],
        "citeAs": attributes["citation"],
        "url": url or f"urn:prn-bench:{attributes['recipe']}",
        "version": f"{attributes['recipe_version']}.0.0",
        **published,
        "creator": {"@type": "sc:Organization", "name": attributes["created_with"]},
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": path.name,
                "name": path.name,
                "contentUrl": path.name,
                "contentSize": f"{path.stat().st_size} B",
                "encodingFormat": "application/x-hdf5",
                "sha256": file_sha256(path),
            }
        ],
    }


def file_sha256(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _description(dataset: Dataset) -> str:
    attributes = dataset.attributes
    notes = {name: schema.column(name) for name in sorted(dataset.names)}
    arrays = "; ".join(f"{name}: {note.note}" for name, note in notes.items() if note is not None)
    return (
        f"{attributes['title']} as UV position maps and landmarks ({attributes['origin']} images), "
        f"{len(dataset)} samples, one HDF5 file by the recipe {attributes['recipe']}. Arrays: {arrays}."
    )
