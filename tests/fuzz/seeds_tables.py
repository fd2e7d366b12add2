"""Seeds of texts and tables: protocols, cards, settings, results, the leaderboard, checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.fuzz.seeds import FIT, alone
from tests.small_leaderboard import file_result, write_facts
from tests.toy_prn import GOLDEN, toy_checkpoint

if TYPE_CHECKING:
    from tests.fuzz.seeds import World

PROJECT = Path(__file__).resolve().parents[2]
PAIR = "{w}/p-aflw2000-3d.h5 {w}/aflw2000-3d.h5 --jobs 1 --no-cache"

INDEX = "score {w}/p-mesh.h5 {w}/aflw2000-3d.h5 --jobs 1 --no-cache -p aflw2000/dense/3d@sparse-box"
INDEX += " --index-map half={t} --face-model {w}/fm.h5"

MAPS = "score {w}/p-maps-h5/p.h5 {w}/aflw2000-3d.h5 --jobs 1 --no-cache -p {t}"


def add(world: World) -> None:
    """Everything of these kinds."""
    _tomls(world)
    _results(world)
    _leaderboard(world)
    if not world.light:
        _checkpoints(world)
    _index_maps(world)
    _aggregate(world)


def _tomls(world: World) -> None:
    folder = alone(
        world.folder("protocols"),
        PROJECT / "prn_bench/protocols/aflw2000-68-2d.3ddfa-fit.toml",
        PROJECT / "prn_bench/protocols/aflw2000-rec.icp-rigid.toml",
    )
    world.add("protocol-toml", folder, "*.toml", "protocols {t}", f"score {PAIR} -p {{t}}", MAPS)
    presets = world.folder("settings")
    for path in sorted((PROJECT / "reference_model/presets").glob("*.toml")):
        alone(presets, path)
    world.add("settings-toml", presets, "*.toml", "!settings {t}")
    if not world.light:
        _further_tomls(world)


def _further_tomls(world: World) -> None:
    """Those that need more raw data."""
    from prn_bench.landmark_map import built_in_landmark_maps, save_landmark_map

    source = PROJECT / "dataset_recipes/synthetic"
    cards = alone(world.folder("card"), source / "card.toml", source / "recipe.py")
    world.add(
        "card-toml",
        cards,
        "card.toml",
        "!recipe {i}",
        "build {i} {w}/raw-synthetic --face-model {w}/fm.h5 --out {o}/d.h5",
    )
    built_in = next(iter(built_in_landmark_maps().values()))
    save_landmark_map(built_in, world.folder("maps") / "m.toml")
    pair = "{w}/p-aflw-lfpa.h5 {w}/aflw-lfpa.h5 --jobs 1 --no-cache"
    step = f"score {pair} -p aflw-lfpa/21@3ddfa-map --landmark-map {{t}}"
    world.add("landmark-map-toml", world.root / "maps", "m.toml", step)


def _results(world: World) -> None:
    from prn_bench.evaluate import score
    from prn_bench.results import save
    from tests.fakes import face_world

    folder, dataset_and_predictions = world.folder("results"), face_world(12)
    for name in ("a", "b"):
        dataset, predictions = dataset_and_predictions
        predictions.method["name"] = name
        predictions.arrays["landmarks"] = predictions.arrays["landmarks"] + 0.5
        save(score(predictions, dataset, FIT), folder, replace=True)
    files = sorted(folder.glob("*.json"))
    other = world.folder("other-result")
    for path in folder.glob(files[1].name.removesuffix(".json") + "*"):
        shutil.copy(path, other / f"b{path.name[len(files[1].stem) :]}")
        path.unlink()
    stem = "{i}/" + files[0].stem
    steps = [f"info {stem}.json", f"check {stem}.json", f"!result {stem}.json"]
    steps += [f"compare {stem}.json {{w}}/other-result/b.json"]
    world.add("result-json", folder, "*.json", *steps)
    world.add("result-csv-gz", folder, "*.csv.gz", *steps)


def _leaderboard(world: World) -> None:
    folder = write_facts(world.root / "board")
    for method in "ab":
        file_result(folder, world.folder("board-tmp"), method)
    (folder / "datasets.bib").write_text("@misc{x,\n  title = {A {B} title},\n  year = 2020\n}\n")
    steps = ("leaderboard check --data {i}", "leaderboard build --data {o}/board")
    copied = ("!board {i} {o}/board", *steps)
    for kind, pattern in (
        ("board-toml", "*.toml"),
        ("board-csv", "published.csv"),
        ("board-bib", "*.bib"),
        ("board-result", "*.json"),
        ("board-result", "*.csv.gz"),
    ):
        world.add(kind, folder, pattern, *copied)
    result = next((world.root / "board-tmp/results-a").glob("*.json"))
    alone(world.folder("to-file"), result, Path(str(result).replace(".json", ".csv.gz")))
    step = (
        "!board {w}/board {o}/board",
        f"leaderboard add {{i}}/{result.name} --data {{o}}/board --replace",
    )
    world.add("board-result", world.root / "to-file", "*.json", *step)


def _checkpoints(world: World) -> None:
    folder = world.folder("checkpoint")
    toy_checkpoint(folder, uv_layout="bfm-256")
    steps = ("!checkpoint {i}", "predict {i} {w}/aflw2000-3d.h5 --out {o}/p.h5 --device cpu")
    world.add("safetensors", folder, "*.safetensors", *steps)
    world.add("checkpoint-json", folder, "config.json", *steps)
    golden = alone(world.folder("tf"), *sorted(GOLDEN.glob("tf_network.[di]*")))
    world.add("tf-index", golden, "*.index", "import-tf {i}/tf_network.index --out {o}/c")
    world.add("tf-data", golden, "*.data-*", "import-tf {i}/tf_network.index --out {o}/c")


def _index_maps(world: World) -> None:
    from scipy.io import savemat

    from prn_bench import open_dataset, write_predictions

    folder = world.folder("index")
    np.save(folder / "indices.npy", np.arange(242))
    savemat(folder / "indices.mat", {"trimIndex": np.arange(1, 243)[:, None]})
    opened = open_dataset(world.root / "aflw2000-3d.h5")
    points = np.random.default_rng(0).uniform(50, 200, (len(opened), 242, 3)).astype(np.float32)
    path = world.root / "p-mesh.h5"
    write_predictions(
        path, opened.sample_ids, frame="image", method="M", topology="half", vertices=points
    )
    world.add("index-map", folder, "indices.*", INDEX)


def _aggregate(world: World) -> None:
    folder = world.folder("errors")
    lines = [f"s{k:03d},{0.03 + k / 1e4:.4f},{k}" for k in range(40)]
    (folder / "errors.csv").write_text("\n".join(["name,error,yaw", *lines, ""]))
    step = f"aggregate {{t}} -p {FIT} --column error --method M --fraction"
    world.add("errors-csv", folder, "errors.csv", step)
