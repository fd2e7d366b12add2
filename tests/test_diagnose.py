"""`doctor` on a known world: injected mistakes are named first, and good predictions get silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from faults import FAULTS, families, good_points, predictions, upside_down

from prn_bench.diagnose import diagnose
from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.predictions import Predictions

FIT, Z_MEAN = "aflw2000/68/2d@3ddfa-fit", "aflw2000/68/3d@z-mean"
NOISE_PX = 2.0


@pytest.fixture
def truth(dataset):
    """The reference, image frame."""
    return dataset.read("landmarks").astype(float)


def noise(shape, sigma_px=NOISE_PX, seed=0):
    """The same for the same seed."""
    return np.random.default_rng(seed).normal(0, sigma_px, shape)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_first(dataset, truth, name, noisy):
    """The family comes first, and undoing it gives the figure of the good predictions."""
    family, fault = FAULTS[name]
    good = good_points(dataset, truth + noisy * noise(truth.shape))
    given = predictions(dataset.sample_ids, fault(good))
    found = diagnose(given, dataset)
    assert families(found)[0] == family, [m.sentence for m in found.mistakes]
    if family == "constant":
        return
    change = found.mistakes[0].changes[-1]
    rules = Z_MEAN if family.startswith("z-") else FIT
    right = score(predictions(dataset.sample_ids, good.points), dataset, rules).summary.headline
    assert change.after == pytest.approx(right, abs=0.25 if noisy else 1e-3)
    assert change.before == pytest.approx(score(given, dataset, rules).summary.headline)


@pytest.mark.parametrize("percent", [0.0, 2.0, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_good_predictions_get_silence(dataset, truth, percent, seed):
    """Whether errors are of single points or of whole faces."""
    rng = np.random.default_rng(seed)
    face_px = np.sqrt(np.ptp(truth[..., :2], axis=1).prod(-1))[:, None, None]
    for shape in (truth.shape, (len(truth), 1, 3)):
        points = truth + rng.normal(0, percent / 125, shape) * face_px
        found = diagnose(predictions(dataset.sample_ids, points), dataset)
        assert found.mistakes == (), [m.sentence for m in found.mistakes]
        assert found.good


def test_nothing_is_changed(dataset, truth):
    """The predictions keep every number, and their score is what it was."""
    given = predictions(dataset.sample_ids, truth * [1, 1, -1])
    before = given.arrays["landmarks"].copy()
    figure = diagnose(given, dataset).figure
    assert np.array_equal(given.arrays["landmarks"], before)
    assert figure.before == figure.after == score(given, dataset, FIT).summary.headline


def test_two_mistakes_at_once(dataset, truth):
    """Crop pixels with y up, declared as pixels of the image; fractions with y up."""
    good = good_points(dataset, truth)
    crop = good.in_crop
    crop[..., 1] = 255 - crop[..., 1]
    found = diagnose(predictions(dataset.sample_ids, crop), dataset).mistakes[0]
    assert set(found.family.split("+")) == {"y-flip", "space"}
    assert found.changes[0].after < 1.1  # the pixel that stored points have on top
    points = upside_down(good) / 450
    found = diagnose(predictions(dataset.sample_ids, points), dataset).mistakes
    assert [set(m.family.split("+")) for m in found] == [{"y-flip", "fractions"}]


def test_variants_are_a_group(dataset, truth):
    """h - 1 - y is named, and the sub-pixel variants beside it."""
    points = upside_down(good_points(dataset, truth + noise(truth.shape)))
    mistake = diagnose(predictions(dataset.sample_ids, points), dataset).mistakes[0]
    assert mistake.correction == "y -> h - 1 - y"
    assert [other.correction for other in mistake.others[:2]] == [
        "y -> h - 0.5 - y",
        "y -> h - y",
    ]


def test_the_crop_frame(dataset, truth):
    """Right points in the crop are silent; their flip is that of the crop's 256 pixels."""
    good = good_points(dataset, truth)
    for flip, expected in ((False, []), (True, ["y-flip"])):
        points = good.in_crop
        points[..., 2] += dataset.read("z_shift")[:, None]
        points[..., 1] = 255 - points[..., 1] if flip else points[..., 1]
        found = diagnose(replace(predictions(dataset.sample_ids, points), frame="crop"), dataset)
        assert families(found) == expected
    assert found.mistakes[0].changes[0].after == pytest.approx(
        score(predictions(dataset.sample_ids, truth), dataset, FIT).summary.headline, abs=1e-3
    )


def test_few_samples(dataset, truth):
    """A gross mistake shows in three faces, even in one; a pixel does not."""
    for n in (1, 3):
        ids = dataset.sample_ids[:n]
        points = upside_down(good_points(dataset, truth))[:n]
        assert families(diagnose(predictions(ids, points), dataset))[0] == "y-flip"
        assert diagnose(predictions(ids, truth[:n] + [1, 1, 0]), dataset).good


def test_missing_rows_are_left_out(dataset, truth):
    """Rows of NaN, rows with a hole, samples without a row."""
    points = upside_down(good_points(dataset, truth))
    points[0], points[1, 3] = np.nan, np.nan
    found = diagnose(predictions(dataset.sample_ids[:-1], points[:-1]), dataset)
    assert families(found) == ["y-flip"]
    assert (found.n_given, found.n) == (len(truth) - 3, len(truth))


def test_other_protocols(dataset, truth):
    """The figure is that of the protocol asked for; z without its origin is a note where it counts."""
    points = truth + [0, 0, 40]
    given = predictions(dataset.sample_ids, points)
    assert diagnose(given, dataset, "aflw2000/68/2d@reannotated").mistakes == ()
    assert diagnose(given, dataset, Z_MEAN).mistakes == ()
    found = diagnose(given, dataset, "aflw2000/68/3d@z-none")
    assert families(found) == ["z-origin"]
    assert found.good
    assert found.mistakes[0].correction == "z - 40.0"
    flat = predictions(dataset.sample_ids, truth[..., :2])
    assert diagnose(flat, dataset).mistakes == ()
    with pytest.raises(BenchError, match="no z"):
        diagnose(flat, dataset, Z_MEAN)


def test_other_datasets(datasets):
    """A protocol of AFLW2000-3D is applied to whatever dataset is at hand, under another id."""
    from prn_bench.dataset import open_dataset

    other = open_dataset(datasets["300w-lp"])
    points = other.read("landmarks").astype(float)
    found = diagnose(predictions(other.sample_ids, points * [1, 1, -1]), other)
    assert families(found) == ["z-sign"]
    assert "+dataset=300w-lp" in found.protocol


def test_what_the_numbers_say(dataset, truth):
    """Zero z, flat z under an annotation, unknown ids, a figure on the card in another unit."""
    given = predictions(dataset.sample_ids, truth * [1, 1, 0])
    assert families(diagnose(given, dataset)) == ["zero-depth"]
    ids = [*dataset.sample_ids[:-1], "stranger"]
    found = diagnose(predictions(np.array(ids, object), truth), dataset)
    assert families(found) == ["ids"]
    assert "stranger" in found.mistakes[0].cause
    noisy = predictions(dataset.sample_ids, truth + noise(truth.shape))
    nme = score(noisy, dataset, FIT).summary.headline
    found = diagnose(replace(noisy, method={"name": "M", "nme": nme / 100}), dataset)
    assert families(found) == ["reported-unit"]
    assert found.good
    same = replace(noisy, method={"name": "M", "nme": nme, "nme_runs": True, "url": "x"})
    assert diagnose(same, dataset).mistakes == ()


def test_what_cannot_be_explained(dataset, truth):
    """Right shapes in an unknown crop are told from points that are no faces at all."""
    rng = np.random.default_rng(0)
    n = len(truth)
    centred = truth - truth.mean(1, keepdims=True)
    place = [70, 300, 0] + rng.normal(0, 20, (n, 1, 3))
    moved = centred * rng.uniform(0.3, 0.6, (n, 1, 1)) + place
    found = diagnose(predictions(dataset.sample_ids, moved), dataset)
    assert families(found) == ["unknown-crop"]
    assert found.offset is None
    wild = rng.uniform(0, 450, truth.shape)
    assert families(diagnose(predictions(dataset.sample_ids, wild), dataset))[0] == "unexplained"


def test_shuffled_rows(datasets, truth, dataset):
    """Predictions of other samples find their own."""
    order = np.random.default_rng(1).permutation(len(truth))
    found = diagnose(predictions(dataset.sample_ids, truth[order]), dataset)
    assert families(found)[0] == "rows"
    assert found.mistakes[0].changes[0].after < 1.1


def test_refusals(dataset, truth):
    """What is no case for doctor is said in one message."""
    ids = dataset.sample_ids
    mesh = {"vertices": np.zeros((len(ids), 100, 3))}
    cases = {
        "unknown-ids": predictions(["x", "y"], truth[:2]),
        "duplicate-ids": predictions([ids[0], ids[0]], truth[:2]),
        "nothing-to-diagnose": predictions(ids, np.full_like(truth, np.nan)),
        "no-landmarks": Predictions(ids, "image", mesh, {"name": "M"}, "unordered"),
    }
    for code, given in cases.items():
        with pytest.raises(BenchError) as error:
            diagnose(given, dataset)
        assert error.value.code == code
    with pytest.raises(BenchError, match="does not compare 68 landmarks"):
        diagnose(predictions(ids, truth), dataset, f"{Z_MEAN}+task=reconstruction")
