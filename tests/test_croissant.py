"""Croissant metadata: what its validator asks for, and a digest that is the file's."""

import hashlib
import json

from prn_bench.build import build
from prn_bench.dataset import open_dataset
from prn_bench.dataset.croissant import croissant
from prn_bench.recipes import available_recipes, find_recipe


def test_everything_the_specification_requires(datasets):
    """The required properties of a dataset and of a file, and nothing that JSON cannot hold."""
    path = datasets["300w-lp"]
    found = json.loads(json.dumps(croissant(open_dataset(path))))
    assert {"@context", "@type", "conformsTo", "name", "description", "license", "url"} <= set(
        found
    )
    (file,) = found["distribution"]
    assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file["contentUrl"] == path.name
    assert "position_map" in found["description"]


def test_the_name_carries_the_content(datasets):
    """Two datasets of one recipe with different content have different names."""
    names = {croissant(open_dataset(path))["name"] for path in datasets.values()}
    assert len(names) == len(datasets)
    assert all(name.replace("-", "").isalnum() for name in names)


def test_the_date_is_that_of_the_raw_data(datasets):
    """Synthetic data were never published; of real ones the card gives date and source."""
    dataset = open_dataset(datasets["florence"])
    assert "published" not in dataset.attributes
    assert "datePublished" not in croissant(dataset)
    dataset.attributes["published"] = "2011"
    assert croissant(dataset)["datePublished"] == "2011"


def test_every_card_has_a_date_that_its_citation_bears_out():
    """A year is not made up: the citation names it. What prn-bench renders was published by nobody."""
    for name, recipe in available_recipes().items():
        assert recipe.card.published in recipe.card.citation
        assert bool(recipe.card.published) == bool(recipe.card.published_source)
        assert recipe.card.published or name == "synthetic"


def test_a_real_build_carries_the_date(real_data, tmp_path):
    """Two real pairs, as `build` makes them."""
    raw, out = real_data / "aflw2000_3d", tmp_path / "d.h5"
    build(find_recipe("aflw2000-3d"), raw, out, with_images=False, limit=2)
    assert croissant(open_dataset(out))["datePublished"] == "2016"
