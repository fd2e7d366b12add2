"""Result files: the same bytes for the same score, and nothing edited goes unnoticed."""

from __future__ import annotations

import dataclasses
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.evaluate import score
from prn_bench.results import Result, load_result, save
from tests.fakes import face_world

FIT = "aflw2000/68/2d@3ddfa-fit"


def result(name: str = FIT, *, method: str = "My Method v0.5", missing: int = 0) -> Result:
    """A score of the small world."""
    dataset, predictions = face_world()
    predictions.method["name"] = method
    predictions.arrays["landmarks"][:missing] = np.nan
    return score(predictions, dataset, name)


def code(path: Path) -> str:
    """Code of the error that reading raises."""
    with pytest.raises(BenchError) as error:
        load_result(path)
    return error.value.code


@pytest.mark.parametrize(
    "name",
    [
        FIT,
        f"{FIT}+missing=drop",
        f"{FIT}+missing=penalise",
        "aflw2000/68/2d@balanced696+missing=drop+draws=50",
        "aflw2000/68/2d@balanced894-sdrn",
        "aflw2000/68/2d@pixels",
        f"{FIT}+bin_edges=0,1,45",
    ],
)
def test_round_trip(tmp_path: Path, name: str) -> None:
    """A result is read back as it was, every figure and every sample."""
    first = result(name, missing=3 if "missing" in name else 0)
    summary, samples = save(first, tmp_path)
    second = load_result(summary)
    assert second.as_dict() == first.as_dict()
    assert second.protocol == first.protocol
    for name, values in vars(first.samples).items():
        np.testing.assert_array_equal(getattr(second.samples, name), values)
    assert load_result(samples).key == first.key


def test_names_are_safe(tmp_path: Path) -> None:
    """Files are named after method and protocol, in characters that every system takes."""
    first = result(f"{FIT}+closed=left", method="../A b/C:*")
    assert first.key == "a-b-c--aflw2000-68-2d@3ddfa-fit-closed=left"
    summary, samples = save(first, tmp_path / "new" / "folder")
    assert summary == tmp_path / "new" / "folder" / f"{first.key}.json"
    assert samples.name == f"{first.key}.csv.gz"
    assert sorted(path.name for path in summary.parent.iterdir()) == [samples.name, summary.name]
    assert len(result(method="x" * 500).key) < 200


def test_names_without_ascii_letters() -> None:
    """They become a hash each, so that no two of them meet in one file."""
    keys = [result(method=name).key for name in ("é", "è", "人脸", "...")]
    assert len(set(keys)) == 4
    for key in keys:
        assert re.fullmatch(r"[0-9a-f]{12}--aflw2000-68-2d@3ddfa-fit", key)


def test_same_bytes(tmp_path: Path) -> None:
    """Scoring again writes the same bytes: no dates, no machine, no order."""
    files = [save(result(), tmp_path / folder) for folder in ("a", "b")]
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert files[0][1].read_bytes()[4:8] == bytes(4)  # gzip's own time stamp
    assert str(tmp_path) not in files[0][0].read_text()


def test_csv_is_plain(tmp_path: Path) -> None:
    """One line a sample; what is missing is empty, never zero."""
    _, samples = save(result(f"{FIT}+missing=drop+over_90=drop", missing=1), tmp_path)
    lines = gzip.decompress(samples.read_bytes()).decode().splitlines()
    assert lines[0] == "sample_id,error,normalizer_px,yaw_deg,bin,missing"
    assert len(lines) == 41
    first, third = lines[1].split(","), lines[3].split(",")
    assert (first[0], first[1], first[5]) == ("image00000", "", "1")
    assert float(third[3]) == 187.8
    assert third[4] == ""


def test_recomputable(tmp_path: Path) -> None:
    """The means of the CSV are the headline to 1e-12, with nothing of ours in between."""
    summary, samples = save(result(), tmp_path)
    rows = [line.split(",") for line in gzip.decompress(samples.read_bytes()).decode().split()[1:]]
    bins: dict[str, list[float]] = {}
    for row in rows:
        bins.setdefault(row[4], []).append(float(row[1]))
    mean = np.mean([np.mean(values) for values in bins.values()])
    headline = json.loads(summary.read_text())["summary"]["headline"]
    assert headline == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"headline": ', '"headline": 1'),
        ('"n": 14', '"n": 15'),
        ('"over_90": "last"', '"over_90": "drop"'),
        ('"protocol_hash": "', '"protocol_hash": "0'),
    ],
)
def test_an_edited_summary(tmp_path: Path, old: str, new: str) -> None:
    """One changed digit or field is noticed."""
    summary, _ = save(result(), tmp_path)
    text = summary.read_text()
    assert old in text
    summary.write_text(text.replace(old, new, 1))
    assert code(summary) == "result-edited"


@pytest.mark.parametrize("line", [1, 40])
def test_edited_samples(tmp_path: Path, line: int) -> None:
    """A changed error, and samples that only swapped their ids, are noticed."""
    summary, samples = save(result(), tmp_path)
    lines = gzip.decompress(samples.read_bytes()).decode().splitlines()
    lines[line] = lines[line].replace("image000", "image001")
    samples.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    assert code(summary) == "result-edited"


def test_the_last_bits_may_differ(tmp_path: Path) -> None:
    """A figure that another machine rounded otherwise is not an edit."""
    summary, _ = save(result(), tmp_path)
    table = json.loads(summary.read_text())
    table["summary"]["headline"] += 1e-12
    summary.write_text(json.dumps(table))
    assert load_result(summary).summary.headline != table["summary"]["headline"]


def test_bad_files(tmp_path: Path) -> None:
    """Absent, foreign, newer and damaged files each have their code."""
    summary, samples = save(result(), tmp_path)
    text = summary.read_text()
    assert code(tmp_path / "none.json") == "no-such-file"
    summary.write_text("[]")
    assert code(summary) == "not-a-result"
    summary.write_text("{")
    assert code(summary) == "damaged-result"
    summary.write_text(text.replace('"format_version": 1', '"format_version": 2'))
    assert code(summary) == "newer-format"
    summary.write_text(text.replace('"findings"', '"notes"'))
    assert code(summary) == "damaged-result"
    summary.write_text(text)
    whole = samples.read_bytes()
    samples.write_bytes(whole[:-30])
    assert code(summary) == "damaged-result"
    samples.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert code(summary) == "damaged-result"
    samples.unlink()
    assert code(summary) == "no-such-file"


def test_nobody_is_overwritten(tmp_path: Path) -> None:
    """Two methods whose names look alike on disk do not replace each other, even if asked to."""
    save(result(method="A b"), tmp_path)
    with pytest.raises(BenchError) as error:
        save(result(method="a-B"), tmp_path, replace=True)
    assert error.value.code == "result-name-taken"


@pytest.mark.parametrize("basis", ["predictions_sha256", "reference_digest"])
def test_another_score_of_the_same_name(tmp_path: Path, basis: str) -> None:
    """The same score is written again at will, one of other predictions or data only when asked."""
    first = result()
    save(first, tmp_path)
    save(first, tmp_path)
    again = dataclasses.replace(first, **{basis: "1" * 64})
    with pytest.raises(BenchError, match="--replace") as error:
        save(again, tmp_path)
    assert error.value.code == "result-exists"
    assert basis in str(error.value)
    assert getattr(load_result(tmp_path / f"{first.key}.json"), basis) != "1" * 64
    summary, _ = save(again, tmp_path, replace=True)
    assert getattr(load_result(summary), basis) == "1" * 64


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    """Where no folder can be made, the message says so."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError) as error:
        save(result(), tmp_path / "file")
    assert error.value.code == "cannot-write"
