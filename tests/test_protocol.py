"""Protocols: what is published, how ids change fields, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from prn_bench.errors import BenchError
from prn_bench.protocol import Protocol, match_protocols, protocol, protocols

FIT = "aflw2000/68/2d@3ddfa-fit"
#: Hashes are promises: a protocol whose hash changes gets a new version and a line in the changelog.
FROZEN = {
    "aflw2000/68/2d@3ddfa-fit": "6b9f8810ee87",
    "aflw2000/68/2d@3ddfa-aflw": "91def4288032",
    "aflw2000/68/2d@all": "67ba5ad1ce9f",
    "aflw2000/68/3d@z-mean": "8232506d746d",
}
OTHER = {  # another value for every field that decides a number
    "version": 2,
    "dataset": "300w-lp",
    "dataset_variants": "default,paper",
    "expected_samples": 1969,
    "dims": 3,
    "annotation": "reannotated",
    "reference": "uv-index",
    "reference_frame": "image",
    "z_rule": "mean",
    "normalizer": "bbox-max",
    "normalizer_shape": "landmarks",
    "yaw_source": "aflw",
    "bin_edges": (0.0, 45.0, 90.0),
    "closed": "left",
    "over_90": "drop",
    "subset": "balanced",
    "draws": 7,
    "seed": 1,
    "aggregate": "median",
    "missing": "drop",
    "penalty": 50.0,
    "unit": "px",
    "task": "reconstruction",
    "point_set": "map",
    "region": "nose",
    "stride": 4,
    "bin_centres": (-80.0, 0.0, 80.0),
    "group": "subject",
    "alignment": "icp-rigid",
    "motion": "pairs-only",
    "match": "symmetric",
    "target": "surface",
    "icp_search": "reference-to-predicted",
    "icp_start": "none",
    "icp_criterion": "mse",
    "icp_tolerance": 0.01,
    "icp_iterations": 20,
    "trim": 0.1,
    "pose_error": "geodesic",
    "pose_limit_deg": 99.0,
    "wrap": "yes",
}


def code(name: str | Path) -> str:
    """Code of the error that a protocol name raises."""
    with pytest.raises(BenchError) as error:
        protocol(name)
    return error.value.code


def test_published_protocols() -> None:
    """The variants of PROTOCOLS 9 for 68 points are there, each with title, source and own hash."""
    found = {p.id: p for p in protocols()}
    names_2d = "3ddfa-fit 3ddfa-aflw all balanced696 balanced894-sdrn reannotated sadrnet-bins"
    names_2d += " diagonal max mean-side roi-side interocular interocular-3d uv-index"
    names_3d = "z-mean z-min z-median z-none z-min-mesh uv-index all"
    for dims, names in (("2d", names_2d), ("3d", names_3d)):
        for name in names.split():
            assert f"aflw2000/68/{dims}@{name}" in found
    assert len({p.hash for p in found.values()}) == len(found)
    for p in found.values():
        assert p.title
        assert p.source
        assert p.missing == ("drop" if p.task == "runtime" else "strict")
        if "/2d@" in p.id or "/3d@" in p.id:
            assert p.dims == int(p.id.partition("@")[0][-2])
        if p.point_set == "landmarks":
            assert p.reference_frame == ("image" if p.reference == "uv-index" else "stored")


def test_hashes_are_frozen() -> None:
    """What was published stays what it is, all of it."""
    assert {name: protocol(name).short_hash for name in FROZEN} == FROZEN
    golden = Path(__file__).with_name("golden") / "protocol_hashes.json"
    assert {p.id: p.hash for p in protocols()} == json.loads(golden.read_text(encoding="utf-8"))


def test_every_deciding_field_changes_the_hash() -> None:
    """Changing any field but id and prose changes the hash, changing those does not."""
    base = protocol(FIT)
    prose = {"id": "x", "title": "x", "source": "x", "notes": "x"}
    assert {f.name for f in dataclasses.fields(base)} == {*OTHER, *prose, "points"}
    for name, value in OTHER.items():
        assert dataclasses.replace(base, **{name: value}).hash != base.hash, name
    assert dataclasses.replace(base, **prose).hash == base.hash


def test_an_id_changes_fields() -> None:
    """Changed fields are parsed, printed in order, and have their own hash."""
    p = protocol(f"{FIT}+reference_frame=image+annotation=reannotated")
    assert p.id == f"{FIT}+annotation=reannotated+reference_frame=image"
    assert (p.annotation, p.reference_frame) == ("reannotated", "image")
    assert p == protocol(p.id)
    assert p.hash != protocol(FIT).hash


def test_an_id_is_canonical() -> None:
    """A change to the value that is there already leaves the name; equal rules have one hash."""
    assert protocol(f"{FIT}+closed=right+seed=0+bin_edges=0,30,60,inf") == protocol(FIT)
    changed = protocol(f"{FIT}+yaw_source=aflw")
    assert changed.hash == protocol("aflw2000/68/2d@3ddfa-aflw").hash
    p = protocol(f"{FIT}+bin_edges=0,22.5,90+penalty=12.50")
    assert p.bin_edges == (0, 22.5, 90)
    assert p.id == f"{FIT}+bin_edges=0,22.5,90+penalty=12.5"


@pytest.mark.parametrize("p", protocols(), ids=lambda p: p.id)
def test_round_trip(p: Protocol) -> None:
    """A protocol survives the dictionary that a result carries."""
    assert Protocol.from_dict(p.as_dict(), where="test") == p


def test_globs() -> None:
    """Globs choose published protocols; changes after the glob apply to all of them."""
    assert {p.dims for p in match_protocols("aflw2000/68/3d@*")} == {3}
    assert len(match_protocols("*")) == len(protocols())
    assert len(match_protocols("aflw2000/68/*")) == 28
    changed = match_protocols("aflw2000/68/3d@z-m*+reference_frame=image")
    assert {p.reference_frame for p in changed} == {"image"}
    assert match_protocols(FIT) == (protocol(FIT),)
    with pytest.raises(BenchError) as error:
        match_protocols("nowhere/*")
    assert error.value.code == "protocol-unknown"


def test_unknown_id() -> None:
    """A wrong id is answered with the nearest ones."""
    with pytest.raises(BenchError, match="aflw2000/68/2d@3ddfa-fit") as error:
        protocol("aflw2000/68/2d@3dffa-fit")
    assert error.value.code == "protocol-unknown"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("dims=4", "protocol-value"),
        ("dims=true", "protocol-value"),
        ("penalty=-1", "protocol-value"),
        ("penalty=nan", "protocol-value"),
        ("bin_edges=0,60,30", "protocol-value"),
        ("bin_edges=0,nan", "protocol-value"),
        ("bin_edges=-5,5", "protocol-value"),
        ("subset=some", "protocol-value"),
        ("yaw_source=../x", "protocol-value"),
        ("normaliser=bbox-max", "protocol-key"),
        ("version=2", "protocol-override"),
        ("title=x", "protocol-override"),
        ("seed", "protocol-override"),
        ("seed=1+seed=2", "protocol-override"),
        ("z_rule=mean", "protocol-clash"),
        ("unit=px", "protocol-clash"),
        ("subset=balanced+aggregate=median", "protocol-clash"),
        ("reference=uv-index", "protocol-clash"),
    ],
)
def test_bad_changes(change: str, expected: str) -> None:
    """Each wrong change has its code."""
    assert code(f"{FIT}+{change}") == expected


def test_a_value_error_names_key_and_choices() -> None:
    """The message says which key, what is allowed and what was found."""
    with pytest.raises(BenchError) as error:
        protocol(f"{FIT}+z_rule=max")
    text = str(error.value)
    assert "z_rule" in text
    assert "one of none, min, median, mean, min-mesh" in text
    assert "'max'" in text


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    """A user's file extends a published protocol or its neighbour, and its fields can be changed."""
    first, second = tmp_path / "mine.toml", tmp_path / "more.toml"
    head = 'version = 1\ntitle = "Mine"\nsource = "me"\n'
    first.write_text(f'id = "mine"\nextends = "{FIT}"\nseed = 3\n{head}')
    second.write_text(f'id = "more"\nextends = "mine.toml"\nbin_edges = [0, 45, 90]\n{head}')
    p = protocol(second)
    assert (p.seed, p.bin_edges, p.dims) == (3, (0, 45, 90), 2)
    assert protocol(f"{first}+seed=4").id == "mine+seed=4"
    plus = tmp_path / "a+b.toml"
    plus.write_text(first.read_text())
    assert protocol(plus) == protocol(str(first))
    with pytest.raises(BenchError):  # longer than any file name may be
        protocol(f"{FIT}+annotation={'x' * 300}+normaliser=x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id = ", "protocol-file"),
        ('id = "x"\n', "protocol-key"),
        ('extends = "own.toml"\n', "protocol-file"),
        ("extends = 3\n", "protocol-file"),
        ('extends = "nobody"\n', "protocol-unknown"),
        ('id = "x"\nextends = "BASE"\nversion = 1\ntitle = "t"\n', "protocol-key"),
        ('id = "x"\nextends = "BASE"\nHEAD\ncolour = "red"\n', "protocol-key"),
        ('id = "x"\nextends = "BASE"\nHEAD\ndims = 2.0\n', "protocol-value"),
        ('id = "x"\nextends = "BASE"\nHEAD\ndims = true\n', "protocol-value"),
        ('id = "x"\nextends = "BASE"\nHEAD\npenalty = "much"\n', "protocol-value"),
        ('id = "x"\nextends = "BASE"\nHEAD\nbin_edges = [[0], 1]\n', "protocol-value"),
        ('id = "X Y"\nextends = "BASE"\nHEAD\n', "protocol-value"),
        ('id = "BASE"\nextends = "BASE"\nHEAD\nseed = 3\n', "protocol-id-taken"),
        ('id = "BASE+closed=left"\nextends = "BASE"\nHEAD\n', "protocol-id-taken"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, expected: str) -> None:
    """Each fault of a protocol file has its code and names the file."""
    path = tmp_path / "own.toml"
    text = text.replace("BASE", FIT)
    path.write_text(text.replace("HEAD", 'version = 1\ntitle = "t"\nsource = "s"'))
    assert code(path) == expected


def test_unreadable_files(tmp_path: Path) -> None:
    """An absent file and one that is not text are named, without a traceback."""
    assert code(tmp_path / "none.toml") == "protocol-file"
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    assert code(tmp_path / "bytes.toml") == "protocol-file"
