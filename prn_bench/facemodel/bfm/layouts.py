"""Basel Face Model distributions to one face model, with no MATLAB step.

``read_face_model`` looks at a folder and takes the first complete of these:

* 3DDFA's MATLAB files: ``Model_Shape.mat``, ``Model_Exp.mat`` (or ``Model_Expression.mat``);
* face3d's ``BFM.mat``;
* BFM 2009, ``01_MorphableModel.mat``, with ``Model_Exp.mat`` (as face3d's generate.m has it) or
  with ``Exp_Pca.bin``, trimmed by ``trimIndex``;
* 3DDFA's ``w_shp_sim``, ``w_exp_sim``, ``u_shp``, ``u_exp`` and ``keypoints_sim.npy``;
* a truncated basis as npz: ``bfm_dense_basis_40_10.npz`` with ``u`` (3 v,), ``w_shp`` (3 v, k) and
  ``w_exp`` (3 v, k), and, if there is one, ``bfm68_basis_199_29.npz`` with ``mu`` (204,), ``W``
  (204, k) and ``We`` (204, k): the model at the 68 landmarks, with more components.

All need ``BFM_UV.mat``; triangles, landmarks, mouth and regions come from ``model_info.mat``,
``BFM_info.mat`` or whatever else holds them. Layouts after the public loaders: 3DDFA
ModelGenerate.m and utils/params.py, face3d morphable_model/load.py and generate.m.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prn_bench.errors import BenchError
from prn_bench.facemodel import FaceModel, LandmarkBasis, landmark_basis_of
from prn_bench.facemodel.bfm import files
from prn_bench.facemodel.bfm import uv as bfm_uv
from prn_bench.facemodel.bfm.files import ModelFolder
from prn_bench.formats import matfile, npyfile, sniff

LICENCE = (
    "Basel Face Model licence (University of Basel): research only, not to be passed on; files "
    "that 3DDFA, face3d and PRNet derived from it carry the same terms"
)
CITATION = (
    "Paysan et al., A 3D Face Model for Pose and Illumination Invariant Face Recognition, AVSS "
    "2009; Zhu et al., Face Alignment Across Large Poses: A 3D Solution, CVPR 2016"
)
CITATION_EXP_PCA = "; Guo et al., CNN-based Real-time Dense Face Reconstruction, TPAMI 2018"
N_LANDMARKS = 68
EXPRESSION_FILES = ("Model_Exp.mat", "Model_Expression.mat")
DENSE_NPZ, LANDMARK_NPZ = "bfm_dense_basis_40_10.npz", "bfm68_basis_199_29.npz"

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class _Basis:
    """What a layout itself holds: (v, 3) and (v, 3, k) arrays, and indices from 0."""

    name: str
    mean: Rows
    identity: Rows
    expression: Rows
    sigmas: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None] = (None, None)
    triangles: NDArray[np.int32] | None = None
    landmark_vertices: NDArray[np.int32] | None = None
    landmark_basis: LandmarkBasis | None = None
    citation: str = CITATION


def read_face_model(path: str | Path) -> FaceModel:
    """Read a Basel Face Model from the files that are there.

    Parameters
    ----------
    path : path
        A folder (the folders in it are looked at too), or the main file of a layout.

    Returns
    -------
    FaceModel
        Micrometres; topology ``bfm-53215`` (or ``bfm-<v>`` for a mesh of another size); triangles
        turned to be counter-clockwise seen from outside.

    Raises
    ------
    BenchError
        ``no-face-model-files``, ``face-model-incomplete``, ``raw-bfm-instead-of-bfm-mat``,
        ``bfm-2017-not-supported``, ``no-uv-coordinates``, ``wrong-vertex-count``,
        ``indices-not-from-one``, ``landmarks-disagree``, and those of :mod:`prn_bench.formats.matfile`,
        :mod:`prn_bench.facemodel.bfm.files` and :mod:`prn_bench.facemodel.bfm.uv`.
    """
    path = Path(path)
    if not path.exists():
        raise BenchError("there is no such file or folder", code="no-such-path", where=path)
    if path.is_dir():
        folder = ModelFolder(path)
        return _assemble(_choose(folder)(folder), folder)
    folder = ModelFolder(path.parent)
    folder.files[path.name.lower()] = path
    return _assemble(_reader_of_file(path, folder)(folder), folder)


def _read_matlab(folder: ModelFolder) -> _Basis:
    path = folder.need("Model_Shape.mat")
    raw = matfile.read_mat(path, str(path), ["mu_shape", "w"])
    mean, identity = (_rows(raw, key, path) for key in ("mu_shape", "w"))
    offset, expression, sigma = _read_expression(folder.need(*EXPRESSION_FILES))
    sigmas = _sigma(files.read_fields(path, ["sigma"]), "sigma"), sigma
    name = "BFM 2009 (3DDFA's MATLAB files)"
    return _basis(name, (mean, offset), identity, expression, path, sigmas=sigmas)


def _read_expression(path: Path) -> tuple[Rows, Rows, NDArray[np.float64] | None]:
    """Mean offset, basis and deviations of 3DDFA's 29 expressions."""
    raw = matfile.read_mat(path, str(path), ["mu_exp", "w_exp"])
    offset, basis = (_rows(raw, key, path) for key in ("mu_exp", "w_exp"))
    return offset, basis, _sigma(files.read_fields(path, ["sigma_exp"]), "sigma_exp")


def _read_face3d(folder: ModelFolder) -> _Basis:
    path = folder.need("BFM.mat")
    names = matfile.list_mat(path, str(path))
    if "model" not in names and "shapePC" in names:
        raise files.raw_bfm(path)
    fields = ["shapeMU", "shapePC", "expMU", "expPC"]
    raw = matfile.read_struct(path, str(path), "model", fields, ["shapeEV", "expEV"])
    mean, identity, offset, expression = (_rows(raw, key, path) for key in fields)
    sigmas = _sigma(raw, "shapeEV"), _sigma(raw, "expEV")
    name = "BFM 2009 (face3d's BFM.mat)"
    return _basis(name, (mean, offset), identity, expression, path, sigmas=sigmas)


def _read_2009(folder: ModelFolder) -> _Basis:
    path = folder.need("01_MorphableModel.mat")
    kept = files.read_facts(folder).trim_rows
    companion = folder.find(*EXPRESSION_FILES, "Exp_Pca.bin")
    if kept is None or companion is None:
        raise files.raw_bfm(path)
    raw = matfile.read_mat(path, str(path), ["shapeMU", "shapePC"])
    mean, identity = (_rows(raw, key, path) for key in ("shapeMU", "shapePC"))
    if kept.max() >= len(mean):
        files.check_vertex_count(len(mean), files.N_WHOLE_VERTICES, path)
    means: tuple[Rows, ...] = (mean[kept],)
    name, citation = "BFM 2009 (with 3DDFA's expressions)", CITATION
    if companion.suffix.lower() == ".bin":
        # Its own mean offset stays out, as in Deep3DFaceReconstruction and all that follow it.
        expression, sigma = files.read_exp_pca(companion, folder, len(kept))
        name, citation = "BFM 2009 (79 expressions of Exp_Pca.bin)", CITATION + CITATION_EXP_PCA
    else:
        offset, expression, sigma = _read_expression(companion)
        means += (offset,)
    extra = files.read_fields(path, ["shapeEV", "tl"])
    basis = _basis(
        name, means, identity[kept], expression, path, sigmas=(_sigma(extra, "shapeEV"), sigma)
    )
    triangles = bfm_uv.trimmed(extra["tl"], kept, path) if "tl" in extra else None
    return replace(basis, triangles=triangles, citation=citation)


def _read_npy(folder: ModelFolder) -> _Basis:
    mean, offset, identity, expression = (
        files.vertex_rows(npyfile.read_npy(path, path), str(path))
        for path in map(folder.need, ("u_shp.npy", "u_exp.npy", "w_shp_sim.npy", "w_exp_sim.npy"))
    )
    path, name = folder.need("keypoints_sim.npy"), "BFM 2009 (3DDFA's npy files)"
    basis = _basis(name, (mean, offset), identity, expression, folder.root)
    points = bfm_uv.flat_landmarks(npyfile.read_npy(path, path), path)
    return replace(basis, landmark_vertices=points)


def _read_npz(folder: ModelFolder) -> _Basis:
    path = folder.need(DENSE_NPZ)
    raw = npyfile.read_npz(path, ["u", "w_shp", "w_exp"])
    mean, identity, expression = (_rows(raw, key, path) for key in ("u", "w_shp", "w_exp"))
    name = f"BFM 2009 (first {identity.shape[2]} + {expression.shape[2]} components)"
    basis = _basis(name, (mean,), identity, expression, path)
    if not folder.find(LANDMARK_NPZ):
        return basis
    path = folder.need(LANDMARK_NPZ)
    table = npyfile.read_npz(path, ["mu", "W", "We"])
    parts = [npyfile.real_numbers(part, path).astype(np.float64) for part in table.values()]
    if any(len(part) != 3 * N_LANDMARKS for part in parts):
        raise BenchError("the landmark basis has the wrong shape", code="wrong-shape", where=path)
    shaped = [part.reshape(N_LANDMARKS, 3, *part.shape[1:]) for part in parts]
    return replace(basis, landmark_basis=LandmarkBasis(*shaped))


def _rows(raw: dict[str, NDArray], key: str, path: Path) -> Rows:
    # Taken out of the dictionary, so that the array in the file's own dtype is freed.
    return files.vertex_rows(raw.pop(key), f"{path}: {key}")


def _sigma(raw: dict[str, NDArray], key: str) -> NDArray[np.float64] | None:
    return np.asarray(raw[key], np.float64).ravel() if key in raw else None


def _basis(
    name: str, means: tuple[Rows, ...], identity: Rows, expression: Rows, path: Path, **rest: Any
) -> _Basis:
    """The parts of one layout, once they agree on the number of vertices."""
    for part in (*means, expression):
        files.check_vertex_count(len(part), len(identity), path)
    return _Basis(name, sum(means[1:], start=means[0])[..., 0], identity, expression, **rest)


@dataclass(frozen=True)
class _Layout:
    """A distribution: its own file, what must lie beside it (any one of each), and its reader."""

    main: str
    beside: tuple[tuple[str, ...], ...]
    read: Callable[[ModelFolder], _Basis]


def _layouts() -> tuple[_Layout, ...]:
    trim = ("model_info.mat", "BFM_info.mat", "BFM_exp_idx.mat")
    arrays = ("w_exp_sim.npy", "u_shp.npy", "u_exp.npy", "keypoints_sim.npy")
    return (
        _Layout("Model_Shape.mat", (EXPRESSION_FILES,), _read_matlab),
        _Layout("BFM.mat", (), _read_face3d),
        _Layout("01_MorphableModel.mat", ((*EXPRESSION_FILES, "Exp_Pca.bin"), trim), _read_2009),
        _Layout("w_shp_sim.npy", tuple((name,) for name in arrays), _read_npy),
        _Layout(DENSE_NPZ, (), _read_npz),
    )


def _expected() -> str:
    """All layouts in one line, for the message that none of them was found."""
    lists = ((layout.main, *(names[0] for names in layout.beside)) for layout in _layouts())
    return ", or ".join(map(" + ".join, lists)) + "; all with BFM_UV.mat and model_info.mat"


def _choose(folder: ModelFolder) -> Callable[[ModelFolder], _Basis]:
    """Reader of the first complete layout, or the error that helps most."""
    present = [layout for layout in _layouts() if folder.find(layout.main)]
    for layout in present:
        if all(folder.find(*names) for names in layout.beside):
            return layout.read
    if not present:
        raise files.nothing(folder.root, folder, _expected())
    main = folder.need(present[0].main)
    if sniff.kind_of(main).code is not None:
        raise sniff.wrong_kind(main, main, code="", expected="a Basel Face Model file")
    if present[0].read is _read_2009:
        raise files.raw_bfm(main)
    missing = [" or ".join(names) for names in present[0].beside if not folder.find(*names)]
    raise files.incomplete(main, missing)


def _reader_of_file(path: Path, folder: ModelFolder) -> Callable[[ModelFolder], _Basis]:
    """Reader for the main file of a layout, whatever its name; its folder gives the rest."""
    layouts = {layout.main.lower(): layout for layout in _layouts()}
    name = path.name.lower()
    if sniff.describe(path) == "a MATLAB v5 to v7 file":
        fields = matfile.list_mat(path, str(path))
        if "shapePC" in fields and name == "bfm.mat":
            raise files.raw_bfm(path)
        marks = {"model": "BFM.mat", "shapePC": "01_MorphableModel.mat", "w": "Model_Shape.mat"}
        name = next((main.lower() for mark, main in marks.items() if mark in fields), name)
    if name not in layouts:
        raise files.nothing(path, folder, _expected())
    folder.files[name] = path
    folder.files = {k: v for k, v in folder.files.items() if k == name or k not in layouts}
    return _choose(folder)


def _assemble(basis: _Basis, folder: ModelFolder) -> FaceModel:
    """Basis, facts and UV layout to one model, once they agree."""
    n_vertices = len(basis.mean)
    files.check_vertex_count(n_vertices, n_vertices, folder.root)
    facts = files.read_facts(folder, n_vertices)
    triangles = basis.triangles if facts.triangles is None else facts.triangles
    landmarks = bfm_uv.agreed_landmarks(basis.landmark_vertices, facts, n_vertices, folder.root)
    if triangles is None or landmarks is None:
        raise files.incomplete(folder.root, ["triangles or landmarks: model_info.mat"])
    dense = landmark_basis_of(basis.mean, basis.identity, basis.expression, landmarks)
    if basis.landmark_basis is not None:
        bfm_uv.check_landmark_basis(basis.landmark_basis, dense, basis.mean, folder.root)
    triangles = bfm_uv.outward(triangles, basis.mean)
    mouth = facts.mouth_triangles
    uv_triangles = triangles if mouth is None else np.concatenate([triangles, mouth])
    uv = bfm_uv.read_uv(folder, facts, n_vertices)
    regions = bfm_uv.read_regions(folder, facts, landmarks, n_vertices)
    layout = bfm_uv.read_layout(folder, uv, uv_triangles, landmarks, regions)
    identity_sigma, expression_sigma = basis.sigmas
    return FaceModel(
        name=basis.name + (", mouth not filled" if mouth is None else ""),
        topology=f"bfm-{n_vertices}",
        units="um",
        licence=LICENCE,
        citation=basis.citation,
        mean=basis.mean,
        identity_basis=basis.identity,
        expression_basis=basis.expression,
        triangles=triangles,
        uv_triangles=uv_triangles,
        landmark_vertices=landmarks,
        landmark_basis=basis.landmark_basis or dense,
        uv_layout=layout,
        regions=regions | bfm_uv.face_region(uv, layout.face_mask),
        identity_sigma=identity_sigma,
        expression_sigma=expression_sigma,
    )
