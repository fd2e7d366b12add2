"""Result files: per-sample errors, their summary, and where both come from.

A result is a pair of files. ``KEY.json`` holds the summary, the whole protocol with its hash, the
data and the method; ``KEY.csv.gz`` one line per sample, so that curves, intervals and tables need
neither predictions nor dataset. The same score gives the same bytes: no dates, full precision.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from prn_bench.errors import BenchError, Finding
from prn_bench.outfile import write_together
from prn_bench.protocol import Protocol
from prn_bench.results.samples import Samples, csv_bytes, read_csv
from prn_bench.summary import Summary, same_figures

FORMAT, FORMAT_VERSION = "prn-bench/result", 1
MAX_BYTES = 1 << 28  # unpacked samples; real ones take 200 kB

#: What values of other types bring up where they are used.
GARBLED = (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError, csv.Error)


@dataclass(frozen=True)
class Result:
    """One prediction file scored under one protocol.

    Attributes
    ----------
    protocol : Protocol
    summary : Summary
    samples : Samples
    method : dict
        The method card.
    dataset : dict
        title, recipe, fingerprint, origin, and ``n`` samples.
    reference_digest : str
        Sha256 of exactly what the errors were measured against (ids, points, yaw, normaliser),
        the same for two builds of one dataset in different layouts.
    predictions_sha256 : str or None
    findings : tuple of Finding
        What a reader of the figures should know.
    tool_version : str
    coverage : float
        Share of the protocol's points that the predictions have.
    inputs : dict
        Further inputs of the score by kind: face model, index map, landmark map, list of samples.
    """

    protocol: Protocol
    summary: Summary
    samples: Samples
    method: dict[str, Any]
    dataset: dict[str, Any]
    reference_digest: str
    predictions_sha256: str | None
    findings: tuple[Finding, ...] = ()
    tool_version: str = ""
    coverage: float = 1.0
    inputs: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name of the files: method and protocol, safe on every file system."""
        key = "--".join(map(_file_name, (self.method["name"], self.protocol.id)))
        return key if len(key) < 150 else f"{key[:130]}--{self.protocol.short_hash}"

    def as_dict(self) -> dict[str, Any]:
        """The content of ``KEY.json``."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "created_with": f"prn-bench {self.tool_version}",
            "method": self.method,
            "protocol": self.protocol.as_dict(),
            "protocol_hash": self.protocol.hash,
            "summary": self.summary.as_dict(),
            "columns": self.samples.columns(),
            "coverage": self.coverage,
            "inputs": self.inputs,
            "dataset": self.dataset,
            "reference_digest": self.reference_digest,
            "predictions_sha256": self.predictions_sha256,
            "samples_sha256": hashlib.sha256(csv_bytes(self.samples)).hexdigest(),
            "findings": [asdict(finding) for finding in self.findings],
        }


def save(result: Result, folder: str | Path, *, replace: bool = False) -> tuple[Path, Path]:
    """Write ``KEY.json`` and ``KEY.csv.gz``; each appears under its name only when whole.

    The same score may always be written again. ``replace`` lets it take the place of a result by
    that method under that protocol which came of other predictions, data or rules.

    Returns
    -------
    json, csv : Path

    Raises
    ------
    BenchError
        ``result-exists`` without ``replace``, ``result-name-taken`` when the folder holds a result
        of that file name by another method or protocol, ``cannot-write``.
    """
    folder = make_folder(folder)
    summary, samples = (folder / f"{result.key}{suffix}" for suffix in (".json", ".csv.gz"))
    if summary.exists():
        _refuse_other(result, summary, replace=replace)
    text = json.dumps(result.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_together({summary: text.encode(), samples: _gzip(csv_bytes(result.samples))})
    return summary, samples


def make_folder(folder: str | Path) -> Path:
    """A folder for results, made when it is not there; BenchError ``cannot-write``."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the folder cannot be made ({error.strerror})"
        raise BenchError(what, code="cannot-write", where=folder) from None
    return Path(folder)


def load_result(path: str | Path) -> Result:
    """Read ``KEY.json``, and check that the samples in ``KEY.csv.gz`` beside it give its summary.

    Raises
    ------
    BenchError
        ``no-such-file``, ``not-a-result``, ``newer-format``, ``damaged-result``, and
        ``result-edited`` when protocol, samples and summary no longer belong together.
    """
    path = Path(path)
    path = path.with_name(path.name.removesuffix(".csv.gz").removesuffix(".json") + ".json")
    table = _read_json(path)
    try:
        protocol = Protocol.from_dict(table["protocol"], where=path)
        content = _gunzip(path.with_suffix(".csv.gz"))
        samples = read_csv(content)
        result = Result(
            protocol,
            samples.summarize(protocol),
            samples,
            _named(table["method"]),
            dict(table["dataset"]),
            str(table["reference_digest"]),
            table["predictions_sha256"],
            tuple(Finding.from_dict(finding) for finding in table["findings"]),
            str(table["created_with"]).removeprefix("prn-bench "),
            float(table["coverage"]),
            {str(name): str(text) for name, text in table["inputs"].items()},
        )
        expected = {"protocol_hash": protocol.hash, "summary": result.summary.as_dict()}
        expected["columns"] = samples.columns()
        expected["samples_sha256"] = hashlib.sha256(content).hexdigest()
        found = {name: table[name] for name in expected}
    except GARBLED as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from None
    for name, value in expected.items():
        if not same_figures(value, found[name]):
            raise BenchError(
                f"{name} does not follow from the protocol and the samples beside it",
                code="result-edited",
                where=path,
                expected=json.dumps(value)[:80],
                found=json.dumps(found[name])[:80],
                remedy="Score the predictions again; results are never edited by hand.",
            )
    return result


def _named(method: dict[str, Any]) -> dict[str, Any]:
    if not (isinstance(method["name"], str) and method["name"]):
        raise TypeError("a method has a name")
    return {"name": method["name"], **method}


def _file_name(name: str) -> str:
    """A name in characters that every file system takes; one without any of them becomes a hash."""
    safe = re.sub(r"[^a-z0-9._@=]+", "-", name.lower()).strip("-.")
    return safe or hashlib.sha256(name.encode()).hexdigest()[:12]


def _refuse_other(result: Result, path: Path, *, replace: bool) -> None:
    try:
        known, new = _read_json(path), result.as_dict()
    except BenchError as error:
        if error.code == "damaged-result" and replace:
            return
        raise
    mine = [result.method["name"], result.protocol.id]
    other = [known.get(key, {}).get(name) for key, name in (("method", "name"), ("protocol", "id"))]
    if mine != other:
        raise BenchError(
            "a result of this file name is there already, by another method or protocol",
            code="result-name-taken",
            where=path,
            expected=str(mine),
            found=str(other),
            remedy="Write into another folder.",
        )
    basis = ("predictions_sha256", "reference_digest", "protocol_hash")
    changed = [name for name in basis if known.get(name) != new[name]]
    if changed and not replace:
        raise BenchError(
            f"this method has a result under {mine[1]} already, of another {changed[0]}",
            code="result-exists",
            where=path,
            remedy="Name the method otherwise, write into another folder, or --replace it.",
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BenchError("there is no such file", code="no-such-file", where=path) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise BenchError(
            "this is not a result", code="not-a-result", where=path, expected=f"format = {FORMAT!r}"
        )
    if table.get("format_version") != FORMAT_VERSION:
        what = "this result was written by another version of prn-bench"
        raise BenchError(what, code="newer-format", where=path, remedy="Upgrade prn-bench.")
    return table


def _gzip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, buffer, mtime=0) as stream:  # neither name nor time inside
        stream.write(content)
    return buffer.getvalue()


def _gunzip(path: Path) -> bytes:
    try:
        with gzip.open(path) as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise BenchError("the samples are not there", code="no-such-file", where=path) from None
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from None
    if len(content) > MAX_BYTES:
        raise _damaged(path, f"more than {MAX_BYTES} bytes unpacked")
    return content


def _damaged(path: Path, why: str) -> BenchError:
    what, remedy = f"the result is damaged ({why})", "Score the predictions again, with --replace."
    return BenchError(what, code="damaged-result", where=path, remedy=remedy)
