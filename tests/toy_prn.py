"""A network of one base channel whose output varies: TensorFlow's golden weights, all of them drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from reference_model.weights import import_tf, load_checkpoint, save_checkpoint

GOLDEN = Path(__file__).parent / "golden"


def toy_checkpoint(folder: Path, uv_layout: str = "toy-256", side_px: int = 64) -> Any:
    """Write its checkpoint, and give the network."""
    import_tf(GOLDEN / "tf_network", folder)
    network, config = load_checkpoint(folder)
    changes = {"uv_layout": uv_layout, "side_px": side_px, "licence": "ours"}
    save_checkpoint(folder, network, replace(config, **changes, training={"seed": 0}))
    return network
