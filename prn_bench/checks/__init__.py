"""``prn-bench check``: what a file is, and every fault of it in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prn_bench import store
from prn_bench.dataset import Dataset, open_dataset, schema
from prn_bench.errors import BenchError, Finding
from prn_bench.predictions import structure as predictions_structure

RAW_SUFFIXES = (".mat", ".obj", ".jpg", ".jpeg", ".png", ".bmp", ".pt", ".pth", ".ckpt", ".pkl")
RESULT_SUFFIXES = (".json", ".csv.gz")  # the two files of a pair find each other by name
ZIP_SIGNATURE, GZIP_SIGNATURE = b"PK\x03\x04", b"\x1f\x8b"


def check_file(path: str | Path, *, dataset: Dataset | str | Path | None = None) -> list[Finding]:
    """Every fault of a file: one of ours, or an annotation, image, mesh or folder of raw data.

    Parameters
    ----------
    path : path
        Ours are known by their content, others' by their suffix. Of a result either file of the
        pair; a folder is checked as the results in it, as raw data or as a method's output.
    dataset : Dataset or its path, optional
        What predictions belong to: their ids and coarse position are then checked too.

    Returns
    -------
    list of Finding
        Errors make a file unusable, warnings deserve a look, notes are good to know. An unreadable
        file is an error among them, never an exception.

    Raises
    ------
    BenchError
        Only of ``dataset``, when it is a path that :func:`open_dataset` refuses: that is no fault
        of the file.
    """
    path = Path(path)
    if isinstance(dataset, str | Path):
        dataset = open_dataset(dataset)
    findings: list[Finding] = []
    try:
        for finding in _check(path, dataset):
            findings.append(finding)  # one by one: a late exception must not lose the others
    except BenchError as error:
        findings.append(Finding.from_error(error, where=None if error.where else str(path)))
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, MemoryError) as error:
        words = f"the check stopped ({type(error).__name__}: {error})"
        findings.append(Finding("error", "not-checked", str(path), words))
    return findings


def _check(path: Path, dataset: Dataset | None) -> Iterator[Finding]:
    if path.is_dir():
        yield from _check_folder(path)
        return
    if path.suffix.lower() in RAW_SUFFIXES:
        from prn_bench.checks.raw import check_raw_file

        yield from check_raw_file(path)
        return
    if not path.is_file():
        raise BenchError("there is no such file", code="no-such-file", where=path)
    with open(path, "rb") as stream:
        head = stream.read(len(store.SIGNATURE))
    if head == store.SIGNATURE:
        yield from _store_guard(path, dataset)
    elif head.startswith(ZIP_SIGNATURE):
        yield from _check_predictions(path, dataset)
    elif path.name.endswith(RESULT_SUFFIXES) and (
        head.startswith(GZIP_SIGNATURE) or head.lstrip()[:1] == b"{"
    ):
        yield from _check_result(path)
    else:
        raise _unknown(path)


def _check_folder(path: Path) -> Iterator[Finding]:
    results = sorted(path.glob("*.json"))
    if not results:
        from prn_bench.checks.raw import check_raw_folder

        yield from check_raw_folder(path)
    for result in results:
        yield from check_file(result)


def _store_guard(path: Path, dataset: Dataset | None) -> Iterator[Finding]:
    from prn_bench.facemodel import file as facemodel_file

    with store.open_file(path) as file:
        kind = store.read_attributes(file).get("format")
    if kind == schema.DATASET_FORMAT:
        from prn_bench.checks.dataset import check_dataset

        yield from check_dataset(path)
    elif kind == predictions_structure.FORMAT:
        yield from _check_predictions(path, dataset)
    elif kind == facemodel_file.FORMAT:
        model = facemodel_file.load_face_model(path)
        words = f"{model.name}, {model.n_vertices} vertices, {model.model_id[:12]}"
        yield Finding("note", "face-model", str(path), words)
    else:
        raise _unknown(path, found=f"HDF5 with format = {kind!r}")


def _check_predictions(path: Path, dataset: Dataset | None) -> Iterator[Finding]:
    from prn_bench.checks.predictions import check_predictions

    yield from check_predictions(path, dataset)


def _check_result(path: Path) -> Iterator[Finding]:
    """The pair belongs together, and its protocol is still the published one."""
    from prn_bench.protocol import protocol
    from prn_bench.results import load_result

    result = load_result(path)
    n_missing = int(result.samples.missing.sum())
    words = f"{result.method['name']} under {result.protocol.id}: "
    words += (
        f"{len(result.samples.ids)} samples, {n_missing} missing; the summary follows from them"
    )
    yield Finding("note", "result", str(path), words)
    yield from result.findings
    try:
        current = protocol(result.protocol.id)
    except BenchError:
        yield Finding("note", "own-protocol", str(path), f"{result.protocol.id} is not one of ours")
        return
    if current.hash != result.protocol.hash:
        words = f"{current.id} is another protocol today: {current.short_hash}, not "
        words += result.protocol.short_hash
        yield Finding("warning", "stale-protocol", str(path), words, "Score the predictions again.")


def _unknown(path: Path, found: str | None = None) -> BenchError:
    from prn_bench.formats.sniff import fault, kind_of

    kind = kind_of(path)
    expected = "a dataset, prediction, result or face-model file"
    if found is None and kind.code is not None:
        return fault(kind.code, path, expected=expected)
    return BenchError(
        "this file is of no kind that can be checked",
        code="unknown-kind",
        where=path,
        expected=expected,
        found=found or kind.words,
        remedy="Other programs' outputs come in through `prn-bench import`.",
    )
