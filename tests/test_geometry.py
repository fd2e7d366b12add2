"""Frames: hand-derived values, SciPy as oracle, and the properties that every fit must have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from prn_bench import geometry

angles = st.floats(-7, 7)


def test_rotation_signs_follow_the_3ddfa_release():
    """Rx, Ry, Rz at 90 degrees, written out by hand."""
    right = np.pi / 2
    zero = 0.0
    np.testing.assert_allclose(
        geometry.rotation_matrix(right, zero, zero), [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-15
    )
    np.testing.assert_allclose(
        geometry.rotation_matrix(zero, right, zero), [[0, 0, -1], [0, 1, 0], [1, 0, 0]], atol=1e-15
    )
    np.testing.assert_allclose(
        geometry.rotation_matrix(zero, zero, right), [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], atol=1e-15
    )


@given(angles, angles, angles)
def test_rotation_equals_scipy(pitch, yaw, roll):
    """The product Rx Ry Rz is SciPy's intrinsic XYZ rotation with negated angles."""
    expected = Rotation.from_euler("XYZ", [-pitch, -yaw, -roll]).as_matrix()
    np.testing.assert_allclose(geometry.rotation_matrix(pitch, yaw, roll), expected, atol=1e-12)


def test_pose_affine_by_hand():
    """X = f V + t with y up and 1-based pixels; our frame is 0-based with y down."""
    pose = np.array([0, 0, 0, 10.0, 20.0, 30.0, 2.0])
    point = np.array([[1.0, 2.0, 3.0]])
    # X = (12, 24, 36); stored = (12, 451 - 24, 36); image frame one less in x and y
    found = geometry.apply_affine(geometry.pose_affine(pose, 450), point)
    np.testing.assert_allclose(found, [[11.0, 426.0, 36.0]])


def test_pose_affine_is_vectorised():
    """A batch gives what its members give."""
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(5, 7))
    heights = np.array([450, 450, 300, 200, 450])
    batch = geometry.pose_affine(poses, heights)
    for pose, height, affine in zip(poses, heights, batch, strict=True):
        np.testing.assert_array_equal(geometry.pose_affine(pose, int(height)), affine)


def test_crop_by_hand():
    """A 100 x 60 box has a mean side of 80; 1.6 times that is 128 px, mapped to 0..255."""
    crop = geometry.crop_from_box(np.array([50.0, 100.0, 150.0, 160.0]))
    assert geometry.crop_scale(crop) == pytest.approx(255 / 128)
    corners = np.array([[100 - 64, 130 - 64, 1], [100 + 64, 130 + 64, 1]])
    np.testing.assert_allclose(corners @ crop.T, [[0, 0, 1], [255, 255, 1]], atol=1e-12)


def test_crop_scales_depth_like_width():
    """A crop that also rotates scales z by its scale, never by scale times cosine."""
    turned = geometry.crop_from_box(np.array([0.0, 0, 100, 100]))
    c, s = np.cos(np.pi / 4), np.sin(np.pi / 4)
    turned[:2] = np.array([[c, -s], [s, c]]) @ turned[:2]
    points = np.array([[1.0, 2.0, 7.0], [4.0, 2.0, 9.0]])
    mapped = geometry.apply_affine(geometry.crop_affine(turned, 5.0), points)
    scale = 255 / 160
    assert np.linalg.norm(mapped[1, :2] - mapped[0, :2]) == pytest.approx(3 * scale)
    np.testing.assert_allclose(mapped[:, 2], points[:, 2] * scale + 5.0)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_affine_round_trip_and_composition(seed):
    """Inverse undoes, composition chains."""
    rng = np.random.default_rng(seed)
    crop = geometry.crop_from_box(np.array([[1.0, 2, 201, 182]]))
    inner = geometry.pose_affine(rng.normal(size=(1, 7)) + 1, 450)
    outer = geometry.crop_affine(crop, rng.normal(size=1))
    points = rng.normal(size=(1, 10, 3)) * 100
    once = geometry.apply_affine(outer, geometry.apply_affine(inner, points))
    both = geometry.compose_affine(outer, inner)
    np.testing.assert_allclose(geometry.apply_affine(both, points), once, atol=1e-8)
    back = geometry.apply_affine(
        geometry.invert_affine(outer), geometry.apply_affine(outer, points)
    )
    np.testing.assert_allclose(back, points, atol=1e-9)


def test_landmark_box_leaves_hidden_points_out():
    """NaN points do not move the box."""
    points = np.array([[1.0, 5.0, 0.0], [3.0, 2.0, 0.0], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(geometry.landmark_box(points), [1, 2, 3, 5])
