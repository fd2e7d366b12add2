"""The arrays beside AFLW2000-3D: joined by name, proved row by row, never trusted."""

import shutil

import numpy as np
import pytest

from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.recipes import find_recipe

POINTS, POSE = "AFLW2000-3D.pts68.npy", "AFLW2000-3D.pose.npy"
REANNOTATED = "AFLW2000-3D-Reannotated.pts68.npy"


@pytest.fixture
def raw(world, tmp_path):
    """A raw folder of its own, to spoil."""
    return shutil.copytree(world / "raw-aflw2000-3d", tmp_path / "raw")


def make(raw):
    """Build it without images."""
    return build(find_recipe("aflw2000-3d"), raw, raw.parent / "d.h5", with_images=False)


def refusal(raw):
    """The code of the error that building ends in."""
    with pytest.raises(BenchError) as error:
        make(raw)
    return error.value.code


def names(raw):
    """The samples in order."""
    return sorted(path.stem for path in (raw / "AFLW2000").glob("*.mat"))


@pytest.mark.parametrize("file", [POINTS, POSE])
def test_two_rows_exchanged_are_caught(raw, file):
    """Anywhere in the array, not only in the rows that happen to be looked at."""
    rows = np.load(raw / file)
    rows[[5, 6]] = rows[[6, 5]]
    np.save(raw / file, rows)
    assert refusal(raw) == "companion-order"


def test_names_with_extensions_are_understood(raw):
    """The list of the 3DDFA repository spells image00002.jpg."""
    order = names(raw)[::-1]
    (raw / "names.txt").write_text("\n".join(f"{name}.jpg" for name in order))
    for path in raw.glob("*.npy"):
        np.save(path, np.load(path)[::-1])
    dataset = open_dataset(make(raw).path)
    assert np.isfinite(dataset.read("yaw_deg/aflw")).all()


@pytest.mark.parametrize("change", ["other", "short", "twice"])
def test_names_that_fit_no_sample_are_refused(raw, change):
    """No silent NaN for a sample that the list does not name."""
    order = names(raw)
    lists = {
        "other": [f"x{n}" for n in order],
        "short": order[:-1],
        "twice": order[:-1] + order[:1],
    }
    (raw / "names.txt").write_text("\n".join(lists[change]))
    assert refusal(raw) == "companion-order"


@pytest.mark.parametrize("shape", [(68, 2), (2, 21), (3, 68)])
def test_another_axis_order_is_refused(raw, shape):
    """Reshaping would scramble the points."""
    np.save(raw / REANNOTATED, np.zeros((12, *shape), np.float32))
    assert refusal(raw) == "wrong-shape"


def test_an_order_on_trust_is_said(raw):
    """Without the arrays that prove it, a warning."""
    (raw / POINTS).unlink()
    (raw / POSE).unlink()
    assert "order-not-proved" in {finding.code for finding in make(raw).audit.findings}


def test_a_subset_takes_its_rows(raw):
    """Sixty images beside the arrays of all two thousand: joined by names.txt."""
    order = names(raw)
    (raw / "names.txt").write_text("\n".join(order))
    whole = np.load(raw / "AFLW2000-3D-new.pose.npy")
    for name in order[::2]:
        for path in (raw / "AFLW2000").glob(f"{name}.*"):
            path.unlink()
    dataset = open_dataset(make(raw).path)
    np.testing.assert_allclose(dataset.read("yaw_deg/aflw"), whole[1::2])


def test_predictions_for_a_quarantined_sample_are_set_aside(raw, datasets, tmp_path):
    """A damaged file of ours does not make a whole prediction file unusable; the note says so."""
    from prn_bench.evaluate import score
    from prn_bench.predictions import open_predictions, write_predictions

    whole = open_dataset(datasets["aflw2000-3d"])
    path = tmp_path / "p.h5"
    points = whole.read("landmarks")
    write_predictions(path, whole.sample_ids, frame="image", landmarks=points, method={"name": "m"})
    victim = raw / "AFLW2000" / f"{whole.sample_ids[3]}.mat"
    victim.write_bytes(victim.read_bytes()[:300])
    result = score(open_predictions(path), open_dataset(make(raw).path), "aflw2000/68/2d@all")
    assert result.summary.n == 11
    (note,) = [f for f in result.findings if f.code == "quarantined-samples"]
    assert str(whole.sample_ids[3]) in note.message
