"""Dense point sets: pixels of the face mask, or vertices of the face model, on both sides of a score.

Points are planar, (b, 3, p) float32, in the image frame (0-based pixels). The reference comes from the
fit where the dataset has its coefficients (exact, and no map is decoded), else from its position maps.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.dataset.derive import FROM_FIT
from prn_bench.dataset.face_layout import layout_of, model_needed
from prn_bench.dataset.linear_face import BASIS, LinearFace, linear_of_dataset, linear_of_model
from prn_bench.errors import BenchError
from prn_bench.evaluate.mesh_reader import MeshReader, mesh_reader
from prn_bench.regions import region_mask
from prn_bench.topology import UNORDERED, IndexMap, identity_map, load_index_map
from prn_bench.uvmap import decode_maps, grid_triangles

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset
    from prn_bench.evaluate.inputs import ScoreInputs
    from prn_bench.predictions import Predictions

Points = NDArray[np.float32]
Rows = NDArray[np.intp]

MAPS = "position_map"


class DensePoints:
    """The dense points of a dataset, and how predictions are read at them.

    Parameters
    ----------
    dataset : Dataset
    inputs : ScoreInputs
        The face model stands in for what the dataset lacks; meshes always need it.
    on_map : bool
        Pixels of the face mask, or else vertices of the face model.
    region : str
        Of the map, see :mod:`prn_bench.regions`.
    stride : int
        Every how many points count.

    Raises
    ------
    BenchError
        ``face-model-needed``, ``wrong-face-model``, ``empty-region``.
    """

    def __init__(
        self,
        dataset: Dataset,
        inputs: ScoreInputs,
        *,
        on_map: bool = True,
        region: str = "all",
        stride: int = 1,
    ) -> None:
        self.dataset, self.inputs, self.on_map = dataset, inputs, on_map
        self.layout = layout_of(dataset, inputs.model)
        self._stride = stride
        self._mask = region_mask(region, self.layout.landmark_pixels, self.layout.face_mask)
        if on_map and not self._mask.any():
            what = f"the region {region} has no pixel in this UV layout"
            raise BenchError(what, code="empty-region", where=dataset.path)
        if not on_map and inputs.model is None:
            what = "no dataset keeps the whole mesh, so its vertices are scored with its face model"
            raise model_needed(dataset, what, build=False)

    @cached_property
    def index(self) -> Rows:
        """(p,) flat pixels of the map, or vertices of the mesh, that count."""
        whole = np.flatnonzero(self._mask) if self.on_map else np.arange(self.layout.n_vertices)
        return whole[:: self._stride]

    def triangles(self) -> NDArray[np.int32]:
        """(t, 3) triangles between the points; ValueError with a stride, which leaves none."""
        if self._stride > 1:
            raise ValueError("points left out by a stride have no triangles")
        if self.on_map:
            numbers = np.cumsum(self._mask.reshape(-1)) - 1  # of the pixels among the points
            return numbers[grid_triangles(self._mask)].astype(np.int32)
        model = self.inputs.model
        return np.zeros((0, 3), np.int32) if model is None else model.triangles

    def reference(self, rows: Rows) -> Points:
        """(b, 3, p) float32, image frame.

        Raises
        ------
        BenchError
            ``face-model-needed`` when the dataset holds neither maps nor what they are made of.
        """
        if self._linear is not None:
            return self._linear.image_points(lambda name: self.dataset.read(name, rows))
        if MAPS not in self.dataset.names:
            raise model_needed(self.dataset, "this dataset holds no dense ground truth")
        maps = self.dataset.read(MAPS, rows)
        chosen = decode_maps(maps.reshape(len(maps), 3, -1)[:, :, self.index])
        return self._from_crop(chosen, rows)

    def predicted(self, predictions: Predictions, rows: Rows, own_rows: Rows) -> Points:
        """The same points of predictions.

        Parameters
        ----------
        predictions : Predictions
        rows, own_rows : (b,) int
            Of the dataset, and of the predictions.

        Returns
        -------
        (b, 3, p) float32, image frame
            NaN where the method gave nothing, or its mesh has no such point.

        Raises
        ------
        BenchError
            ``no-dense-points``, ``no-index-map``, ``bad-index-map``, ``no-coverage``.
        """
        if self._reads_maps(predictions):
            maps = np.asarray(predictions.arrays[MAPS][own_rows])
            values = maps.reshape(len(maps), 3, -1)[:, :, self.index]
            points = decode_maps(values) if values.dtype == np.uint16 else values
        else:
            vertices = self._vertices(predictions)[own_rows]
            points = self._read_vertices(predictions, np.asarray(vertices))
        points = np.asarray(points, np.float32)
        return self._from_crop(points, rows) if predictions.frame == "crop" else points

    def covered(self, predictions: Predictions) -> NDArray[np.bool_]:
        """(p,) bool: points that the predicted meshes have; all of them on maps."""
        if self._reads_maps(predictions) or self._is_mask(predictions.topology):
            return np.ones(len(self.index), bool)
        n_predicted = self._vertices(predictions).shape[1]
        return self._reader(str(predictions.topology), n_predicted).covered

    def index_map(self, predictions: Predictions) -> IndexMap | None:
        """The user's index map that these predictions are read by, if there is one."""
        if self._reads_maps(predictions) or self._is_mask(predictions.topology):
            return None
        chart = self._chart(str(predictions.topology))
        return None if chart.source == "identity" else chart

    def _reads_maps(self, predictions: Predictions) -> bool:
        return self.on_map and MAPS in predictions.arrays

    def _is_mask(self, topology: str | None) -> bool:
        """Whether the vertices are the face mask's pixels, row by row, as PRNet writes them."""
        return self.on_map and topology == f"prnet-{int(self.layout.face_mask.sum())}"

    @cached_property
    def _linear(self) -> LinearFace | None:
        model, names = self.inputs.model, self.dataset.names
        if not names.issuperset(FROM_FIT):
            return None
        if model is not None:
            pixels = self.index if self.on_map else None
            return linear_of_model(model, pixels=pixels, stride=self._stride)
        return linear_of_dataset(self.dataset, self.index) if names.issuperset(BASIS) else None

    def _from_crop(self, points: Points, rows: Rows) -> Points:
        shift = self.dataset.read("z_shift", rows) if "z_shift" in self.dataset.names else 0.0
        crop = geometry.crop_affine(self.dataset.read("crop", rows), shift)
        affine = geometry.invert_affine(crop).astype(np.float32)
        return np.asarray(affine[..., :3] @ points + affine[..., 3:])

    def _vertices(self, predictions: Predictions) -> NDArray:
        if "vertices" in predictions.arrays and predictions.topology != UNORDERED:
            return cast("NDArray", predictions.arrays["vertices"])  # one in a file acts alike
        raise BenchError(
            "these predictions hold neither position maps nor vertices in a known order",
            code="no-dense-points",
            where=predictions.path,
            found=", ".join(sorted(predictions.arrays)),
            remedy="Import the method's meshes or maps, or take a protocol that pairs nearest "
            "points, which needs no order.",
        )

    def _read_vertices(self, predictions: Predictions, vertices: NDArray) -> Points:
        if self._is_mask(predictions.topology):
            order = np.cumsum(self.layout.face_mask.reshape(-1)) - 1
            wanted = order[self.index]
            whole = np.array_equal(wanted, np.arange(vertices.shape[1]))  # not copied then
            return (vertices if whole else vertices[:, wanted]).transpose(0, 2, 1)
        return self._reader(str(predictions.topology), vertices.shape[1]).points(vertices)

    def _reader(self, topology: str, n_predicted: int) -> MeshReader:
        known = self._readers.get((topology, n_predicted))
        if known is None:
            chart, layout = self._chart(topology), self.layout
            corners: NDArray[np.integer] = np.repeat(self.index[:, None], 3, 1)
            weights: NDArray[np.floating] = _FIRST.repeat(len(self.index), 0)
            if self.on_map:
                corners = layout.vertices.reshape(-1, 3)[self.index]
                weights = layout.weights.reshape(-1, 3)[self.index]
            known = mesh_reader(corners, weights, chart, n_predicted)
            self._readers[topology, n_predicted] = known
        return known

    @cached_property
    def _readers(self) -> dict[tuple[str, int], MeshReader]:
        return {}

    def _chart(self, topology: str) -> IndexMap:
        if topology == self.layout.topology:
            return identity_map(topology, self.layout.n_vertices)
        path = self.inputs.index_maps.get(topology)
        if path is not None:
            return load_index_map(path, topology, self.layout.n_vertices)
        raise BenchError(
            f"nothing says how the mesh {topology} lies on {self.layout.topology}",
            code="no-index-map",
            expected=f"vertices in {self.layout.topology}, position maps, or an index map",
            remedy=f"Give the file that says it: --index-map {topology}=FILE (docs/topologies.md).",
        )


_FIRST = np.array([[1.0, 0.0, 0.0]])
