"""Tables of landmarks: both forms, and every bad cell named."""

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.readers import read_csv

POINTS = np.random.default_rng(1).uniform(0, 450, (2, 68, 3)).round(3)
IDS = ["image00002", "image00004"]


def code_of(reader, path, frame="image"):
    with pytest.raises(BenchError) as error:
        reader(path, frame=frame)
    return error.value.code


def wide(points=POINTS, ids=IDS, start=0, delimiter=","):
    """Lines of a table with one row a sample."""
    numbers = range(start, start + points.shape[1])
    names = [f"{axis}{i}" for i in numbers for axis in "xyz"[: points.shape[2]]]
    rows = [["sample_id", *names]]
    rows += [[name, *map(str, row.ravel())] for name, row in zip(ids, points, strict=True)]
    return [delimiter.join(row) for row in rows]


def long(points=POINTS, ids=IDS, start=0):
    """Lines of a table with one row a point."""
    axes = "xyz"[: points.shape[2]]
    rows = [f"sample_id,point,{','.join(axes)}"]
    for name, row in zip(ids, points, strict=True):
        rows += [f"{name},{i},{','.join(map(str, xyz))}" for i, xyz in enumerate(row, start)]
    return rows


def table(folder, lines):
    (folder / "p.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "p.csv"


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("form", [wide, long])
def test_both_forms_of_tables(tmp_path, form, start, dims):
    """Two or three coordinates, points counted from 0 or from 1."""
    path = table(tmp_path, form(POINTS[..., :dims], start=start))
    found = read_csv(path, frame="image")
    assert found.sample_ids.tolist() == IDS
    np.testing.assert_array_equal(found.arrays["landmarks"], POINTS[..., :dims])
    assert found.method.get("notes", []) == (["points counted from 1"] if start else [])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_and_byte_order_mark(tmp_path, delimiter):
    """As spreadsheets export them."""
    lines = wide(delimiter=delimiter)
    lines[0] = "\ufeff" + lines[0].upper()
    found = read_csv(table(tmp_path, lines), frame="image")
    np.testing.assert_array_equal(found.arrays["landmarks"], POINTS)


def test_rows_of_a_long_table_in_any_order(tmp_path):
    """Points are placed by their number."""
    lines = long()
    found = read_csv(table(tmp_path, [lines[0], *reversed(lines[1:])]), frame="image")
    order = [found.sample_ids.tolist().index(name) for name in IDS]
    np.testing.assert_array_equal(found.arrays["landmarks"][order], POINTS)


@pytest.mark.parametrize("text", ["", "nan", "NaN", "NA", "None"])
def test_empty_fields_are_missing_values(tmp_path, text):
    """A failed detection is an empty row."""
    lines = wide()
    lines[2] = ",".join([IDS[1], *[text] * 204])
    found = read_csv(table(tmp_path, lines), frame="image").arrays["landmarks"]
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[0]).all()


def changed(lines, row, column, text):
    cells = lines[row].split(",")
    cells[column : column + 1] = [] if text is None else [text]
    return [*lines[:row], ",".join(cells), *lines[row + 1 :]]


BAD_TABLES = {
    "short row": ("ragged-csv", changed(wide(), 2, 5, None)),
    "long row": ("ragged-csv", changed(wide(), 1, 5, "1,2")),
    "text": ("not-a-number", changed(wide(), 2, 2, "12px")),
    "text in a long table": ("not-a-number", changed(long(), 9, 3, "?")),
    "point no number": ("not-a-number", changed(long(), 9, 1, "nose")),
    "lacks a column": ("missing-points", [row.rsplit(",", 1)[0] for row in wide()]),
    "67 points": ("missing-points", wide(POINTS[:, :67])),
    "69 points": ("missing-points", wide(np.concatenate([POINTS, POINTS[:, :1]], 1))),
    "x only": ("missing-points", wide(POINTS[..., :1])),
    "lacks a point": ("missing-points", long()[:-1]),
    "point 68 of 0 to 67": ("missing-points", [*long(), "image00004,68,1,1,1"]),
    "point 1.5": ("missing-points", changed(long(), 9, 1, "1.5")),
    "point empty": ("missing-points", changed(long(), 9, 1, "")),
    "point -inf": ("missing-points", changed(long(), 9, 1, "-inf")),
    "point inf": ("missing-points", changed(long(), 9, 1, "inf")),
    "points -1 to 66": ("missing-points", long(start=-1)),
    "points 2 to 69": ("missing-points", long(start=2)),
    "point twice": ("duplicate-points", [*long(), long()[-1]]),
    "sample twice": ("duplicate-ids", wide(ids=["a", "a"])),
    "column twice": ("not-a-csv", changed(wide(), 0, 2, "x0")),
    "no ids": ("not-a-csv", changed(wide(), 0, 0, "what")),
    "no rows": ("no-samples", wide()[:1]),
    "no rows, long": ("no-samples", long()[:1]),
    "nothing": ("not-a-csv", [""]),
    "html": ("not-a-csv", ["<!DOCTYPE html>", "<html></html>"]),
}


@pytest.mark.parametrize("what", BAD_TABLES)
def test_bad_tables(tmp_path, what):
    """Each by its own code."""
    code, lines = BAD_TABLES[what]
    assert code_of(read_csv, table(tmp_path, lines)) == code


def test_a_bad_cell_is_named(tmp_path):
    """By line, column and content."""
    path = table(tmp_path, changed(wide(), 2, 2, "12px"))
    with pytest.raises(BenchError) as error:
        read_csv(path, frame="image")
    assert "line 3, column y0" in str(error.value)
    assert "'12px'" in str(error.value)


def test_binary_table(tmp_path):
    """Bytes that are no text."""
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe\x00binary\x80")
    assert code_of(read_csv, tmp_path / "p.csv") == "not-a-csv"


def test_table_needs_a_frame(tmp_path):
    """Numbers do not say which pixels they are."""
    assert code_of(read_csv, table(tmp_path, wide()), frame=None) == "frame-needed"


def test_a_table_beyond_the_limit_is_not_read(tmp_path):
    """Fields take ten times the memory of their file, so its size is looked at first."""
    path = tmp_path / "p.csv"
    with open(path, "wb") as stream:
        stream.truncate(65 << 20)
    with pytest.raises(BenchError) as error:
        read_csv(path, frame="image")
    assert error.value.code == "too-large"
