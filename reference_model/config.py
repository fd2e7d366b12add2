"""Settings of a training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prn_bench.settings import check_settings, find_preset, load_settings, setting
from prn_bench.training.loss_weights import WEIGHT_RATIOS
from reference_model.network import SIDE_STEP

PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class TrainConfig:
    """What a training does; the defaults are the paper's (arXiv 1803.07835, sections 3.3 and 3.4)."""

    epochs: int = setting(20, range(1, 100_001))  # not in the paper
    batch: int = setting(16, range(2, 65_537))  # over all processes; one sample has no spread
    learning_rate: float = setting(1e-4, (1e-9, 1.0))  # of Adam
    halve_every: int = setting(5, range(100_001))  # epochs; 0: the rate falls in a line to nothing
    warm_up: int = setting(0, range(1_000_001))  # steps in which the rate rises to its value
    kernel_rate: float = setting(0.0, (0.0, 1.0))  # of Muon, which then moves the kernels
    seed: int = setting(0, range(1 << 32))
    validation_share: float = setting(0.02, (0.0, 0.5))  # of the photographs
    loss_weights: str = setting("16:4:3:0", tuple(WEIGHT_RATIOS))
    # -- the network
    base_channels: int = setting(16, range(1, 129))
    side_px: int = setting(256, range(SIDE_STEP, 1025, SIDE_STEP))  # of images and maps
    batch_norm_decay: float = setting(0.999, (0.0, 0.99999))
    smooth_start: bool = False  # of the decoder; for trainings of a thousand steps
    # -- augmentation: uniform ranges; the last two are not in the paper
    rotation_deg: float = setting(45.0, (0.0, 180.0))  # to both sides
    translation: float = setting(0.1, (0.0, 0.5))  # of the side, in all directions
    scale: tuple[float, float] = setting((0.9, 1.2), (0.1, 10.0))
    colour: tuple[float, float] = setting((0.6, 1.4), (0.0, 10.0))  # a factor a channel
    occlusion: float = setting(0.5, (0.0, 1.0))  # share that gets a patch of noise
    flip: bool = False  # mirror one half; 300W-LP has the mirror image of every picture already
    # -- speed; the last two count on a GPU only
    precision: str = setting("float32", ("float32", "bfloat16"))
    channels_last: bool = False
    compile: bool = False
    # -- safety
    save_every_s: float = setting(60.0, (0.0, 1e6))  # seconds that a kill may cost
    allow_test_set: bool = False  # of a benchmark, whose scores then mean nothing

    def share_of_rate(self, step: int, steps: int) -> float:
        """Of the learning rates, at a step from 0 of epochs of ``steps``: a rise, halved or to 0."""
        rising = min(1.0, (step + 1) / (self.warm_up + 1))
        if self.halve_every:
            return rising * 0.5 ** (step // steps // self.halve_every)
        left = self.epochs * steps - step
        return min(rising, left / max(self.epochs * steps - self.warm_up, 1))


def load_config(name: str | Path, changes: Iterable[str] = ()) -> TrainConfig:
    """A preset or a TOML file, with changes ``key=value`` on top.

    Raises BenchError ``no-such-config``, ``bad-config``.
    """
    values = load_settings(find_preset(PRESETS, name), changes)
    return check_settings(TrainConfig, values, str(name))
