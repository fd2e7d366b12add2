"""What the coefficient layout leaves out and the reader computes: landmarks, crops, angles, position maps.

The same functions make these arrays when a dataset is built, so both layouts give the same values; maps
agree to the fixed point of the maps layout, 0.005 px.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from prn_bench import geometry
from prn_bench.facemodel import FaceModel, LandmarkBasis

#: Never stored in the coefficient layout.
ALWAYS = ("crop", "pose_deg", "yaw_deg/fitted")
#: Not stored either where they are the projected fit.
LANDMARKS = ("landmarks", "landmarks_visible")
MAP = "position_map"
FROM_FIT = ("coefficients/identity", "coefficients/expression", "coefficients/pose", "image_size")
#: Which stored arrays each derived one needs.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "crop": ("box",),
    "pose_deg": ("coefficients/pose",),
    "yaw_deg/fitted": ("coefficients/pose",),
    "landmarks": FROM_FIT,
    "landmarks_visible": FROM_FIT,
    MAP: (*FROM_FIT, "box", "z_shift"),
}

Read = Callable[[str], NDArray]


def derivable(stored: frozenset[str]) -> frozenset[str]:
    """Names that a coefficient-layout file gives without storing them."""
    return frozenset(
        name for name, needs in NEEDS.items() if name not in stored and stored.issuperset(needs)
    )


def derive(name: str, read: Read, basis: LandmarkBasis) -> NDArray:
    """Rows of a derived array other than the position map.

    Parameters
    ----------
    name : str
    read : callable
        Gives the same rows of a stored array.
    basis : LandmarkBasis

    Returns
    -------
    (n, ...) array, as ``schema.COLUMNS`` describes it
    """
    if name == "crop":
        return geometry.crop_from_box(read("box"))
    if name == "pose_deg":
        return np.degrees(read("coefficients/pose")[:, :3])
    if name == "yaw_deg/fitted":
        return np.degrees(read("coefficients/pose")[:, 1])
    if name == "landmarks_visible":  # a fit without a gap projects to points without one
        known = np.all([np.isfinite(read(source)).all(1) for source in FROM_FIT], 0)
        return np.repeat(known[:, None], len(basis.mean), 1)
    shapes = basis.shapes(read("coefficients/identity"), read("coefficients/expression"))
    affine = geometry.pose_affine(read("coefficients/pose"), read("image_size")[:, 0])
    return geometry.apply_affine(affine, shapes).astype(np.float32)


def uv_basis(model: FaceModel) -> dict[str, NDArray[np.float32]]:
    """The model on its UV map: a position map is linear in the coefficients.

    Returns
    -------
    dict
        ``uv_basis/mean`` (3, n, n), ``uv_basis/identity`` (k_i, 3, n, n),
        ``uv_basis/expression`` (k_e, 3, n, n), float32, model frame and units.
    """
    to_maps = model.uv_layout.operator.maps_from_vertices
    bases = {"identity": model.identity_basis, "expression": model.expression_basis}
    parts = {f"uv_basis/{name}": to_maps(basis.swapaxes(0, 1)) for name, basis in bases.items()}
    return {"uv_basis/mean": to_maps(model.mean.T[:, :, None])[0], **parts}


def coefficient_rows(
    identity: NDArray[np.floating], expression: NDArray[np.floating], n_components: int, split: int
) -> NDArray[np.float32]:
    """(b, k) coefficients of a basis whose first ``split`` components are identity.

    Missing components count as zero, components beyond the basis are left out.
    """
    weights = np.zeros((len(identity), n_components), np.float32)
    for start, stop, values in ((0, split, identity), (split, n_components, expression)):
        given = values[:, : stop - start]
        weights[:, start : start + given.shape[1]] = given
    return weights


def position_maps(
    read: Read, mean: NDArray[np.float32], basis: NDArray[np.float32], split: int
) -> NDArray[np.float32]:
    """Position maps of some rows.

    Parameters
    ----------
    read : callable
        Gives these rows of a stored array.
    mean : (3, n, n) float32
    basis : (k, 3, n, n) float32
        Identity components, then expression components.
    split : int
        Number of identity components.

    Returns
    -------
    (b, 3, n, n) float32, crop frame, px
    """
    given = read("coefficients/identity"), read("coefficients/expression")
    weights = coefficient_rows(*given, len(basis), split)
    shapes = weights @ basis.reshape(len(basis), -1) + mean.reshape(-1)
    affine = map_affine(read)
    maps = affine[..., :3] @ shapes.reshape(len(shapes), 3, -1) + affine[..., 3:]
    return maps.reshape(len(maps), *mean.shape)


def map_affine(read: Read) -> NDArray[np.float32]:
    """(b, 3, 4) model frame to crop frame, of the rows that ``read`` gives."""
    pose = geometry.pose_affine(read("coefficients/pose"), read("image_size")[:, 0])
    crop = geometry.crop_from_box(read("box"))
    exact = geometry.compose_affine(geometry.crop_affine(crop, read("z_shift")), pose)
    return exact.astype(np.float32)
