"""Seeds of what is built: face models, raw folders and zips, datasets, predictions of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests import toy_bfm, toy_ict
from tests.fuzz.seeds import FIT, SCORE, alone, predicted, run

if TYPE_CHECKING:
    from tests.fuzz.seeds import World

BUILD = "build {r} {{i}}{p} --out {{o}}/d.h5 --limit 2 --layout {l} --face-model {{w}}/fm.h5"
RAW = {
    "300w-lp": ("coefficients --no-images", ("*.mat", "*.jpg")),
    "aflw2000-3d": ("maps", ("*.mat", "*.jpg", "*.npy")),
    "aflw-lfpa": ("coefficients --no-images", ("*.mat", "*.jpg")),
    "aflw-distill": ("coefficients --no-images", ("*.npz",)),
    "synthetic": ("coefficients --no-images", ("*.toml",)),
}


def add(world: World) -> None:
    """Everything of these kinds."""
    _face_models(world)
    for name, (options, patterns) in RAW.items():
        if name == "aflw2000-3d" or not world.light:
            _raw(world, name, options, patterns)
    if not world.light:
        _florence(world)
    _datasets(world)
    _predictions(world)


def _face_models(world: World) -> None:
    toy, root = toy_bfm.make_toy(), world.root
    layouts = {**toy_bfm.LAYOUTS, "2009-bin": toy_bfm.write_2009_bin}
    for name, write in layouts.items():
        write(world.folder(f"bfm-{name}"), toy)
        for kind, pattern in (("bfm-mat", "*.mat"), ("bfm-npy", "*.npy"), ("bfm-npz", "*.npz")):
            if list((root / f"bfm-{name}").glob(pattern)):
                world.add(kind, root / f"bfm-{name}", pattern, "face-model {i} --out {o}/fm.h5")
    folder = root / "bfm-2009-bin"
    world.add("bfm-bin", folder, "Exp_Pca.bin", "face-model {i} --out {o}/fm.h5")
    world.add("bfm-bin", folder, "std_exp.txt", "face-model {i} --out {o}/fm.h5")
    run("face-model", root / "bfm-matlab", "--out", root / "fm.h5")
    steps = (
        "info {t}",
        "build aflw2000-3d {w}/raw-aflw2000-3d --out {o}/d.h5 --face-model {t} --limit 1",
    )
    world.add("face-model-h5", alone(world.folder("fm"), root / "fm.h5"), "*.h5", *steps)
    if world.light:
        return
    ict = toy_ict.write_toy(world.folder("ict"), toy_ict.make_toy())
    for name in ("generic_neutral_mesh.obj", "identity003.obj", "vertex_indices.json"):
        world.add("ict", ict.parent, f"FaceXModel/{name}", "!ict {i}")


def _raw(world: World, name: str, options: str, patterns: tuple[str, ...]) -> None:
    from prn_bench.facemodel.file import load_face_model
    from prn_bench.recipes import find_recipe

    folder = world.root / f"raw-{name}"
    find_recipe(name).write_synthetic(folder, load_face_model(world.root / "fm.h5"), 2, seed=3)
    for pattern in patterns:
        step = BUILD.format(r=name, p="", l=options)
        world.add(f"raw{pattern[1:].replace('.', '-')}", folder, pattern, step)
    zipped = shutil.make_archive(str(world.folder(f"zip-{name}") / "raw"), "zip", folder)
    step = BUILD.format(r=name, p="/raw.zip", l=options)
    world.add("raw-zip", Path(zipped).parent, "raw.zip", step, "recipes {i}")


def _florence(world: World) -> None:
    """A scan in one picture's size, so that a build takes a moment."""
    from prn_bench.facemodel.file import load_face_model
    from prn_bench.recipes import find_recipe

    folder = world.root / "raw-florence"
    find_recipe("florence").write_synthetic(
        folder, load_face_model(world.root / "fm.h5"), 1, seed=3
    )
    for picture in folder.rglob("*.bmp"):
        _shrink(picture)
    step = BUILD.format(r="florence", p="", l="coefficients --no-images")
    world.add("obj", folder, "*.obj", step)
    shutil.copytree(folder, world.root / "raw-florence-wrl", dirs_exist_ok=True)
    for mesh in (world.root / "raw-florence-wrl").rglob("*.obj"):
        mesh.unlink()
    world.add("wrl", world.root / "raw-florence-wrl", "*.wrl", step)
    for pattern in ("*.ljson", "*.bmp", "*.mtl"):
        world.add("florence-rest", folder, pattern, step)


def _shrink(picture: Path) -> None:
    from PIL import Image

    with Image.open(picture) as image:
        image.resize((32, 32)).save(picture)


def _datasets(world: World) -> None:
    root = world.root
    for name, options in (
        ("aflw2000-3d", "--layout maps"),
        ("300w-lp", "--layout coefficients --no-images"),
        ("aflw-lfpa", "--layout coefficients"),
        ("florence", "--no-images"),
    ):
        if world.light and name != "aflw2000-3d":
            continue
        words = ("--face-model", root / "fm.h5", "--limit", 2, *options.split())
        run("build", name, root / f"raw-{name}", "--out", root / f"{name}.h5", *words)
        ids, points = predicted(root / f"{name}.h5") if name != "florence" else (None, None)
        if ids is not None:
            _write(root / f"p-{name}.h5", ids, points)
        folder = alone(world.folder(f"d-{name}"), root / f"{name}.h5")
        steps = ["check {t}", "info {t}", "!dataset {t}"]
        if name == "aflw2000-3d":
            steps += [f"score {{w}}/p-{name}.h5 {{t}} {SCORE}", f"doctor {{w}}/p-{name}.h5 {{t}}"]
        elif name == "aflw-lfpa":
            steps += [f"score {{w}}/p-{name}.h5 {{t}} --jobs 1 --no-cache"]
        world.add("dataset-h5", folder, "*.h5", *steps)


def _write(path: Path, ids: np.ndarray, points: np.ndarray, **more: np.ndarray) -> None:
    from prn_bench import write_predictions

    card = {"name": "M", "version": "1", "url": "https://example.org"}
    write_predictions(path, ids, frame="image", method=card, landmarks=points, **more)


def _predictions(world: World) -> None:
    from prn_bench import open_dataset

    root, data = world.root, "{w}/aflw2000-3d.h5"
    ids, points = predicted(root / "aflw2000-3d.h5")
    steps = [f"check {{t}} --dataset {data}", "info {t}", "!predictions {t}"]
    steps += [f"score {{t}} {data} {SCORE}", f"doctor {{t}} {data}"]
    folder = world.folder("p")
    for suffix in ("h5", "npz"):
        _write(folder / f"p.{suffix}", ids, points, pose_deg=np.full((len(ids), 3), 4.0))
        world.add(f"predictions-{suffix}", folder, f"p.{suffix}", *steps)
        maps = world.folder(f"p-maps-{suffix}") / f"p.{suffix}"
        with_maps = np.asarray(open_dataset(root / "aflw2000-3d.h5").position_maps())
        from prn_bench import write_predictions

        write_predictions(maps, ids, frame="crop", method="M", position_map=with_maps)
        world.add(f"predictions-{suffix}", maps.parent, f"p.{suffix}", *steps[:4])
    oldest = world.folder("p-oldest") / "p.h5"
    oldest_form(folder / "p.h5", oldest)
    world.add("oldest-hdf5", oldest.parent, "p.h5", *steps[:4])
    for suffix in () if world.light else ("h5", "npz"):
        _clouds(world, suffix)
    plain = world.folder("p-plain")
    np.savez(plain / "mine.npz", sample_id=ids.astype(str), landmarks=points)
    imported = f"{{t}} --frame image --dataset {data} --out {{o}}/p.h5"
    world.add("import-npz", plain, "mine.npz", f"import npz {imported}")
    for dims, long in ((2, False), (3, True)):
        table = plain / f"{'long' if long else 'wide'}.csv"
        table.write_text(csv_text(ids, points[..., :dims], long=long))
        world.add("import-csv", plain, table.name, f"import csv {imported}")
    (plain / "some.ids").write_text("sample_id,used\n" + "".join(f"{i},1\n" for i in ids))
    step = f"score {{w}}/p-aflw2000-3d.h5 {data} --jobs 1 --no-cache -p {FIT} --subset {{t}}"
    world.add("subset", plain, "some.ids", step)


def oldest_form(source: Path, target: Path) -> None:
    """The same HDF5 file as h5py writes it unasked: the oldest form, which has no checksums."""
    import h5py

    with h5py.File(source) as file, h5py.File(target, "w", libver="earliest") as made:
        made.attrs.update(file.attrs)
        for name in file:
            made.create_dataset(name, data=file[name][...], dtype=file[name].dtype)


def _clouds(world: World, suffix: str) -> None:
    """Unordered meshes for Florence."""
    from prn_bench import open_dataset, write_predictions

    opened = open_dataset(world.root / "florence.h5")
    ids, draw = opened.sample_ids, np.random.default_rng(0)
    counts = draw.integers(20, 40, len(ids))
    start = np.concatenate([[0], np.cumsum(counts)])
    path = world.folder(f"p-clouds-{suffix}") / f"p.{suffix}"
    arrays = {"vertices": draw.uniform(50, 200, (start[-1], 3)), "vertex_start": start}
    arrays |= {"triangles": np.tile([[0, 1, 2]], (len(ids), 1)).astype(np.int32)}
    arrays |= {"triangle_start": np.arange(len(ids) + 1)}
    write_predictions(path, ids, frame="image", method="M", topology="unordered", **arrays)
    steps = ("check {t} --dataset {w}/florence.h5", "info {t}", "!predictions {t}")
    score = "score {t} {w}/florence.h5 --jobs 1 --no-cache"
    world.add(f"predictions-{suffix}", path.parent, f"p.{suffix}", *steps, score)


def csv_text(ids: np.ndarray, points: np.ndarray, *, long: bool) -> str:
    """Landmarks as a table, a row a sample or a row a point."""
    axes = "xyz"[: points.shape[-1]]
    if long:
        lines = ["sample_id,point," + ",".join(axes)]
        for name, one in zip(ids, points, strict=True):
            lines += [f"{name},{k}," + ",".join(map(str, row)) for k, row in enumerate(one)]
    else:
        names = [f"{axis}{k}" for k in range(68) for axis in axes]
        lines = [",".join(["sample_id", *names])]
        lines += [f"{i}," + ",".join(map(str, p.ravel())) for i, p in zip(ids, points, strict=True)]
    return "\n".join(lines) + "\n"
