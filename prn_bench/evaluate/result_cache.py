"""Results of earlier scores, found again by what they were made of.

An entry is an ordinary result pair under a name that covers data, predictions, protocol, further inputs
and the version of this program, with a digest of both files: one that is damaged or cut anywhere is made
anew. Files of this folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.errors import BenchError
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.outfile import write_together
from prn_bench.protocol_fields import Protocol
from prn_bench.results import Result, load_result, save

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

BLOCK_BYTES = 1 << 22
DIGEST = "sha256"  # a result alone says nothing of a bit that turns in its method card or findings


def cached(
    folder: Path | None,
    predictions: Predictions,
    dataset: Dataset,
    protocol: Protocol,
    inputs: ScoreInputs,
    make: Callable[[], Result],
) -> Result:
    """The result of an earlier score of the same things, or a new one, which is kept.

    Parameters
    ----------
    folder : Path or None
        None neither looks nor keeps.
    predictions, dataset, protocol, inputs
        What the score is made of.
    make : callable
        Scores them.
    """
    key = None if folder is None else cache_key(predictions, dataset, protocol, inputs)
    if folder is None or key is None:
        return make()
    place = folder / key[:2] / key
    known = _load(place, protocol)
    if known is not None:
        return replace(known, protocol=protocol, method=dict(predictions.method))
    result = make()
    try:
        for damaged in place.glob("*") if place.is_dir() else ():
            damaged.unlink()
        files = save(result, place, replace=True)
        write_together({place / DIGEST: _digest(files).encode()})
    except (BenchError, OSError):
        return result  # a cache that cannot be written is no reason to fail
    return result


def cache_key(
    predictions: Predictions, dataset: Dataset, protocol: Protocol, inputs: ScoreInputs
) -> str | None:
    """Sha256 (hex) of everything that decides a result; None for predictions made in memory."""
    from prn_bench import __version__

    about = dataset.attributes
    timed = protocol.task == "runtime"
    digest = predictions.runtime_sha256 if timed else predictions.sha256
    if digest is None or "content_sha256" not in about:
        return None
    files = {"face_model": inputs.face_model, **inputs.index_maps}
    told = {
        "tool": __version__,
        "protocol": [protocol.id, protocol.hash],
        "predictions": digest,
        "dataset": [dataset.path.name, about.get("fingerprint"), about["content_sha256"]],
        "report": hashlib.sha256(str(about.get("report")).encode()).hexdigest(),
        "where": predictions.path.name if predictions.path else "",
        "files": {name: file_digest(path) for name, path in files.items() if path is not None},
        "landmark_map": inputs.landmark_map.sha256 if inputs.landmark_map else None,
        "subset": [inputs.subset.name, inputs.subset.sha256] if inputs.subset else None,
        "common": None if inputs.common is None else inputs.common.tobytes().hex(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def file_digest(path: str | Path) -> str:
    """Sha256 (hex) of a file, read in blocks; of nothing where there is no file."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    except OSError:
        return ""  # whoever needs the file says so
    return digest.hexdigest()


def _load(place: Path, protocol: Protocol) -> Result | None:
    for path in sorted(place.glob("*.json")) if place.is_dir() else ():
        try:
            whole = (place / DIGEST).read_bytes() == _digest(
                (path, path.with_suffix(".csv.gz"))
            ).encode()
            result = load_result(path) if whole else None
        except (BenchError, OSError):
            return None
        if result is not None and result.protocol.hash == protocol.hash:
            return result
    return None


def _digest(files: tuple[Path, Path]) -> str:
    return " ".join(map(file_digest, files))
