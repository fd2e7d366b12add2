"""Seeds of methods' own output files: every reader, every native format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.reader_files import CASES, known_points

if TYPE_CHECKING:
    from tests.fuzz.seeds import World

KIND = {".npy": "reader-npy", ".mat": "reader-mat", ".obj": "reader-obj", ".ply": "reader-ply"}


def add(world: World) -> None:
    """A folder of each case, and its zip."""
    for name, case in CASES.items():
        if world.light and not set(case.expected.values()) <= {"landmarks", "few", "flame"}:
            continue  # large files
        folder = world.folder("out-" + name.replace(" ", "-"))
        case.write(folder, "image00002", known_points("image00002"))
        _lighten(folder)
        step = f"import {case.reader} {{i}} --dataset {{w}}/aflw2000-3d.h5 --out {{o}}/p.h5"
        step += f" --frame {case.frame}" if case.frame else ""
        for key, value in case.options.items():
            step += f" --option {key}={str(value).lower()}"
        for path in sorted(folder.iterdir()):
            kind = KIND.get(path.suffix, "reader-txt")
            world.add(kind, folder, path.name, step)
        if name in ("3d-fan npy", "prnet small", "vrn obj", "3ddfa ply"):
            zipped = shutil.make_archive(
                str(world.folder(f"{folder.name}-zip") / "z"), "zip", folder
            )
            world.add("reader-zip", Path(zipped).parent, "z.zip", step.replace("{i}", "{i}/z.zip"))
    if not world.light:
        _volume(world)


def _lighten(folder: Path) -> None:
    """Keep the numbers of a text short, as most methods write them: large files only slow the run."""
    for path in folder.iterdir():
        if path.suffix in (".obj", ".ply") and path.stat().st_size > 1 << 20:
            lines = path.read_text().split("\n")
            short = (" ".join(_short(word) for word in line.split(" ")) for line in lines)
            path.write_text("\n".join(short))


def _short(word: str) -> str:
    return f"{float(word):.0f}" if "." in word and word.replace(".", "", 1).isdigit() else word


def _volume(world: World) -> None:
    """VRN's volume: a ball."""
    z, y, x = np.ogrid[:200, :192, :192]
    ball = ((x - 96) ** 2 + (y - 96) ** 2 + (z / 2 - 50) ** 2 < 30**2).astype(np.uint8) * 50
    folder = world.folder("out-vrn-volume")
    (folder / "image00002.raw").write_bytes(ball.tobytes())
    (folder / "image00002.crop").write_text("0.5 3 4\n")
    step = "import vrn {i} --dataset {w}/aflw2000-3d.h5 --out {o}/p.h5"
    world.add("vrn-raw", folder, "*.raw", step)
    world.add("vrn-raw", folder, "*.crop", step)
