"""What the training reads: the same maps as the reader's, photographs kept together, no test set."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fakes import FakeDataset  # noqa: E402

from prn_bench.build import build  # noqa: E402
from prn_bench.dataset import derive, open_dataset  # noqa: E402
from prn_bench.errors import BenchError  # noqa: E402
from prn_bench.recipes import find_recipe  # noqa: E402
from prn_bench.training import holdout, refusals  # noqa: E402
from prn_bench.training.loss_weights import dataset_weights  # noqa: E402
from reference_model import data  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def both_layouts(world, datasets, tmp_path_factory):
    """The synthetic 300W-LP in both layouts."""
    out = tmp_path_factory.mktemp("layouts") / "coefficients.h5"
    recipe, raw = find_recipe("300w-lp"), world / "raw-300w-lp"
    build(recipe, raw, out, face_model=world / "face-model.h5", layout="coefficients")
    return {"coefficients": open_dataset(out), "maps": open_dataset(datasets["300w-lp"])}


def faces(dataset, tmp_path, side_px=256, rows=(3, 7, 0)):
    """Three samples, out of order."""
    chosen = np.array(rows)
    return data.load_faces(dataset, chosen, side_px=side_px, device=CPU, scratch=tmp_path)


@pytest.mark.parametrize("layout", ["coefficients", "maps"])
def test_maps_and_images_are_those_of_the_reader(both_layouts, tmp_path, layout) -> None:
    """Decoded on the device in float32: within 0.01 px of the reader; images bit for bit."""
    dataset = both_layouts[layout]
    images, maps = faces(dataset, tmp_path).batch(torch.tensor([2, 1]))
    assert np.abs(maps.numpy() - dataset.position_maps([0, 7])).max() <= 0.01
    for image, row in zip(images, (0, 7), strict=True):
        pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        assert np.array_equal(pixels, dataset.image(row))


@pytest.mark.parametrize("layout", ["coefficients", "maps"])
def test_smaller_maps_keep_their_corners(both_layouts, tmp_path, layout) -> None:
    """A map of side 64 has the corners of the large one, and its images their mean."""
    dataset = both_layouts[layout]
    images, maps = faces(dataset, tmp_path, side_px=64).batch(torch.tensor([1]))
    large = dataset.position_maps([7])
    assert maps.shape == images.shape == (1, 3, 64, 64)
    assert np.allclose(maps[..., ::63, ::63], large[..., ::255, ::255], atol=0.01)
    assert images.mean().item() == pytest.approx(dataset.image(7).mean() / 255, abs=0.005)


def test_no_file_is_left_beside(both_layouts, tmp_path) -> None:
    """The file that images and maps are in has no name."""
    held = faces(both_layouts["maps"], tmp_path)
    assert held.images.shape == (3, 3, 256, 256)
    assert list(tmp_path.iterdir()) == []


def test_a_fit_that_is_not_a_number_is_named(both_layouts, tmp_path, monkeypatch) -> None:
    """The one sample that would make every weight NaN."""
    dataset, exact = both_layouts["coefficients"], derive.map_affine

    def broken(read):
        affine = exact(read)
        affine[1] = np.nan
        return affine

    monkeypatch.setattr(derive, "map_affine", broken)
    with pytest.raises(BenchError, match=str(dataset.sample_ids[7])) as error:
        faces(dataset, tmp_path)
    assert error.value.code == "not-finite"


def test_views_and_flips_of_a_photograph() -> None:
    """What 300W-LP names; elsewhere a sample is a photograph."""
    names = ["HELEN/HELEN_1629243_1_0", "HELEN_Flip/HELEN_1629243_1_13", "AFW_1_2_0"]
    found = [holdout.photograph(name, "300w-lp") for name in names]
    assert found == ["HELEN_1629243_1", "HELEN_1629243_1", "AFW_1_2"]
    assert holdout.photograph("image_00002", "mine") == "image_00002"


def lp_like(n_photographs: int) -> FakeDataset:
    """Names as in 300W-LP: five views and five flips a photograph."""
    ids = [
        f"HELEN{flip}/HELEN_{i}_1_{view}"
        for i in range(n_photographs)
        for flip in ("", "_Flip")
        for view in range(5)
    ]
    return FakeDataset({"sample_id": np.array(ids, object)}, attributes={"recipe": "300w-lp"})


def test_a_photograph_is_on_one_side_only() -> None:
    """Every row on one side, no photograph on both, about the share that was asked for."""
    dataset = lp_like(400)
    training, held = holdout.split(dataset, 0.1)
    assert sorted([*training, *held]) == list(range(len(dataset)))
    sides = [
        {holdout.photograph(name, "300w-lp") for name in dataset.sample_ids[rows]}
        for rows in (training, held)
    ]
    assert sides[0].isdisjoint(sides[1])
    assert 20 <= len(sides[1]) <= 60  # 40 expected, standard deviation 6
    assert len(held) == 10 * len(sides[1])


def test_the_split_does_not_depend_on_the_rest() -> None:
    """Half of the dataset is split as it is within the whole."""
    whole, half = lp_like(400), lp_like(200)
    held = {str(name) for name in whole.sample_ids[holdout.split(whole, 0.1)[1]]}
    found = {str(name) for name in half.sample_ids[holdout.split(half, 0.1)[1]]}
    assert found == held & {str(name) for name in half.sample_ids}


def test_a_small_dataset_still_holds_one_out() -> None:
    """Of two photographs one; of one, none; share 0: none."""
    assert [len(rows) for rows in holdout.split(lp_like(2), 1e-9)] == [10, 10]
    assert [len(rows) for rows in holdout.split(lp_like(1), 0.02)] == [10, 0]
    assert [len(rows) for rows in holdout.split(lp_like(5), 0.0)] == [50, 0]


@pytest.mark.parametrize("recipe", ["aflw2000-3d", "aflw-lfpa", "florence"])
def test_no_training_on_a_test_set(recipe) -> None:
    """Refused by name, unless it is asked for in so many words."""
    dataset = lp_like(3)
    dataset.attributes["recipe"] = recipe
    with pytest.raises(BenchError, match="test set of a benchmark") as error:
        holdout.split(dataset, 0.1)
    assert error.value.code == "test-set"
    assert len(holdout.split(dataset, 0.1, allow_test_set=True)[0])


@pytest.mark.parametrize(("side_px", "least"), [(256, 68), (64, 60)])
def test_loss_weights_keep_the_landmarks(both_layouts, side_px, least) -> None:
    """16 at every landmark pixel, on a small map too, where a few fall together; the neck weighs 0."""
    weights = dataset_weights(both_layouts["maps"], side_px)
    assert least <= (weights == 16).sum() <= 68
    assert set(np.unique(weights)) == {0, 3, 4, 16}


def test_only_a_symmetric_layout_can_be_mirrored(both_layouts) -> None:
    """The synthetic one is; one whose landmarks were moved to a side is refused with how far."""
    dataset = both_layouts["maps"]
    refusals.require_symmetry(dataset)
    moved = {name: dataset.read(f"uv/{name}") for name in ("landmark_pixels", "region_weights")}
    moved["landmark_pixels"] = moved["landmark_pixels"] + [0, 3]
    with pytest.raises(BenchError, match=r"found [678] pixels") as error:
        refusals.require_symmetry(FakeDataset({f"uv/{name}": one for name, one in moved.items()}))
    assert error.value.code == "not-symmetric"
