"""Checkpoints: a folder of ``model.safetensors`` and ``config.json``; nothing in it can run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from prn_bench import sniff
from prn_bench.errors import BenchError
from prn_bench.outfile import atomic_path, require_place, writing
from prn_bench.tensorfile import read_tensors, write_tensors
from reference_model.network import PRN, SIDE_STEP

FORMAT, FORMAT_VERSION = "prn-bench/checkpoint", 1
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
CONFIG_BYTES = 1 << 20
MOST_CHANNELS, LARGEST_SIDE_PX = 128, 1024  # a planted number must not take all the memory


@dataclass(frozen=True)
class ModelConfig:
    """What a checkpoint says of itself.

    ``uv_layout`` is that of its position maps, ``licence`` follows the training data, ``side_px`` is
    the side of the images it was trained on, ``training`` its provenance, as JSON can hold it.
    """

    base_channels: int
    uv_layout: str
    licence: str
    side_px: int = 256
    training: Mapping[str, Any] = field(default_factory=dict)


def save_checkpoint(folder: str | Path, network: PRN, config: ModelConfig) -> None:
    """Write a checkpoint; the folder is made, and each file gets its name only when whole.

    Raises BenchError ``no-such-folder``, ``not-a-folder``, ``cannot-write``.
    """
    if config.base_channels != network.base_channels:
        raise ValueError(f"config: {config.base_channels} channels, not {network.base_channels}")
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise _fault(folder, "a file has this name already", "not-a-folder", "a folder")
    if not folder.exists():
        require_place(folder)
        with writing(folder):
            folder.mkdir()
    tensors = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    write_tensors(folder / WEIGHTS_FILE, tensors)
    head = {"format": FORMAT, "format_version": FORMAT_VERSION}
    with atomic_path(folder / CONFIG_FILE) as part:
        part.write_text(json.dumps({**head, **asdict(config)}, indent=1) + "\n", encoding="utf-8")


def load_checkpoint(
    folder: str | Path, *, device: str | torch.device = "cpu"
) -> tuple[PRN, ModelConfig]:
    """A network ready to evaluate, and what its checkpoint says of it.

    Raises BenchError ``not-a-checkpoint``, ``bad-config``, ``newer-format`` and those of
    :func:`prn_bench.tensorfile.read_tensors`.
    """
    config = _read_config(Path(folder))
    with torch.device("meta"):  # shapes only
        network = PRN(config.base_channels)
    types = {torch.float32: "F32", torch.int64: "I64"}
    wanted = {n: (types[t.dtype], tuple(t.shape)) for n, t in network.state_dict().items()}
    arrays = read_tensors(Path(folder) / WEIGHTS_FILE, wanted)
    tensors = {name: torch.from_numpy(values) for name, values in arrays.items()}
    network.load_state_dict(tensors, assign=True)
    return network.eval().to(device), config


def _read_config(folder: Path) -> ModelConfig:
    path = folder / CONFIG_FILE
    if not (path.is_file() and (folder / WEIGHTS_FILE).is_file()):
        expected = f"a folder with {CONFIG_FILE} and {WEIGHTS_FILE}"
        found = sniff.describe(folder)
        raise _fault(folder, "this is not a checkpoint", "not-a-checkpoint", expected, found)
    try:
        content = json.loads(sniff.read_bytes(path, path, CONFIG_BYTES))
    except (ValueError, RecursionError):
        expected, found = "JSON", sniff.describe(path)
        raise _fault(path, "this is no config", "bad-config", expected, found) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _fault(path, "this is no config", "bad-config", f'"format": "{FORMAT}"')
    if content.get("format_version") != FORMAT_VERSION:
        expected, found = f"version {FORMAT_VERSION}", repr(content.get("format_version"))[:40]
        raise _fault(path, "another version wrote this", "newer-format", expected, found)
    kinds = {"base_channels": int, "side_px": int, "uv_layout": str, "licence": str}
    limits = {"base_channels": (1, MOST_CHANNELS), "side_px": (SIDE_STEP, LARGEST_SIDE_PX)}
    for name, kind in {**kinds, "training": dict}.items():
        value: Any = content.get(name)
        step, most = limits.get(name, (1, 0))
        number = value if type(value) is int else 0
        if type(value) is not kind or (most and (number % step or not 0 < number <= most)):
            raise _fault(path, f"{name} is unusable", "bad-config", found=repr(value)[:40])
    return ModelConfig(**{one.name: content[one.name] for one in fields(ModelConfig)})


def _fault(
    path: Path, what: str, code: str, expected: str | None = None, found: str | None = None
) -> BenchError:
    remedy = "Give the folder that `prn-bench train` or `import-tf` wrote, or get it again."
    return BenchError(what, code=code, where=path, expected=expected, found=found, remedy=remedy)
