"""UV coordinates and landmarks of the BFM files: trimming, repair, agreement."""

from pathlib import Path

import numpy as np
import toy_bfm as toys

from prn_bench.facemodel.bfm.files import Facts, ModelFolder
from prn_bench.facemodel.bfm.uv import read_uv


def test_whole_uv_coordinates_are_trimmed_and_repaired(tmp_path: Path) -> None:
    """3DMMasSTN's file serves too: trimmed, with three vertices moved as face3d moves them."""
    whole = np.random.default_rng(0).uniform(size=(53490, 2))
    trim = np.delete(np.arange(53490), np.arange(100, 375)).astype(np.int32)
    toys.save_mat(tmp_path / "BFM_UV.mat", {"UV": whole})
    facts = Facts(None, None, None, trim, None, None)
    found = read_uv(ModelFolder(tmp_path), facts, 53215)
    expected = whole[trim]
    moved = [10031, 10154, 10279]
    assert np.array_equal(np.delete(found, moved, 0), np.delete(expected, moved, 0))
    assert np.allclose(found[10031], (expected[10032] + expected[10157]) / 2)
