"""The run-time protocol: times are carried, counted and summed up, never measured here."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from prn_bench import compare, open_predictions, score, write_predictions
from prn_bench.errors import BenchError
from prn_bench.predictions.memory import make_predictions
from prn_bench.predictions.writer import writing_predictions
from prn_bench.protocol import protocol
from prn_bench.readers import find_reader
from prn_bench.results import load_result, save

CARD = {"name": "M", "hardware": "a machine", "batch": 1}
CARRIERS = (".h5", ".npz")


def timed(path, dataset, faces, times, card=None):
    """A prediction file with times."""
    ids = dataset.sample_ids
    write_predictions(
        path, ids, frame="image", landmarks=faces, runtime_ms=times, method=card or CARD
    )
    return open_predictions(path)


@pytest.fixture
def times(dataset):
    """10, 11, ... ms."""
    return 10.0 + np.arange(len(dataset))


def codes(result):
    """Codes of its findings."""
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize("suffix", CARRIERS)
def test_a_score_of_times(tmp_path, dataset, faces, times, suffix):
    """Median, mean, interval and every sample's time, of a file whose rows are in another order."""
    order = np.random.default_rng(0).permutation(len(dataset))
    path = tmp_path / f"p{suffix}"
    write_predictions(
        path, dataset.sample_ids[order], frame="image", landmarks=faces[order],
        runtime_ms=times[order], method=CARD,
    )  # fmt: skip
    result = score(open_predictions(path), dataset, "runtime")
    assert result.samples.errors.tolist() == times.tolist()
    assert result.summary.headline == result.summary.median == np.median(times)
    assert result.summary.mean_of_images == times.mean()
    assert result.summary.interval.low < np.median(times) < result.summary.interval.high
    assert result.inputs == {"hardware": "a machine", "batch": "1"}
    assert codes(result) == ["hardware"]
    saved, _ = save(result, tmp_path / "results")
    assert load_result(saved).summary == result.summary


def test_unknown_times_are_counted(tmp_path, dataset, faces, times):
    """NaN is left out of the figures, and said; strict refuses it, and no penalty is offered."""
    times[3] = np.nan
    predictions = timed(tmp_path / "p.h5", dataset, faces, times)
    result = score(predictions, dataset, "runtime")
    assert (result.summary.n, result.summary.n_missing) == (len(dataset), 1)
    assert result.summary.headline == np.nanmedian(times)
    assert "missing-times" in codes(result)
    with pytest.raises(BenchError, match="have no time") as error:
        score(predictions, dataset, "runtime+missing=strict")
    assert str(dataset.sample_ids[3]) in str(error.value)
    with pytest.raises(BenchError, match="no penalty"):
        protocol("runtime+missing=penalise")


def test_without_times(run, tmp_path, datasets, dataset, faces):
    """One error that says what to write, and where it is explained."""
    path = tmp_path / "p.h5"
    write_predictions(path, dataset.sample_ids, frame="image", landmarks=faces, method="M")
    code, _, err = run("score", path, datasets["aflw2000-3d"], "-p", "runtime")
    assert code == 2
    words = " ".join(err.replace("│", " ").split())
    assert "do not say how long they took" in words
    assert "Write runtime_ms (n,)" in words
    assert "docs/protocols.md" in words


def test_score_from_the_command_line(run, tmp_path, datasets, dataset, faces, times):
    """The table has the figures and the interval; any dataset will do."""
    path = tmp_path / "p.h5"
    timed(path, dataset, faces, times)
    code, out, _ = run("score", path, datasets["aflw2000-3d"], "-p", "runtime")
    assert code == 0
    assert f"{np.median(times):.3f}*" in out
    assert "interval" in out
    assert "milliseconds" in out
    code, out, _ = run("score", path, datasets["aflw2000-3d"], "-p", "runtime", "--json")
    assert json.loads(out)[0]["summary"]["median"] == np.median(times)


def test_a_pattern_takes_times_where_they_are(run, tmp_path, datasets, dataset, faces, times):
    """Among other protocols of the dataset; a file without times is not asked for them."""
    for values, there in ((times, True), (None, False)):
        timed(tmp_path / "p.h5", dataset, faces, values)
        words = ("score", tmp_path / "p.h5", datasets["aflw2000-3d"], "-p", "*", "--json")
        code, out, err = run(*words)
        assert code == 0
        assert ("runtime" in [one["protocol"]["id"] for one in json.loads(out)]) == there
        assert "runtime" not in err


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf])
def test_impossible_times(run, tmp_path, dataset, faces, times, value):
    """Named with the sample, by `check` and by a score."""
    times[2] = value
    path = tmp_path / "p.h5"
    predictions = timed(path, dataset, faces, times)
    with pytest.raises(BenchError) as error:
        score(predictions, dataset, "runtime")
    assert error.value.code == "bad-runtime"
    assert str(dataset.sample_ids[2]) in str(error.value)
    code, out, _ = run("check", path)
    assert code == 1
    assert "bad-runtime" in out


def test_odd_times_are_said(tmp_path, dataset, faces, times):
    """Seconds, one mean for all, batches, unknown hardware: said, and the figures are as given."""
    told = {
        "looks-like-seconds": (times / 1000, CARD),
        "constant-times": (np.full(len(times), 9.8), CARD),
        "other-batch": (times, CARD | {"batch": 128}),
        "unknown-conditions": (times, {"name": "M"}),
    }
    for code, (values, card) in told.items():
        result = score(timed(tmp_path / "p.h5", dataset, faces, values, card), dataset, "runtime")
        assert [c for c in codes(result) if c != "hardware"] == [code]
        assert result.summary.headline == np.median(values)


def test_times_are_no_predictions(tmp_path, dataset, faces, times):
    """The digest of what is predicted stays; that of a time score follows times and conditions."""
    plain = timed(tmp_path / "a.h5", dataset, faces, None)
    files = [
        timed(tmp_path / "b.h5", dataset, faces, times),
        timed(tmp_path / "c.npz", dataset, faces, times),
        timed(tmp_path / "d.h5", dataset, faces, times + 1),
        timed(tmp_path / "e.h5", dataset, faces, times, CARD | {"hardware": "another"}),
    ]
    assert {one.sha256 for one in files} == {plain.sha256}
    digests = [one.runtime_sha256 for one in files]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    with pytest.raises(BenchError) as error:
        write_predictions(
            tmp_path / "f.h5", dataset.sample_ids, frame="image", runtime_ms=times, method="M"
        )
    assert error.value.code == "no-arrays"


@pytest.mark.parametrize("suffix", CARRIERS)
def test_times_sample_by_sample(tmp_path, suffix):
    """Also of a sample in which nothing was found; NaN where no time was given."""
    path = tmp_path / f"p{suffix}"
    with writing_predictions(path, frame="image", method="M") as writer:
        writer.add("a", landmarks=np.zeros((68, 2)), runtime_ms=12)
        writer.add("b", runtime_ms=3.5)
        writer.add("c", landmarks=np.ones((68, 2)))
    found = open_predictions(path)
    assert np.asarray(found.arrays["runtime_ms"]).tolist()[:2] == [12, 3.5]
    assert np.isnan(found.arrays["runtime_ms"][2])
    assert np.isnan(found.arrays["landmarks"][1]).all()


def test_times_are_one_number_a_sample(tmp_path):
    """Another shape or type is refused like that of any array."""
    about = {"frame": "image", "method": "M", "landmarks": np.zeros((2, 68, 2))}
    for values, code in ((np.ones((2, 1)), "wrong-shape"), (np.array(["1", "2"]), "wrong-type")):
        with pytest.raises(BenchError) as error:
            make_predictions(["a", "b"], runtime_ms=values, **about)
        assert error.value.code == code
    with (
        pytest.raises(BenchError),
        writing_predictions(tmp_path / "p.h5", frame="image", method="M") as writer,
    ):
        writer.add("a", runtime_ms=[1.0, 2.0])


def test_readers_carry_times(tmp_path, dataset, faces, times):
    """A plain .npz, and a column of a table with a row a sample."""
    ids = dataset.sample_ids
    np.savez(tmp_path / "p.npz", names=ids.astype(str), landmarks=faces, runtime_ms=times)
    found = find_reader("npz")(tmp_path / "p.npz", frame="image", dataset=dataset)
    assert np.asarray(found.arrays["runtime_ms"]).tolist() == times.tolist()
    names = [f"{axis}{i}" for i in range(68) for axis in "xyz"]
    lines = [",".join(["sample_id", *names, "runtime_ms"])]
    for name, face, time in zip(ids, faces, times, strict=True):
        lines.append(",".join([str(name), *map(repr, face.ravel().tolist()), repr(float(time))]))
    lines[1] = lines[1].rpartition(",")[0] + ","
    (tmp_path / "p.csv").write_text("\n".join(lines))
    found = find_reader("csv")(tmp_path / "p.csv", frame="image", dataset=dataset)
    assert np.isnan(found.arrays["runtime_ms"][0])
    assert np.asarray(found.arrays["runtime_ms"][1:]).tolist() == times[1:].tolist()
    assert score(found, dataset, "runtime").summary.n_missing == 1


def test_a_cached_time_is_not_another_machines(run, tmp_path, datasets, dataset, faces, times):
    """A new card under the same times is a new result."""
    for hardware in ("one", "two"):
        timed(tmp_path / "p.h5", dataset, faces, times, CARD | {"hardware": hardware})
        _, out, _ = run(
            "score", tmp_path / "p.h5", datasets["aflw2000-3d"], "-p", "runtime", "--json"
        )
        assert json.loads(out)[0]["inputs"]["hardware"] == hardware


def test_other_hardware_is_not_compared(tmp_path, dataset, faces, times):
    """The same machine is; what its own card does not say cannot be."""
    results = {}
    for name, more in {
        "a": {},
        "b": {},
        "c": {"hardware": "another"},
        "d": {"batch": None},
    }.items():
        card = CARD | {"name": name} | more
        predictions = timed(tmp_path / f"{name}.h5", dataset, faces, times + len(results), card)
        results[name] = score(predictions, dataset, "runtime")
    assert compare([results["a"], results["b"]]).unit == "ms"
    for other in "cd":
        with pytest.raises(BenchError) as error:
            compare([results["a"], results[other]])
        assert error.value.code == "mixed-conditions"


def test_the_hash_of_the_protocol_is_frozen():
    """What was published stays what it is; the word `any` belongs to protocols, not to datasets."""
    found = protocol("runtime")
    assert found.short_hash == "121454000a5c"
    assert (found.aggregate, found.unit, found.dataset) == ("median", "ms", "any")
    assert dataclasses.replace(found, unit="px").hash != found.hash
