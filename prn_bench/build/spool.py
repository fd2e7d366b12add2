"""Finished batches on disk: what a killed build has already done.

Each batch is one ``.npz`` in a folder beside the dataset file, under its number, and appears there only
when whole. The folder carries the digest of everything that decides its content; a build with another
digest starts afresh.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, TextIO

import numpy as np
from numpy.typing import NDArray

from prn_bench.build.batch import Rows
from prn_bench.errors import BenchError, Finding
from prn_bench.store import atomic_path, writing

PLAN, FINDINGS, MEMBERS = "plan.txt", "findings", "members"


class Spool:
    """The folder of finished batches of one build.

    Parameters
    ----------
    out : Path
        The dataset file to be made.
    plan : str
        Digest of all that decides the batches.
    """

    def __init__(self, out: Path, plan: str) -> None:
        self.folder, self._plan, self._out = out.with_name(f".{out.name}.parts"), plan, out

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other builds of the same file out while the block runs; a killed one lets go by itself.

        Raises
        ------
        BenchError
            ``build-under-way``.
        """
        lock = self.folder.with_suffix(".lock")
        with writing(self._out), open(lock, "w") as stream:
            if not _lock(stream, lock):
                raise BenchError(
                    "another build is writing this file",
                    code="build-under-way",
                    where=lock,
                    remedy="Wait for it, or name another --out.",
                )
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)

    def ready(self, n_batches: int) -> set[int]:
        """Numbers of the batches that an earlier, unfinished build of the same plan left whole."""
        plan = self.folder / PLAN
        if not plan.is_file() or plan.read_bytes() != self._plan.encode():
            with writing(self._out), suppress(FileNotFoundError):
                shutil.rmtree(self.folder)  # or it stays, and would pass for what this build made
            return set()
        return {number for number in range(n_batches) if self._whole(number)}

    def put(self, number: int, content: bytes | Rows) -> None:
        """Store a batch, or what :func:`pack` made of it."""
        with writing(self._out):
            self.folder.mkdir(exist_ok=True)
            plan = self.folder / PLAN
            if not plan.is_file():
                with atomic_path(plan) as part:
                    part.write_text(self._plan, "utf-8")
            part = self._path(number).with_suffix(".part")
            with open(part, "wb") as stream:
                if isinstance(content, bytes):
                    stream.write(content)
                else:
                    write_rows(content, stream)
            # Not forced to the disk: what a power cut loses is made anew.
            os.replace(part, self._path(number))

    def get(self, number: int) -> Rows:
        """A stored batch.

        Raises
        ------
        BenchError
            ``damaged-part`` when the disk gave back something else; the part is then removed.
        """
        path = self._path(number)
        try:
            return unpack(path.read_bytes())
        except Exception:  # any bit of it may have turned
            path.unlink(missing_ok=True)
            raise BenchError(
                "a finished batch cannot be read back",
                code="damaged-part",
                where=path,
                remedy="Run the same command again: only this batch is made anew.",
            ) from None

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"batch-{number:06d}.npz"

    def _whole(self, number: int) -> bool:
        """Whether a batch is there, and without quarantined samples: those may have been repaired."""
        try:
            with zipfile.ZipFile(self._path(number)) as archive:
                findings = json.loads(_array(archive, f"{FINDINGS}.npy").tobytes())
            return all(finding["level"] != "error" for finding in findings)
        except Exception:  # any bit of it may have turned
            return False


def _lock(stream: TextIO, path: Path) -> bool:
    """Take an exclusive lock, where the system has such; it ends with the process.

    A file that its holder has removed meanwhile locks nothing: somebody else makes a new one.
    """
    try:
        import fcntl
    except ImportError:  # Windows: two builds of one file then end with whichever is last
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:  # a file system without locks
        return True


def pack(rows: Rows) -> bytes:
    """One batch as bytes."""
    stream = io.BytesIO()
    write_rows(rows, stream)
    return stream.getvalue()


def write_rows(rows: Rows, stream: IO[bytes]) -> None:
    """Write one batch: an ``.npz``, in which images and maps stand one after the other as they are."""
    findings = json.dumps([asdict(finding) for finding in rows.findings])
    arrays = {
        **{f"column:{name}": _storable(values) for name, values in rows.columns.items()},
        **{f"residual:{name}": values for name, values in rows.residuals.items()},
        "images": np.array([len(part) for part in rows.images], np.int64),
        "maps": np.array([len(part) for part in rows.maps], np.int64),
        FINDINGS: np.frombuffer(findings.encode(), np.uint8),
    }
    # A zip has checksums of what is in its members, and none of their names.
    arrays[MEMBERS] = np.frombuffer(json.dumps([*arrays]).encode(), np.uint8)
    with zipfile.ZipFile(stream, "w") as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
        for name, parts in (("images", rows.images), ("maps", rows.maps)):
            with archive.open(name, "w", force_zip64=True) as member:
                for part in parts:
                    member.write(part)


def unpack(content: bytes) -> Rows:
    """The batch that :func:`pack` packed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        arrays = {name[:-4]: _array(archive, name) for name in names}
        if {*json.loads(arrays.pop(MEMBERS).tobytes())} != {*arrays}:
            raise ValueError("names of members are damaged")
        parts = {name: _split(archive.read(name), arrays[name]) for name in ("images", "maps")}
    columns = {name[7:]: v for name, v in arrays.items() if name.startswith("column:")}
    if "sample_id" in columns:
        columns["sample_id"] = columns["sample_id"].astype(object)
    return Rows(
        columns,
        parts["images"],
        parts["maps"],
        [Finding(**finding) for finding in json.loads(arrays[FINDINGS].tobytes())],
        {name[9:]: v for name, v in arrays.items() if name.startswith("residual:")},
    )


def _array(archive: zipfile.ZipFile, name: str) -> NDArray:
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _storable(values: NDArray) -> NDArray:
    """Texts as fixed-width unicode: an object array would be a pickle."""
    return values.astype(str) if values.dtype.kind == "O" else values


def _split(content: bytes, sizes: NDArray[np.int64]) -> list[bytes]:
    ends = np.cumsum(sizes)
    return [content[end - size : end] for size, end in zip(sizes, ends, strict=True)]
