"""Commands of ``prn-bench`` that are killed, starved or confused, each in a process of its own.

A command runs in a fork of this process, so that imports are paid for once and it can be ended at any
moment. Mounts are made in a namespace that goes with the process; where the system forbids that,
:func:`in_namespace` gives None.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import itertools
import json
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import dataset_recipes
import prn_bench
import reference_model
from prn_bench.cli import main

NEW_MOUNTS, NEW_USER = 0x20000, 0x10000000
READ_ONLY, REMOUNT, BIND, PRIVATE = 1, 32, 4096, 0x44000
STEP_S = 0.002
LIMIT_S = 600.0  # a machine may be very busy
CAPABILITIES = 0x20080522  # version of the structure that capset() takes
YEAR_S = 365 * 86400


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (None: killed), what it printed, seconds, process group."""

    code: int | None
    text: str
    seconds: float
    group: int

    @property
    def clear(self) -> bool:
        """Whether it ended well or with one message of ours, and no traceback."""
        if "Traceback" in self.text or "Exception ignored" in self.text:
            return False
        ours = [line for line in self.text.splitlines() if line.startswith("prn-bench: ")]
        return self.code in (0, None) or (self.code == 2 and len(ours) == 1)


@dataclass(frozen=True)
class Disturbance:
    """What is done to a command.

    Attributes
    ----------
    kill_after_s : float, optional
        SIGKILL after so long.
    main_only : bool
        Kill the first process, not its workers.
    before : callable
        Called in the process before the command.
    """

    kill_after_s: float | None = None
    main_only: bool = False
    before: Callable[[], None] = lambda: None


UNDISTURBED = Disturbance()


def begin(words: tuple[str, ...], log: Path, before: Callable[[], None]) -> int:
    """Start ``prn-bench WORDS`` in a process group of its own; gives its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on: threads of libraries
        pid = os.fork()
    if pid == 0:
        _be(words, log, before)
    return pid


def _be(words: tuple[str, ...], log: Path, before: Callable[[], None]) -> NoReturn:
    """The life of the fork: it never comes back."""
    code = 70
    try:
        os.setsid()
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", closefd=False) for n in (1, 2))
        before()
        sys.argv = ["prn-bench", *words]
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(words: tuple[str, ...], how: Disturbance = UNDISTURBED) -> Ended:
    """Run ``prn-bench WORDS`` to its end, or to where it is killed."""
    with tempfile.TemporaryDirectory() as folder:
        log, began = Path(folder) / "log", time.monotonic()
        log.touch()  # a process may be killed before it makes one
        pid = begin(words, log, how.before)
        code = end(pid, how.kill_after_s, main_only=how.main_only)
        return Ended(code, log.read_text("utf-8", "replace"), time.monotonic() - began, pid)


def end(pid: int, kill_after_s: float | None = None, *, main_only: bool = False) -> int | None:
    """Wait for a process, or kill it and its workers after a while; None for one that was killed."""
    limit = time.monotonic() + (LIMIT_S if kill_after_s is None else kill_after_s)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None
        if time.monotonic() >= limit:
            if not main_only:
                kill_group(pid)
            os.kill(pid, signal.SIGKILL)  # who has no group yet has no workers either
            os.waitpid(pid, 0)
            if kill_after_s is None:
                raise TimeoutError(f"still running after {LIMIT_S} s")
            if not main_only:
                all_gone(pid)
            return None
        time.sleep(STEP_S)


def kill_group(group: int) -> None:
    """End what is left of a process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def all_gone(group: int, patience_s: float = 5.0) -> bool:
    """Whether nothing of a process group is left, after some patience."""
    limit = time.monotonic() + patience_s
    while time.monotonic() < limit:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(STEP_S)
    return False


def in_namespace(work: Callable[[], Any]) -> Any:
    """Call ``work`` where mounts are its own, and give what it returns (as JSON can hold it).

    None where the system allows no such namespace.
    """
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(out)
        try:
            answer = {"found": work()} if _own_mounts() else None
        except BaseException:
            answer = {"raised": traceback.format_exc()}
        with open(into, "w") as stream:
            json.dump(answer, stream)
        os._exit(0)
    os.close(into)
    with open(out) as stream:
        answer = json.load(stream)
    os.waitpid(pid, 0)
    if answer is not None and "raised" in answer:
        raise RuntimeError(answer["raised"])
    return None if answer is None else answer["found"]


def _own_mounts() -> bool:
    libc, user, group = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
    if libc.unshare(NEW_MOUNTS | (NEW_USER if user else 0)):
        return False
    if user:  # who is not root becomes it inside
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    return mount("none", "/", None, PRIVATE)


def mount(what: str, place: Path | str, kind: str | None, flags: int = 0, data: str = "") -> bool:
    """The system call; whether it succeeded."""
    libc = ctypes.CDLL(None, use_errno=True)
    texts = [None if t is None else str(t).encode() for t in (what, place, kind)]
    return not libc.mount(*texts, ctypes.c_ulong(flags), data.encode())


def small_disk(place: Path, n_bytes: int, *, again: bool = False) -> None:
    """A disk of so many bytes at a folder, or that disk made larger."""
    flags = REMOUNT if again else 0
    if not mount("tmpfs", place, "tmpfs", flags, f"size={n_bytes}"):
        raise OSError("cannot mount")


def read_only(place: Path, *, on: bool = True) -> None:
    """Make a folder read-only for everybody, root included; or writable again."""
    if on and not mount(str(place), place, None, BIND):
        raise OSError("cannot mount")
    if not mount("none", place, None, REMOUNT | BIND | (READ_ONLY if on else 0)):
        raise OSError("cannot remount")


def largest_file(n_bytes: int) -> Callable[[], None]:
    """No file of this process or its workers may grow beyond."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def without_privileges() -> None:
    """Let permissions hold for root too."""
    header, none = (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    if os.getuid() == 0 and ctypes.CDLL(None).capset(header, none):
        raise OSError("capabilities cannot be dropped")


def preload() -> None:
    """Import all that a command may import, so that every fork finds it."""
    for package in (prn_bench, dataset_recipes, reference_model):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "torch" in sys.modules or not module.name.startswith("reference_model"):
                importlib.import_module(module.name)


def mad_clock() -> None:
    """A clock that jumps by years, to and fro, with every look at it."""
    real, looks = time.time, itertools.count()
    time.time = lambda: real() + (-1) ** next(looks) * 10 * YEAR_S


def set_times(folder: Path, when: float) -> None:
    """Give everything in a folder one time."""
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (when, when), follow_symlinks=False)


def damaged(content: bytes, at: float, *, cut: bool) -> bytes:
    """A file cut at a fraction of its length, or with one bit of the byte there turned."""
    place = min(int(at * len(content)), len(content) - 1)
    if cut:
        return content[:place]
    changed = bytearray(content)
    changed[place] ^= 1 << (int(at * 8 * len(content)) % 8)
    return bytes(changed)
