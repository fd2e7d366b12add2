"""The rules for the structure of prediction files: each one alone, and all at once."""

import json
from pathlib import Path

import numpy as np
import pytest

from prn_bench.errors import first_few
from prn_bench.predictions.structure import FORMAT, structure_faults, text_of

IDS = ["image00004", "image00002", "顔"]
PATH = Path("p.npz")


def codes(**changes):
    """Codes of the faults of good content with these changes; None leaves a member out."""
    members = {
        "format": FORMAT,
        "frame": "image",
        "method": json.dumps({"name": "PRN"}),
        "sample_id": np.array(IDS),
        "landmarks": np.ones((3, 68, 3)),
        **changes,
    }
    content = {key: np.asarray(value) for key, value in members.items() if value is not None}
    return [fault.code for fault in structure_faults(content, PATH)]


BAD = {
    "no frame": ("no-frame", {"frame": None}),
    "unknown frame": ("unknown-frame", {"frame": "world"}),
    "frame as a number": ("unknown-frame", {"frame": 1}),
    "other format": ("wrong-format", {"format": "prn-bench/dataset"}),
    "newer": ("newer-format", {"format_version": 2}),
    "no ids": ("no-ids", {"sample_id": None}),
    "ids as numbers": ("bad-ids", {"sample_id": np.arange(3)}),
    "ids in a table": ("bad-ids", {"sample_id": np.array([IDS])}),
    "duplicate ids": ("duplicate-ids", {"sample_id": np.array(["a", "b", "a"])}),
    "empty id": ("empty-id", {"sample_id": np.array(["a", " ", "b"])}),
    "no samples": (
        "no-samples",
        {"sample_id": np.array([], "U1"), "landmarks": np.ones((0, 68, 2))},
    ),
    "no arrays": ("no-arrays", {"landmarks": None}),
    "too few rows": ("wrong-shape", {"landmarks": np.ones((2, 68, 3))}),
    "turned": ("wrong-shape", {"landmarks": np.ones((3, 3, 68))}),
    "67 points": ("wrong-shape", {"landmarks": np.ones((3, 67, 3))}),
    "a number": ("wrong-shape", {"landmarks": 3.0}),
    "maps last axis": ("wrong-shape", {"position_map": np.ones((3, 256, 256, 3), "f2")}),
    "no vertices": ("wrong-shape", {"vertices": np.ones((3, 0, 3)), "topology": "unordered"}),
    "texts": ("wrong-type", {"landmarks": np.full((3, 68, 3), "1.0")}),
    "complex": ("wrong-type", {"landmarks": np.ones((3, 68, 3), complex)}),
    "8 bits": ("eight-bit-map", {"position_map": np.zeros((3, 3, 256, 256), np.uint8)}),
    "no topology": ("no-topology", {"vertices": np.ones((3, 5, 3))}),
    "wrong topology": ("wrong-topology", {"vertices": np.ones((3, 5, 3)), "topology": "bfm-53215"}),
    "method is no json": ("bad-method", {"method": "PRN"}),
    "method without name": ("bad-method", {"method": '{"version": "1"}'}),
    "method is a list": ("bad-method", {"method": "[1]"}),
}

#: Three samples: a triangle, nothing, two triangles.
MESHES = {
    "landmarks": None,
    "topology": "unordered",
    "vertices": np.zeros((7, 3)),
    "vertex_start": np.array([0, 3, 3, 7]),
    "triangles": np.array([[0, 1, 2], [0, 1, 2], [3, 2, 1]], np.int32),
    "triangle_start": np.array([0, 1, 1, 3]),
}
BAD_MESHES = {
    "no starts": ("no-starts", {"vertex_start": None, "triangles": None, "triangle_start": None}),
    "no vertices": ("no-arrays no-starts loose-triangles", {"vertices": None}),
    "no triangles": ("no-starts", {"triangles": None}),
    "no starts of triangles": ("no-starts", {"triangle_start": None}),
    "falling": ("bad-starts", {"vertex_start": np.array([0, 5, 3, 7])}),
    "falling, unsigned": ("bad-starts", {"vertex_start": np.array([0, 5, 3, 7], np.uint64)}),
    "not from 0": ("bad-starts", {"vertex_start": np.array([1, 3, 3, 7])}),
    "too far": ("bad-starts", {"triangle_start": np.array([0, 1, 1, 4])}),
    "not to the end": ("bad-starts", {"vertex_start": np.array([0, 3, 3, 6])}),
    "too few starts": ("wrong-shape", {"vertex_start": np.array([0, 3, 7])}),
    "starts in a table": ("wrong-shape", {"vertex_start": np.array([[0, 3, 3, 7]])}),
    "starts as floats": ("wrong-type", {"vertex_start": np.array([0.0, 3, 3, 7])}),
    "corners as floats": ("wrong-type", {"triangles": np.zeros((3, 3))}),
    "four corners": ("wrong-shape", {"triangles": np.zeros((3, 4), int)}),
    "two coordinates": ("wrong-shape", {"vertices": np.zeros((7, 2))}),
    "texts": ("wrong-type", {"vertices": np.full((7, 3), "1")}),
    "one size": ("wrong-shape", {"vertices": np.zeros((3, 7, 3))}),
    "one past the end": ("triangle-out-of-range", {"triangles": MESHES["triangles"] + 1}),
    "below 0": ("triangle-out-of-range", {"triangles": MESHES["triangles"] - 1}),
    "of a sample without vertices": (
        "triangle-out-of-range",
        {"triangle_start": np.array([0, 0, 1, 3])},
    ),
    "fixed topology": ("wrong-topology", {"topology": "bfm-53215"}),
    "no topology": ("no-topology", {"topology": None}),
    "pose in quaternions": ("wrong-shape", {"pose_deg": np.zeros((3, 4))}),
}


def test_good_content():
    """No fault, with or without what may be left out."""
    assert codes() == codes(format=None, method=None, format_version=1) == []
    assert codes(landmarks=None, pose_deg=np.zeros((3, 3))) == []
    assert codes(**MESHES) == codes(**MESHES | {"triangles": None, "triangle_start": None}) == []


@pytest.mark.parametrize("what", BAD_MESHES)
def test_each_rule_of_ragged_meshes(what):
    """Each way to be wrong has its code, and no other fault is reported beside it."""
    expected, changes = BAD_MESHES[what]
    assert codes(**MESHES | changes) == expected.split()


def test_a_bad_triangle_names_its_sample():
    """Found in whichever block it lies."""
    corners = {"triangles": MESHES["triangles"] + 1}
    content = {"sample_id": np.array(IDS), "frame": "image", **MESHES, **corners}
    content = {key: value for key, value in content.items() if value is not None}
    with pytest.MonkeyPatch.context() as patch:
        for size in (1, 2, 1000):
            patch.setattr("prn_bench.predictions.arrays.TRIANGLES_AT_ONCE", size)
            (fault,) = structure_faults(content, PATH)
            assert (fault.where, fault.found) == (f"{PATH}, triangles, {IDS[0]}", "[1, 2, 3]")


@pytest.mark.parametrize("what", BAD)
def test_each_rule(what):
    """One fault, one code."""
    code, changes = BAD[what]
    assert codes(**changes) == [code]


def test_all_at_once():
    """A fault hides no other."""
    changes = {
        "format": "x",
        "frame": "world",
        "sample_id": np.array(["a", "a", ""]),
        "method": "?",
    }
    assert codes(landmarks=np.full((2, 68, 3), "a"), vertices=np.ones((3, 1, 3)), **changes) == [
        *("wrong-format", "unknown-frame", "duplicate-ids", "empty-id", "wrong-shape"),
        *("wrong-type", "no-topology", "bad-method"),
    ]


@pytest.mark.parametrize(
    ("shape", "hint"),
    [((3, 3, 68), "last two axes"), ((3, 2, 68), "last two axes"), ((3, 68, 4), "")],
)
def test_turned_axes_get_a_hint(shape, hint):
    """The commonest wrong shape says how to put it right."""
    content = {"sample_id": np.array(IDS), "frame": "image", "landmarks": np.ones(shape)}
    (fault,) = structure_faults(content, PATH)
    assert hint in (fault.remedy or "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (np.array("a"), "a"),
        (b"a", "a"),
        (np.bytes_(b"a"), "a"),
        (1, None),
        (["a"], None),
    ],
)
def test_texts(value, text):
    """As attributes, 0-d arrays and bytes."""
    assert text_of(value) == text


@pytest.mark.parametrize("what", BAD)
def test_every_fault_says_what_to_do(what):
    """Each has a remedy."""
    members = {"format": FORMAT, "frame": "image", "sample_id": np.array(IDS)}
    members |= {"landmarks": np.ones((3, 68, 3)), **BAD[what][1]}
    content = {key: np.asarray(value) for key, value in members.items() if value is not None}
    faults = list(structure_faults(content, PATH))
    assert [fault.code for fault in faults if not fault.remedy] == []


def test_the_hint_fits_the_shape():
    """67 points, too few rows and turned axes are three different mistakes."""
    hints = {}
    for shape in ((3, 67, 3), (2, 68, 3), (3, 3, 68)):
        content = {"sample_id": np.array(IDS), "frame": "image", "landmarks": np.ones(shape)}
        hints[shape] = next(structure_faults(content, PATH)).remedy
    assert [text.split()[0] for text in hints.values()] == ["Scoring", "Give", "Swap"]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        ([1, 2, 3], "1, 2, 3"),
        (np.array(["a", "b", "c", "d"]), "a, b, c, ..."),
    ],
)
def test_first_few(names, text):
    """Three names, and a sign that there are more."""
    assert first_few(names) == text
