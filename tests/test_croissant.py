"""Croissant metadata: what its validator asks for, and a digest that is the file's."""

import hashlib
import json

from prn_bench.croissant import croissant
from prn_bench.dataset import open_dataset


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
