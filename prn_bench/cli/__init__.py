"""The command line: a thin coat over the Python API.

Exit codes: 0 good, 1 a finding (a check failed), 2 bad input or use; 130 and 141 as the shell has
them, for an interrupt and for a reader of our output that went away.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_BROKEN_PIPE = 2, 130, 141


def main() -> None:
    """Entry point of ``prn-bench``: a user's fault is one message, never a traceback."""
    from prn_bench.errors import BenchError

    try:
        _run()
    except BenchError as error:
        _fail(str(error))
    except BrokenPipeError:
        _end_quietly()
    except KeyboardInterrupt:
        _fail("interrupted; no half-written file was left", code=EXIT_INTERRUPTED)
    except OSError as error:
        _fail(_words(error))


def _run() -> None:
    from prn_bench.cli.app import app

    try:
        app()
    except SystemExit as end:
        # Rich and Click both turn a broken pipe into exit code 1, which here means a finding.
        if _from_broken_pipe(end):
            raise BrokenPipeError from None
        sys.stdout.flush()  # here, where a pipe that broke late is still ours to handle
        raise


def _from_broken_pipe(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, BrokenPipeError):
            return True
        error = error.__context__
    return False


def _end_quietly() -> NoReturn:
    """End as other programs do when `head` has seen enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python flushes once more
    sys.exit(EXIT_BROKEN_PIPE)


def _words(error: OSError) -> str:
    """What the system said, of which file, and what to do where that is known."""
    from prn_bench.outfile import CANNOT_WRITE

    place = f"{error.filename}: " if error.filename else ""
    remedy = CANNOT_WRITE.get(error.errno or 0, "")
    if isinstance(error, PermissionError):  # perhaps it was to be read
        remedy = "Check the permissions of this file and of its folder."
    return f"{place}{error.strerror or error}. {remedy}".rstrip()


def _fail(message: str, *, code: int = EXIT_BAD_INPUT) -> NoReturn:
    print(f"prn-bench: {message}", file=sys.stderr)
    sys.exit(code)
