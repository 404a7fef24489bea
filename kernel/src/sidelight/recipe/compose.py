"""Composition of a recipe: files that extend one another, `--swap`, `--set`, `vars:` and `${name}`.

Everything here is a recipe laid over another, key by key, before anything is known of components.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sidelight_specs.documents import (
    SOURCE,
    UNREADABLE,
    Item,
    Value,
    read_plain,
    read_yaml,
    read_yaml_file,
    refuse,
)
from sidelight_specs.problems import Place, Problems
from sidelight_specs.recipe import COMPONENT_KEYS
from sidelight_specs.recipe_files import FOLDER, MAX_EXTENDS
from sidelight_specs.roles import SECTIONS
from sidelight_specs.variables import fill_in
from sidelight_specs.wording import did_you_mean, listing, quoted, show

if TYPE_CHECKING:
    from collections.abc import Sequence

Level: TypeAlias = Literal["recipe", "section", "component", "values"]
_FOLDER = re.compile(rf"(?<!\$)\$\{{{FOLDER}\}}")
_KEY = r'(?:"[^"]*"|[^".=]+)'
_SETTING = re.compile(rf"\s*({_KEY}(?:\.{_KEY})*)\s*=(.*)", re.DOTALL)


def compose(
    source: Path | str | Mapping[str, Any],
    set: Sequence[str],
    swap: Sequence[str],
    problems: Problems,
    called: str = SOURCE,
) -> Value:
    """The recipe with all that it extends, swaps, sets and names; `UNREADABLE` where it could not be read at all.

    Args:
        source: a path, or plain Python values, whose `extends` is relative to the working folder.
        set: `explainers.a.with.steps=50`, the value in strict YAML. A key that holds a dot is written in quotes.
        swap: `generator=cdeepex/gan` (the recipe's only generator), `explainers.a=captum/saliency` or, where only
            one component has that id, `a=captum/saliency`.
        problems: gets every mistake.
        called: what plain values are called in messages.
    """
    if isinstance(source, Mapping):
        recipe = _with_bases(read_plain(source, problems, called), Path(), (), problems)
    else:
        recipe = _read(Path(source), (), problems)
    if not isinstance(recipe.data, dict):
        if recipe.data is not UNREADABLE:
            is_empty = recipe.data is None
            message = "the recipe is empty" if is_empty else f"a recipe is a mapping, this is {show(recipe.data)}"
            problems.add(message, recipe.place, expected="keys such as recipe, data, classifier, explainers")
        return Value(UNREADABLE, recipe.place)
    for text in swap:
        recipe = merge(recipe, _swapped(recipe, text, problems))
    settings = Value({}, recipe.place)  # merged first: one that changes `use` must not undo another under `with`
    for text in set:
        settings = merge(settings, _setting(text, problems), "values")
    return fill_in(merge(recipe, settings), problems)


def _read(path: Path, chain: tuple[Path, ...], problems: Problems, place: Place | None = None) -> Value:
    """A file merged with what it extends; one that cannot be read is reported where it is extended."""
    recipe = read_yaml_file(path, problems, place=place, folder=Path("recipes"))
    return _with_bases(_located(recipe, path.parent, problems), path.parent, (*chain, path), problems)


def _located(recipe: Value, folder: Path, problems: Problems) -> Value:
    """The recipe with its folder in place of `${recipe_folder}`: each file means its own."""
    variables = recipe.data["vars"].value.data if isinstance(recipe.data, dict) and "vars" in recipe.data else None
    if isinstance(variables, dict) and FOLDER in variables:
        message = f"{quoted(FOLDER)} is the folder of the recipe's file and cannot be set"
        problems.add(message, variables[FOLDER].key_place, fix="choose another name")
    return _replaced(recipe, folder.as_posix().replace("${", "$${"))


def _replaced(value: Value, folder: str) -> Value:
    data = value.data
    if isinstance(data, dict):
        data = {key: Item(item.key_place, _replaced(item.value, folder)) for key, item in data.items()}
    elif isinstance(data, tuple):
        data = tuple(_replaced(item, folder) for item in data)
    elif isinstance(data, str) and FOLDER in data:
        data = _FOLDER.sub(lambda _: folder, data)
    return Value(data, value.place)


def _with_bases(recipe: Value, folder: Path, chain: tuple[Path, ...], problems: Problems) -> Value:
    """A recipe laid over what it extends; `chain` holds the files read, each extended by the one before."""
    named = recipe.data["extends"].value if isinstance(recipe.data, dict) and "extends" in recipe.data else None
    if named is None or named.data is None:
        return recipe
    unreadable = Value(UNREADABLE, recipe.place)
    if not isinstance(named.data, str):
        refuse(named, "extends", problems, expected="the path of a recipe file, as text")
        return unreadable
    path = folder / named.data
    links = [os.path.realpath(link) for link in (*chain, path)]  # Path.resolve raises where links form a circle
    circle = " -> ".join(map(os.path.basename, links[links.index(links[-1]) :])) if links[-1] in links[:-1] else ""
    if circle or len(chain) >= MAX_EXTENDS:
        route = f"round in a circle: {circle}" if circle else f"through more than {MAX_EXTENDS} files"
        problems.add(f"extends goes {route}", named.place)
        return unreadable
    base = _read(path, chain, problems, named.place)
    return merge(base, recipe) if base.data is not UNREADABLE else base


def is_component(data: Any) -> bool:
    """True if a section holds a single component, rather than a mapping of ids to components."""
    return isinstance(data, dict) and any(key in data for key in COMPONENT_KEYS)


def merge(base: Value, over: Value, level: Level = "recipe") -> Value:
    """The recipe `over`, with what it leaves out taken from `base`; or a part of it, at some level.

    Mappings merge key by key and everything else is replaced. A component whose `use` changes starts from an empty
    `with`. A section that changes from one component to a mapping of ids, or back, is replaced as a whole.
    """
    if level == "section" and (is_component(base.data) or is_component(over.data)):
        if not (is_component(base.data) and is_component(over.data)):
            return over
        level = "component"
    if not isinstance(base.data, dict) or not isinstance(over.data, dict):
        return over
    merged = dict(base.data)
    if level == "component" and "use" in over.data:
        before = merged.get("use")
        if before is None or before.value.data != over.data["use"].value.data:
            merged.pop("with", None)
    for key, item in over.data.items():
        below: Level = "component" if level == "section" else "values"
        below = "section" if level == "recipe" and key in SECTIONS else below
        value = merge(merged[key].value, item.value, below) if key in merged else item.value
        merged[key] = Item(item.key_place, value)
    return Value(merged, over.place)


def _setting(text: str, problems: Problems) -> Value:
    """The recipe that holds one setting alone."""
    source = f"--set {text}"
    match = _SETTING.fullmatch(text)
    if not match or match[1] == "extends":
        problems.add(
            "a setting names a key and its value" if not match else "extends is part of the recipe and cannot be set",
            Place(source, rank=problems.next_rank()),
            expected="KEY.KEY=VALUE, such as explainers.occlusion.with.patch=8",
        )
        return Value({}, Place(source))
    value = read_yaml(match[2].strip(), source, problems, one_line=True)
    return _nested([key.strip().strip('"') for key in re.findall(_KEY, match[1])], value)


def _nested(keys: Sequence[str], value: Value) -> Value:
    for key in reversed(keys):
        value = Value({key: Item(value.place, value)}, value.place)
    return value


def _swapped(recipe: Value, text: str, problems: Problems) -> Value:
    """The recipe that holds nothing but the exchanged `use`."""
    place = Place(f"--swap {text}", rank=problems.next_rank())
    name, _, use = (part.strip() for part in text.partition("="))
    names = _swappable(recipe)
    paths = [path for path, called in names.items() if name in called]
    usual = [path for path in paths if path[-1] == name]  # of several, the one with the role's name as id
    paths = usual if len(usual) == 1 else paths
    if not name or not use:
        message = "a swap names a role or an id, and the component to put there"
        problems.add(message, place, expected="ROLE_OR_ID=PLUGIN/COMPONENT")
    elif len(paths) > 1:
        choices = listing(".".join(path) for path in paths)
        problems.add(f"{quoted(name)} could be any of {choices}", place, fix="name one of them")
    elif not paths:
        problems.add(
            f"the recipe has no component {quoted(name)} to swap",
            place,
            expected=listing(".".join(path) for path in names),
            fix=did_you_mean(name, dict.fromkeys(name for called in names.values() for name in called)),
        )
    else:
        return _nested((*paths[0], "use"), Value(use, place))
    return Value({}, place)


def _swappable(recipe: Value) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The keys that lead to each component of a recipe, to the names that `--swap` may call it by."""
    names: dict[tuple[str, ...], tuple[str, ...]] = {}
    for section, role in SECTIONS.items():
        components = recipe.data[section].value.data if section in recipe.data else None
        if is_component(components):
            names[section,] = (role.name, section)
        elif isinstance(components, dict):
            for key, item in components.items():
                if item.value.data not in (None, UNREADABLE):
                    names[section, key] = (role.name, section, key, f"{section}.{key}", f"{role.name}.{key}")
    return names
