"""Augmentation: hand values, a dot that follows its landmark, and chances that do not depend on the run."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from prn_bench.landmarks import mirror_permutation  # noqa: E402
from reference_model.augment import Augmentation, augment, draw, mirror, noise_texture  # noqa: E402
from reference_model.config import TrainConfig  # noqa: E402

NOISE = torch.zeros(3, 8, 8)


def plan(
    *, turn_deg=0.0, scale=1.0, shift=(0.0, 0.0), colour=(1.0, 1.0, 1.0), patch=None, flip=False
):
    """The same augmentation for one sample, from numbers that a person can read."""
    patch = [0.0] * 8 if patch is None else patch
    values = [math.radians(turn_deg)], [scale], [shift], [colour], [patch]
    tensors = (torch.tensor(value, dtype=torch.float32) for value in values)
    return Augmentation(*tensors, torch.tensor([flip]))


def turned(point, **how):
    """Where one point of a map goes."""
    maps = torch.tensor(point, dtype=torch.float32).reshape(1, 3, 1, 1)
    return augment(torch.zeros(1, 3, 32, 32), maps, plan(**how), NOISE)[1].flatten().tolist()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"turn_deg": 90}, (127.5, 137.5, 50)),  # right of the middle goes below it; y points down
        ({"turn_deg": 45}, (127.5 + 10 / 2**0.5, 127.5 + 10 / 2**0.5, 50)),
        ({"scale": 1.2}, (139.5, 127.5, 60)),
        ({"shift": (3, -4)}, (140.5, 123.5, 50)),
        ({"turn_deg": 180, "scale": 0.9, "shift": (1, 2)}, (119.5, 129.5, 45)),
    ],
)
def test_a_point_ten_pixels_right_of_the_middle(how, expected) -> None:
    """x, y by hand; z takes the scale and nothing else: at 45 degrees it is not 0.707 of itself."""
    assert turned((137.5, 127.5, 50), **how) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("side_px", [64, 256])
@pytest.mark.parametrize("seed", range(4))
def test_a_painted_dot_follows_its_landmark(side_px, seed) -> None:
    """The centre of a dot on the image is where the map says, whatever the side of the image."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(100, 155, 2)
    edges = (np.arange(side_px) + 0.5) * (256 / side_px) - 0.5  # pixel centres in crop pixels
    dot = np.exp(-((edges[None] - at[0]) ** 2 + (edges[:, None] - at[1]) ** 2) / (2 * 6.0**2))
    images = torch.tensor(np.stack([dot] * 3)[None], dtype=torch.float32)
    maps = torch.tensor([*at, 7.0], dtype=torch.float32).reshape(1, 3, 1, 1)
    how = plan(turn_deg=rng.uniform(-45, 45), scale=rng.uniform(0.9, 1.2), shift=(20.0, -11.0))
    moved, mapped = augment(images, maps, how, NOISE)
    weight = moved[0, 0].double().numpy()
    found = [(weight * grid).sum() / weight.sum() for grid in np.meshgrid(edges, edges)]
    assert found == pytest.approx(mapped[0, :2].flatten().tolist(), abs=0.1)


def test_doing_nothing_changes_nothing() -> None:
    """No turn, scale 1, no shift, colour 1, no patch."""
    images, maps = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 16, 16) * 256
    same = augment(images, maps, plan(), NOISE)
    assert torch.allclose(same[0], images, atol=1e-5)
    assert torch.allclose(same[1], maps, atol=1e-4)


def test_colours_are_factors_a_channel_and_stay_in_range() -> None:
    """0.5 grey times 0.6, 1 and 2.4, the last cut at 1."""
    images = torch.full((1, 3, 32, 32), 0.5)
    found = augment(images, torch.zeros(1, 3, 2, 2), plan(colour=(0.6, 1.0, 2.4)), NOISE)[0]
    assert found[0, :, 16, 16].tolist() == pytest.approx([0.3, 0.5, 1.0])


def test_an_occluder_is_a_rectangle_of_noise() -> None:
    """Half sides 1/4 and 1/2 about the middle: 1/4 x 1/2 of the pixels, and the map is not touched."""
    images, maps = torch.ones(1, 3, 64, 64), torch.rand(1, 3, 8, 8)
    how = plan(patch=[0, 0, 0.25, 0.5, 0, 0, 0, 1])
    found, same = augment(images, maps, how, NOISE)
    assert (found == 0).float().mean().item() == pytest.approx(0.125)
    assert (found[0, :, 32, 20:44] == 0).sum() == 3 * 16
    assert torch.allclose(same, maps, atol=1e-4)


def test_chances_belong_to_seed_epoch_and_sample() -> None:
    """The same again for the same; another epoch or seed has others; a larger set keeps the first rows."""
    config = TrainConfig(seed=4)
    table = draw(config, 2, 10)
    assert torch.equal(table, draw(config, 2, 10))
    assert torch.equal(table, draw(config, 2, 25)[:10])
    assert not torch.equal(table, draw(config, 3, 10))
    assert not torch.equal(table, draw(TrainConfig(seed=5), 2, 10))
    assert torch.equal(noise_texture(1), noise_texture(1))


def test_ranges_are_those_of_the_paper() -> None:
    """Of many samples every quantity fills its range and does not leave it; half are occluded."""
    how = Augmentation.from_chances(draw(TrainConfig(), 0, 20_000), TrainConfig())
    degrees = torch.rad2deg(how.angle)
    for values, low, high in (
        (degrees, -45, 45),
        (how.scale, 0.9, 1.2),
        (how.shift_px, -25.6, 25.6),
        (how.colour, 0.6, 1.4),
    ):
        width = high - low
        assert low <= values.min() < low + 0.01 * width
        assert high - 0.01 * width < values.max() <= high
    assert how.patch[:, 7].mean().item() == pytest.approx(0.5, abs=0.02)


def test_no_augmentation_can_be_asked_for() -> None:
    """All ranges closed and no occlusion: the identity."""
    still = TrainConfig(
        rotation_deg=0, translation=0, scale=(1.0, 1.0), colour=(1.0, 1.0), occlusion=0
    )
    how = Augmentation.from_chances(draw(still, 0, 3), still)
    images, maps = torch.rand(3, 3, 32, 32), torch.rand(3, 3, 4, 4) * 256
    same = augment(images, maps, how, noise_texture(0))
    assert torch.allclose(same[0], images, atol=1e-5)
    assert torch.allclose(same[1], maps, atol=1e-4)


def test_a_mirrored_face_by_hand() -> None:
    """3 x 3: columns change places, x becomes 255 - x, y and z stay with their column."""
    image = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]).expand(1, 3, 3, 3)
    maps = torch.zeros(1, 3, 3, 3)
    maps[0, 0] = torch.tensor([10.0, 127.5, 200])
    maps[0, 1, 1] = torch.tensor([1.0, 2, 3])
    maps[0, 2, 2] = torch.tensor([4.0, 5, 6])
    flipped, mapped = mirror(image, maps)
    assert flipped[0, 2].tolist() == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]
    assert mapped[0, 0].tolist() == [[55, 127.5, 245]] * 3
    assert mapped[0, 1].tolist() == [[0, 0, 0], [3, 2, 1], [0, 0, 0]]
    assert mapped[0, 2].tolist() == [[0, 0, 0], [0, 0, 0], [6, 5, 4]]


def test_mirrored_twice_is_the_same() -> None:
    """Pictures and maps."""
    images, maps = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 4, 4) * 256
    again = mirror(*mirror(images, maps))
    assert torch.equal(again[0], images)
    assert torch.allclose(again[1], maps, atol=1e-4)


def test_landmarks_of_a_mirrored_map(dataset) -> None:
    """They are the mirrored landmarks with left and right exchanged, within the rounding of pixels."""
    maps = torch.from_numpy(dataset.position_maps([0, 5]))
    rows, columns = dataset.read("uv/landmark_pixels").T
    points = maps[:, :, rows, columns].clone()
    points[:, 0] = 255 - points[:, 0]
    wanted = points[:, :, torch.from_numpy(mirror_permutation())]
    found = mirror(maps, maps)[1][:, :, rows, columns]
    assert (found - wanted).abs().max() < 3
    assert (found - wanted).abs().median() < 0.5


def test_half_of_the_pictures_are_mirrored() -> None:
    """Where it is asked for, before the face is moved; never otherwise."""
    how = Augmentation.from_chances(draw(TrainConfig(), 0, 20_000), TrainConfig(flip=True))
    assert how.flip.float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert not Augmentation.from_chances(draw(TrainConfig(), 0, 99), TrainConfig()).flip.any()
    assert turned((137.5, 127.5, 50), flip=True, shift=(3, -4)) == pytest.approx((120.5, 123.5, 50))
