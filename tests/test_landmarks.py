"""Landmark groups, mirroring, and the way to AFLW's 21 points."""

from __future__ import annotations

import numpy as np
import pytest

from prn_bench.landmarks import (
    GROUPS,
    N_LANDMARKS,
    OUTER_EYE_CORNERS,
    aflw21_groups,
    mirror_permutation,
    to_aflw21,
)


def test_groups_cover_all_points_once() -> None:
    """The groups are the 68 points in order."""
    assert [i for group in GROUPS.values() for i in group] == list(range(N_LANDMARKS))


def test_mirror_is_its_own_inverse() -> None:
    """Mirroring twice changes nothing, and every point has one partner."""
    order = mirror_permutation()
    assert sorted(order) == list(range(N_LANDMARKS))
    np.testing.assert_array_equal(order[order], np.arange(N_LANDMARKS))


def test_mirror_pairs() -> None:
    """Chin, nose bridge and lip centres stay; corners of jaw, brows, eyes and mouth change sides."""
    order = mirror_permutation()
    for i in (8, 27, 28, 29, 30, 33, 51, 57, 62, 66):
        assert order[i] == i
    for a, b in ((0, 16), (17, 26), (21, 22), (31, 35), (36, 45), (39, 42), (37, 44), (41, 46)):
        assert (order[a], order[b]) == (b, a)
    for a, b in ((48, 54), (59, 55), (50, 52), (60, 64), (61, 63), (67, 65)):
        assert (order[a], order[b]) == (b, a)


def test_mirror_maps_groups_onto_groups() -> None:
    """Right and left brows and eyes swap, the other groups map onto themselves."""
    order = mirror_permutation()
    partner = {"right_brow": "left_brow", "right_eye": "left_eye"}
    partner |= {b: a for a, b in partner.items()}
    for name, group in GROUPS.items():
        assert sorted(order[list(group)]) == list(GROUPS[partner.get(name, name)])
    assert tuple(order[list(OUTER_EYE_CORNERS)]) == OUTER_EYE_CORNERS[::-1]


def test_aflw21_by_hand() -> None:
    """Single points are taken over, pupils and mouth centre are means."""
    points = np.stack([np.arange(68.0), np.arange(68.0) ** 2], -1)
    found = to_aflw21(points)
    assert found.shape == (21, 2)
    np.testing.assert_allclose(found[0], [17, 289])
    np.testing.assert_allclose(found[7, 0], np.mean([36, 37, 38, 39, 40, 41]))
    np.testing.assert_allclose(found[10, 0], 44.5)
    np.testing.assert_allclose(found[18, 0], 63.5)
    np.testing.assert_allclose(found[20], [8, 64])
    assert [len(group) for group in aflw21_groups()].count(1) == 18


def test_aflw21_refuses_other_sets() -> None:
    """Another number of points is the caller's mistake."""
    with pytest.raises(ValueError, match="68"):
        to_aflw21(np.zeros((2, 21, 2)))
