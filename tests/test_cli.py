"""The command line, as a person and as a script meet it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from prn_bench.dataset import open_dataset


@pytest.fixture
def points(world, datasets, tmp_path):
    """A method's own npz: the landmarks, 3 px to the right, without any declaration."""
    dataset = open_dataset(datasets["aflw2000-3d"])
    path = tmp_path / "points.npz"
    names = np.array([f"{name}.jpg" for name in dataset.sample_ids])
    np.savez(path, sample_id=names, landmarks=dataset.read("landmarks") + np.float32([3, 0, 0]))
    return path


@pytest.fixture
def predictions(run, points, datasets, tmp_path):
    """The same as a prediction file."""
    out = tmp_path / "p.h5"
    code, _, err = run(
        "import", "npz", points, "--frame", "image", "--dataset", datasets["aflw2000-3d"], "-o", out
    )
    assert code == 0, err
    return out


def test_without_words_it_explains_itself(run):
    """Bare `prn-bench` is a question."""
    _, out, err = run()
    assert "build" in out + err


def test_version(run):
    """One line."""
    from prn_bench import __version__

    assert run("--version")[1] == f"prn-bench {__version__}\n"


def test_recipes_lists_what_lies_on_disk(run, world):
    """Licence, source and what is there."""
    code, out, _ = run("recipes", world)
    assert code == 0
    assert "12 samples" in out
    assert "research only" in out
    found = json.loads(run("recipes", world, "--json")[1])
    assert {card["name"]: card["found"][0]["samples"] for card in found}["300w-lp"] == 12


def test_face_model_build_info_check(run, world, tmp_path):
    """Raw folder to a checked dataset."""
    model, data = tmp_path / "fm.h5", tmp_path / "d.h5"
    code, out, _ = run("face-model", "synthetic", "-o", model)
    assert code == 0
    assert "16: 68" in out
    raw = world / "raw-300w-lp"
    code, out, err = run("build", "300w-lp", raw, "--face-model", model, "-j", 2, "-o", data)
    assert code == 0, err
    assert "12 found = 12 read" in out
    assert "build 12/12" in err
    code, out, _ = run("check", data, model)
    assert code == 0
    assert f"{data}: good" in out
    for file in (data, model):
        assert run("info", file)[0] == 0
    assert json.loads(run("info", data, "--json")[1])["fingerprint"]


def test_build_json(run, world, tmp_path):
    """A script gets the audit."""
    raw = world / "raw-aflw2000-3d"
    code, out, _ = run(
        "build", "aflw2000-3d", raw, "--no-images", "-o", tmp_path / "d.h5", "--json"
    )
    assert code == 0
    audit = json.loads(out)["audit"]
    assert audit["found"] == 12


def test_score_prints_numbers_and_choices(run, predictions, datasets, tmp_path):
    """Every choice that decides the figure, within 80 columns."""
    results = tmp_path / "results"
    code, out, err = run("score", predictions, datasets["aflw2000-3d"], "-o", results)
    assert code == 0, err
    for words in ("3ddfa-fit", "reference_frame stored", "bbox-sqrt-wh", "hash", "has 2000"):
        assert words in " ".join(out.split())
    assert max(len(line) for line in out.splitlines() if str(tmp_path) not in line) <= 80
    files = sorted(path.name for path in results.iterdir())
    assert len(files) == 6
    code, out, _ = run("check", *results.glob("*.json"))
    assert code == 0, out
    code, out, err = run("plot", "ced", results / files[1], "-o", tmp_path / "ced.svg")
    assert code == 0, err
    assert (tmp_path / "ced.svg").read_text().startswith("<?xml")


def test_score_json_and_patterns(run, predictions, datasets):
    """A pattern scores what the data can answer; a changed field changes name and hash."""
    dataset = datasets["aflw2000-3d"]
    found = json.loads(run("score", predictions, dataset, "-p", "aflw2000/68/*", "--json")[1])
    assert len(found) > 20
    changed = json.loads(
        run(
            "score", predictions, dataset, "--json",
            "-p", "aflw2000/68/2d@3ddfa-fit+reference_frame=image",
        )[1]
    )[0]  # fmt: skip
    box = changed["summary"]["mean_of_images"]
    plain = next(r for r in found if r["protocol"]["id"] == "aflw2000/68/2d@3ddfa-fit")
    assert plain["protocol_hash"] != changed["protocol_hash"]
    assert plain["summary"]["mean_of_images"] != box


def test_score_reports_what_was_planted(run, predictions, datasets):
    """3 px to the right, in the image frame: 3 px over the side of each face box, exactly."""
    dataset = open_dataset(datasets["aflw2000-3d"])
    box = dataset.read("box")
    side = np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]))
    name = "aflw2000/68/2d@all+reference_frame=image"
    found = json.loads(run("score", predictions, dataset.path, "-p", name, "--json")[1])[0]
    assert found["summary"]["headline"] == pytest.approx((300 / side).mean(), rel=1e-5)


def test_protocols(run):
    """The list, and one in full."""
    assert "aflw2000/68/3d@z-min" in run("protocols")[1]
    out = run("protocols", "aflw2000/68/2d@all", "--json")[1]
    assert json.loads(out)[0]["aggregate"] == "mean-of-images"


def bad_predictions(predictions, folder, **changes):
    """The prediction file with some keys changed, as npz."""
    from prn_bench.predictions import open_predictions

    good = open_predictions(predictions)
    keys = {
        "format": "prn-bench/predictions",
        "frame": "image",
        "method": '{"name": "m"}',
        "sample_id": good.sample_ids.astype(str),
        "landmarks": good.arrays["landmarks"],
    }
    keys |= changes
    path = folder / "bad.npz"
    np.savez(path, **{key: value for key, value in keys.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frame": None}, "frame"),
        ({"frame": "left"}, "frame"),
        ({"landmarks": np.zeros((12, 67, 3))}, "67"),
        ({"sample_id": np.array(["a"] * 12)}, "more than once"),
        ({"sample_id": np.array([f"x{i}" for i in range(12)])}, "Every id must be one"),
    ],
)
def test_bad_predictions_are_one_message(run, predictions, datasets, tmp_path, change, words):
    """Exit 2, the file's name, no traceback."""
    bad = bad_predictions(predictions, tmp_path, **change)
    code, _, err = run("score", bad, datasets["aflw2000-3d"])
    assert code == 2
    assert "bad.npz" in err
    assert words in err
    assert "Traceback" not in err
    code, out, _ = run("check", bad, "--dataset", datasets["aflw2000-3d"])
    assert code == 1
    assert "error" in out


def test_missing_predictions_are_refused_then_counted(run, predictions, datasets, tmp_path):
    """Strict by default; the other policies print how many are left."""
    from prn_bench.predictions import open_predictions

    good = open_predictions(predictions)
    values = good.arrays["landmarks"].copy()
    values[3] = np.nan
    bad = bad_predictions(predictions, tmp_path, landmarks=values)
    code, _, err = run("score", bad, datasets["aflw2000-3d"])
    assert code == 2
    assert str(good.sample_ids[3]) in err
    protocol = "aflw2000/68/2d@3ddfa-fit+missing=drop"
    code, out, _ = run("score", bad, datasets["aflw2000-3d"], "-p", protocol)
    assert code == 0
    assert "11/12" in out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "LFS"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"", "empty"),
        (b"\0" * 4096, "zero"),
    ],
)
def test_files_that_are_something_else(run, datasets, tmp_path, content, words):
    """Named for what they are, by every command that reads."""
    path = tmp_path / "thing.h5"
    path.write_bytes(content)
    for command in (
        ("score", path, datasets["aflw2000-3d"]),
        ("score", path, path),
        ("info", path),
    ):
        code, _, err = run(*command)
        assert code == 2
        assert words.lower() in err.lower()


def test_a_wrong_folder(run, tmp_path):
    """Nothing is built, the expected tree is shown."""
    code, _, err = run("build", "300w-lp", tmp_path, "-o", tmp_path / "d.h5")
    assert code == 2
    assert "holds no files" in err
    code, _, err = run("build", "300w-lp", tmp_path / "no", "-o", tmp_path / "d.h5")
    assert code == 2
    assert "no" in err


def test_raw_morphable_model_instead_of_bfm(run, tmp_path):
    """The usual mix-up names the build step."""
    from scipy.io import savemat

    savemat(tmp_path / "BFM.mat", {"shapeMU": np.zeros((9, 1)), "shapePC": np.zeros((9, 2))})
    code, _, err = run("face-model", tmp_path, "-o", tmp_path / "fm.h5")
    assert code == 2
    assert "01_MorphableModel" in err


def test_help_and_import_are_light():
    """No heavy package is imported to print help."""
    script = (
        "import sys; sys.argv = ['prn-bench', '--help']\n"
        "from prn_bench.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'open3d', 'pandas', 'matplotlib', 'scipy', 'h5py'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_demo(run, tmp_path):
    """The main job: planted errors come out to the last digit shown, and the report stands alone."""
    few = ("--samples", 16, "--test-samples", 12, "--set", "epochs=1", "--set", "batch=8")
    code, out, err = run("demo", *few, "-o", tmp_path / "demo")
    assert code == 0, err
    for planted in ("2.000", "3.000", "5.000"):
        assert f"{planted}     {planted}" in out
    page = (tmp_path / "demo" / "report.html").read_text("utf-8")
    assert "data:image/png" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
