"""What the command line reads and writes: nothing is destroyed, wrong kinds are named, pipes end."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from prn_bench.dataset import open_dataset
from prn_bench.predictions import write_predictions

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def place(world, datasets, tmp_path, monkeypatch):
    """An own folder to work in, with a raw zip, a face model, a dataset and predictions for it."""
    shutil.make_archive(str(tmp_path / "AFLW2000-3D"), "zip", world / "raw-aflw2000-3d")
    shutil.copy(world / "face-model.h5", tmp_path / "fm.h5")
    shutil.copy(datasets["aflw2000-3d"], tmp_path / "d.h5")
    dataset = open_dataset(tmp_path / "d.h5")
    points = dataset.read("landmarks") + np.float32([3, 0, 0])
    np.savez(tmp_path / "my_points.npz", sample_id=dataset.sample_ids.astype(str), landmarks=points)
    write_predictions(
        tmp_path / "p.h5", dataset.sample_ids, frame="image", landmarks=points, method="M"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


REFUSED = {
    "the raw zip": ("build aflw2000-3d AFLW2000-3D.zip --out AFLW2000-3D.zip", "files to read"),
    "the face model": ("build aflw2000-3d raw --face-model fm.h5 --out fm.h5", "files to read"),
    "a file of ours": ("build aflw2000-3d AFLW2000-3D.zip --out p.h5", "prn-bench/predictions"),
    "a picture": ("face-model synthetic --out photo.h5", "a JPEG image"),
    "a raw member": ("face-model raw --out raw/BFM.mat", "files to read"),
    "another ending": ("build aflw2000-3d AFLW2000-3D.zip --out d.zip", "expected .h5"),
    "no ending": ("face-model synthetic --out model", "found none"),
    "no folder": ("face-model synthetic --out no/fm.h5", "Create it first"),
    "npz to text": ("import npz my_points.npz --frame image --out v.txt", "expected .h5 or .npz"),
    "npz over itself": (
        "import npz my_points.npz --frame image --out my_points.npz",
        "--out",
    ),
    "npz over the dataset": (
        "import npz my_points.npz --frame image --dataset d.h5 --out d.h5",
        "--out",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_there_is_not_destroyed(run, place, what):
    """Exit 2, one message, every file as it was, nothing new."""
    (place / "photo.h5").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    (place / "raw").mkdir()
    (place / "raw" / "BFM.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    words, message = REFUSED[what]
    code, _, err = run(*words.split())
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_an_older_file_of_the_same_kind_is_replaced(run, place):
    """Running a command twice is no fault."""
    for words in (
        "face-model synthetic --out fm.h5",
        "build aflw2000-3d AFLW2000-3D.zip --no-images --limit 2 --out d.h5",
        "import npz my_points.npz --frame image --out p.h5",
    ):
        code, _, err = run(*words.split())
        assert code == 0, err
    assert len(open_dataset(place / "d.h5")) == 2


WRONG_KIND = {
    "import npz p.h5 --out q.h5": "a prediction file already",
    "import npz d.h5 --out q.h5": "found an HDF5 file",
    "plot ced p.h5 --out x.png": "prn-bench/predictions",
    "plot ced nope.json --out x.png": "no such file",
    "info folder": "found a folder",
    "info photo.jpg": "found a JPEG image",
    "info theirs.h5": "found an HDF5 file",
    "info damaged.h5": "damaged",
    "info nope": "no such file",
    "info my_points.npz": "frame",
    "check nope.h5": "nope.h5: there is no such file",
    "check p.h5 nope.h5": "nope.h5: there is no such file",
    "check p.h5 --dataset nope.h5": "nope.h5: there is no such file",
    "check p.h5 --dataset p.h5": "found format = 'prn-bench/predictions'",
}


@pytest.mark.parametrize("words", WRONG_KIND)
def test_a_wrong_kind_is_named(run, place, words):
    """Exit 2, and what the file really is."""
    import h5py

    (place / "folder").mkdir()
    (place / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (place / "damaged.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    h5py.File(place / "theirs.h5", "w").close()
    code, out, err = run(*words.split())
    assert code == 2
    assert WRONG_KIND[words] in err
    assert "fault" not in out


def test_info_of_either_file_of_a_result(run, place):
    """The summary and the samples are one result."""
    run("score", "p.h5", "d.h5", "--out", "results")
    summary = min(Path("results").glob("*.json"))
    shown = [run("info", path) for path in (summary, str(summary).removesuffix("json") + "csv.gz")]
    assert shown[0][0] == 0
    assert shown[0] == shown[1]


def test_one_fault_is_not_faults(run, place):
    """Counted as a person would."""
    dataset = open_dataset("d.h5")
    ids, points = [*dataset.sample_ids[:-1], "x"], dataset.read("landmarks")
    write_predictions("q.h5", ids, frame="image", landmarks=points, method="M")
    code, out, _ = run("check", "q.h5", "--dataset", "d.h5")
    assert code == 1
    assert out.startswith("q.h5: 1 fault\n")
    code, out, _ = run("check", "d.h5")
    assert (code, out.splitlines()[0]) == (0, "d.h5: good")


def test_info_says_why_samples_are_missing(run, world, tmp_path):
    """Code, number, names and message of what was quarantined; and how the ids look."""
    raw = tmp_path / "raw"
    shutil.copytree(world / "raw-aflw2000-3d", raw)
    mats = sorted(raw.rglob("*.mat"))
    for path in mats[:4]:
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    data = tmp_path / "d.h5"
    assert run("build", "aflw2000-3d", raw, "--no-images", "--out", data)[0] == 0
    out = " ".join(run("info", data)[1].split())
    assert f"error git-lfs-pointer 4 ({', '.join(p.stem for p in mats[:3])}, ...)" in out
    assert f"ids {mats[4].stem}, " in out
    assert "this is a Git LFS pointer" in json.dumps(json.loads(run("info", data, "--json")[1]))


BROKEN = {
    "a syntax error": ("def find(source:\n", "recipe.py, line 1"),
    "an error at import": ("\n\nimport nothing_of_this_name\n", "recipe.py, line 3"),
    "an error in find": (
        "def find(source):\n    return 1 / 0\ndef read(s, f): pass\ndef companions(s, f): pass\n",
        "recipe.py, line 2: the recipe fails (ZeroDivisionError",
    ),
    "lacks functions": ("x = 1\n", "the recipe lacks find, read, companions"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_recipe_is_named_by_its_line(run, place, what):
    """A stranger's recipe, and the place in it."""
    from prn_bench.recipes import find_recipe

    text, message = BROKEN[what]
    folder = place / what.replace(" ", "_")
    folder.mkdir()
    (folder / "recipe.py").write_text(text)
    shutil.copy(find_recipe("aflw2000-3d").path.with_name("card.toml"), folder)
    code, _, err = run("build", folder / "recipe.py", "AFLW2000-3D.zip", "--out", "new.h5")
    assert code == 2
    assert message in err
    assert not (place / "new.h5").exists()


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
@pytest.mark.parametrize("words", ["protocols", "recipes", "protocols --json"])
def test_a_reader_that_goes_away(words):
    """`| head` is no failed check: 141, as of any program, and nothing on standard error."""
    script = f"from prn_bench.cli import main; import sys; sys.argv[1:] = {words.split()}; main()"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=write, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_folder_that_cannot_be_written(run, place, monkeypatch):
    """Named by --out, not by a temporary name, with what to do; nothing is computed first."""
    monkeypatch.setattr("os.access", lambda path, mode: False)
    for words in ("face-model synthetic --out new.h5", "build aflw2000-3d no --out new.h5"):
        code, _, err = run(*words.split())
        assert code == 2
        assert err.startswith("prn-bench: new.h5: cannot write (Permission denied). Write into")


def test_a_file_is_no_checkpoint(run, datasets, tmp_path):
    """It is told what it is, and what a checkpoint is."""
    pytest.importorskip("torch", reason="the reference network needs PyTorch")
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04" + bytes(20))
    words = ("predict", tmp_path / "model.pt", datasets["aflw2000-3d"], "-o", tmp_path / "p.h5")
    code, _, err = run(*words)
    assert code == 2
    assert "found a zip (or npz) archive" in err
    assert "model.safetensors" in err
