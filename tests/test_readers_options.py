"""Options of readers on the command line: checked against the reader's own parameters."""

import pytest

from prn_bench.errors import BenchError
from prn_bench.readers import available_readers, find_reader, reader_options
from prn_bench.readers.registry import OWN
from tests.reader_files import CASES, NAMES, known_points


def own(path, *, frame, dataset=None, scale: float | None = None, deep: bool = False, n: int = 3):
    """A stranger's reader with options of every kind."""


def test_words_become_values():
    """By the annotations; dashes are as good as underscores."""
    assert reader_options(own, ["scale=2.5", "deep=Yes", "n=7"]) == {
        "scale": 2.5,
        "deep": True,
        "n": 7,
    }
    assert reader_options(find_reader("3ddfa"), ["one-based=true", "faces=first"]) == {
        "one_based": True,
        "faces": "first",
    }
    assert reader_options(own, []) == {}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["scale=large"], "bad-option"),
        (["deep=2"], "bad-option"),
        (["n=1.5"], "bad-option"),
        (["size=3"], "unknown-option"),
        (["frame=image"], "unknown-option"),
        (["scale"], "unknown-option"),
    ],
)
def test_bad_words(words, code):
    """Named, with what would be right."""
    with pytest.raises(BenchError) as error:
        reader_options(own, words)
    assert error.value.code == code
    assert error.value.expected


@pytest.mark.parametrize("name", sorted(OWN))
def test_every_reader_of_ours_loads(name):
    """And its options can be given as words."""
    reader = find_reader(name)
    assert callable(reader)
    assert reader.__doc__
    with pytest.raises(BenchError) as error:
        reader_options(reader, ["nonsense=1"])
    assert error.value.code == "unknown-option"
    assert name in available_readers()


def test_the_command_passes_them_on(tmp_path, run):
    """And refuses what the reader does not have, before anything is read."""
    folder = tmp_path / "maps"
    folder.mkdir()
    CASES["sadrnet fractions"].write(folder, NAMES[0], known_points(NAMES[0]))
    words = ("import", "sadrnet", folder, "--out", tmp_path / "p.h5")
    code, _, err = run(*words)
    assert (code, "scale=S" in err) == (2, True)
    code, _, err = run(*words, "--option", "size=280")
    assert (code, "scale=..." in err) == (2, True)
    code, out, _ = run(*words, "--option", "scale=280")
    assert code == 0
    assert "positions times 280" in out
    assert (tmp_path / "p.h5").is_file()


def test_ours_are_not_shadowed(monkeypatch):
    """Another package brings readers of its own, not in the place of ours."""
    from importlib.metadata import EntryPoint

    theirs = [EntryPoint(name, "theirs:read", "prn_bench.readers") for name in ("vrn", "mine")]
    monkeypatch.setattr("prn_bench.readers.registry.entry_points", lambda group: theirs)
    found = available_readers()
    assert found["mine"].value == "theirs:read"
    assert found["vrn"].value == "prn_bench.readers.vrn:read_vrn"
