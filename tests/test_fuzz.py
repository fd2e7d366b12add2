"""What mutated files once broke, and a short campaign of new ones (docs/fuzzing.md has the long one)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from prn_bench import load_result
from prn_bench.errors import BenchError, Finding, printable
from prn_bench.facemodel.bfm import uv
from prn_bench.formats import npyfile
from prn_bench.landmark_map import load_landmark_map
from prn_bench.leaderboard.boards import read_boards, read_disagreements
from prn_bench.leaderboard.facts import read_published, read_toml
from prn_bench.protocol import protocol
from prn_bench.recipes import find_recipe, read_card
from prn_bench.settings import load_settings
from tests.checking import code_of
from tests.small_leaderboard import HEAD, LINES, write_facts

ROOT = Path(__file__).resolve().parents[1]


#: Brackets deeper than any stack, a number of more digits than Python reads, half of a pair in UTF-8.
TOMLS = {
    "deep": b"a = " + b"[" * 100_000,
    "deep tables": b"a = " + b"{a = " * 50_000,
    "digits": b"a = " + b"9" * 5000,
    "not utf-8": b'a = "\xed\xa0\x80"',
    "utf-16": "a = 1".encode("utf-16"),
}
TOML_READERS = {
    "protocol": (protocol, "protocol-file"),
    "settings": (load_settings, "bad-config"),
    "card": (read_card, "bad-card"),
    "landmark map": (load_landmark_map, "landmark-map-file"),
    "leaderboard": (read_toml, "bad-fact"),
}


@pytest.mark.parametrize("reader", TOML_READERS)
@pytest.mark.parametrize("text", TOMLS)
def test_hostile_toml(tmp_path, reader, text):
    """Every reader of TOML says that it is none."""
    read, code = TOML_READERS[reader]
    path = tmp_path / "a.toml"
    path.write_bytes(TOMLS[text])
    if (reader, text) == ("settings", "not utf-8"):  # read with a mark in place of what is broken
        assert load_settings(path) == {"a": "\ufffd" * 3}
    else:
        assert code_of(read, path) == code


CARD = (ROOT / "dataset_recipes/synthetic/card.toml").read_text()


@pytest.mark.parametrize("line", ["version = 'x'", "title = 3", "image_size_px = 7", "tree = []"])
def test_card_of_other_types(tmp_path, line):
    """A card whose values have another type is refused, not met later."""
    key = line.split(" ")[0]
    kept, inside = [], False
    for text in CARD.split("\n"):
        starts = text.startswith(f"{key} =")
        inside = (inside or starts) and text.count('"""') != (1 if inside else 2)
        kept += [] if starts or inside else [text]
    (tmp_path / "card.toml").write_text("\n".join([line, *kept]))
    assert code_of(read_card, tmp_path / "card.toml") == "bad-card"


def test_recipe_from_a_path(tmp_path):
    """A recipe of one's own may define dataclasses, whose types Python looks up by the module's name."""
    source = ROOT / "dataset_recipes/synthetic"
    for name in ("card.toml", "recipe.py"):
        (tmp_path / name).write_text((source / name).read_text())
    assert callable(find_recipe(str(tmp_path)).module.find)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "card.toml").write_text((source / "card.toml").read_text())
    (broken / "recipe.py").write_text("import nothing_of_this_name")
    assert code_of(lambda: find_recipe(str(broken)).module) == "bad-recipe"


CSVS = {
    "more fields than names": [HEAD, LINES[0] + ",more"],
    "a name is gone": [HEAD.replace("id,", "", 1), LINES[0]],
    "a vast field": [HEAD, LINES[0].replace("words", "w" * 200_000)],
    "no lines": [HEAD],
}


@pytest.mark.parametrize("what", CSVS)
def test_published_numbers(tmp_path, what):
    """Lines that are no lines of this table are one message."""
    (tmp_path / "published.csv").write_text("\n".join([*CSVS[what], ""]))
    assert code_of(read_published, tmp_path / "published.csv") == "bad-fact"


def test_tables_that_are_none(tmp_path):
    """A number where a list of tables is expected."""
    folder = write_facts(tmp_path / "board")
    for text in ("disagreement = 3", "disagreement = [1]", "disagreement = []"):
        (folder / "disagreements.toml").write_text(text)
        assert code_of(read_disagreements, folder / "disagreements.toml") == "bad-fact"
    path = folder / "boards/board.toml"
    path.write_text("columns = [1]\n" + path.read_text().split("[[columns]]")[0])
    assert code_of(read_boards, folder / "boards") == "bad-fact"


# -- results and NumPy files -------------------------------------------------------------------------

CHANGES = {
    "protocol": (("protocol",), 3),
    "field": (("protocol", "bin_edges"), [10**400]),
    "findings": (("findings",), [{"level": "bad", "code": "", "where": "", "message": ""}]),
    "finding": (("findings",), [{"level": "note", "code": 1, "where": "", "message": ""}]),
    "inputs": (("inputs",), [1]),
    "method": (("method",), {"name": None}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_results(tmp_path, what):
    """Values of other types in a result are one message."""
    from prn_bench.evaluate import score
    from prn_bench.results import save
    from tests.fakes import face_world

    dataset, predictions = face_world(8)
    path, _ = save(score(predictions, dataset, "aflw2000/68/2d@3ddfa-fit"), tmp_path)
    table = json.loads(path.read_text())
    (*keys, last), value = CHANGES[what]
    holder = table
    for key in keys:
        holder = holder[key]
    holder[last] = value
    path.write_text(json.dumps(table))
    assert code_of(load_result, path) in ("damaged-result", "protocol-value")


def npy(shape: str, dtype: str = "<f8") -> bytes:
    """A header that claims what it likes."""
    head = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + bytes(64)


@pytest.mark.parametrize("shape", ["(10**12,)", "(1000000000, 1000)", "(-1,)", "(4294967296,) * 2"])
def test_sizes_that_are_not_there(tmp_path, shape):
    """Nothing is allocated for a header: not for .npy, not for .npz."""
    (tmp_path / "a.npy").write_bytes(npy(shape))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", npy(shape))
    expected = ("implausible-size", "damaged-npy", "damaged-npz")
    assert code_of(npyfile.read_npy, tmp_path / "a.npy", "a") in expected
    assert code_of(npyfile.read_npz, tmp_path / "a.npz", ["a"]) in expected


def test_zip_bomb(tmp_path):
    """An .npz of 300 MB of zeros in 300 kB."""
    path = tmp_path / "a.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("a.npy", "w") as stream,
    ):
        for _ in range(300):
            stream.write(bytes(1 << 20))
    assert code_of(npyfile.read_npz, tmp_path / "a.npz", ["a"]) == "implausible-size"


def test_many_unpackers(tmp_path):
    """Members packed by LZMA, whose unpackers take 8 MB each, and more members than arrays."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", npy("(8,)"))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.npy", b"")
    assert code_of(npyfile.read_npz, tmp_path / "a.npz", ["a"]) == "damaged-npz"
    assert [e.code for e in npyfile.read_npz_members(tmp_path / "a.npz")[1]] == ["damaged-npz"]
    assert code_of(npyfile.read_npz_members, tmp_path / "b.npz") == "implausible-size"


def test_characters_that_do_not_exist(tmp_path):
    """A text array is numbers of four bytes each, and not every number is a character."""
    codes = np.array([[97, 0x110000]], "<u4")
    np.save(tmp_path / "a.npy", codes.view("<U2"))
    assert code_of(npyfile.read_npy, tmp_path / "a.npy", "a.npy") == "damaged-npy"
    np.save(tmp_path / "b.npy", np.array(["a", "\U0010ffff"], ">U1"))
    assert npyfile.read_npy(tmp_path / "b.npy", "b.npy").tolist() == ["a", "\U0010ffff"]


def test_no_landmark_at_all(tmp_path):
    """Files of a face model that name none of the 68 landmarks."""
    facts = uv.Facts(None, None, np.zeros(0, np.int32), None, None, None)
    assert code_of(uv.agreed_landmarks, None, facts, 10, tmp_path) == "wrong-shape"


def test_signalling_nan(tmp_path):
    """A NaN that NumPy warns of in every sum becomes a quiet one."""
    values = np.array([0x7F800001], np.uint32).view(np.float32)
    np.save(tmp_path / "a.npy", values)
    assert np.isnan(npyfile.read_npy(tmp_path / "a.npy", "a").astype(np.float64)).all()


# -- what is printed ---------------------------------------------------------------------------------


def test_nothing_that_a_terminal_acts_upon(run, tmp_path):
    """Names of unknown origin are printed with escapes, and half a pair does not end in a traceback."""
    assert printable("a\x1b[31m\u202eb\ud800\n\tc") == "a\\u001b[31m\\u202eb\\ud800\n\tc"
    assert "\x1b" not in str(BenchError("x", code="y", found="\x1b[2J"))
    (tmp_path / "a.csv").write_text("\x1b[2J,b\n1,2\n")
    code, out, err = run(
        "import", "csv", tmp_path / "a.csv", "--frame", "image", "-o", tmp_path / "p.h5"
    )
    assert (code, "\x1b" in out + err, "\\u001b" in err) == (2, False, True)


@pytest.mark.parametrize("table", [{"level": "note"}, {"level": 1}, {"more": ""}])
def test_findings_from_files(table):
    """A finding of a file is one of ours, or an error for its reader."""
    whole = {"level": "note", "code": "a", "where": "", "message": ""}
    assert Finding.from_dict(whole) == Finding("note", "a", "", "")
    with pytest.raises((TypeError, ValueError)):
        Finding.from_dict(table)


#: Kinds that need neither PyTorch nor compiled loops.
QUICK = "^(bfm|predictions|oldest|import|reader|settings|result|board|subset|errors|dataset)"


def test_a_short_campaign(tmp_path):
    """A hundred and twenty mutated inputs: each is accepted or refused by one message."""
    words = [sys.executable, "-m", "tests.fuzz", "--light", "--inputs", "120", "--seed", "7"]
    environment = {k: v for k, v in os.environ.items() if k != "PRN_BENCH_REAL_DATA"}
    command = [*words, "--folder", str(tmp_path), "--kinds", QUICK]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
