"""Hostile .obj and .ply files: refused or read in memory of some times the file, with the line named."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from prn_bench.errors import BenchError
from prn_bench.formats import objfile, objlines
from prn_bench.formats.objfile import read_obj, read_obj_vertices
from prn_bench.formats.plyfile import read_ply
from prn_bench.predictions import open_predictions

MIB = 1 << 20
START = b"v 0 0 0\nv 1 0 0\nv 0 1 0\n"
SIZE = 3 * MIB
#: What a hostile file repeats, and what is said of it (None: it is read).
UNITS = {
    b"f 1 2 3\n": None,
    b"f -1 -2 -3\n": None,
    b"\n": None,
    b"\r": None,
    b"#\n": None,
    b"usemtl a\n": None,
    b"v \n": "damaged-obj",
    b"f 1 2 1000000000\n": "obj-index-out-of-range",
    b"v 1 1 1 ": "damaged-obj",  # one line without an end
    b"\0": "damaged-obj",
}
CHILD = """
import resource, sys
from prn_bench.errors import BenchError
from {module} import {reader}
{reader}({good!r}, "warm")
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + {room}, size + {room}))
try:
    data = {head!r} + {unit!r} * ({n_bytes} // len({unit!r}))
    {reader}(data, "hostile")
    print("read", end=" ")
except BenchError as error:
    print(error.code, end=" ")
except MemoryError:
    print("out-of-memory", end=" ")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - base)
"""


def child(unit, n_bytes, room, *, reader="read_obj", good=START, head=START):
    """Outcome and growth in bytes of reading a hostile file under a limit of address space.

    ``good`` is read first, so that imports do not count.
    """
    module = "prn_bench.formats.plyfile" if reader == "read_ply" else "prn_bench.formats.objfile"
    script = CHILD.format(**locals())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    outcome, growth = done.stdout.split()
    return outcome, int(growth)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and limits address space")
@pytest.mark.parametrize("unit", [b"f 1 2 3\n", b"\n", b"usemtl a\n", b"v 1 1 1 "])
def test_memory_stays_some_times_the_file(unit):
    """20 times a file of 12 MiB, and 64 MiB for the words of a block, are never left."""
    room = 20 * 12 * MIB + 64 * MIB
    outcome, growth = child(unit, 12 * MIB, room)
    assert outcome == (UNITS[unit] or "read")
    assert growth < room


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and limits address space")
def test_the_limit_is_one():
    """The same file in less room than its triangles take ends in the failure that is looked for."""
    assert child(b"f 1 2 3\n", 12 * MIB, 30 * MIB)[0] == "out-of-memory"


@pytest.mark.parametrize("unit", UNITS)
def test_millions_of_lines_or_one(unit):
    """Read whole, or refused by the line that is wrong."""
    data = START + unit * (SIZE // len(unit))
    if UNITS[unit] is None:
        mesh = read_obj(data, "hostile")
        n_faces = SIZE // len(unit) if unit[:1] == b"f" else 0
        assert (len(mesh.vertices), len(mesh.triangles)) == (3, n_faces)
        return
    with pytest.raises(BenchError) as error:
        read_obj(data, "hostile")
    assert (error.value.code, error.value.where) == (UNITS[unit], "hostile, line 4")


def test_a_file_beyond_the_limit_is_not_read(tmp_path, monkeypatch):
    """By its size on disk, sparse here, and by that of what a zip held."""
    path = tmp_path / "big.obj"
    with open(path, "wb") as stream:
        stream.write(START)
        stream.truncate(256 * MIB)
    for read in (read_obj, read_obj_vertices):
        with pytest.raises(BenchError) as error:
            read(path, "big.obj")
        assert error.value.code == "too-large"
    monkeypatch.setattr(objfile, "MAX_BYTES", 20)
    with pytest.raises(BenchError) as error:
        read_obj(START, "big.obj")
    assert error.value.code == "too-large"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_blocks_change_nothing(monkeypatch, end):
    """Lines cut into small blocks give the same mesh, names and line numbers as in one."""
    rng = np.random.default_rng(0)
    lines = [b"# a mesh", b"mtllib a.mtl"]
    for i in range(40):
        lines += [b"v %d %d %.3f" % (i, -i, rng.uniform()), b"vt 0.%d 1" % i, b""]
        if i > 2:
            lines += [b"usemtl m%d" % (i % 3), b"  f %d/1 -1 %d/%d" % (i - 1, i, i)]
    data = end.join(lines)
    whole = read_obj(data, "x")
    bad = data + end + b"f 1 2 99"
    with pytest.raises(BenchError) as expected:
        read_obj(bad, "x")
    for size in (64, 100, 257):
        monkeypatch.setattr(objlines, "BLOCK_BYTES", size)
        mesh = read_obj(data, "x")
        for name, value in vars(whole).items():
            assert np.array_equal(getattr(mesh, name), value), name
        with pytest.raises(BenchError) as error:
            read_obj(bad, "x")
        assert error.value.where == expected.value.where == f"x, line {len(lines) + 1}"


def test_many_materials_take_linear_time():
    """100,000 names; looked up one by one in a list they would take an hour."""
    n = 100_000
    mesh = read_obj(START + b"".join(b"usemtl %d\nf 1 2 3\n" % i for i in range(n)), "x")
    assert mesh.materials.tolist() == list(range(n))
    assert mesh.material_names[-1] == str(n - 1)


def test_bad_triangles_can_be_dropped_and_counted():
    """Those of vertices that are not there, or not finite; the vertices stay in their places."""
    data = START + b"v nan 0 0 1 0 0\nf 1 2 3\nf 1 2 9\nf 1 2 4\nf 1 2 3 4\nf 3 2 1000000000\n"
    mesh = read_obj(data, "x", drop_bad=True)
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert mesh.n_dropped == 4
    assert np.isnan(mesh.vertices[3, 0])
    assert len(mesh.vertices) == 4
    for strict, code in (
        (data, "not-finite"),
        (data.replace(b"nan", b"1"), "obj-index-out-of-range"),
    ):
        with pytest.raises(BenchError) as error:
            read_obj(strict, "x")
        assert error.value.code == code


def ply(form, n, more=b""):
    """A header that claims n vertices and n faces, and a few bytes."""
    text = "ply\nformat {} 1.0\nelement vertex {}\nproperty float x\nproperty float y\n"
    text += (
        "property float z\nelement face {}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    return text.format(form, n, n).encode() + more


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("n", [2**31, 2**40, 2**63, 10**30])
def test_a_ply_that_claims_too_much(form, n):
    """Counts are compared with the bytes that follow before memory is taken."""
    for more in (b"", b"0 0 0\n", b"\0" * 24):
        with pytest.raises(BenchError) as error:
            read_ply(ply(form, n, more), "x.ply")
        assert error.value.code in ("implausible-size", "damaged-ply")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and limits address space")
@pytest.mark.parametrize("form", ["ascii", "binary_little_endian"])
def test_a_ply_that_claims_too_much_takes_no_memory(form):
    """2^40 vertices before 4 MiB of data: refused within some times the data."""
    unit = b"0 0 0\n" if form == "ascii" else b"\0"
    good = ply(form, 1, b"0 0 0\n3 0 0 0\n" if form == "ascii" else b"\0" * 12 + b"\3" + b"\0" * 12)
    head, room = ply(form, 2**40), 12 * 4 * MIB + 16 * MIB
    outcome, growth = child(unit, 4 * MIB, room, reader="read_ply", good=good, head=head)
    assert outcome == "implausible-size"
    assert growth < room


def test_the_reader_drops_what_it_is_asked_to(run, tmp_path):
    """Refused by default; with the option counted in a note, which `check` repeats."""
    folder, out = tmp_path / "meshes", tmp_path / "p.h5"
    folder.mkdir()
    text = b"v 0 0 0 1 0 0\nv nan 0 0 1 0 0\nv 90 0 0 1 0 0\nv 0 90 0 1 0 0\nv 9 9 9 1 1 1\n"
    faces = b"f 1 3 4\nf 1 2 3\nf 3 4 1000000000\nf 3 3 4\nf 5 4 3\n"
    (folder / "a.obj").write_bytes(text + faces)
    words = ("import", "obj", folder, "--frame", "image", "--out", out)
    assert run(*words)[0] == 2
    code, printed, _ = run(*words, "--option", "drop_bad=true")
    assert code == 0
    assert "3 vertices that are not finite and triangles" in " ".join(printed.split())
    vertices, triangles = open_predictions(out).mesh(0)
    assert vertices.tolist() == [[0, 0, 0], [90, 0, 0], [0, 90, 0], [9, 9, 9]]
    assert triangles.tolist() == [[0, 1, 2], [3, 2, 1]]
    _, printed, _ = run("check", out)
    assert "import-note" in printed
    assert run(*words, "--option", "drop_bad=true", "--option", "topology=bfm-53215")[0] == 2
