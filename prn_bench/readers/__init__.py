"""Import readers: other people's output files to :class:`prn_bench.predictions.Predictions`.

One module for each family of methods. Each reader knows the frame that its method writes in and undoes
it, joins files to samples by their names, and writes what it did into the notes of the method card.
"""

from __future__ import annotations

from prn_bench.readers.generic import read_csv, read_npz
from prn_bench.readers.ids import match_ids
from prn_bench.readers.registry import available_readers, find_reader, reader_options

__all__ = [
    "available_readers",
    "find_reader",
    "match_ids",
    "read_csv",
    "read_npz",
    "reader_options",
]
