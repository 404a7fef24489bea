"""Reading a recipe: the keys there are, and the kind of value that each one holds.

`load_recipe` is the one way in: compose the source, read its structure here, then resolve it against what is installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs.documents import UNREADABLE, Item, Value, read_params
from sidelight_specs.problems import Problems
from sidelight_specs.recipe import COMPONENT_KEYS, ID, MAX_SEED, NAME, USE, VERSION, Explain
from sidelight_specs.wording import did_you_mean, listing, quoted, show

from sidelight.recipe.compose import compose, is_component
from sidelight.recipe.model import SECTIONS, Candidate, Recipe
from sidelight.recipe.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidelight.recipe.model import Resolved
    from sidelight.registry.catalog import Catalog

KEYS = ("recipe", "name", "seed", "extends", "vars", "explain", *SECTIONS)
MAX_COMPONENTS = 500  # wiring compares each with each


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
    root = compose(source, set, swap, problems)
    if root.data is UNREADABLE:
        problems.raise_if_any()
    path = None if isinstance(source, Mapping) else Path(source)
    resolved = resolve(_Structure(root, problems).recipe(path), catalog, problems, finished=finished)
    problems.raise_if_any()
    assert resolved is not None, "a recipe without problems resolves"
    return resolved


class _Structure:
    """Typed access to the keys of a recipe whose variables are filled in; what is wrong is noted and left out."""

    def __init__(self, root: Value, problems: Problems) -> None:
        self.root, self.problems = root, problems

    def recipe(self, path: Path | None) -> Recipe:
        self.refuse_unknown(self.root.data, KEYS, "a recipe has")
        self.check_version()
        explained = self.root.data.get("explain")
        items = self.mapping(explained, "explain")
        place = explained.value.place if explained else self.root.place
        components = tuple(self.components())
        if len(components) > MAX_COMPONENTS:
            self.problems.add(f"the recipe names more than {MAX_COMPONENTS} components", self.root.place)
        return Recipe(
            name=self.name(path),
            seed=self.seed(),
            explain=read_params(Explain, items, "explain", place, self.problems) or Explain(),
            components=components[:MAX_COMPONENTS],
            source=path,
            place=self.root.place,
            explain_items=items,
        )

    def refuse_unknown(self, items: dict[str, Item], known: tuple[str, ...], whose: str) -> None:
        for key, item in items.items():
            if key not in known:
                expected, fix = f"{whose} {listing(known, 20)}", did_you_mean(key, known)
                self.problems.add(f"unknown key {quoted(key)}", item.key_place, expected=expected, fix=fix)

    def check_version(self) -> None:
        item = self.root.data.get("recipe")
        if item is None:
            self.problems.add("the recipe does not say which version it is", self.root.place, expected="recipe: 1")
        elif item.value.data is not UNREADABLE and (type(item.value.data), item.value.data) != (int, VERSION):
            message = f"this version of Sidelight does not read recipes of version {show(item.value.data)}"
            self.problems.add(message, item.value.place, expected="recipe: 1")

    def name(self, path: Path | None) -> str:
        """The name given, else one made of the file's."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem if path else "").strip("-._")
        item = self.root.data.get("name")
        if item is not None and isinstance(item.value.data, str) and NAME.fullmatch(item.value.data):
            return item.value.data
        if item is not None and item.value.data is not UNREADABLE:
            self.problems.add(
                f"{show(item.value.data)} cannot name a recipe",
                item.value.place,
                expected="up to 100 letters, digits, dots, _ and -, for it also names a folder",
            )
        return stem[:100] or "recipe"

    def seed(self) -> int:
        item = self.root.data.get("seed")
        if item is None or item.value.data is UNREADABLE:
            return 0
        data = item.value.data
        if type(data) is int and 0 <= data <= MAX_SEED:
            return data
        expected = f"a whole number between 0 and {MAX_SEED}"
        self.problems.add(f"the seed is {show(data)}", item.value.place, expected=expected)
        return 0

    def mapping(self, item: Item | None, name: str) -> dict[str, Item]:
        """The items of a mapping that may be left out or empty."""
        if item is None or item.value.data is None or item.value.data is UNREADABLE:
            return {}
        if isinstance(item.value.data, dict):
            return item.value.data
        expected = "a mapping of names to values"
        self.problems.add(f"{name} is {show(item.value.data)}", item.value.place, expected=expected)
        return {}

    def components(self) -> Iterator[Candidate]:
        for section, role in SECTIONS.items():
            item = self.root.data.get(section)
            if item is None or item.value.data is None:
                continue
            if not isinstance(item.value.data, dict) or is_component(item.value.data):
                yield self.component(role, role, item.value, section)
                continue
            for name, component in item.value.data.items():
                if not ID.fullmatch(name):
                    message = f"{quoted(name)} cannot be the id of a component"
                    self.problems.add(message, component.key_place, expected="up to 64 letters, digits, _ and -")
                elif component.value.data is not None:  # null takes a component out
                    yield self.component(name, role, component.value, f"{section}.{name}", tuple(item.value.data))

    def component(self, name: str, role: str, value: Value, path: str, ids: tuple[str, ...] = ()) -> Candidate:
        """One component; an empty `use` says that it could not be read, which is no reason to miss it."""
        items = value.data if isinstance(value.data, dict) else {}
        if value.data is not items and value.data is not UNREADABLE:
            is_use = isinstance(value.data, str) and USE.fullmatch(value.data)
            self.problems.add(
                f"{path} is {show(value.data)}",
                value.place,
                expected="a component {use: PLUGIN/COMPONENT}, or in a section a mapping of ids to components",
                fix=did_you_mean(name, COMPONENT_KEYS) or (f"write {{use: {value.data}}}" if is_use else ""),
            )
        self.refuse_unknown(items, COMPONENT_KEYS, "a component has")
        use = items.get("use")
        if use is None and value.data is items:
            self.problems.add(
                f"{path} does not say which component to use",
                value.place,
                expected="use: PLUGIN/COMPONENT",
                fix=did_you_mean(name, [other for other in ids if other != name]),
            )
        return Candidate(
            id=name,
            role=role,
            use=self.use(use.value, path) if use else "",
            place=use.value.place if use else value.place,
            start=value.place,
            given=self.mapping(items.get("with"), f"with of {path}"),
            named=dict(self.needs(items.get("needs"), path)),
            problems=self.problems,
        )

    def use(self, value: Value, path: str) -> str:
        if isinstance(value.data, str) and USE.fullmatch(value.data):
            return value.data
        if value.data is not UNREADABLE:
            expected = "PLUGIN/COMPONENT; `sidelight plugins` lists what is installed"
            self.problems.add(f"use of {path} is {show(value.data)}", value.place, expected=expected)
        return ""

    def needs(self, item: Item | None, path: str) -> Iterator[tuple[str, Value]]:
        for slot, named in self.mapping(item, f"needs of {path}").items():
            if named.value.data is None or isinstance(named.value.data, str):
                yield slot, named.value
            elif named.value.data is not UNREADABLE:
                message = f"the need {quoted(slot)} of {path} is {show(named.value.data)}"
                self.problems.add(message, named.value.place, expected="the id of a component of this recipe")
