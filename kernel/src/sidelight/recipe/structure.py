"""From values to a typed recipe: which keys there are, and what kind of value each one holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import frozen

from sidelight.problems import Problems
from sidelight.recipe.fields import read_params
from sidelight.recipe.merge import COMPONENT_KEYS, is_component
from sidelight.recipe.model import SECTIONS, UNREADABLE, Choice, Entry, Explain, Recipe, Value
from sidelight.recipe.wording import did_you_mean, listing, quoted, show

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sidelight.problems import Place


VERSION = 1
KEYS = ("recipe", "name", "seed", "extends", "vars", "explain", *SECTIONS)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
USE = re.compile(r"[^\s/]+/[^\s/]+")
MAX_SEED = 2**63 - 1
MAX_COMPONENTS = 500


def read_structure(root: Value, default_name: str, source: Path | None, problems: Problems) -> Recipe:
    """The recipe in a mapping whose variables are filled in; what is wrong is left out of it and noted.

    Args:
        root: a mapping.
        default_name: the name of a recipe that does not give one.
        source: the file, or None for a dict.
        problems: gets every mistake.
    """
    return _Structure(root, problems).recipe(default_name, source)


@frozen
class _Structure:
    root: Value
    problems: Problems

    def recipe(self, default_name: str, source: Path | None) -> Recipe:
        self.known_keys(self.root.data, KEYS, "a recipe has")
        self.version()
        explained = self.root.data.get("explain")
        entries = self.mapping(explained, "explain")
        return Recipe(
            name=self.name(default_name),
            seed=self.seed(),
            explain=self.explain(entries, explained.value.place if explained else self.root.place),
            choices=self.limited(tuple(self.choices())),
            source=source,
            place=self.root.place,
            explain_entries=entries,
        )

    def known_keys(self, entries: dict[str, Entry], known: tuple[str, ...], whose: str) -> None:
        for key, entry in entries.items():
            if key not in known:
                self.problems.add(
                    f"unknown key {quoted(key)}",
                    entry.key_place,
                    expected=f"{whose} {listing(known, 20)}",
                    suggestion=did_you_mean(key, known),
                )

    def version(self) -> None:
        entry = self.root.data.get("recipe")
        if entry is None:
            self.problems.add("the recipe does not say which version it is", self.root.place, expected="recipe: 1")
        elif entry.value.data is not UNREADABLE and (type(entry.value.data), entry.value.data) != (int, VERSION):
            message = f"this version of Sidelight does not read recipes of version {show(entry.value)}"
            self.problems.add(message, entry.value.place, expected="recipe: 1")

    def name(self, default: str) -> str:
        entry = self.root.data.get("name")
        if entry is None:
            return default
        data = entry.value.data
        if isinstance(data, str) and NAME.fullmatch(data):
            return data
        if data is not UNREADABLE:
            self.problems.add(
                f"{show(entry.value)} cannot name a recipe",
                entry.value.place,
                expected="up to 100 letters, digits, dots, _ and -, for it also names a folder",
            )
        return default

    def seed(self) -> int:
        entry = self.root.data.get("seed")
        if entry is None or entry.value.data is UNREADABLE:
            return 0
        data = entry.value.data
        if type(data) is int and 0 <= data <= MAX_SEED:
            return data
        message = f"the seed is {show(entry.value)}"
        self.problems.add(message, entry.value.place, expected=f"a whole number between 0 and {MAX_SEED}")
        return 0

    def explain(self, entries: dict[str, Entry], place: Place) -> Explain:
        explain: Explain | None = read_params(Explain, entries, "explain", place, self.problems)
        return explain or Explain()

    def mapping(self, entry: Entry | None, what: str) -> dict[str, Entry]:
        """The entries of a mapping that may be left out or empty."""
        if entry is None or entry.value.data is None or entry.value.data is UNREADABLE:
            return {}
        if isinstance(entry.value.data, dict):
            return entry.value.data
        self.problems.add(f"{what} is {show(entry.value)}", entry.value.place, expected="a mapping of names to values")
        return {}

    def limited(self, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
        if len(choices) > MAX_COMPONENTS:
            self.problems.add(f"the recipe names more than {MAX_COMPONENTS} components", self.root.place)
        return choices[:MAX_COMPONENTS]

    def choices(self) -> Iterator[Choice]:
        for section, role in SECTIONS.items():
            entry = self.root.data.get(section)
            if entry is None or entry.value.data is None:
                continue
            if isinstance(entry.value.data, dict) and not is_component(entry.value.data):
                yield from self.several(entry.value.data, role, section)
            else:
                yield self.choice(role, role, entry.value, section)

    def several(self, components: dict[str, Entry], role: str, section: str) -> Iterator[Choice]:
        """The components of a mapping of ids; null is no component."""
        for name, entry in components.items():
            if not ID.fullmatch(name):
                expected = "up to 64 letters, digits, _ and -"
                self.problems.add(f"{quoted(name)} cannot be the id of a component", entry.key_place, expected=expected)
            elif entry.value.data is not None:
                yield self.choice(name, role, entry.value, f"{section}.{name}", tuple(components))

    def choice(self, name: str, role: str, value: Value, path: str, ids: tuple[str, ...] = ()) -> Choice:
        """One component; its `use` is empty when it cannot be read, so that what needs it can be told apart."""
        entries = value.data if isinstance(value.data, dict) else {}
        if value.data is not entries and value.data is not UNREADABLE:
            self.problems.add(
                f"{path} is {show(value)}",
                value.place,
                expected="a component {use: PLUGIN/COMPONENT}, or in a section a mapping of ids to components",
                suggestion=did_you_mean(name, COMPONENT_KEYS) or _wrapped(value),
            )
        self.known_keys(entries, COMPONENT_KEYS, "a component has")
        use = entries.get("use")
        if use is None and value.data is entries:
            message, expected = f"{path} does not say which component to use", "use: PLUGIN/COMPONENT"
            meant = did_you_mean(name, [other for other in ids if other != name])
            self.problems.add(message, value.place, expected=expected, suggestion=meant)
        return Choice(
            id=name,
            role=role,
            use=use.value.data if use and self.is_use(use.value, path) else "",
            use_place=use.value.place if use else value.place,
            params=self.mapping(entries.get("with"), f"with of {path}"),
            needs=dict(self.needs(entries.get("needs"), path)),
            place=value.place,
        )

    def is_use(self, value: Value, path: str) -> bool:
        if isinstance(value.data, str) and USE.fullmatch(value.data):
            return True
        if value.data is not UNREADABLE:
            self.problems.add(
                f"use of {path} is {show(value)}",
                value.place,
                expected="PLUGIN/COMPONENT; `sidelight plugins` lists what is installed",
            )
        return False

    def needs(self, entry: Entry | None, path: str) -> Iterator[tuple[str, Value]]:
        for slot, named in self.mapping(entry, f"needs of {path}").items():
            if named.value.data is None or isinstance(named.value.data, str):
                yield slot, named.value
            elif named.value.data is not UNREADABLE:
                message = f"the need {quoted(slot)} of {path} is {show(named.value)}"
                self.problems.add(message, named.value.place, expected="the id of a component of this recipe")


def _wrapped(value: Value) -> str:
    """How to write a component of which only the name was given."""
    fits: Any = isinstance(value.data, str) and USE.fullmatch(value.data)
    return f"write {{use: {value.data}}}" if fits else ""
