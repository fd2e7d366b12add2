"""Fifteen bad inputs seen in the wild (forum threads of this field): each has its own code in ``check``."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prn_bench.checks import check_file
from prn_bench.dataset import Dataset
from prn_bench.errors import BenchError
from prn_bench.facemodel.bfm import read_face_model
from prn_bench.predictions import write_predictions


def mat(path: Path, **fields: Any) -> Path:
    """A MATLAB file of arrays."""
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, fields)
    return path


def parameters(yaw_deg: float = 10.0) -> dict[str, Any]:
    """The fields of a 300W-LP annotation."""
    pose = np.array([[0.0, np.radians(yaw_deg), 0.0, 200, 200, 0, 1e-3]], np.float32)
    return {
        "Pose_Para": pose,
        "Shape_Para": np.zeros((199, 1)),
        "Exp_Para": np.zeros((29, 1)),
        "pt2d": np.arange(136.0).reshape(2, 68),
        "roi": np.array([[1, 1, 450, 450]], np.int16),
    }


def written(path: Path, content: bytes) -> Path:
    """A file with that content."""
    path.write_bytes(content)
    return path


def picture(path: Path, mode: str) -> Path:
    """A small picture of a mode."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new(mode, (40, 30)).save(buffer, "PNG")
    return written(path, buffer.getvalue())


def lfs_pointer(folder: Path, _: Dataset) -> Path:
    """B1: a Git LFS pointer saved as .mat."""
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:37b1\nsize 240875364\n"
    return written(folder / "BFM.mat", text)


def zeros(folder: Path, _: Dataset) -> Path:
    """B2: a download that never finished."""
    return written(folder / "01_MorphableModel.mat", bytes(10_000))


def html(folder: Path, _: Dataset) -> Path:
    """B3: the page of a download service saved as a checkpoint."""
    return written(folder / "net.pt", b"<!DOCTYPE html><html><head><title>Google Drive</title>")


def raw_bfm(folder: Path, _: Dataset) -> Path:
    """B4: the raw model where a converted one is wanted."""
    return mat(folder / "BFM.mat", shapeMU=np.zeros((9, 1)), shapePC=np.zeros((9, 2)))


def matlab_73(folder: Path, _: Dataset) -> Path:
    """B5: HDF5 inside."""
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    return written(folder / "a.mat", header.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n" + bytes(64))


def wrong_root(folder: Path, _: Dataset) -> Path:
    """B6: one folder too high or too low."""
    written(folder / "readme.txt", b"300W-LP")
    return folder


def stale(folder: Path, _: Dataset) -> Path:
    """B7: the points of the unrotated picture beside another pose."""
    mat(folder / "HELEN_1_1_0.mat", **parameters(5.0))
    return mat(folder / "HELEN_1_1_3.mat", **parameters(45.0))


def hidden(folder: Path, _: Dataset) -> Path:
    """B8: -1 where a point is hidden."""
    points = np.arange(42.0).reshape(2, 21)
    points[:, 4] = -1
    return mat(folder / "image00004.mat", **parameters() | {"pt2d": points})


def wide(folder: Path, _: Dataset) -> Path:
    """B9: an unwrapped yaw."""
    return mat(folder / "image00032.mat", **parameters(-351.2))


def eight_bit(folder: Path, dataset: Dataset) -> Path:
    """B10: position maps that went through an 8-bit image."""
    maps = np.zeros((1, 3, 256, 256), np.uint8)
    path = folder / "p.npz"
    np.savez(
        path, sample_id=dataset.sample_ids[:1].astype(str), position_map=maps, frame="crop",
        format="prn-bench/predictions",
    )  # fmt: skip
    return path


def clipped(folder: Path, dataset: Dataset) -> Path:
    """B11: maps clipped to 0..255 by a sigmoid without room."""
    maps = np.clip(dataset.position_maps([0, 1, 2]) * 3 - 250, 0, 255)
    path = folder / "p.h5"
    write_predictions(path, dataset.sample_ids[:3], frame="crop", position_map=maps, method="M")
    return path


def upside_down(folder: Path, dataset: Dataset) -> Path:
    """B12: y runs up."""
    points = dataset.read("landmarks").astype(float)
    points[..., 1] = dataset.read("image_size")[:, :1] - 1 - points[..., 1]
    path = folder / "p.h5"
    write_predictions(path, dataset.sample_ids, frame="image", landmarks=points, method="M")
    return path


def degenerate(folder: Path, _: Dataset) -> Path:
    """B13: vertex colours and faces of one point."""
    text = b"v 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 0 1 0 1 0 0\nf 1 2 3\nf 2 2 2\n"
    return written(folder / "turing.obj", text)


def cropped(folder: Path, dataset: Dataset) -> Path:
    """B14: a mesh of the middle of the face only."""
    noses = dataset.read("landmarks")[:, 27:36].astype(float)
    n = len(noses)
    path = folder / "p.h5"
    write_predictions(
        path, dataset.sample_ids, frame="image", vertices=noses.reshape(-1, 3),
        vertex_start=np.arange(0, 9 * n + 1, 9), topology="unordered", method="M",
    )  # fmt: skip
    return path


def screenshot(folder: Path, _: Dataset) -> Path:
    """B15: an RGBA picture."""
    return picture(folder / "face.png", "RGBA")


CASES: dict[str, Callable[[Path, Dataset], Path]] = {
    "git-lfs-pointer": lfs_pointer,
    "zero-filled": zeros,
    "html-page": html,
    "raw-bfm": raw_bfm,
    "matlab-v73": matlab_73,
    "no-images": wrong_root,
    "stale-landmarks": stale,
    "hidden-points": hidden,
    "pose-beyond-99": wide,
    "eight-bit-map": eight_bit,
    "clipped-maps": clipped,
    "gross-mismatch": upside_down,
    "degenerate-triangles": degenerate,
    "low-coverage": cropped,
    "image-mode": screenshot,
}


def test_a_raw_model_is_told_alike(tmp_path: Path, dataset: Dataset) -> None:
    """``check`` gives the remedy that ``face-model`` gives, which refuses the file without companions."""
    path = raw_bfm(tmp_path, dataset)
    with pytest.raises(BenchError) as error:
        read_face_model(path)
    (finding,) = check_file(path)
    assert (finding.remedy, finding.message.partition(";")[0]) == (
        error.value.remedy,
        error.value.what,
    )


@pytest.mark.parametrize("code", CASES)
def test_each_has_its_own_code(code: str, tmp_path: Path, dataset: Dataset) -> None:
    """One pass of ``check`` names the fault, and no other of the fifteen."""
    folder = tmp_path / "case"
    folder.mkdir()
    found = check_file(CASES[code](folder, dataset), dataset=dataset)
    serious = {finding.code for finding in found if finding.level != "note"}
    assert serious & set(CASES) == {code}, found
    finding = next(finding for finding in found if finding.code == code)
    assert len(finding.message) > 20


def test_a_missing_detection_is_listed(tmp_path: Path, dataset: Dataset) -> None:
    """B15, the other half: no detection is a row of NaN, which is counted and named."""
    points = dataset.read("landmarks").astype(float)
    points[3] = np.nan
    path = tmp_path / "p.h5"
    write_predictions(path, dataset.sample_ids, frame="image", landmarks=points, method="M")
    found = {finding.code: finding.message for finding in check_file(path, dataset=dataset)}
    assert str(dataset.sample_ids[3]) in found["missing-rows"]


def test_fifteen() -> None:
    """All fifteen are here."""
    assert len(CASES) == 15
