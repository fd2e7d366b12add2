"""Raw samples as a batch reads them: annotation, digest of the raw bytes, and what decodes the picture."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from prn_bench import images
from prn_bench.errors import BenchError, Finding
from prn_bench.recipes import Recipe
from prn_bench.recipes.annotation import Annotation, SampleFiles
from prn_bench.recipes.rawsource import RawSource, open_raw

if TYPE_CHECKING:
    from PIL.Image import Image

MAPS, COEFFICIENTS = "maps", "coefficients"


@dataclass(frozen=True)
class BuildTask:
    """What every worker needs to know; picklable."""

    recipe: Recipe
    raw: Path
    face_model: Path | None
    layout: str
    with_images: bool
    lossless: bool

    @property
    def source(self) -> RawSource:
        """The raw data: looked through once per process, too large to send with every batch."""
        return cached_source(self.raw)


@dataclass(frozen=True)
class RawSample:
    """One sample as read: annotation, what decodes or renders its picture, digest of the raw bytes."""

    files: SampleFiles
    annotation: Annotation
    picture: Callable[[], Image] | None
    size_px: tuple[int, int]
    sha256: bytes


def read_samples(
    task: BuildTask, files: list[SampleFiles]
) -> tuple[list[RawSample], list[Finding]]:
    """The candidates that can be read, and an error for each other one."""
    samples, findings = [], []
    source, read = task.source, task.recipe.module.read
    for sample in files:
        try:
            raw = _read_one(task, source, read, sample)
        except BenchError as error:
            if error.code == "bad-recipe":  # a bug is no property of the sample
                raise
            findings.append(Finding.from_error(error, where=sample.sample_id))
            continue
        samples.append(raw)
    return samples, findings


def _read_one(
    task: BuildTask,
    source: RawSource,
    read: Callable[[RawSource, SampleFiles], Annotation],
    files: SampleFiles,
) -> RawSample:
    if not files.annotation:
        raise BenchError("the image has no .mat beside it", code="no-annotation")
    if task.with_images and not files.image:
        raise BenchError(
            "the .mat has no image beside it",
            code="no-image",
            remedy="Build with --no-images when scores are all that is needed."
            if task.recipe.card.image_size_px
            else "Put the image beside it: its size is needed.",
        )
    annotation = read(source, files)
    digest = hashlib.sha256(annotation.raw or source.sha256(files.annotation))
    picture, size_px = None, task.recipe.card.image_size_px
    if task.with_images or not size_px:
        digest.update(source.sha256(files.image))
        picture, size_px = _picture(source, files, annotation, size_px)
    return RawSample(
        files,
        annotation,
        picture if task.with_images else None,
        (size_px[0], size_px[1]),
        digest.digest(),
    )


def _picture(
    source: RawSource, files: SampleFiles, annotation: Annotation, expected: tuple[int, ...]
) -> tuple[Callable[[], Image], tuple[int, int]]:
    """What gives the picture, and its (height, width), which must be the expected one, if any.

    Files are decoded when their turn comes to be cut: a batch of decoded ones would fill the memory.
    """
    if annotation.picture is not None:
        opened = annotation.picture()
        decoded = partial(_itself, opened)
    else:
        where = source.where(files.image)
        opened = images.open_image(source.read(files.image), where)
        decoded = partial(images.load_image, opened, where)
    found = (opened.height, opened.width)
    if expected and found != expected:
        raise BenchError(
            "the image does not have the size that its annotation was made for",
            code="image-size",
            expected="{1} x {0}".format(*expected),
            found="{1} x {0}".format(*found),
            remedy="Take the original image.",
        )
    return decoded, found


def _itself(picture: Image) -> Image:
    return picture


@lru_cache(maxsize=4)
def cached_source(path: Path) -> RawSource:
    """The raw data, looked through once per process."""
    return open_raw(path)
