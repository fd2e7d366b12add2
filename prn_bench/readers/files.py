"""A folder (or zip) of one method's output files: which file is which part of which sample."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench.errors import BenchError, first_few
from prn_bench.readers.ids import SampleNames
from prn_bench.recipes.rawsource import RawSource, open_raw

if TYPE_CHECKING:
    from prn_bench.dataset import Dataset

FACES = ("one", "first")  # what to do where a method wrote several faces of one picture


@dataclass(frozen=True)
class Folder:
    """Output files sorted by sample.

    Attributes
    ----------
    source : RawSource
    samples : dict
        Names of the files of each sample id, sorted, by what they are.
    notes : tuple of str
        What was left out, and which samples have no file.
    """

    source: RawSource
    samples: dict[str, dict[str, str]]
    notes: tuple[str, ...]

    def read(self, name: str) -> tuple[bytes, str]:
        """Content of a file, and its name for messages."""
        return self.source.read(name), self.source.where(name)


def sort_folder(
    path: Path,
    kinds: Mapping[str, str],
    dataset: Dataset | None,
    *,
    numbered: bool = False,
    faces: str = "one",
    helpers: Sequence[str] = (),
) -> Folder:
    """Sort the files of a folder or zip.

    Parameters
    ----------
    path : Path
    kinds : mapping of suffix to part
        Such as ``{"_mesh.mat": "mesh"}``; of several that fit, the longest counts.
    dataset : Dataset, optional
        Its ids give the files their samples; those of other samples are left out and counted.
    numbered : bool
        Whether the method adds ``_0``, ``_1``, ... for the faces of a picture.
    faces : str
        ``one``: several faces of a picture are refused; ``first``: the first is taken.
    helpers : sequence of str
        Parts, such as a crop box, that alone are no prediction.

    Raises
    ------
    BenchError
        ``no-output-files``, ``no-known-ids``, ``several-faces``, ``ambiguous-id``, ``bad-option``,
        and those of :func:`prn_bench.recipes.rawsource.open_raw`.
    """
    source = open_raw(path)
    parts: dict[str, dict[str, str]] = defaultdict(dict)
    strangers = []
    for name in source.names:
        suffix = max((s for s in kinds if name.lower().endswith(s)), key=len, default=None)
        if suffix is None or name.lower() == suffix:
            strangers.append(name)
        else:
            stem = re.sub(r"(?i)\.(jpe?g|png|bmp)$", "", name[: -len(suffix)])
            parts[stem].setdefault(kinds[suffix], name)
    whole = {stem: found for stem, found in parts.items() if set(found) - set(helpers)}
    if not whole:
        raise _nothing(path, kinds, source.names)
    names = SampleNames(None if dataset is None else dataset.sample_ids)
    by_id, notes = _by_id(whole, names, path, numbered=numbered, faces=faces)
    samples = {name: by_id[name] for name in sorted(by_id) if names.knows(name)}
    if dataset is not None:
        notes += _joined(samples, by_id, dataset, path)
    if strangers:
        notes.append(f"{len(strangers)} other files were not read: {first_few(strangers)}")
    return Folder(source, samples, tuple(notes))


def _by_id(
    stems: Mapping[str, dict[str, str]],
    names: SampleNames,
    path: Path,
    *,
    numbered: bool,
    faces: str,
) -> tuple[dict[str, dict[str, str]], list[str]]:
    pictures: dict[str, list[str]] = defaultdict(list)
    for stem in sorted(stems, key=_natural):
        bare = re.sub(r"_\d+$", "", stem)
        pictures[stem if not numbered or names.fits(stem) else bare].append(stem)
    several = [name for name, found in pictures.items() if len(found) > 1]
    notes = refuse_several(several, faces, path)
    matched = dict(zip(pictures, names.match(list(pictures), path), strict=True))
    return {matched[name]: stems[found[0]] for name, found in pictures.items()}, notes


def refuse_several(several: Sequence[str], faces: str, path: Path | str) -> list[str]:
    """A note for pictures of several faces of which the first is taken.

    Raises
    ------
    BenchError
        ``several-faces`` unless that was asked for, ``bad-option``.
    """
    if faces not in FACES:
        raise bad_choice("faces", faces, FACES)
    if several and faces == "one":
        raise BenchError(
            f"{len(several)} pictures have several faces: {first_few(several)}",
            code="several-faces",
            where=path,
            expected="one face for each sample",
            remedy="Keep the face that the sample is about, or take the first of each with "
            "--option faces=first.",
        )
    words = f"the first of several faces was taken for {len(several)}: {first_few(several)}"
    return [words] if several else []


def bad_choice(name: str, found: str, choices: Iterable[str]) -> BenchError:
    """The error for an option that has only some values."""
    return BenchError(
        f"the option {name} cannot have this value",
        code="bad-option",
        expected=" or ".join(choices),
        found=repr(found),
    )


def _natural(stem: str) -> tuple[str, int]:
    """Face 10 comes after face 9."""
    number = re.search(r"_(\d{1,9})$", stem)
    return (stem[: number.start()], int(number[1])) if number else (stem, -1)


def _joined(
    samples: Mapping[str, object], by_id: Mapping[str, object], dataset: Dataset, path: Path
) -> list[str]:
    """What the join with a dataset left out on either side."""
    unknown = sorted(set(by_id) - set(samples))
    if not samples:
        raise BenchError(
            f"none of {len(by_id)} names is a sample of {dataset.path.name}",
            code="no-known-ids",
            where=path,
            expected=f"names like {first_few(dataset.sample_ids)}",
            found=first_few(unknown),
            remedy="Name another dataset, or name the files after its samples.",
        )
    notes = []
    if unknown:
        words = f"{len(unknown)} names are no samples of {dataset.path.name}, and were left out"
        notes.append(f"{words}: {first_few(unknown)}")
    missing = [name for name in dataset.sample_ids if name not in samples]
    if missing:
        notes.append(f"{len(missing)} of {len(dataset)} samples have no file: {first_few(missing)}")
    return notes


def _nothing(path: Path, kinds: Mapping[str, str], names: Sequence[str]) -> BenchError:
    return BenchError(
        "no file here has a name that this method gives",
        code="no-output-files",
        where=path,
        expected=", ".join(f"NAME{suffix}" for suffix in kinds),
        found=first_few(names),
        remedy="Name the folder, or the .zip of it, that holds the method's own output files.",
    )
