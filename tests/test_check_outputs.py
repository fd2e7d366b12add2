"""``check`` on folders that a method wrote: known by content, judged file by file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from prn_bench.checks import check_file
from tests.checking import codes

GOOD_OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def position_map() -> NDArray[np.float32]:
    """A plain map: x and y grow over an elliptic face, z bulges."""
    y, x = np.mgrid[:256, :256] / 255.0
    values = 255 * np.stack([0.1 + 0.7 * x, 0.2 + 0.6 * y, x * (1 - x)], -1)
    return np.where(((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.2)[..., None], values, 0).astype("f4")


def test_position_maps_as_pictures(tmp_path: Path) -> None:
    """They are named, where once they were images that lack their annotation."""
    for name in "ab":
        Image.fromarray(position_map().astype(np.uint8)).save(tmp_path / f"{name}.png")
    assert codes(tmp_path) == ["eight-bit-map"]


def test_photographs_are_no_position_maps(tmp_path: Path) -> None:
    """Pictures of that size that hold anything else are left to the recipes."""
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "image00002.png")
    Image.new("RGB", (256, 256), "red").save(tmp_path / "image00004.png")
    assert "eight-bit-map" not in codes(tmp_path)


def test_position_maps_as_arrays(tmp_path: Path) -> None:
    """Each file by itself: 8 bits are a fault, fractions want an option, NaN is no prediction."""
    np.save(tmp_path / "a.npy", position_map())
    assert codes(tmp_path) == ["method-output"]
    np.save(tmp_path / "b.npy", position_map().astype(np.uint8))
    np.save(tmp_path / "c.npy", position_map() / 280)
    np.save(tmp_path / "d.npy", np.full((256, 256, 3), np.nan, np.float32))
    found = {finding.code: finding.level for finding in check_file(tmp_path)}
    assert found == {
        "method-output": "note",
        "eight-bit-map": "error",
        "scale-needed": "note",
        "no-prediction": "warning",
    }


def test_meshes(tmp_path: Path) -> None:
    """Every bad mesh of a folder, not the first alone, and none of the good ones."""
    for name in "abc":
        text = GOOD_OBJ if name == "b" else GOOD_OBJ.replace("f 1 2 3", "f 1 2 1000000000")
        (tmp_path / f"{name}.obj").write_text(text)
    faults = [finding for finding in check_file(tmp_path) if finding.level == "error"]
    assert [finding.code for finding in faults] == ["obj-index-out-of-range"] * 2
    assert [Path(finding.where.partition(",")[0]).name for finding in faults] == ["a.obj", "c.obj"]


def test_other_arrays_are_not_claimed(tmp_path: Path) -> None:
    """Points in .npy files are no position maps."""
    np.save(tmp_path / "a.npy", np.zeros((68, 3)))
    assert codes(tmp_path) == ["no-images"]


@pytest.mark.parametrize("method", ["prnet", "3ddfa", "2dasl", "vrn"])
def test_real_outputs(real_data: Path, method: str) -> None:
    """Released outputs are good, though .mat files are annotations elsewhere."""
    found = check_file(real_data / "predictions" / method)
    assert "method-output" in {finding.code for finding in found}
    assert not [finding for finding in found if finding.level == "error"]


def test_real_photographs(real_data: Path, tmp_path: Path) -> None:
    """Crops of photographs are never taken for position maps."""
    for path in sorted((real_data / "aflw2000_3d" / "AFLW2000").glob("*.jpg")):
        folder = tmp_path / path.stem
        folder.mkdir()
        with Image.open(path) as picture:
            picture.crop((100, 100, 356, 356)).save(folder / "image00002.png")
        assert "eight-bit-map" not in codes(folder), path.stem
