"""Face models from every layout of BFM files, written by code from one toy basis."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import toy_bfm as toys

from prn_bench.errors import BenchError
from prn_bench.facemodel import FaceModel
from prn_bench.facemodel.bfm import read_face_model
from prn_bench.facemodel.file import load_face_model, save_face_model
from prn_bench.uvmap import uv_to_pixel


@pytest.fixture(scope="module")
def toy() -> toys.Toy:
    """One known model for all layouts."""
    return toys.make_toy()


def refusal(path: Path) -> BenchError:
    """The BenchError that reading this raises."""
    with pytest.raises(BenchError) as error:
        read_face_model(path)
    return error.value


def check_is_toy(model: FaceModel, toy: toys.Toy) -> None:
    """The model holds the toy's arrays, indices from 0, triangles turned outwards."""
    assert np.allclose(model.mean, toy.mean, rtol=1e-6)
    assert np.array_equal(model.identity_basis, toy.identity)
    assert np.array_equal(model.expression_basis, toy.expression)
    assert model.mean.dtype == model.identity_basis.dtype == np.float32
    assert np.array_equal(model.triangles, toy.triangles[:, ::-1])
    assert np.array_equal(model.landmark_vertices, toy.landmarks)
    assert np.array_equal(model.uv_layout.operator.uv, toy.uv)
    for column, name in enumerate(("nose", "eyes", "mouth")):
        assert np.array_equal(model.regions[name], toy.segments[:, column] > 0)
    assert model.topology == f"bfm-{toys.N}"


@pytest.mark.parametrize("layout", toys.LAYOUTS)
def test_all_layouts_give_one_model(tmp_path: Path, toy: toys.Toy, layout: str) -> None:
    """Whatever the distribution, the same numbers come out, and the mouth is filled for UV."""
    toys.LAYOUTS[layout](tmp_path, toy)
    model = read_face_model(tmp_path)
    check_is_toy(model, toy)
    filled = model.uv_triangles[len(model.triangles) :]
    if layout == "face3d":
        assert np.array_equal(filled, toy.mouth)
    assert len(filled) == len(toy.mouth) == 6
    assert "mouth not filled" not in model.name
    expected = toy.identity[toy.landmarks].astype(np.float64)
    assert np.array_equal(model.landmark_basis.identity[..., :4], expected)
    if layout not in ("npy", "npz"):
        assert model.identity_sigma.tolist() == [0, 1, 2, 3]
        assert model.expression_sigma.tolist() == [0, 1, 2]


def test_exp_pca_gives_its_basis_but_not_its_mean(tmp_path: Path, toy: toys.Toy) -> None:
    """The expression mean of Exp_Pca.bin stays out, and its name and citation come in."""
    toys.write_2009_bin(tmp_path, toy)
    model = read_face_model(tmp_path)
    check_is_toy(model, toys.without_offset(toy))
    assert "Exp_Pca.bin" in model.name
    assert "Guo" in model.citation
    assert model.expression_sigma.tolist() == [0, 1, 2]


def test_3ddfa_expressions_are_preferred(tmp_path: Path, toy: toys.Toy) -> None:
    """The datasets' expression coefficients belong to them, not to Exp_Pca.bin."""
    toys.write_2009_bin(tmp_path, toy)
    toys.write_expression(tmp_path / "Model_Exp.mat", toy)
    check_is_toy(read_face_model(tmp_path), toy)


def test_landmark_basis_may_have_more_components(tmp_path: Path, toy: toys.Toy) -> None:
    """The 68-point npz gives two more components of each kind than the dense one."""
    toys.write_npz(tmp_path, toy)
    model = read_face_model(tmp_path)
    assert model.n_components == (4, 3)
    assert model.landmark_basis.identity.shape == (68, 3, 6)
    assert model.landmark_basis.expression.shape == (68, 3, 5)


def test_files_may_lie_deeper_and_in_other_case(tmp_path: Path, toy: toys.Toy) -> None:
    """Folders in the folder are looked at, and names in any case are found."""
    toys.write_matlab(tmp_path, toy)
    (tmp_path / "Code").mkdir()
    shutil.move(tmp_path / "model_info.mat", tmp_path / "Code" / "Model_Info.mat")
    (tmp_path / "BFM_UV.mat").rename(tmp_path / "bfm_uv.mat")
    check_is_toy(read_face_model(tmp_path), toy)


@pytest.mark.parametrize(
    ("layout", "name"),
    [("face3d", "BFM.mat"), ("2009", "01_MorphableModel.mat"), ("matlab", "Model_Shape.mat")],
)
def test_a_main_file_may_be_named(tmp_path: Path, toy: toys.Toy, layout: str, name: str) -> None:
    """Its content tells the layout, whatever the file is called."""
    toys.LAYOUTS[layout](tmp_path, toy)
    check_is_toy(read_face_model((tmp_path / name).rename(tmp_path / "renamed.mat")), toy)


def test_a_read_model_survives_its_file(tmp_path: Path, toy: toys.Toy) -> None:
    """What was read can be saved and loaded, with the same digest."""
    toys.write_face3d(tmp_path, toy)
    model = read_face_model(tmp_path)
    save_face_model(model, tmp_path / "fm.h5")
    assert load_face_model(tmp_path / "fm.h5").model_id == model.model_id


def test_mouth_may_be_missing(tmp_path: Path, toy: toys.Toy) -> None:
    """Without mouth triangles the UV map has its hole, and the name says so."""
    toys.write_matlab(tmp_path, toy)
    (tmp_path / "BFM_info.mat").unlink()
    model = read_face_model(tmp_path)
    assert len(model.uv_triangles) == len(model.triangles)
    assert model.name.endswith("mouth not filled")


def write_mask(folder: Path, mask: np.ndarray) -> None:
    """PRNet's face mask as a grey PNG."""
    from PIL import Image

    Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "uv_face_mask.png")


def test_mask_and_weights(tmp_path: Path, toy: toys.Toy) -> None:
    """PNG and pixel list give one mask; weights are 16, 4, 3, 0 with 68 landmarks."""
    toys.write_matlab(tmp_path, toy)
    assert read_face_model(tmp_path).uv_layout.region_weights is None
    mask = np.zeros((256, 256), bool)
    mask[20:220, 10:246] = True
    np.savetxt(tmp_path / "face_ind.txt", np.flatnonzero(mask))
    layout = read_face_model(tmp_path).uv_layout
    write_mask(tmp_path, mask)
    model = read_face_model(tmp_path)
    assert np.array_equal(layout.face_mask, mask)
    assert np.array_equal(model.uv_layout.face_mask, mask)
    weights = model.uv_layout.region_weights
    assert sorted(np.unique(weights)) == [0, 3, 4, 16]
    assert (weights == 16).sum() == 68
    pixel = np.rint(uv_to_pixel(toy.uv)).astype(int)
    assert np.array_equal(model.regions["face"], mask[pixel[:, 1], pixel[:, 0]])
    write_mask(tmp_path, mask[:128])
    assert refusal(tmp_path).code == "wrong-shape"


def test_uv_landmarks_are_checked(tmp_path: Path, toy: toys.Toy) -> None:
    """x first, y second: the right file is taken, a swapped and a shifted one are refused."""
    toys.write_matlab(tmp_path, toy)
    x, y = np.rint(uv_to_pixel(toy.uv)[toy.landmarks]).T
    expected = read_face_model(tmp_path).uv_layout.landmark_pixels
    assert np.array_equal(expected, np.stack([y, x], 1))
    for points, code in (
        ((x, y), None),
        ((y, x), "uv-landmarks-swapped"),
        ((x + 3, y), "uv-landmarks-elsewhere"),
        ((x[:21], y[:21]), "wrong-shape"),
        ((x - 0.5, y), "not-a-table"),
    ):
        np.savetxt(tmp_path / "uv_kpt_ind.txt", points)
        if code is None:
            found = read_face_model(tmp_path).uv_layout.landmark_pixels
            assert np.array_equal(found, expected)
        else:
            assert refusal(tmp_path).code == code


def test_raw_bfm_is_named(tmp_path: Path, toy: toys.Toy) -> None:
    """Alone, or under the name BFM.mat, the raw model gets its own message with what to add."""
    toys.save_mat(tmp_path / "01_MorphableModel.mat", toys.raw_bfm(toy))
    for path in (tmp_path, tmp_path / "01_MorphableModel.mat"):
        error = refusal(path)
        assert error.code == "raw-bfm-instead-of-bfm-mat"
        for word in ("01_MorphableModel.mat", "model_info.mat", "Exp_Pca.bin", "face-model FOLDER"):
            assert word in str(error)
    (tmp_path / "01_MorphableModel.mat").rename(tmp_path / "BFM.mat")
    assert refusal(tmp_path).code == "raw-bfm-instead-of-bfm-mat"
    assert refusal(tmp_path / "BFM.mat").code == "raw-bfm-instead-of-bfm-mat"


def test_bfm_2017_is_named(tmp_path: Path) -> None:
    """The newer models have another topology."""
    path = tmp_path / "model2017-1_face12_nomouth.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    assert refusal(tmp_path).code == "bfm-2017-not-supported"
    assert refusal(path).code == "bfm-2017-not-supported"


def test_pointers_and_pages_are_named(tmp_path: Path, toy: toys.Toy) -> None:
    """A wrong download of any file of a layout is named with the file."""
    toys.write_npy(tmp_path, toy)
    for name in ("model_info.mat", "BFM_UV.mat", "w_shp_sim.npy", "keypoints_sim.npy"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid 1\n")
        error = refusal(tmp_path)
        assert error.code == "git-lfs-pointer"
        assert str(error).startswith(str(tmp_path / name))
        (tmp_path / name).write_bytes(content)
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "01_MorphableModel.mat").write_bytes(b"<!DOCTYPE html><html>")
    assert refusal(pages).code == "html-page"
    assert refusal(pages / "01_MorphableModel.mat").code == "html-page"


def test_nothing_recognised_lists_the_layouts(tmp_path: Path) -> None:
    """One message says what was looked for; a missing path has its own."""
    (tmp_path / "notes.txt").write_text("hello")
    error = refusal(tmp_path)
    assert error.code == "no-face-model-files"
    for word in ("Model_Shape.mat + Model_Exp.mat", "BFM.mat", "w_shp_sim.npy", "1 other files"):
        assert word in str(error)
    assert refusal(tmp_path / "notes.txt").code == "no-face-model-files"
    assert refusal(tmp_path / "none").code == "no-such-path"


@pytest.mark.parametrize(
    ("layout", "name", "code"),
    [
        ("matlab", "BFM_UV.mat", "no-uv-coordinates"),
        ("matlab", "Model_Exp.mat", "face-model-incomplete"),
        ("npy", "u_exp.npy", "face-model-incomplete"),
        ("npy", "model_info.mat", "face-model-incomplete"),
        ("2009", "Model_Expression.mat", "raw-bfm-instead-of-bfm-mat"),
    ],
)
def test_a_missing_companion_is_named(
    tmp_path: Path, toy: toys.Toy, layout: str, name: str, code: str
) -> None:
    """The message names the file to add."""
    toys.LAYOUTS[layout](tmp_path, toy)
    (tmp_path / name).unlink()
    error = refusal(tmp_path)
    assert error.code == code
    assert name.replace("Model_Expression", "Model_Exp") in str(error)


def test_other_meshes_are_named(tmp_path: Path, toy: toys.Toy) -> None:
    """A companion of a known other mesh is called by its name."""
    toys.write_matlab(tmp_path, toy)
    (tmp_path / "model_info.mat").unlink()
    for count, words in ((53490, "the whole BFM 2009"), (38365, "3DDFA-V2"), (5023, "FLAME")):
        toys.save_mat(tmp_path / "BFM_UV.mat", {"UV": np.zeros((count, 2))})
        error = refusal(tmp_path)
        assert error.code == "wrong-vertex-count"
        assert words in str(error)
        assert f"{toys.N} vertices" in str(error)
    bad = {"mu_exp": np.zeros((9, 1)), "w_exp": np.zeros((9, 2))}
    toys.save_mat(tmp_path / "Model_Exp.mat", bad)
    assert refusal(tmp_path).code == "wrong-vertex-count"


@pytest.mark.parametrize("field", ["tri", "keypoints", "trimIndex"])
def test_indices_that_count_from_zero_are_refused(
    tmp_path: Path, toy: toys.Toy, field: str
) -> None:
    """A converted file would be shifted twice."""
    toys.write_matlab(tmp_path, toy)
    arrays = {"tri": toy.triangles.T, "keypoints": toy.landmarks[None], "trimIndex": toy.trim}
    values = arrays[field] - arrays[field].min()
    toys.write_companions(tmp_path, toy, **{field: values})
    error = refusal(tmp_path)
    assert error.code == "indices-not-from-one"
    assert field in str(error)


@pytest.mark.parametrize("layout", ["npz", "npy"])
def test_landmarks_shifted_by_one_are_noticed(tmp_path: Path, toy: toys.Toy, layout: str) -> None:
    """Landmarks converted twice lie one vertex off: the second source disagrees."""
    toys.LAYOUTS[layout](tmp_path, toy)
    toys.write_companions(tmp_path, toy, keypoints=toy.landmarks[None])
    assert refusal(tmp_path).code == "landmarks-disagree"


def test_damaged_parts_are_named(tmp_path: Path, toy: toys.Toy) -> None:
    """A cut Exp_Pca.bin, keypoints that are no places, values that are not finite."""
    toys.write_2009_bin(tmp_path, toy)
    content = (tmp_path / "Exp_Pca.bin").read_bytes()
    (tmp_path / "Exp_Pca.bin").write_bytes(content[:-4])
    assert refusal(tmp_path).code == "damaged-exp-pca"
    other = tmp_path / "npy"
    other.mkdir()
    toys.write_npy(other, toy)
    places = np.load(other / "keypoints_sim.npy")
    np.save(other / "keypoints_sim.npy", places + 1)
    assert refusal(other).code == "keypoints-not-flat"
    np.save(other / "keypoints_sim.npy", places)
    np.save(other / "u_exp.npy", np.full((3 * toys.N, 1), np.nan, np.float32))
    assert refusal(other).code == "not-finite"
    np.save(other / "u_exp.npy", np.zeros(10))
    assert refusal(other).code == "wrong-shape"
    np.save(other / "u_exp.npy", np.array([{}], object))
    assert refusal(other).code == "object-array"
