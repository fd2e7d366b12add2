"""What mutated datasets and face models once broke."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest
from PIL import Image

from prn_bench import open_dataset
from prn_bench.build import build
from prn_bench.errors import BenchError
from prn_bench.facemodel.bfm import read_face_model
from prn_bench.facemodel.file import load_face_model
from prn_bench.images import decode_image
from prn_bench.recipes import find_recipe
from tests import toy_bfm as toys
from tests.checking import code_of


def narrow_pose(file):
    """Three numbers a sample."""
    rows = file["coefficients/pose"][:, :3]
    del file["coefficients/pose"]
    file["coefficients/pose"] = rows


def broken_pictures(file):
    """Every picture is cut in the middle."""
    rows = file["image"][...]
    del file["image"]
    node = file.create_dataset("image", (len(rows),), h5py.vlen_dtype(np.uint8))
    for row, data in enumerate(rows):
        node[row] = data[: len(data) // 2]


def one_axis_less(name):
    """An array of the whole dataset without its first axis."""

    def spoil(file):
        rows = file[name][0]
        del file[name]
        file[name] = rows

    return spoil


SPOILT = {
    "pose": (narrow_pose, "wrong-shape"),
    "fewer rows": (lambda file: file["box"].resize(3, axis=0), "wrong-shape"),
    "landmark pixels": (one_axis_less("uv/landmark_pixels"), "wrong-shape"),
    "no ids": (lambda file: file.__delitem__("sample_id"), "missing-array"),
    "no version": (lambda file: file.attrs.__delitem__("recipe_version"), "missing-attribute"),
    "a list for a title": (
        lambda file: file.attrs.__setitem__("title", [1, 2]),
        "missing-attribute",
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_datasets_are_looked_at_when_opened(datasets, tmp_path, what):
    """Arrays that cannot be what their names say never reach a computation."""
    spoil, code = SPOILT[what]
    path = tmp_path / "d.h5"
    path.write_bytes(datasets["aflw2000-3d"].read_bytes())
    with h5py.File(path, "r+") as file:
        spoil(file)
    assert code_of(open_dataset, path) == code


def test_coefficients_that_are_no_numbers(world, tmp_path):
    """A map made of them is refused by name, not by a traceback."""
    path, face_model = tmp_path / "d.h5", world / "face-model.h5"
    raw = world / "raw-aflw2000-3d"
    recipe = find_recipe("aflw2000-3d")
    build(recipe, raw, path, face_model=face_model, layout="coefficients", limit=2)
    with h5py.File(path, "r+") as file:
        file["coefficients/identity"][0, 0] = np.nan
    assert code_of(open_dataset(path).read, "position_map", [0]) == "map-values"


def test_broken_pictures(datasets, tmp_path):
    """A damaged picture in a dataset is named with its sample."""
    path = tmp_path / "d.h5"
    path.write_bytes(datasets["aflw2000-3d"].read_bytes())
    with h5py.File(path, "r+") as file:
        broken_pictures(file)
    opened = open_dataset(path)
    with pytest.raises(BenchError, match=str(opened.sample_ids[0])):
        opened[0]


@pytest.mark.parametrize("report", ["{}", '{"found": ' * 20_000, "[1]", '{"findings": 3}'])
def test_reports(run, datasets, tmp_path, report):
    """`info` of a dataset whose report is garbled is one message."""
    path = tmp_path / "d.h5"
    path.write_bytes(datasets["aflw-lfpa"].read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["report"] = report
    code, _, err = run("info", path)
    assert (code, err.count("\n"), "report of the build" in err) == (2, 1, True)


def test_face_model_of_lists(world, tmp_path):
    """An attribute that is an array where a text is expected."""
    path = tmp_path / "fm.h5"
    path.write_bytes((world / "face-model.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["model_id"] = np.arange(3)
    assert code_of(load_face_model, path) == "face-model-damaged"


def test_attributes_that_are_no_utf8(world, tmp_path):
    """Bytes that are no UTF-8 become marks, which every later file can hold."""
    path = tmp_path / "fm.h5"
    words = load_face_model(world / "face-model.h5").licence
    data = (world / "face-model.h5").read_bytes()
    path.write_bytes(data.replace(words.encode(), b"\xf3" + words.encode()[1:]))
    assert load_face_model(path).licence == "\ufffd" + words[1:]


def test_vast_pictures():
    """A header that claims more pixels than any photograph has."""
    picture = io.BytesIO()
    Image.new("RGB", (4, 4)).save(picture, "BMP")
    data = bytearray(picture.getvalue())
    data[18:26] = (12_000).to_bytes(4, "little") * 2
    assert code_of(decode_image, bytes(data), "a.bmp") == "truncated-image"


@pytest.mark.parametrize("dtype", ["m8[s]", "c16", "U4"])
def test_arrays_of_no_numbers(tmp_path, dtype):
    """Dates, complex numbers and texts where a face model has numbers."""
    toys.write_npy(tmp_path, toys.make_toy())
    for name, code in (("keypoints_sim.npy", "keypoints-not-flat"), ("u_shp.npy", "wrong-type")):
        sound = (tmp_path / name).read_bytes()
        np.save(tmp_path / name, np.load(tmp_path / name).astype(np.int64).astype(dtype))
        assert code_of(read_face_model, tmp_path) == code
        (tmp_path / name).write_bytes(sound)
