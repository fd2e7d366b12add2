"""The face model: a linear 3D morphable model with its UV layout.

A face is ``mean + identity_basis @ identity + expression_basis @ expression`` in model units. Its
file (:mod:`prn_bench.facemodel.file`) also holds the UV operator, so that nobody builds it twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from prn_bench.uvmap import UVOperator

OPTIONAL = ("albedo", "identity_sigma", "expression_sigma")
DENSE = ("mean", "identity_basis", "expression_basis", "triangles", "uv_triangles")


@dataclass(frozen=True)
class LandmarkBasis:
    """The model at its 68 landmarks, in float64, at times with more components than the dense part.

    Attributes
    ----------
    mean : (68, 3) float64, model units
    identity : (68, 3, k_i) float64
    expression : (68, 3, k_e) float64
    """

    mean: NDArray[np.float64]
    identity: NDArray[np.float64]
    expression: NDArray[np.float64]

    def shapes(
        self, identity: NDArray[np.floating], expression: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """(b, 68, 3) landmarks of (b, k) coefficients in the model frame.

        Summed component by component: plain products and sums give the same bits on every machine,
        a matrix product does not, and these points enter fingerprints. Equal coefficients, as of the
        views of one person, are summed once.
        """
        together = np.concatenate([identity, expression], 1)
        place: dict[bytes, int] = {}
        which = [place.setdefault(row.tobytes(), len(place)) for row in together]
        first = np.unique(which, return_index=True)[1]
        return self._sums(identity[first], expression[first])[which]

    def _sums(
        self, identity: NDArray[np.floating], expression: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        shapes = np.repeat(self.mean.reshape(1, -1), len(identity), 0)
        for basis, values in ((self.identity, identity), (self.expression, expression)):
            components = basis.reshape(-1, basis.shape[2]).T.copy()
            for component, value in zip(components, values.T.astype(np.float64), strict=False):
                shapes += component * value[:, None]
        return shapes.reshape(-1, *self.mean.shape)


@dataclass(frozen=True)
class UVLayout:
    """A fixed assignment of the model's vertices to the UV square.

    Attributes
    ----------
    name : str
        Topology and resolution, such as ``bfm-256``.
    operator : UVOperator
    landmark_pixels : (68, 2) int32
        Row, column of each landmark.
    face_mask : (n, n) bool or None
        The face without neck and ears; None where the source does not say.
    region_weights : (n, n) uint8 or None
        Loss weights 16 (the 68 landmarks), 4 (eyes, nose, mouth), 3 (face), 0 (the rest).
    """

    name: str
    operator: UVOperator
    landmark_pixels: NDArray[np.int32]
    face_mask: NDArray[np.bool_] | None = None
    region_weights: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class FaceModel:
    """A linear face model.

    Attributes
    ----------
    name, topology, units, licence, citation : str
        ``topology`` is a word of DESIGN section 2, such as ``bfm-53215``; ``units`` such as ``um``.
    mean : (v, 3) float32, model frame (x to the face's left, y up, z out of the face)
    identity_basis : (v, 3, k_i) float32
        Columns times ``Shape_Para`` give model units (the coefficients carry sigma).
    expression_basis : (v, 3, k_e) float32
    triangles : (t, 3) int32, 0-based, counter-clockwise seen from outside
    uv_triangles : (t_uv, 3) int32
        The triangles plus the fill of the mouth, which only the UV map needs.
    landmark_vertices : (68,) int32
    landmark_basis : LandmarkBasis
    uv_layout : UVLayout
    regions : dict of (v,) bool
        Such as ``face``, ``nose``, ``eyes``, ``mouth``, ``neck``, ``ears``.
    albedo : (v, 3) uint8 or None
    identity_sigma : (k_i,) float64 or None
    expression_sigma : (k_e,) float64 or None
        Standard deviations of the coefficients, where known.
    """

    name: str
    topology: str
    units: str
    licence: str
    citation: str
    mean: NDArray[np.float32]
    identity_basis: NDArray[np.float32]
    expression_basis: NDArray[np.float32]
    triangles: NDArray[np.int32]
    uv_triangles: NDArray[np.int32]
    landmark_vertices: NDArray[np.int32]
    landmark_basis: LandmarkBasis
    uv_layout: UVLayout
    regions: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    albedo: NDArray[np.uint8] | None = None
    identity_sigma: NDArray[np.float64] | None = None
    expression_sigma: NDArray[np.float64] | None = None

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self.mean)

    @property
    def n_components(self) -> tuple[int, int]:
        """Identity and expression components of the dense basis."""
        return self.identity_basis.shape[2], self.expression_basis.shape[2]

    @cached_property
    def model_id(self) -> str:
        """sha256 of everything that moves a vertex or a UV pixel; names and licences are left out."""
        digest = hashlib.sha256()
        for key, value in sorted(self.arrays().items()):
            digest.update(f"{key}{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        return digest.hexdigest()

    def arrays(self) -> dict[str, NDArray]:
        """Everything of the model that its file stores as an array, by name in the file."""
        layout, basis = self.uv_layout, self.landmark_basis
        arrays: dict[str, NDArray | None] = {key: getattr(self, key) for key in DENSE + OPTIONAL}
        arrays |= {
            "landmark/vertices": self.landmark_vertices,
            "landmark/mean": basis.mean,
            "landmark/identity": basis.identity,
            "landmark/expression": basis.expression,
            "uv/vertices": layout.operator.vertices,
            "uv/weights": layout.operator.weights,
            "uv/covered": layout.operator.covered,
            "uv/coordinates": layout.operator.uv,
            "uv/landmark_pixels": layout.landmark_pixels,
            "uv/face_mask": layout.face_mask,
            "uv/region_weights": layout.region_weights,
        }
        arrays |= {f"region/{name}": mask for name, mask in self.regions.items()}
        return {key: value for key, value in arrays.items() if value is not None}

    def vertices(
        self, identity: NDArray[np.floating], expression: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Dense shapes of a batch.

        Parameters
        ----------
        identity : (b, k) float
            Missing components count as zero, components beyond the basis are left out.
        expression : (b, k) float

        Returns
        -------
        (3, v, b) float32, model frame and units
            Coordinate first, faces last.
        """
        weights = self.weights(identity, expression)
        mean = self.mean.T[:, :, None]
        return np.stack([plane @ weights for plane in self.planes]) + mean

    @cached_property
    def planes(self) -> tuple[NDArray[np.float32], ...]:
        """Three (v, k_i + k_e) float32 arrays, contiguous: the basis of each coordinate."""
        bases = (self.identity_basis, self.expression_basis)
        return tuple(np.concatenate([b[:, axis] for b in bases], 1) for axis in range(3))

    def weights(
        self, identity: NDArray[np.floating], expression: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """(k_i + k_e, b) float32 coefficients of the dense basis, zero where none is given."""
        n_identity, n_expression = self.n_components
        weights = np.zeros((n_identity + n_expression, len(identity)), np.float32)
        for start, k, values in ((0, n_identity, identity), (n_identity, n_expression, expression)):
            given = values[:, :k].T
            weights[start : start + len(given)] = given
        return weights

    def landmarks(
        self, identity: NDArray[np.floating], expression: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """(b, 68, 3) landmarks in the model frame, see :meth:`LandmarkBasis.shapes`."""
        return self.landmark_basis.shapes(identity, expression)


def landmark_basis_of(
    mean: NDArray[np.floating],
    identity: NDArray[np.floating],
    expression: NDArray[np.floating],
    landmark_vertices: NDArray[np.integer],
) -> LandmarkBasis:
    """The dense model's own rows at its landmark vertices, in float64."""
    rows = [np.asarray(a[landmark_vertices], np.float64) for a in (mean, identity, expression)]
    return LandmarkBasis(*rows)


def region_weights(
    operator: UVOperator,
    landmark_pixels: NDArray[np.integer],
    face_mask: NDArray[np.bool_],
    features: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """The paper's loss weights 16 : 4 : 3 : 0 (landmarks; eyes, nose, mouth; face; neck).

    Parameters
    ----------
    operator : UVOperator
    landmark_pixels : (68, 2) int
        Row, column.
    face_mask : (n, n) bool
    features : (v,) bool
        Vertices of eyes, nose and mouth; a pixel belongs to them when its largest weight does.

    Returns
    -------
    (n, n) uint8
    """
    main = np.take_along_axis(operator.vertices, operator.weights.argmax(-1)[..., None], axis=-1)[
        ..., 0
    ]
    weights = np.where(features[main], 4, 3).astype(np.uint8)
    weights[~face_mask] = 0
    weights[landmark_pixels[:, 0], landmark_pixels[:, 1]] = 16
    return weights
