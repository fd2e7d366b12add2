"""Finding recipes: what turns one raw dataset folder into our dataset file.

A recipe is a folder with ``card.toml`` (facts for people) and ``recipe.py`` with three functions:
``find(source) -> list[SampleFiles]``, ``read(source, sample) -> Annotation`` and
``companions(source, samples) -> Companions``, of the samples that are built. A ``synthetic.py`` may offer
``write(folder, model, n_samples, *, seed)``: raw data in the same layout, made from a face model.

Recipes are found through the entry-point group ``prn_bench.recipes``: an entry names such a folder's
package, or a package of such folders. A path to a ``recipe.py`` works as well.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, replace
from functools import lru_cache, wraps
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from prn_bench.errors import BenchError
from prn_bench.formats.texts import parse_toml

if TYPE_CHECKING:
    from prn_bench.facemodel import FaceModel

ENTRY_POINTS = "prn_bench.recipes"
FUNCTIONS = ("find", "read", "companions")
CARD_KINDS = {"version": int, "image_size_px": list, "expected_samples": list}  # all others: text


@dataclass(frozen=True)
class Card:
    """What a person wants to know of a dataset before building it (``card.toml``).

    Attributes
    ----------
    image_size_px : tuple (height, width), or empty
        Of the raw images; another size means another version of the data. Empty: any size.
    expected_samples : tuple of int
        Counts of the complete set (more than one where it comes with and without flips).
    needs_face_model, obtain, tree : str
        Sentences for people: what the face model is needed for, where to get the data, how the raw
        folder looks.
    fitted_with : str, optional
        How the topology of the face model begins that the stored fits belong to, such as ``bfm``.
    published, published_source : str, optional
        When the raw data were published (ISO 8601, as much of the date as is known), and who says so.
    """

    name: str
    version: int
    title: str
    image_size_px: tuple[int, ...]
    expected_samples: tuple[int, ...]
    needs_face_model: str
    licence: str
    citation: str
    obtain: str
    tree: str
    fitted_with: str = ""
    published: str = ""
    published_source: str = ""


@dataclass(frozen=True)
class Recipe:
    """One recipe; picklable, its code is imported where it is used."""

    card: Card
    path: Path
    module_name: str | None = None
    variant: str | None = None

    @property
    def module(self) -> ModuleType:
        """The module with ``find``, ``read`` and ``companions``.

        Raises
        ------
        BenchError
            ``bad-recipe`` when it lacks one of them or cannot be imported; so do the functions
            themselves when they fail with anything but a BenchError or a system error.
        """
        module = _guarded_module(self.path, self.module_name, self.variant)
        lacking = [name for name in FUNCTIONS if not callable(getattr(module, name, None))]
        if lacking:
            raise BenchError(
                f"the recipe lacks {', '.join(lacking)}",
                code="bad-recipe",
                where=self.path,
                expected="functions " + ", ".join(FUNCTIONS),
                remedy="Write them as CONTRIBUTING.md says.",
            )
        return module

    def write_synthetic(
        self, folder: str | Path, model: FaceModel, n_samples: int, *, seed: int = 0
    ) -> None:
        """Write synthetic raw data in this dataset's own layout.

        Raises
        ------
        BenchError
            ``no-synthetic`` when the recipe does not offer it.
        """
        path = self.path.with_name("synthetic.py")
        if not path.is_file():
            raise BenchError(
                "this recipe cannot make synthetic data", code="no-synthetic", where=path
            )
        name = self.module_name and self.module_name.removesuffix("recipe") + "synthetic"
        module = _load_module(path, name)
        with _faults_named(path):
            module.write(folder, model, n_samples, seed=seed)


def available_recipes() -> dict[str, Recipe]:
    """All installed recipes by name, sorted."""
    from importlib.metadata import entry_points

    found: dict[str, Recipe] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        spec = importlib.util.find_spec(entry.value)
        for root in (spec.submodule_search_locations or []) if spec else []:
            for card in [Path(root, "card.toml"), *sorted(Path(root).glob("*/card.toml"))]:
                if card.is_file():
                    inner = "" if card.parent == Path(root) else f".{card.parent.name}"
                    recipe = _recipe(card, f"{entry.value}{inner}.recipe")
                    found[recipe.card.name] = recipe
    return dict(sorted(found.items()))


def find_recipe(name: str) -> Recipe:
    """A recipe by name, or by the path of its ``recipe.py`` or folder.

    A name may choose a variant, as in ``florence@paper``, where the recipe offers ``VARIANTS``.

    Raises
    ------
    BenchError
        ``unknown-recipe``, ``unknown-variant``, ``no-card``.
    """
    name, _, variant = name.partition("@")
    recipe = _by_name(name)
    if not variant:
        return recipe
    offered = getattr(recipe.module, "VARIANTS", ())
    if variant not in offered:
        raise BenchError(
            f"the recipe {name} has no variant {variant!r}",
            code="unknown-variant",
            expected="one of " + ", ".join(offered) if offered else "none",
        )
    return replace(recipe, variant=variant)


def _by_name(name: str) -> Recipe:
    path = Path(name)
    if path.suffix == ".py" or path.is_dir():
        file = path / "recipe.py" if path.is_dir() else path
        if not file.is_file():
            raise BenchError("there is no recipe.py", code="unknown-recipe", where=path)
        return _recipe(file.with_name("card.toml"), None, file)
    recipes = available_recipes()
    if name not in recipes:
        near = difflib.get_close_matches(name.lower(), recipes, 1)
        raise BenchError(
            f"no recipe is called {name!r}",
            code="unknown-recipe",
            expected="one of " + ", ".join(recipes),
            remedy=f"Did you mean {near[0]}?" if near else "See `prn-bench recipes`.",
        )
    return recipes[name]


def read_card(path: Path) -> Card:
    """A ``card.toml``; unknown and missing keys are refused."""
    if not path.is_file():
        raise BenchError(
            "a recipe needs a card.toml beside its recipe.py", code="no-card", where=path
        )
    try:
        content = parse_toml(path.read_bytes())
    except ValueError as error:
        raise BenchError(f"this is not valid TOML ({error})", code="bad-card", where=path) from None
    names = {field.name for field in fields(Card)}
    needed = {field.name for field in fields(Card) if field.default is MISSING}
    if not needed <= set(content) <= names:
        raise BenchError(
            "the card's keys are not the expected ones",
            code="bad-card",
            where=path,
            expected=", ".join(sorted(needed - set(content))) or "no more keys",
            found=", ".join(sorted(set(content) - names)) or "none of these",
        )
    for key, value in content.items():
        kind: type = CARD_KINDS.get(key, str)
        numbers = value if isinstance(value, list) else []
        if type(value) is not kind or any(type(number) is not int for number in numbers):
            words = {list: "a list of whole numbers", int: "a whole number", str: "text"}
            raise BenchError(
                f"{key} of the card has another type",
                code="bad-card",
                where=path,
                expected=words[kind],
                found=repr(value)[:60],
            )
    lists = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
    return Card(**{**content, **lists})


def _recipe(card: Path, module_name: str | None, file: Path | None = None) -> Recipe:
    return Recipe(read_card(card), file or card.with_name("recipe.py"), module_name)


@lru_cache(maxsize=32)
def _guarded_module(path: Path, module_name: str | None, variant: str | None) -> ModuleType:
    """The recipe with its three functions wrapped: a bug of its author is a message as well.

    A variant becomes the functions' last argument.
    """
    module = _load_module(path, module_name)
    guarded = ModuleType(module.__name__, module.__doc__)
    vars(guarded).update(vars(module))
    for name in FUNCTIONS:
        if callable(function := getattr(module, name, None)):
            setattr(guarded, name, _guarded(function, path, variant))
    return guarded


def _guarded(function: Callable[..., Any], path: Path, variant: str | None) -> Callable[..., Any]:
    last = () if variant is None else (variant,)

    @wraps(function)
    def call(*values: Any) -> Any:
        with _faults_named(path):
            return function(*values, *last)

    return call


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    """What a recipe raises of its own, as ``bad-recipe`` with the line where it happened."""
    try:
        yield
    except (BenchError, OSError, MemoryError):
        raise
    except Exception as error:  # foreign code raises anything
        raise BenchError(
            f"the recipe fails ({type(error).__name__}: {error})",
            code="bad-recipe",
            where=_place(path, error),
            remedy="Mend it there, or tell its author.",
        ) from error


def _place(path: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if Path(f.filename).resolve().parent == path.resolve().parent]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else str(path)


@lru_cache(maxsize=32)
def _load_module(path: Path, module_name: str | None) -> ModuleType:
    with _faults_named(path):
        if module_name is not None:
            return importlib.import_module(module_name)
        name = f"recipe_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise BenchError("this file cannot be imported", code="unknown-recipe", where=path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # where dataclasses and pickle look for it
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return module
