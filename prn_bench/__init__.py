"""Datasets, scores and plots for 3D face reconstruction with UV position maps.

The names below are the Python API. Each is fetched from its module when it is asked for, so that
``import prn_bench`` costs nothing. Functions on plain arrays live in :mod:`prn_bench.metrics`,
:mod:`prn_bench.geometry` and their neighbours, and need no files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prn_bench.comparison import compare
    from prn_bench.dataset import open_dataset
    from prn_bench.errors import BenchError
    from prn_bench.evaluate import score
    from prn_bench.predictions import open_predictions, write_predictions
    from prn_bench.predictions.memory import make_predictions
    from prn_bench.protocol import protocols
    from prn_bench.results import load_result

    __version__: str

__all__ = [
    "BenchError",
    "__version__",
    "compare",
    "load_result",
    "make_predictions",
    "open_dataset",
    "open_predictions",
    "protocols",
    "score",
    "write_predictions",
]

_HOMES = {
    "BenchError": "prn_bench.errors",
    "compare": "prn_bench.comparison",
    "load_result": "prn_bench.results",
    "make_predictions": "prn_bench.predictions.memory",
    "open_dataset": "prn_bench.dataset",
    "open_predictions": "prn_bench.predictions",
    "protocols": "prn_bench.protocol",
    "score": "prn_bench.evaluate",
    "write_predictions": "prn_bench.predictions",
}


def __getattr__(name: str) -> Any:
    """Fetch a public name from its module (PEP 562)."""
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'prn_bench' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Show the public names before they are fetched."""
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("prn-bench")
    except PackageNotFoundError:
        return "0+unknown"  # a source tree on the path that nobody installed
