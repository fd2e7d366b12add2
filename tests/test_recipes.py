"""Finding recipes, and one conformance test that every recipe passes."""

import shutil
import zipfile

import numpy as np
import pytest

from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.errors import BenchError
from prn_bench.recipes import available_recipes, find_recipe, read_card
from prn_bench.recipes.rawsource import open_raw

NAMES = sorted(available_recipes())


def test_the_two_recipes_are_found():
    """By their usual names."""
    assert {"300w-lp", "aflw2000-3d"} <= set(NAMES)


def test_a_misspelt_name_gets_a_suggestion():
    """One message that names the known ones."""
    with pytest.raises(BenchError) as error:
        find_recipe("AFLW2000")
    assert error.value.code == "unknown-recipe"
    assert "aflw2000-3d" in str(error.value)


def test_a_card_with_an_unknown_key_is_refused(tmp_path):
    """A misspelt key must not be ignored."""
    (tmp_path / "card.toml").write_text('name = "x"\ntitel = "y"\n')
    with pytest.raises(BenchError) as error:
        read_card(tmp_path / "card.toml")
    assert error.value.code == "bad-card"
    assert "titel" in str(error.value)


class TestEveryRecipe:
    """What a dataset must do to be one of ours."""

    @pytest.fixture(params=NAMES)
    def name(self, request):
        return request.param

    def test_card(self, name):
        """Facts for people are there, and the name is the one it is found by."""
        card = find_recipe(name).card
        assert card.name == name
        assert all([card.title, card.licence, card.citation, card.obtain, card.tree])
        assert card.expected_samples
        assert all(side > 0 for side in card.image_size_px)

    def test_audit_adds_up(self, name, datasets):
        """Found = read + warned + quarantined, nothing is lost (Florence makes whole subjects)."""
        import json

        audit = json.loads(open_dataset(datasets[name]).attributes["report"])
        assert audit["found"] == audit["read"] + audit["warned"] + audit["quarantined"] in (12, 20)
        assert audit["quarantined"] == 0

    def test_ids_are_unique_and_sorted(self, name, datasets):
        """Joined by id, ordered by id."""
        ids = list(open_dataset(datasets[name]).sample_ids)
        assert ids == sorted(set(ids))

    def test_synthetic_data_is_marked(self, name, datasets):
        """Never to be taken for the real set."""
        assert open_dataset(datasets[name]).attributes["origin"] == "synthetic"

    def test_landmarks_lie_on_the_position_map(self, name, datasets):
        """The map read at the landmark pixels is the landmark in the crop, to a map pixel."""
        dataset = open_dataset(datasets[name])
        if "coefficients/pose" not in dataset.names:
            pytest.skip("this dataset has no fits, so it has no position maps")
        pixels = dataset.read("uv/landmark_pixels")
        maps = dataset.position_maps()
        on_map = maps[:, :, pixels[:, 0], pixels[:, 1]].swapaxes(1, 2)
        crop, points = dataset.read("crop"), dataset.read("landmarks")
        flat = np.concatenate([points[..., :2], np.ones((*points.shape[:2], 1))], -1)
        in_crop = (flat @ np.swapaxes(crop, 1, 2))[..., :2]
        gap = np.linalg.norm(on_map[..., :2] - in_crop, axis=-1)
        assert np.median(gap) < 1.0
        depth = points[..., 2] * crop[:, :1, 0] + dataset.read("z_shift")[:, None]
        assert np.median(np.abs(on_map[..., 2] - depth)) < 1.0

    def test_rebuilding_and_more_workers_change_nothing(self, name, world, datasets, tmp_path):
        """Same fingerprint, same content, with two workers."""
        recipe = find_recipe(name)
        again = tmp_path / "again.h5"
        build(recipe, world / f"raw-{name}", again, face_model=world / "face-model.h5", jobs=2)
        first, second = open_dataset(datasets[name]), open_dataset(again)
        for key in ("fingerprint", "content_sha256"):
            assert first.attributes[key] == second.attributes[key]

    def test_a_zip_gives_the_same(self, name, world, datasets, tmp_path):
        """The zip as downloaded need not be unpacked."""
        archive = shutil.make_archive(str(tmp_path / "raw"), "zip", world / f"raw-{name}")
        report = build(
            find_recipe(name), archive, tmp_path / "zip.h5", face_model=world / "face-model.h5"
        )
        assert report.fingerprint == open_dataset(datasets[name]).attributes["fingerprint"]

    def test_synthetic_data_repeats_to_the_byte(self, name, face_model, world, tmp_path):
        """The same seed writes the same files."""
        find_recipe(name).write_synthetic(tmp_path / "raw", face_model, 2, seed=5)
        find_recipe(name).write_synthetic(tmp_path / "raw2", face_model, 2, seed=5)
        first, second = open_raw(tmp_path / "raw"), open_raw(tmp_path / "raw2")
        assert first.names == second.names
        assert all(first.read(n) == second.read(n) for n in first.names)

    @pytest.mark.parametrize(
        ("damage", "code"),
        [
            ("lfs", "git-lfs-pointer"),
            ("html", "html-page"),
            ("cut", "truncated"),
            ("gone", "no-annotation"),
        ],
    )
    def test_one_bad_annotation_loses_nothing_else(self, name, world, tmp_path, damage, code):
        """It is quarantined with its reason; the others are built. A shared one stops the build."""
        raw = tmp_path / "raw"
        shutil.copytree(world / f"raw-{name}", raw)
        files = sorted(raw.rglob("*.mat")) or pytest.skip("this dataset has no .mat files")
        victim = files[1]
        content = {
            "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
            "html": b"<!DOCTYPE html><html>quota exceeded</html>",
            "cut": victim.read_bytes()[:700],
        }
        victim.write_bytes(content[damage]) if damage in content else victim.unlink()
        if len(files) < 12:  # a file of the whole set: nothing can be built without it
            with pytest.raises(BenchError) as stop:
                build(find_recipe(name), raw, tmp_path / "d.h5", with_images=False)
            assert stop.value.code == code
            assert victim.name in str(stop.value.where)
            return
        report = build(
            find_recipe(name), raw, tmp_path / "d.h5", with_images=False, **_model(name, world)
        )
        assert (report.n_samples, report.audit.quarantined) == (11, 1)
        finding = next(f for f in report.audit.findings if f.level == "error")
        assert finding.code == code
        assert victim.stem in finding.where

    def test_one_cut_image_loses_nothing_else(self, name, world, tmp_path):
        """A truncated JPEG is quarantined."""
        raw = tmp_path / "raw"
        shutil.copytree(world / f"raw-{name}", raw)
        victim = (sorted(raw.rglob("*.jpg")) or pytest.skip("this dataset has no photographs"))[0]
        victim.write_bytes(victim.read_bytes()[:3000])
        report = build(find_recipe(name), raw, tmp_path / "d.h5", **_model(name, world))
        assert report.audit.quarantined == 1
        assert [f.code for f in report.audit.findings if f.level == "error"] == ["truncated-image"]

    def test_a_wrong_folder_says_what_was_expected(self, name, tmp_path):
        """No empty dataset, no exit code 0."""
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw" / "readme.txt").write_text("hello")
        with pytest.raises(BenchError) as error:
            build(find_recipe(name), tmp_path / "raw", tmp_path / "d.h5")
        assert error.value.code == "nothing-found"
        assert not (tmp_path / "d.h5").exists()

    def test_an_empty_folder(self, name, tmp_path):
        """Its own message."""
        (tmp_path / "raw").mkdir()
        with pytest.raises(BenchError) as error:
            build(find_recipe(name), tmp_path / "raw", tmp_path / "d.h5")
        assert error.value.code == "empty-folder"


def _model(name, world):
    """Every recipe is tried as its users would run it: with a face model."""
    return {"face_model": world / "face-model.h5"}


def test_landmarks_come_without_a_face_model(world, tmp_path):
    """AFLW2000-3D stores its points; scoring needs no licensed model."""
    report = build(
        find_recipe("aflw2000-3d"), world / "raw-aflw2000-3d", tmp_path / "d.h5", with_images=False
    )
    assert "position_map" not in open_dataset(report.path).names


def test_300w_lp_without_a_face_model_says_why(world, tmp_path):
    """Its stored points are stale, so there is nothing to fall back on."""
    with pytest.raises(BenchError) as error:
        build(find_recipe("300w-lp"), world / "raw-300w-lp", tmp_path / "d.h5")
    assert error.value.code == "face-model-needed"


def test_stale_points_are_never_used(world, datasets):
    """All views of a synthetic 300W-LP face share pt2d; the built landmarks differ from view to view."""
    from prn_bench.formats.matfile import read_mat

    mats = sorted((world / "raw-300w-lp" / "300W_LP" / "AFW").glob("*.mat"))
    stale = [read_mat(path, str(path), ["pt2d"])["pt2d"] for path in mats[:2]]
    np.testing.assert_array_equal(stale[0], stale[1])
    dataset = open_dataset(datasets["300w-lp"])
    rows = [list(dataset.sample_ids).index(f"AFW/{path.stem}") for path in mats[:2]]
    first, second = dataset.read("landmarks", rows)
    assert np.linalg.norm(first - second, axis=-1).mean() > 5


def test_hidden_points_are_never_used(world, datasets):
    """pt2d of AFLW2000-3D holds -1; no built landmark or box knows of it."""
    dataset = open_dataset(datasets["aflw2000-3d"])
    assert dataset.read("landmarks").min() > -400
    assert (dataset.read("box")[:, :2] > 0).all()


def test_unwrapped_yaw_is_kept_and_flagged(datasets):
    """The synthetic set plants one yaw a turn off."""
    import json

    dataset = open_dataset(datasets["aflw2000-3d"])
    yaw = dataset.read("yaw_deg/fitted")
    wide = [str(i) for i in dataset.sample_ids[np.abs(yaw) > 180]]
    findings = json.loads(dataset.attributes["report"])["findings"]
    assert wide
    assert [f["where"] for f in findings if f["code"] == "wide-angle"] == wide


def test_both_annotations_and_yaws_are_kept(datasets):
    """In the image frame, with the way back to the stored one."""
    dataset = open_dataset(datasets["aflw2000-3d"])
    assert {"annotation/reannotated", "yaw_deg/fitted", "yaw_deg/aflw", "roi_box"} <= dataset.names
    np.testing.assert_array_equal(dataset.stored_offset("landmarks"), [1, 1, 0])
    np.testing.assert_array_equal(dataset.stored_offset("annotation/reannotated"), [0, 0])


def test_companion_arrays_in_another_order_are_caught(world, tmp_path):
    """The order is proved against the .mat files."""
    raw = tmp_path / "raw"
    shutil.copytree(world / "raw-aflw2000-3d", raw)
    points = np.load(raw / "AFLW2000-3D.pts68.npy")
    np.save(raw / "AFLW2000-3D.pts68.npy", points[::-1])
    with pytest.raises(BenchError) as error:
        build(find_recipe("aflw2000-3d"), raw, tmp_path / "d.h5", with_images=False)
    assert error.value.code == "companion-order"


def test_a_pickled_companion_is_refused(world, tmp_path):
    """np.save of objects is a pickle: never loaded."""
    raw = tmp_path / "raw"
    shutil.copytree(world / "raw-aflw2000-3d", raw)
    np.save(raw / "AFLW2000-3D-new.pose.npy", np.array([{}, 1], object), allow_pickle=True)
    with pytest.raises(BenchError) as error:
        build(find_recipe("aflw2000-3d"), raw, tmp_path / "d.h5", with_images=False)
    assert error.value.code == "object-array"


def test_two_copies_of_one_sample_are_an_error(world, tmp_path):
    """Which of them would count?"""
    raw = tmp_path / "raw"
    for place in ("a", "b"):
        shutil.copytree(world / "raw-aflw2000-3d" / "AFLW2000", raw / place / "AFLW2000")
    with pytest.raises(BenchError) as error:
        build(find_recipe("aflw2000-3d"), raw, tmp_path / "d.h5", with_images=False)
    assert error.value.code == "duplicate-id"


def test_a_strangers_recipe_works_by_path(world, tmp_path):
    """One folder with two files, nothing else to edit."""
    from dataset_recipes.aflw2000_3d import recipe as source

    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(source.__file__, folder / "recipe.py")
    card = find_recipe("aflw2000-3d").path.with_name("card.toml").read_text("utf-8")
    (folder / "card.toml").write_text(
        card.replace('name = "aflw2000-3d"', 'name = "mine"'), "utf-8"
    )
    report = build(
        find_recipe(str(folder / "recipe.py")),
        world / "raw-aflw2000-3d",
        tmp_path / "d.h5",
        with_images=False,
        jobs=2,
    )
    assert open_dataset(report.path).attributes["recipe"] == "mine"


def test_a_damaged_member_of_a_zip_is_quarantined(world, tmp_path):
    """One flipped byte in one member: that sample only."""
    raw = world / "raw-aflw2000-3d"
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(raw.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(raw))
    content = bytearray(path.read_bytes())
    victim = zipfile.ZipFile(path).getinfo("AFLW2000/image00003.mat")
    content[victim.header_offset + 300] ^= 0xFF
    path.write_bytes(content)
    report = build(find_recipe("aflw2000-3d"), path, tmp_path / "d.h5", with_images=False)
    assert (report.n_samples, report.audit.quarantined) == (11, 1)
