"""Landmark maps: the built-in one, files, and fitting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.landmark_map import (
    LandmarkMap,
    fit_landmark_map,
    landmark_map_from_dict,
    load_landmark_map,
    save_landmark_map,
)
from prn_bench.landmarks import fit_groups, to_aflw21

GOOD: dict[str, Any] = {
    "name": "mine",
    "source": "by hand",
    "from": "mesh-5",
    "from_size": 5,
    "to": "three",
    "points": [[0, 4], "unknown", [2]],
    "weights": [[0.25, 0.75], [], []],
}


def fault(table: dict[str, Any]) -> str:
    """Code of the error that a table ends in."""
    with pytest.raises(BenchError) as error:
        landmark_map_from_dict(table, where="m.toml")
    return error.value.code


def test_the_built_in_map() -> None:
    """Points 1 to 21 are AFLW's, the other 13 are not known."""
    built_in = load_landmark_map("aflw21-3ddfa")
    points = np.random.default_rng(0).normal(size=(3, 68, 2))
    mapped = built_in.apply(points)
    np.testing.assert_array_equal(mapped[:, :21], to_aflw21(points))
    assert np.isnan(mapped[:, 21:]).all()
    assert built_in.known.tolist() == [True] * 21 + [False] * 13


def test_apply_by_hand() -> None:
    """Weights 1/4 and 3/4 of points 0 and 4; a copy of point 2."""
    points = np.array([[0, 0, 1], [9, 9, 9], [5, 6, 7], [9, 9, 9], [4, 8, 1]], np.float32)
    mapped = landmark_map_from_dict(GOOD, where="").apply(points)
    np.testing.assert_array_equal(mapped, [[3, 6, 1], [np.nan] * 3, [5, 6, 7]])


def test_apply_takes_its_own_number_of_points() -> None:
    """A map from 68 points does not take 67."""
    with pytest.raises(ValueError, match="68"):
        load_landmark_map("aflw21-3ddfa").apply(np.zeros((67, 2)))


@pytest.mark.parametrize("weights", [True, False])
def test_a_file_reads_back(tmp_path: Path, weights: bool) -> None:
    """Every field, to the last bit."""
    table = {**GOOD, "source": 'quotes " and \\ and ü'}
    table["weights"] = [[1 / 3, 2 / 3], [], []] if weights else [[], [], []]
    written = landmark_map_from_dict(table, where="")
    save_landmark_map(written, tmp_path / "m.toml")
    read = load_landmark_map(tmp_path / "m.toml")
    assert (read, read.sha256) == (written, written.sha256)


def test_the_built_in_map_can_be_written_and_changed(tmp_path: Path) -> None:
    """A user starts from it; the hash changes with the content, not with the prose."""
    built_in = load_landmark_map("aflw21-3ddfa")
    save_landmark_map(built_in, tmp_path / "m.toml")
    text = (tmp_path / "m.toml").read_text("utf-8")
    (tmp_path / "m.toml").write_text(text.replace('"unknown"', "[33]", 1), "utf-8")
    changed = load_landmark_map(tmp_path / "m.toml")
    assert changed.groups[21] == (33,)
    assert changed.sha256 != built_in.sha256
    assert replace(built_in, name="other", source="x").sha256 == built_in.sha256


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("points", [[0], [1], [5]]),
        ("points", [[0], [1], [-1]]),
        ("points", [[0], [1], [True]]),
        ("points", [[0], [1], [2.0]]),
        ("points", [[0], [1], [2, 2]]),
        ("points", [[0], [1], []]),
        ("points", [[0], [1], "unkown"]),
        ("points", [[0], [1], [[2]]]),
        ("points", []),
        ("points", {"a": 1}),
        ("weights", [[0.25, 0.7], [], []]),
        ("weights", [[1.0], [], []]),
        ("weights", [[float("nan"), 1.0], [], []]),
        ("weights", [[0.25, 0.75], [1.0], []]),
        ("weights", [[0.25, 0.75]]),
        ("from_size", 0),
        ("from_size", "5"),
        ("from", "68"),
        ("to", "aflw-lfpa-34"),
        ("name", "a b"),
        ("name", 3),
        ("source", "two\nlines"),
    ],
)
def test_a_wrong_value_is_refused(key: str, value: Any) -> None:
    """Indices out of range, numbers that are none, weights that do not sum to 1, wrong sizes."""
    assert fault({**GOOD, key: value}) == "landmark-map-value"


def test_keys_are_checked() -> None:
    """A misspelt key and a missing one."""
    assert fault({**GOOD, "wieghts": []}) == "landmark-map-key"
    assert fault({k: v for k, v in GOOD.items() if k != "to"}) == "landmark-map-key"
    assert fault({k: v for k, v in GOOD.items() if k != "from_size"}) == "landmark-map-value"


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"x = " + b"[" * 5000, b"a = 1_"])
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes) -> None:
    """One error for every kind of damage."""
    (tmp_path / "m.toml").write_bytes(content)
    with pytest.raises(BenchError) as error:
        load_landmark_map(tmp_path / "m.toml")
    assert error.value.code == "landmark-map-file"


@pytest.mark.parametrize(
    ("name", "code"), [("68to34", "unknown-landmark-map"), ("no.toml", "unreadable")]
)
def test_a_map_that_is_not_there(name: str, code: str) -> None:
    """Neither a built-in name nor a file."""
    with pytest.raises(BenchError) as error:
        load_landmark_map(name)
    assert error.value.code == code


def test_a_map_that_no_file_can_hold_is_not_written(tmp_path: Path) -> None:
    """What could not be read back does not reach the disk."""
    built_in = load_landmark_map("aflw21-3ddfa")
    with pytest.raises(BenchError):
        save_landmark_map(replace(built_in, name="two words"), tmp_path / "m.toml")
    assert not list(tmp_path.iterdir())


def scene(seed: int, n: int = 40, v: int = 300) -> tuple[NDArray[np.float64], ...]:
    """Predicted (n, v, 3) vertices, the (7,) planted ones, annotated points and visibility."""
    rng = np.random.default_rng(seed)
    predicted = rng.normal(size=(v, 3)) * 50 + rng.normal(size=(n, 1, 3)) * 100
    predicted += rng.normal(size=(n, v, 3))
    planted = rng.choice(v, 7, replace=False)
    visible = rng.random((n, 7)) < 0.7
    annotated = np.where(visible[..., None], predicted[:, planted, :2], -1.0)
    return predicted, planted, annotated, visible


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_planted_vertices_are_found(seed: int) -> None:
    """Hidden points hold -1 and a failed prediction is NaN; neither misleads the fit."""
    predicted, planted, annotated, visible = scene(seed)
    predicted[3] = np.nan
    fit = fit_groups(predicted, annotated, visible)
    assert [group[0] for group in fit.groups if group] == planted.tolist()
    assert fit.rms.max() < 1e-9
    assert fit.n_used.tolist() == np.delete(visible, 3, 0).sum(0).tolist()


def test_the_best_vertex_is_the_best_by_brute_force() -> None:
    """With noise, too, and with large and small faces weighed alike."""
    predicted, _, annotated, visible = scene(5, v=40)
    rng = np.random.default_rng(1)
    annotated = annotated + rng.normal(size=annotated.shape) * 30
    scale = rng.uniform(50, 300, len(predicted))
    fit = fit_groups(predicted, annotated, visible, scale_px=scale)
    away = predicted[:, :, None, :2] - annotated[:, None]
    squares = (away**2).sum(-1) / scale[:, None, None] ** 2
    mean = np.where(visible[:, None], squares, 0).sum(0) / visible.sum(0)
    assert [group[0] for group in fit.groups if group] == mean.argmin(0).tolist()
    np.testing.assert_allclose(fit.rms, np.sqrt(mean.min(0)), rtol=1e-9)


def test_weights_are_found() -> None:
    """A point between three of 68 landmarks, and one that is a landmark."""
    points = np.random.default_rng(2).normal(size=(60, 68, 2)) * 40
    wanted = points[:, [3, 30, 48]].swapaxes(1, 2) @ [0.5, 0.3, 0.2]
    annotated = np.stack([wanted, points[:, 7]], 1)
    found, fit = fit_landmark_map(
        points,
        annotated,
        np.ones((60, 2), bool),
        name="mine",
        from_set="68",
        to_set="two",
        combine=68,
    )
    assert found.groups[1] == (7,)
    weights = dict(zip(found.groups[0] or (), found.weights[0] or (), strict=True))
    assert {k: round(w, 6) for k, w in sorted(weights.items())} == {3: 0.5, 30: 0.3, 48: 0.2}
    assert fit.rms.max() < 1e-4


def test_a_rarely_seen_point_stays_unknown() -> None:
    """Nine samples are fewer than ten."""
    predicted, _, annotated, visible = scene(0)
    visible[:, 2] = np.arange(len(visible)) < 9
    fit = fit_groups(predicted, annotated, visible)
    assert fit.groups[2] is None
    assert np.isnan(fit.rms[2])
    assert fit.n_used[2] == 9


def test_known_points_are_kept() -> None:
    """Only the 13 unknown ones are fitted; the residual of the known ones is measured."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(20, 68, 3)) * 40
    annotated = np.concatenate([to_aflw21(points), points[:, 40:53]], 1)[..., :2]
    annotated[:, 0, 0] += 3
    known = load_landmark_map("aflw21-3ddfa")
    found, fit = fit_landmark_map(
        points, annotated, np.ones((20, 34), bool), name="mine", from_set="68", keep=known
    )
    assert found.groups == (*known.groups[:21], *((i,) for i in range(40, 53)))
    np.testing.assert_allclose(fit.rms[:2], [3, 0], atol=1e-9)
    assert found.sha256 != known.sha256
    assert "aflw21-3ddfa" in found.source


def test_a_fitted_map_survives_its_file(tmp_path: Path) -> None:
    """What the fit gives can be written and read."""
    predicted, _, annotated, visible = scene(4)
    found, _ = fit_landmark_map(
        predicted, annotated, visible, name="m", from_set="mesh-300", to_set="seven", combine=3
    )
    save_landmark_map(found, tmp_path / "m.toml")
    assert load_landmark_map(tmp_path / "m.toml") == found


def test_shapes_that_differ_are_refused() -> None:
    """Ten annotated samples do not belong to nine predictions."""
    with pytest.raises(ValueError, match="differ"):
        fit_groups(np.zeros((9, 5, 2)), np.zeros((10, 3, 2)), np.ones((10, 3), bool))


def test_a_map_is_plain_data() -> None:
    """Two maps of the same content are equal, and can be keys."""
    built_in = load_landmark_map("aflw21-3ddfa")
    assert isinstance(built_in, LandmarkMap)
    assert len({built_in, load_landmark_map("aflw21-3ddfa")}) == 1
