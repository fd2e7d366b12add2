"""The figures that a user would see: `score` on corrected points, never on the file itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.diagnose.report import Change
from prn_bench.diagnose.scene import Scene
from prn_bench.evaluate import score
from prn_bench.predictions import Predictions
from prn_bench.protocol import Protocol

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

Array = NDArray[np.float64]

UNITS = {"percent": "%", "px": "px", "deg": "deg"}


@dataclass(frozen=True)
class Figures:
    """Scores of image-frame points of a scene.

    Attributes
    ----------
    scene : Scene
    dataset : Dataset
    protocol : Protocol
    method : dict
        The method card.
    """

    scene: Scene
    dataset: Dataset
    protocol: Protocol
    method: dict[str, Any]

    def change(self, before: Array, after: Array, protocol: Protocol | None = None) -> Change:
        """The protocol's headline for two versions of the points."""
        protocol = protocol or self.protocol
        what = "NME" if protocol.unit == "percent" else "mean distance"
        values = [self.headline(points, protocol) for points in (before, after)]
        words = f"68-point {protocol.dims}D {what}"
        return Change(words, protocol.id, UNITS[protocol.unit], values[0], values[1])

    def both_changes(self, before: Array, after: Array) -> tuple[Change, ...]:
        """Against the 0-based points of the image frame, and against the protocol's where they differ.

        An offset that is undone may well bring a figure up when the reference has it, too.
        """
        if self.protocol.reference_frame == "image":
            return (self.change(before, after),)
        words = f"the {self.protocol.reference_frame} points of this protocol"
        words += " (1-based)" if self.protocol.reference_frame == "stored" else ""
        image = self.change(before, after, in_image_frame(self.protocol))
        return (
            replace(image, against="against 0-based points"),
            replace(self.change(before, after), against=f"against {words}"),
        )

    def headline(self, points: Array, protocol: Protocol | None = None) -> float:
        """What ``score`` reports for (n, 68, 2|3) image-frame points; samples may be missing."""
        whole = np.isfinite(points).all((1, 2))
        if not whole.any():
            return math.nan
        given = Predictions(
            self.scene.ids[whole], "image", {"landmarks": points[whole]}, self.method
        )
        rules = replace(protocol or self.protocol, missing="drop")
        summary = score(given, self.dataset, rules).summary
        empty_bin = math.isnan(summary.headline)
        return summary.mean_of_images if empty_bin else summary.headline


def in_image_frame(protocol: Protocol) -> Protocol:
    """The protocol, with 0-based reference points."""
    return replace(protocol, id=f"{protocol.id}+reference_frame=image", reference_frame="image")


def with_depth(protocol: Protocol) -> Protocol:
    """A protocol that sees z: itself when it does, else with z centred on both sides."""
    if protocol.dims == 3:
        return protocol
    words = f"{protocol.id}+dims=3+z_rule=mean"
    return replace(protocol, id=words, dims=3, z_rule="mean", annotation="original")
