"""Results from per-sample errors that somebody else measured: our averaging of their numbers.

Some authors publish errors and no predictions (VRN's per-image errors on Florence). Averaged by a
protocol's own rules they become a result like any other, which says that the errors were given.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError, Finding
from prn_bench.evaluate.inputs import USED
from prn_bench.protocol import Protocol
from prn_bench.protocol import protocol as find_protocol
from prn_bench.results import Result
from prn_bench.results.samples import Samples
from prn_bench.subsets import NO_BIN, nearest_bins, yaw_bins

MAX_BYTES = 256 << 20
IDS, YAWS = ("sample_id", "name", "id", "image"), ("yaw_deg", "yaw")


@dataclass(frozen=True)
class ErrorTable:
    """A CSV with a line for each sample: its header and columns of texts."""

    path: Path
    columns: dict[str, list[str]]
    sha256: str

    def first_of(self, names: tuple[str, ...]) -> list[str] | None:
        """The first of these columns that is there."""
        return next((self.columns[name] for name in names if name in self.columns), None)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as float64, NaN where empty; BenchError ``bad-errors``."""
        try:
            values = np.array(
                [float(text) if text.strip() else np.nan for text in self.columns[name]]
            )
        except ValueError as error:
            raise _bad(self.path, f"numbers in the column {name}", str(error)) from None
        if np.isinf(values).any():
            raise _bad(self.path, f"finite numbers in the column {name}", "infinity")
        return values


def aggregate(
    path: str | Path,
    protocol: Protocol | str | Path,
    *,
    column: str,
    method: str,
    fraction: bool = False,
) -> Result:
    """Average given errors by a protocol's rules.

    Parameters
    ----------
    path : path
        CSV with a header: ids (``sample_id`` or ``name``), the errors, ``yaw_deg`` or ``yaw`` where
        the protocol sorts by it; optional ``subject``, which intervals draw by, and ``used``, where 1
        marks the samples that count.
    protocol : Protocol, or its id or file
        Decides bins and averages only: nothing is measured here.
    column : str
        With the errors, in the protocol's unit.
    method : str
        Name of the method.
    fraction : bool
        The errors are fractions, to be multiplied by 100.

    Returns
    -------
    Result
        With the note ``errors-given``.

    Raises
    ------
    BenchError
        ``no-such-file``, ``bad-errors``, ``missing-predictions`` (strict policy), and those of
        :func:`prn_bench.protocol.protocol`.
    """
    if not isinstance(protocol, Protocol):
        protocol = find_protocol(protocol)
    table = _read(Path(path))
    samples = _samples(table, protocol, column, 100.0 if fraction else 1.0)
    words = f"the errors are those of {table.path.name}, averaged here and not measured"
    ids = hashlib.sha256("\n".join(samples.ids).encode()).hexdigest()
    about = {"title": f"errors given in {table.path.name}", "recipe": protocol.dataset}
    from prn_bench import __version__

    return Result(
        protocol,
        samples.summarize(protocol),
        samples,
        {"name": method},
        {**about, "origin": "given", "n": len(samples.ids)},
        ids,
        hashlib.sha256(f"{table.sha256} {column}".encode()).hexdigest(),
        (Finding("note", "errors-given", table.path.name, words),),
        __version__,
        inputs={"errors": f"{table.path.name} {table.sha256}"},
    )


def _samples(table: ErrorTable, protocol: Protocol, column: str, factor: float) -> Samples:
    if column not in table.columns:
        raise _bad(table.path, f"a column {column}", ", ".join(table.columns))
    errors = table.numbers(column) * factor
    if (errors < 0).any():
        raise _bad(table.path, "errors that are not negative", f"{np.nanmin(errors)}")
    bins = _bins(table, protocol)
    missing = np.isnan(errors)
    if (missing & (bins >= 0)).any() and protocol.missing == "strict":
        raise BenchError(
            f"{int((missing & (bins >= 0)).sum())} samples have no error in the column {column}",
            code="missing-predictions",
            where=table.path,
            remedy=f"Leave them out: {protocol.id}+missing=drop.",
        )
    if protocol.missing == "penalise":
        errors = np.where(missing, protocol.penalty, errors)
    nothing = np.full(len(errors), np.nan)
    return Samples(_ids(table), errors, nothing, _yaw(table, protocol), bins, missing)


def _ids(table: ErrorTable) -> NDArray:
    names, subjects = table.first_of(IDS), table.columns.get("subject")
    if names is None:
        raise _bad(table.path, f"a column {' or '.join(IDS)}", ", ".join(table.columns))
    if subjects is not None:
        names = [f"{subject}/{name}" for subject, name in zip(subjects, names, strict=True)]
    if len(set(names)) < len(names) or not all(names):
        raise _bad(table.path, "one line for each sample", "ids that are empty or occur twice")
    return np.array(names, object)


def _yaw(table: ErrorTable, protocol: Protocol) -> NDArray[np.float64]:
    name = next((name for name in YAWS if name in table.columns), None)
    if name is not None:
        return table.numbers(name)
    if protocol.yaw_source == "none":
        return np.zeros(len(next(iter(table.columns.values()))))
    raise _bad(table.path, f"a column {' or '.join(YAWS)}", ", ".join(table.columns))


def _bins(table: ErrorTable, protocol: Protocol) -> NDArray[np.intp]:
    yaw = _yaw(table, protocol)
    if protocol.bin_centres:
        bins = nearest_bins(yaw, protocol.bin_centres)
    else:
        edges, over_90 = protocol.bin_edges, protocol.over_90
        bins = yaw_bins(yaw, edges=edges, closed=protocol.closed, over_90=over_90)
    used = table.first_of(USED)
    if used is not None:
        bins[np.array([text.strip() != "1" for text in used])] = NO_BIN
    return bins


def _read(path: Path) -> ErrorTable:
    if not path.is_file():
        raise BenchError("there is no such file", code="no-such-file", where=path)
    if path.stat().st_size > MAX_BYTES:
        raise _bad(path, f"at most {MAX_BYTES} bytes", str(path.stat().st_size))
    content = path.read_bytes()
    try:
        rows = [row for row in csv.reader(content.decode("utf-8-sig").splitlines()) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise _bad(path, "a CSV in utf-8", str(error)[:80]) from None
    uneven = [number for number, row in enumerate(rows, 1) if len(row) != len(rows[0])]
    if len(rows) < 2 or uneven:
        found = f"line {uneven[0]} has another number of fields" if uneven else "no lines"
        raise _bad(path, "a header and a line for each sample", found)
    names = [name.strip() for name in rows[0]]
    columns = {
        name: list(values) for name, values in zip(names, zip(*rows[1:], strict=True), strict=True)
    }
    return ErrorTable(path, columns, hashlib.sha256(content).hexdigest())


def _bad(path: Path, expected: str, found: str) -> BenchError:
    return BenchError(
        "this is no table of per-sample errors",
        code="bad-errors",
        where=path,
        expected=expected,
        found=found,
    )
