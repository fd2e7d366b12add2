"""Seeds from research-only data, where PRN_BENCH_REAL_DATA names its folder; nothing of it is kept."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.fuzz.seeds import alone, run
from tests.fuzz.seeds_tables import INDEX

if TYPE_CHECKING:
    from tests.fuzz.seeds import World

MODEL = " --face-model {w}/fm.h5"
BUILD = "build {r} {{i}} --out {{o}}/d.h5 --limit 2 --no-images"


def add(world: World, real: Path) -> None:
    """A few small files of each kind."""
    _raw(world, real)
    _predictions(world, real)
    indices = (real / "bfm/model_info.mat", real / "bfm/noneck_indices_38365.npy")
    bfm = alone(world.folder("real-index"), *indices)
    world.add("index-map", bfm, "*_*.*", INDEX)
    florence = world.root / "real-florence"
    shutil.copytree(world.root / "raw-florence", florence, dirs_exist_ok=True)
    found = sorted((real / "florence/landmarks").rglob("*.ljson"))
    for place, source in zip(sorted(florence.rglob("*.ljson")), found, strict=False):
        shutil.copy(source, place)
    step = BUILD.format(r="florence") + " --layout coefficients" + MODEL
    world.add("florence-rest", florence, "*.ljson", step, "recipes {i}")
    table = alone(world.folder("real-errors"), real / "florence/vrn_per_image.csv")
    header = (table / "vrn_per_image.csv").read_text().split("\n")[0].split(",")
    column = next(name for name in header if "vrn" in name.lower() or "error" in name.lower())
    step = f"aggregate {{t}} -p florence/rec@vrn921 --column {column} --method M --fraction"
    world.add("errors-csv", table, "*.csv", step)


def _raw(world: World, real: Path) -> None:
    source = real / "300w_lp/300W_LP"
    folder = alone(
        world.folder("real-300w-lp/300W_LP/AFW"), *(source / "AFW").glob("*_0.*")
    ).parents[1]
    for pattern in ("*.mat", "*.jpg"):
        world.add(
            f"raw{pattern[1:].replace('.', '-')}",
            folder,
            pattern,
            BUILD.format(r="300w-lp") + MODEL,
        )
    source = real / "aflw2000_3d/AFLW2000"
    pair = (source / "image00002.mat", source / "image00002.jpg")
    folder = alone(world.folder("real-aflw2000/AFLW2000"), *pair).parent
    for pattern in ("*.mat", "*.jpg"):
        world.add(
            f"raw{pattern[1:].replace('.', '-')}", folder, pattern, BUILD.format(r="aflw2000-3d")
        )
    zipped = world.folder("real-zip") / "AFLW2000-3D.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in pair:
            archive.write(path, f"AFLW2000/{path.name}")
    world.add("raw-zip", zipped.parent, "*.zip", BUILD.format(r="aflw2000-3d"))
    run("build", "aflw2000-3d", folder, "--out", world.root / "real.h5", "--no-images")
    steps = ("check {t}", "info {t}", "!dataset {t}")
    world.add("dataset-h5", alone(world.folder("real-d"), world.root / "real.h5"), "*.h5", *steps)


def _predictions(world: World, real: Path) -> None:
    step = "import {r} {{i}} --dataset {{w}}/aflw2000-3d.h5 --out {{o}}/p.h5"
    for reader, kind, pattern in (
        ("prnet", "reader-mat", "image00002_mesh.mat"),
        ("prnet", "reader-txt", "image00002_kpt.txt"),
        ("3ddfa", "reader-mat", "image00002.mat"),
        ("2dasl", "reader-mat", "image00002.mat"),
    ):
        folder = alone(
            world.folder(f"real-{pattern}-{reader}"), real / "predictions" / reader / pattern
        )
        world.add(kind, folder, pattern, step.format(r=reader))
    with np.load(real / "predictions/3ddfa_v2_mb05_aflw2000.npz") as found:
        arrays = {name: found[name][:3] for name in found.files}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    (world.folder("real-npz") / "v2.npz").write_bytes(stream.getvalue())
    step = "import npz {t} --frame image --out {o}/p.h5"
    world.add("import-npz", world.root / "real-npz", "v2.npz", step)
