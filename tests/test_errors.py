"""Errors print what, where, expected, found, remedy, and survive the way between processes."""

import pickle
from pathlib import Path

import pytest

from prn_bench.errors import BenchError, Finding

FULL = BenchError(
    "the frame is unknown",
    code="unknown-frame",
    where=Path("p.npz"),
    expected="'image' or 'crop'",
    found="'world'",
    remedy="Write the file again.",
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (BenchError("it broke", code="x"), "it broke."),
        (BenchError("it broke", code="x", where="f"), "f: it broke."),
        (BenchError("it broke", code="x", expected="a"), "it broke; expected a."),
        (BenchError("it broke", code="x", found="b"), "it broke; found b."),
        (
            FULL,
            "p.npz: the frame is unknown; expected 'image' or 'crop', found 'world'. "
            "Write the file again.",
        ),
    ],
)
def test_message(error, text):
    """One sentence, and the remedy as the next."""
    assert str(error) == text


def test_survives_a_worker_process():
    """Keyword arguments are not in ``args``; a pool pickles what its workers raise."""
    again = pickle.loads(pickle.dumps(FULL))
    assert str(again) == str(FULL)
    assert again.code == FULL.code
    assert again.where == FULL.where


def test_finding_says_the_same_as_its_error():
    """Code, place, both sides and remedy are kept."""
    finding = Finding.from_error(FULL)
    assert (finding.level, finding.code, finding.where) == ("error", "unknown-frame", "p.npz")
    assert finding.message == "the frame is unknown; expected 'image' or 'crop', found 'world'"
    assert finding.remedy == "Write the file again."
    assert Finding.from_error(FULL, where="elsewhere").where == "elsewhere"
