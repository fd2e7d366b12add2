"""Settings of a training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from prn_bench.errors import BenchError
from prn_bench.settings import Limits, check_settings, load_settings
from reference_model.loss import WEIGHT_RATIOS
from reference_model.network import SIDE_STEP

PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class TrainConfig:
    """What a training does; the defaults are the paper's (arXiv 1803.07835, sections 3.3 and 3.4)."""

    epochs: int = 20  # not in the paper
    batch: int = 16  # over all processes
    learning_rate: float = 1e-4  # of Adam
    halve_every: int = 5  # epochs
    warm_up: int = 0  # steps in which the learning rate rises to its value
    seed: int = 0
    validation_share: float = 0.02  # of the photographs
    loss_weights: str = "16:4:3:0"
    # -- the network
    base_channels: int = 16
    side_px: int = 256  # of images and maps; less for a small variant
    batch_norm_decay: float = 0.999
    # -- augmentation: uniform ranges
    rotation_deg: float = 45.0  # to both sides
    translation: float = 0.1  # of the side, in all directions
    scale: tuple[float, float] = (0.9, 1.2)
    colour: tuple[float, float] = (0.6, 1.4)  # a factor a channel
    occlusion: float = 0.5  # share of the pictures that get a patch of noise; not in the paper
    # -- speed; the last two count on a GPU only
    precision: str = "float32"
    channels_last: bool = False
    compile: bool = False
    # -- safety
    save_every: int = 1000  # steps; the end of an epoch is always saved
    allow_test_set: bool = False  # of a benchmark, whose scores then mean nothing


LIMITS: Limits = MappingProxyType(
    {
        "epochs": range(1, 100_001),
        "batch": range(2, 65_537),  # batch normalisation of one sample has no spread
        "learning_rate": (1e-9, 1.0),
        "halve_every": range(1, 100_001),
        "warm_up": range(1_000_001),
        "seed": range(1 << 32),
        "validation_share": (0.0, 0.5),
        "loss_weights": tuple(WEIGHT_RATIOS),
        "base_channels": range(1, 129),
        "side_px": range(SIDE_STEP, 1025, SIDE_STEP),
        "batch_norm_decay": (0.0, 0.99999),
        "rotation_deg": (0.0, 180.0),
        "translation": (0.0, 0.5),
        "scale": (0.1, 10.0),
        "colour": (0.0, 10.0),
        "occlusion": (0.0, 1.0),
        "precision": ("float32", "bfloat16"),
        "save_every": range(1, 1_000_001),
    }
)


def load_config(name: str | Path, changes: Iterable[str] = ()) -> TrainConfig:
    """A preset or a TOML file, with changes ``key=value`` on top.

    Raises
    ------
    BenchError
        ``no-such-config``, ``bad-config``.
    """
    presets = sorted(path.stem for path in PRESETS.glob("*.toml"))
    path = PRESETS / f"{name}.toml" if str(name) in presets else Path(name)
    if not path.is_file():
        expected = f"{', '.join(presets)} or a .toml file"
        what = "there is no such preset or file"
        raise BenchError(what, code="no-such-config", where=name, expected=expected)
    return check_settings(TrainConfig, load_settings(path, changes), LIMITS, str(name))
