"""Dense scores in blocks of samples: memory does not grow with their number, and blocks run anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prn_bench.evaluate.case import Values
from prn_bench.evaluate.dense_points import DensePoints
from prn_bench.evaluate.inputs import ScoreInputs
from prn_bench.evaluate.reference import FRAME_OFFSETS
from prn_bench.metrics import depth_origin
from prn_bench.normalizers import normalizer
from prn_bench.protocol_fields import Protocol

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.predictions import Predictions

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """Some samples of a case.

    Attributes
    ----------
    rows, own_rows : (b,) int
        Of the dataset and of ``predictions``.
    predictions : Predictions
        Lazy, or only these rows.
    """

    rows: NDArray[np.intp]
    own_rows: NDArray[np.intp]
    predictions: Predictions


@dataclass(frozen=True)
class BlockScore:
    """Values of a block: missing rows, partly missing rows, errors in px, normaliser, columns."""

    rows: NDArray[np.intp]
    missing: NDArray[np.bool_]
    partly: NDArray[np.bool_]
    mean_px: Values
    scale_px: Values
    first: bytes  # digest of each prediction's first and last points: constant output shows
    extra: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class DenseWork:
    """What is done to every block; small, so that it travels to workers.

    Attributes
    ----------
    dataset : Dataset
    protocol : Protocol
    inputs : ScoreInputs
    """

    dataset: Dataset
    protocol: Protocol
    inputs: ScoreInputs

    def __call__(self, block: Block) -> BlockScore:
        """Score one block."""
        points, keep = dense_points(self), self.keep(block.predictions)
        predicted = points.predicted(block.predictions, block.rows, block.own_rows)
        predicted = predicted if keep.all() else predicted[:, :, keep]
        missing, partly = unusable(predicted)
        good = ~missing & ~partly
        first = hashlib.sha256(predicted[0].tobytes()).digest() if _alike(predicted) else b""
        mean_px, scale_px = np.full((2, len(block.rows)), np.nan)
        extra: Mapping[str, Values] = {}
        if good.any():
            rows = block.rows[good]
            reference = self._reference(points, rows)
            reference = reference if keep.all() else reference[:, :, keep]
            scale_px[good] = self._scale(rows, reference)
            chosen = predicted if good.all() else predicted[good]
            mean_px[good], found = self._errors(chosen, reference, keep)
            extra = {name: _spread(values, good) for name, values in found.items()}
        return BlockScore(block.rows, missing, partly, mean_px, scale_px, first, extra)

    def keep(self, predictions: Predictions) -> NDArray[np.bool_]:
        """(p,) bool: points that the predictions have, and that all compared methods have."""
        covered = dense_points(self).covered(predictions)
        return covered if self.inputs.common is None else covered & self.inputs.common

    def _reference(self, points: DensePoints, rows: NDArray[np.intp]) -> Points:
        found = points.reference(rows)
        offset = np.array(FRAME_OFFSETS[self.protocol.reference_frame], np.float32)
        if offset.any():
            found += offset[:, None]
        return found

    def _scale(self, rows: NDArray[np.intp], reference: Points) -> Values:
        rule = normalizer(self.protocol.normalizer)
        if rule.source == "landmarks" and self.protocol.normalizer_shape == "landmarks":
            return rule.measure(self.dataset.read("landmarks", rows))
        if rule.source == "roi_box":
            return rule.measure(self.dataset.read("roi_box", rows))
        if rule.name.startswith("bbox-"):  # of which two corners are enough
            sides = reference[:, : rule.dims]
            return rule.measure(np.stack([sides.min(2), sides.max(2)], 1))
        return rule.measure(reference.transpose(0, 2, 1))

    def _errors(
        self, predicted: Points, reference: Points, keep: NDArray[np.bool_]
    ) -> tuple[Values, Mapping[str, Values]]:
        from prn_bench.compiled.dense import mean_distances
        from prn_bench.evaluate.aligned import aligned_errors

        protocol, sides = self.protocol, (predicted, reference)
        origins = np.zeros((2, len(reference), 1), np.float32)
        if protocol.dims == 3:
            for side, origin in zip(sides, origins, strict=True):
                origin[:] = _origin(side[:, 2], protocol)
        if protocol.task == "nme":
            mine, truth = (side[:, : protocol.dims] for side in sides)
            return mean_distances(mine, truth, origins[..., 0]), {}
        for side, origin in zip(sides, origins, strict=True):
            side[:, 2] -= origin

        triangles = None
        if protocol.target == "surface":
            whole = dense_points(self).triangles()
            triangles = (np.cumsum(keep) - 1)[whole[keep[whole].all(1)]].astype(np.int32)
        return aligned_errors(predicted, reference, protocol, triangles=triangles)


def _origin(depths: Points, protocol: Protocol) -> NDArray[np.floating] | float:
    """What the z rule takes from (b, p) depths; a mean by one compiled pass, in double."""
    from prn_bench.compiled.dense import mean_depths

    if protocol.z_rule == "mean":
        return mean_depths(depths)[:, None]
    return depth_origin(depths, protocol.z_rule)


def unusable(predicted: Points) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(b,) samples that are NaN throughout, and (b,) samples with NaN or infinity beside numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        # One pass over memory in its own order; a closer look is rarely needed.
        values = predicted if predicted.flags.c_contiguous else predicted.transpose(0, 2, 1)
        flat = values.reshape(len(values), -1)
        suspect = ~np.isfinite(flat @ np.ones(flat.shape[1], flat.dtype))
    missing, partly = np.zeros((2, len(predicted)), bool)
    for row in np.flatnonzero(suspect):
        finite = np.isfinite(predicted[row])
        missing[row], partly[row] = not finite.any(), finite.any() and not finite.all()
    return missing, partly


def _alike(predicted: Points) -> bool:
    """Whether all samples of a block are the same points; most blocks differ at the first."""
    few = predicted[:, :, :1]
    return bool((few == few[:1]).all() and (predicted == predicted[:1]).all())


def _spread(values: Values, good: NDArray[np.bool_]) -> Values:
    whole = np.full(len(good), np.nan)
    whole[good] = values
    return whole


@dataclass(frozen=True)
class _Key:
    """Which points a work is about: equal for the copies of it that reach one process."""

    path: str
    changed_ns: int
    face_model: str
    on_map: bool
    region: str
    stride: int
    index_maps: tuple[tuple[str, str], ...]
    work: DenseWork = field(compare=False)


def dense_points(work: DenseWork) -> DensePoints:
    """The points of a work; its basis is large, so one process keeps it between blocks."""
    path, protocol = work.dataset.path, work.protocol
    changed = path.stat().st_mtime_ns if path.exists() else 0
    on_map = protocol.point_set == "map"
    model = str(work.inputs.face_model)
    charts = tuple(sorted((name, str(file)) for name, file in work.inputs.index_maps.items()))
    region, stride = protocol.region, protocol.stride
    return _dense_points(_Key(str(path), changed, model, on_map, region, stride, charts, work))


@lru_cache(maxsize=2)
def _dense_points(key: _Key) -> DensePoints:
    work = key.work
    return DensePoints(
        work.dataset, work.inputs, on_map=key.on_map, region=key.region, stride=key.stride
    )


def make_blocks(
    predictions: Predictions, rows: NDArray[np.intp], own_rows: NDArray[np.intp], size: int
) -> list[Block]:
    """Blocks of ``size`` samples; arrays in memory are cut to the block, lazy ones are not read."""
    blocks = []
    for start in range(0, len(rows), size):
        chosen, own = rows[start : start + size], own_rows[start : start + size]
        arrays = {
            name: values for name, values in predictions.arrays.items() if name != "landmarks"
        }
        if all(isinstance(values, np.ndarray) for values in arrays.values()):
            arrays = {name: values[own] for name, values in arrays.items()}
            own = np.arange(len(own))
        blocks.append(Block(chosen, own, replace(predictions, arrays=arrays, stored=False)))
    return blocks
