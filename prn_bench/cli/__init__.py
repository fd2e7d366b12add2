"""The command line: a thin coat over the Python API.

Exit codes: 0 good, 1 a finding (a check failed), 2 bad input or use.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of ``prn-bench``: a user's fault is one message, never a traceback."""
    from prn_bench.cli.app import app
    from prn_bench.errors import BenchError

    try:
        app()
    except BenchError as error:
        _fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `head` does
        sys.exit(0)
    except KeyboardInterrupt:
        _fail("interrupted; no half-written file was left", code=130)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}.")


def _fail(message: str, *, code: int = 2) -> None:
    print(f"prn-bench: {message}", file=sys.stderr)
    sys.exit(code)
