"""The folder of a training: what it is, its log, and that it belongs to one training alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prn_bench import plots
from prn_bench.dataset import Dataset
from prn_bench.errors import BenchError
from prn_bench.outfile import atomic_path

STATE, SETTINGS, LOG, CHECKPOINT = "state.safetensors", "run.json", "log.jsonl", "checkpoint"


def read_log(folder: Path) -> list[dict[str, float]]:
    """The lines of a training's log, without one that a kill cut short."""
    path, lines = folder / LOG, []
    for text in path.read_text("utf-8").splitlines() if path.is_file() else ():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(text))
    return lines


def summary(folder: Path, epoch: int, epochs: int) -> str:
    """A line on how a training goes, at the end of an epoch."""
    log = read_log(folder)
    steps = [line for line in log if "rms_px" in line]
    held = [line for line in log if "validation_nme_2d" in line]
    said = [f"epoch {epoch} of {epochs}", f"error {steps[-1]['rms_px']:.1f} px"]
    said += [f"{steps[-1]['images_per_s']:.0f} images/s"]
    said += [f"held-out NME {held[-1]['validation_nme_2d']:.2f} %"] if held else []
    return ", ".join(said)


def write_line(folder: Path, **values: float) -> None:
    """Add a line to the log."""
    with open(folder / LOG, "a", encoding="utf-8") as log:
        log.write(json.dumps(values) + "\n")


def draw_curves(folder: Path) -> None:
    """The log as a picture, ``loss.png``."""
    plots.training_figure(read_log(folder), out=folder / "loss.png")


def identity(dataset: Dataset, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What two calls must agree in to be one training: the data, and all settings."""
    data = {name: dataset.attributes.get(name) for name in ("title", "fingerprint")}
    return {"dataset": data, "settings": dict(settings)}


def refuse_another(folder: Path, identity: Mapping[str, Any]) -> None:
    """Raise BenchError ``another-run`` when the folder holds a training with other settings or data."""
    path = folder / SETTINGS
    now = json.loads(json.dumps(identity))
    if path.is_file() and (changed := _changed(json.loads(path.read_bytes()), now)):
        what = "this folder holds another training"
        remedy = "Give another --out, or the settings of before to carry on with it."
        raise BenchError(what, code="another-run", where=folder, found=changed, remedy=remedy)


def take_up(folder: Path, identity: Mapping[str, Any], step: int) -> None:
    """Write what the training is, and leave out of its log what came after a step."""
    kept = [json.dumps(line) for line in read_log(folder) if line["step"] <= step]
    text = "".join(f"{line}\n" for line in kept)
    for name, content in ((SETTINGS, json.dumps(identity, indent=1)), (LOG, text)):
        with atomic_path(folder / name) as part:
            part.write_text(content, encoding="utf-8")


def clear(folder: Path) -> None:
    """Forget the training of a folder, which then begins again."""
    for name in (LOG, SETTINGS, STATE):
        (folder / name).unlink(missing_ok=True)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first difference between two trainings, in words."""
    for part in ("settings", "dataset"):
        for name in {**before.get(part, {}), **now[part]}:
            old, new = before.get(part, {}).get(name), now[part].get(name)
            if old != new:
                return f"{name} {old}, now {new}"
    return ""
