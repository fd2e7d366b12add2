"""Checkpoints: a folder of ``model.safetensors`` and ``config.json``; nothing in it can run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench import __version__
from prn_bench.dataset import Dataset
from prn_bench.errors import BenchError
from prn_bench.formats import sniff
from prn_bench.formats.tensorfile import Kind, read_tensors, write_tensors
from prn_bench.outfile import atomic_path, require_place, writing

FORMAT, FORMAT_VERSION = "prn-bench/checkpoint", 1
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
CONFIG_BYTES = 1 << 20
# A planted number must not take all the memory.
MOST_CHANNELS, LARGEST_SIDE_PX, SIDE_STEP = 128, 1024, 32


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

    @classmethod
    def trained_on(
        cls, dataset: Dataset, base_channels: int, side_px: int, training: Mapping[str, Any]
    ) -> ModelConfig:
        """With the layout and the licence of a dataset."""
        layout, licence = (str(dataset.attributes.get(name)) for name in ("uv_layout", "licence"))
        return cls(base_channels, layout, licence, side_px, training)


def method_card(name: str, config: ModelConfig) -> dict[str, Any]:
    """What a prediction file says of the network that made it."""
    return {
        "name": name,
        "version": __version__,
        "licence": config.licence,
        "base_channels": config.base_channels,
        "side_px": config.side_px,
        "training": dict(config.training),
    }


def write_checkpoint(
    folder: str | Path,
    tensors: Mapping[str, NDArray],
    config: ModelConfig,
    *,
    half: bool = False,
) -> None:
    """Write a checkpoint; the folder is made, and each file gets its name only when whole.

    ``half`` writes kernels, tensors of four axes, as float16; the few numbers of batch normalisation
    stay as they are, since a variance may be too small for it. Raises BenchError ``no-such-folder``,
    ``not-a-folder``, ``cannot-write``, and ``not-half`` for a kernel that float16 cannot hold.
    """
    folder = Path(folder)
    if half:
        tensors = {name: _halved(name, values) for name, values in tensors.items()}
    if folder.exists() and not folder.is_dir():
        raise _fault(folder, "a file has this name already", "not-a-folder", "a folder")
    if not folder.exists():
        require_place(folder)
        with writing(folder):
            folder.mkdir()
    write_tensors(folder / WEIGHTS_FILE, tensors)
    head = {"format": FORMAT, "format_version": FORMAT_VERSION}
    with atomic_path(folder / CONFIG_FILE) as part:
        part.write_text(json.dumps({**head, **asdict(config)}, indent=1) + "\n", encoding="utf-8")


def _halved(name: str, values: NDArray) -> NDArray:
    if values.ndim != 4:
        return values
    largest = float(np.abs(values).max())
    if largest > float(np.finfo(np.float16).max):
        what = f"half precision cannot hold {name}"
        raise BenchError(what, code="not-half", expected="at most 65,504", found=f"{largest:.3g}")
    return values.astype(np.float16)


def read_weights(folder: str | Path, wanted: Mapping[str, Kind]) -> dict[str, NDArray]:
    """The tensors of a checkpoint, float16 as float32.

    See :func:`prn_bench.formats.tensorfile.read_tensors`.
    """
    return read_tensors(Path(folder) / WEIGHTS_FILE, wanted, half=True)


def read_config(folder: str | Path) -> ModelConfig:
    """What a checkpoint says of itself.

    Raises BenchError ``not-a-checkpoint``, ``bad-config``, ``newer-format``.
    """
    folder = Path(folder)
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
    _refuse_unusable(path, content)
    return ModelConfig(**{one.name: content[one.name] for one in fields(ModelConfig)})


def _refuse_unusable(path: Path, content: Mapping[str, Any]) -> None:
    kinds = {"base_channels": int, "side_px": int, "uv_layout": str, "licence": str}
    limits = {"base_channels": (1, MOST_CHANNELS), "side_px": (SIDE_STEP, LARGEST_SIDE_PX)}
    for name, kind in {**kinds, "training": dict}.items():
        value: Any = content.get(name)
        step, most = limits.get(name, (1, 0))
        number = value if type(value) is int else 0
        if type(value) is not kind or (most and (number % step or not 0 < number <= most)):
            raise _fault(path, f"{name} is unusable", "bad-config", found=repr(value)[:40])


def _fault(
    path: Path, what: str, code: str, expected: str | None = None, found: str | None = None
) -> BenchError:
    remedy = "Give the folder that `prn-bench train` or `import-tf` wrote, or get it again."
    return BenchError(what, code=code, where=path, expected=expected, found=found, remedy=remedy)
