"""The one way to read a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight.problems import Problems
from sidelight.recipe.model import UNREADABLE
from sidelight.recipe.overrides import apply_overrides
from sidelight.recipe.resolve import resolve
from sidelight.recipe.sources import read_source
from sidelight.recipe.structure import read_structure
from sidelight.recipe.variables import fill_in
from sidelight.recipe.wording import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight.recipe.model import Resolved, Value
    from sidelight.registry.catalog import Catalog


def load_recipe(
    source: Path | str | Mapping[str, Any],
    *,
    set: Sequence[str] = (),
    swap: Sequence[str] = (),
    catalog: Catalog,
    finished: bool = False,
) -> Resolved:
    """Read a recipe, check all that can be known without loading a model, and wire its components.

    Args:
        source: the path of a YAML file, or the recipe as plain Python values.
        set: settings such as `explainers.occlusion.with.patch=8`, the value in YAML.
        swap: components to exchange, such as `generator=cdeepex/gan`; applied before `set`.
        catalog: what is installed.
        finished: the recipe has been run already; files that it names may be gone since.

    Raises:
        RecipeError: lists every mistake, each with its place.
    """
    problems = Problems()
    root = apply_overrides(_mapping(read_source(source, problems), problems), set, swap, problems)
    filled = fill_in(root, problems)
    if filled.data is UNREADABLE:
        problems.raise_if_any()
    path = None if isinstance(source, Mapping) else Path(source)
    recipe = read_structure(filled, _default_name(path), path, problems)
    resolved = resolve(recipe, catalog, problems, finished=finished)
    problems.raise_if_any()
    assert resolved is not None, "a recipe without problems resolves"
    return resolved


def _mapping(root: Value, problems: Problems) -> Value:
    """The root when it is a mapping; otherwise reading ends here."""
    if not isinstance(root.data, dict):
        if root.data is not UNREADABLE:
            what = "the recipe is empty" if root.data is None else f"a recipe is a mapping, this is {show(root)}"
            problems.add(what, root.place, expected="keys such as recipe, data, classifier, explainers")
        problems.raise_if_any()
    return root


def _default_name(path: Path | None) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem if path else "").strip("-._")
    return stem[:100] or "recipe"
