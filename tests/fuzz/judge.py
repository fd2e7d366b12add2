"""One mutated input through every entry that a user has for it, and what must never come of that."""

from __future__ import annotations

import gc
import io
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CPU_SECONDS, EXTRA_BYTES = 10, 2 << 30
#: Ways to run code or to leave the machine, as Python's audit hooks call them.
RUNS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "pickle.find_class",
)
RUNS += ("socket.connect", "socket.getaddrinfo", "webbrowser.open")
WRITES = (
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.truncate",
)
WRITES += ("shutil.rmtree", "shutil.move", "os.utime", "shutil.copyfile")


def _numba_is_at_work() -> bool:
    """Whether Numba compiles our loops, or reads or writes them in the cache beside our sources."""
    frame = sys._getframe(2)
    while frame is not None and "/numba/core/" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None


@dataclass
class Watch:
    """What happened during one input that no exception tells of."""

    allowed: tuple[str, ...] = ()
    is_on: bool = False
    faults: list[str] = field(default_factory=list)

    def audit(self, event: str, values: tuple[Any, ...]) -> None:
        """Python's audit hook: writes outside of the allowed folders, and code that is run."""
        if not self.is_on:
            return
        if (event in RUNS or event in WRITES or event == "open") and _numba_is_at_work():
            return
        if event in RUNS:
            self.faults.append(f"ran {event} {str(values)[:80]}")
        elif event == "open":
            path, _, flags = values
            if isinstance(path, str | bytes) and (flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                self._written(path)
        elif event in WRITES and not _within(event, values):
            for path in values[event == "shutil.copyfile" : 2]:
                if isinstance(path, str | bytes | os.PathLike):
                    self._written(path)

    def _written(self, path: Any) -> None:
        place = os.path.abspath(os.fsdecode(path))
        if not place.startswith((*self.allowed, "/dev/null", "/dev/shm/")):
            self.faults.append(f"wrote {place[:200]}")


def _within(event: str, values: tuple[Any, ...]) -> bool:
    """Whether a name is relative to an open folder, which was looked at when it was opened."""
    handles = values[1 if event in ("os.remove", "os.rmdir") else 2 :]
    return any(type(one) is int and one >= 0 for one in handles)


WATCH = Watch()


def prepare() -> None:
    """Once in each worker: limits, audit hook, and a record of errors that hide others."""
    from prn_bench.errors import BenchError

    sys.addaudithook(WATCH.audit)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # the timer ends the process, even within C
    told = BenchError.__init__

    def init(self: BenchError, *values: Any, **named: Any) -> None:
        cause = sys.exc_info()[1]
        if isinstance(cause, MemoryError) or "memory" in str(named.get("found")) + str(cause):
            WATCH.faults.append(f"memory: {type(cause).__name__} {str(cause)[:80]}")
        told(self, *values, **named)

    BenchError.__init__ = init  # type: ignore[method-assign]
    gc.freeze()  # what is there stays: only what an input leaves is looked through
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def judge(box: Path, steps: tuple[str, ...], world: Path) -> tuple[list[str], list[str]]:
    """Codes and faults of all steps over the files in ``box/in``; the output goes to ``box/out``."""
    (box / "out").mkdir(exist_ok=True)
    (box / "tmp").mkdir(exist_ok=True)
    allowed = tuple(str((box / name).resolve()) for name in ("out", "tmp"))
    os.environ["PRN_BENCH_CACHE"] = str(box / "out" / "cache")
    tempfile.tempdir = str(box / "tmp")
    before, codes, faults = _snapshot(box), [], []
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + EXTRA_BYTES, hard))
    for step in steps:
        WATCH.allowed, WATCH.faults, WATCH.is_on = allowed, [], True
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            code, found = _step(step, box, world)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            WATCH.is_on = False
        codes.append(code)
        faults += [f"{step.split()[0]}: {fault}" for fault in found + WATCH.faults]
    gc.collect()  # what is removed with its last user is gone by then
    faults += [f"changed {name}" for name in sorted(before ^ _snapshot(box))[:5]]
    faults += [f"left in tmp: {name}" for name in os.listdir(box / "tmp")][:3]
    return codes, faults


def _step(step: str, box: Path, world: Path) -> tuple[str, list[str]]:
    """Exit code as text, and what is wrong with how it ended."""
    words = [word.format(i=box / "in", w=world, o=box / "out") for word in step.split()]
    with _caught() as (stdout, stderr, warned):
        code, faults = _command(words) if words[0][0] != "!" else _call(words)
    text = stdout.getvalue().decode("utf-8", "replace") + stderr.getvalue().decode(
        "utf-8", "replace"
    )
    odd = sorted({letter for letter in text if letter < " " and letter not in "\n\r\t"})
    if odd:
        at = text.index(odd[0])
        faults.append(f"control characters {odd} in {text[max(at - 50, 0) : at + 20]!r}")
    if code == "2" and "prn-bench: " not in text and "Usage: " not in text:
        faults.append(f"exit 2 without a message: {text[:80]!r}")
    faults += [
        f"warning {w.category.__name__} {_short(w.filename)}:{w.lineno} {w.message}" for w in warned
    ]
    return code, faults


def _command(words: list[str]) -> tuple[str, list[str]]:
    from prn_bench.cli import main

    sys.argv = ["prn-bench", *words]
    try:
        main()
    except SystemExit as end:
        cause = end.__context__
        faults = [f"memory: {_place(cause)}"] if isinstance(cause, MemoryError) else []
        if isinstance(cause, OSError) and cause.errno not in (None, 2, 13, 20, 21, 36):
            faults.append(f"{type(cause).__name__}: {cause} at {_place(cause)}"[:300])
        good = end.code in (0, 1, 2, None)
        return str(end.code or 0), faults if good else [*faults, f"exit {end.code!r}"]
    except BaseException as error:
        return "!", [f"{type(error).__name__} at {_place(error)}: {str(error)[:120]}"]
    return "0", []


def _call(words: list[str]) -> tuple[str, list[str]]:
    """A function of the Python API; only a BenchError may come out."""
    from prn_bench.errors import BenchError
    from tests.fuzz import api

    try:
        getattr(api, words[0][1:])(*words[1:])
    except BenchError as error:
        return error.code, [] if str(error) else ["no message"]
    except BaseException as error:
        return "!", [f"{type(error).__name__} at {_place(error)}: {str(error)[:120]}"]
    return "0", []


@contextmanager
def _caught() -> Iterator[tuple[io.BytesIO, io.BytesIO, list[Any]]]:
    """Standard output as strict as a terminal's, and all warnings."""
    out, err = _Kept(), _Kept()
    with (
        io.TextIOWrapper(out, "utf-8", write_through=True) as stdout,
        io.TextIOWrapper(err, "utf-8", "backslashreplace", write_through=True) as stderr,
        redirect_stdout(stdout),
        redirect_stderr(stderr),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # of infinities: the figures say so
        warnings.simplefilter("ignore", DeprecationWarning)
        yield out, err, warned


class _Kept(io.BytesIO):
    """A buffer that outlives the text layer above it."""

    def close(self) -> None:
        """Nothing: its content is read later."""


def _place(error: BaseException | None) -> str:
    """The innermost line of the project in a traceback."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    own = [
        f
        for f in frames
        if "/prn_bench/" in f.filename or "_model/" in f.filename or "_recipes/" in f.filename
    ]
    last = own[-1] if own else frames[-1] if frames else None
    return f"{_short(last.filename)}:{last.lineno}" if last else "?"


def _short(name: str) -> str:
    return "/".join(Path(name).parts[-2:])


def _snapshot(box: Path) -> set[tuple[str, int, int]]:
    """Everything in the folder above the output, and not in it."""
    found = set()
    for place, folders, names in os.walk(box):
        if place == str(box):
            folders[:] = [name for name in folders if name not in ("out", "tmp")]
        for name in (*names, *folders):
            status = os.lstat(os.path.join(place, name))
            is_file = name in names
            found.add(
                (os.path.join(place, name), status.st_size * is_file, status.st_mtime_ns * is_file)
            )
    return found


def clean(box: Path) -> None:
    """Take the folder of an input away."""
    shutil.rmtree(box, ignore_errors=True)
