"""Parts of the face on the UV map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from prn_bench.regions import REGIONS, region_index, region_mask


def layout(face_model: Any) -> tuple[Any, Any]:
    """Landmark pixels and face mask of the synthetic model."""
    uv = face_model.uv_layout
    return uv.landmark_pixels, uv.face_mask


def test_the_regions_are_the_face(face_model: Any) -> None:
    """Every pixel of the mask lies in exactly one region, and no other pixel in any."""
    pixels, mask = layout(face_model)
    masks = [region_mask(name, pixels, mask) for name in REGIONS]
    np.testing.assert_array_equal(np.sum(masks, 0), mask.astype(int))
    assert all(found.any() for found in masks)
    assert region_mask("all", pixels, mask) is mask


def test_landmarks_lie_in_their_regions(face_model: Any) -> None:
    """Nose tip, lips, eye corners, chin: each in the region of its name."""
    pixels, mask = layout(face_model)
    index = region_index(pixels, np.ones_like(mask))
    for region, members in {
        "nose": (28, 30, 33),
        "mouth": (48, 51, 54, 57),
        "eyes": (36, 39, 42, 45, 19, 24),
        "chin": (8,),
    }.items():
        for landmark in members:
            row, column = pixels[landmark]
            assert REGIONS[index[row, column]] == region, landmark


def test_left_and_right_are_alike(face_model: Any) -> None:
    """The synthetic layout is symmetric, and so are its regions, to a pixel or two of an outline."""
    pixels, mask = layout(face_model)
    index = region_index(pixels, mask)
    both = mask & mask[:, ::-1]
    assert (index != index[:, ::-1])[both].mean() < 0.02


def test_unknown_region(face_model: Any) -> None:
    """A misspelt region is misuse."""
    with pytest.raises(ValueError, match="unknown region"):
        region_mask("ears", *layout(face_model))
