"""A small leaderboard for tests: two methods, one board, four published numbers, results of 40 faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from prn_bench.evaluate import score
from prn_bench.leaderboard.data import open_leaderboard
from prn_bench.leaderboard.facts import read_methods
from prn_bench.leaderboard.filed import add_result
from prn_bench.results import save
from prn_bench.site.build import build_site
from tests.fakes import face_world

FIT = "aflw2000/68/2d@3ddfa-fit"

METHOD = """
name = "Name of {key}"
year = 2020
paper = "unknown"
code = "unknown"
licence = "unknown"
trained_on = "300W-LP"
overlap = "none known"
sources = ["a readme"]
names = ["{key}"]
predictions = "run here"
bibtex = '''@misc{{{key},
  title = {{A title}}
}}'''
"""
BOARD = """
order = 1
group = "A group"
title = "A board"
about = "What it is | about."
unit = "%"
families = ["aflw2000/68/2d"]
origin = "{origin}"

[[columns]]
name = "front"
protocol = "aflw2000/68/2d@3ddfa-fit"
figure = "bin [0, 30]"

[[columns]]
name = "mean"
protocol = "aflw2000/68/2d@3ddfa-fit"
"""
HEAD = (
    "id,board,row,column,method_key,method,value,unit,dataset,protocol,metric,subset,year,source,"
    "url,evidence,how_known"
)
LINES = (
    "p001,board,,front,a,A,2.50,%,D,words,M,s,2018,Paper,https://example.org/1,paper,read",
    "p002,board,,mean,a,A,3.10,%,D,words,M,s,2018,Paper,https://example.org/1,paper,read",
    "p003,board,,mean,b,B & C,2.90,%,D,words,M,s,2018,Paper,https://example.org/1,paper,read",
    "p004,board,,mean,b,Other,1.00,%,D,other words,M,s,2018,Else,https://example.org/2,thread,read",
)
DISAGREE = '[[disagreement]]\ntext = "Nobody knows."\nfamilies = ["aflw2000"]\nnumbers = ["p001"]\n'


def write_facts(folder: Path, *, origin: str = "synthetic") -> Path:
    """A small leaderboard without results."""
    for name in ("methods", "boards"):
        (folder / name).mkdir(parents=True)
    for key in "ab":
        (folder / "methods" / f"{key}.toml").write_text(METHOD.format(key=key))
    (folder / "boards" / "board.toml").write_text(BOARD.format(origin=origin))
    (folder / "published.csv").write_text("\n".join([HEAD, *LINES, ""]))
    (folder / "disagreements.toml").write_text(DISAGREE)
    return folder


def file_result(
    folder: Path, tmp: Path, method: str, *, shift: float = 0.0, protocol: str = FIT
) -> Path:
    """Score the small world under a method's name, and file the result."""
    dataset, predictions = face_world()
    predictions.method["name"] = method
    predictions.arrays["landmarks"] += np.array([shift, 0, 0])
    written, _ = save(
        score(predictions, dataset, protocol), tmp / f"results-{method}", replace=True
    )
    return add_result(written, folder, read_methods(folder / "methods"))


def small_site(tmp: Path) -> Path:
    """Its site, with two methods under two variants; the leaderboard lies beside it in ``board``."""
    folder = write_facts(tmp / "board")
    for name in (FIT, "aflw2000/68/2d@max"):
        file_result(folder, tmp, "a", protocol=name)
        file_result(folder, tmp, "b", shift=3.0, protocol=name)
    return build_site(open_leaderboard(folder), tmp / "site").parent
