"""Recipes that distributions announce: where each lies, what it asks, and which components it uses.

An entry point `NAME = PACKAGE` of the group `sidelight.v1.recipe` stands for the file `NAME.yaml` in that package.
The package is located and never imported: a recipe is data.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from sidelight_specs.documents import Value, read_yaml_file
from sidelight_specs.recipe import COMPONENT_KEYS
from sidelight_specs.roles import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.host import Installed
    from sidelight_specs.problems import Problems

FOLDER = "recipe_folder"
"""Variable of every recipe file: `${recipe_folder}` is the folder of the file in which it is written."""
MAX_EXTENDS = 8  # files in one chain


@frozen
class Outline:
    """Outline of a recipe, as it says of itself, before anything is looked up.

    Args:
        title: its question; empty where it has none.
        uses: role and `PLUGIN/COMPONENT` of each component, in the order of the sections.
        files: the recipe and those that it extends.
    """

    title: str
    uses: tuple[tuple[str, str], ...]
    files: tuple[Path, ...]


def recipe_file(entry: Installed) -> Path:
    """The file of an announced recipe.

    Raises:
        FileNotFoundError: the package is not there, or holds no such file; the message says which.
    """
    top, *below = entry.module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise FileNotFoundError(f"there is no package {top}")
    paths = [Path(folder, *below, f"{entry.name}.yaml") for folder in folders]
    for path in paths:
        if path.is_file():
            return path
    raise FileNotFoundError(f"the package {entry.module} holds no file {entry.name}.yaml")


def outline(path: Path, problems: Problems) -> Outline:
    """Title and components of a recipe, with what it extends; nothing is composed or looked up.

    Args:
        path: of the recipe.
        problems: gets what cannot be read.
    """
    title, uses, files = "", dict[tuple[str, str], tuple[str, str]](), list[Path]()
    following: Path | None = path
    while following is not None and following not in files and len(files) < MAX_EXTENDS:
        root = read_yaml_file(following, problems)
        files.append(following)
        title = title or _text(root, "title")
        for key, use in _components(root):
            uses.setdefault(key, use)
        base = _text(root, "extends")
        following = following.parent / base if base else None
    order = list(SECTIONS)
    named = sorted(((key, use) for key, use in uses.items() if use[1]), key=lambda item: order.index(item[0][0]))
    return Outline(title, tuple(dict.fromkeys(use for _, use in named)), tuple(files))


def _components(root: Value) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Section and id of each component, to its role and use; the use of one that is taken out is empty."""
    for section, role in SECTIONS.items():
        value = _below(root, section)
        if isinstance(value.data, dict) and not any(key in value.data for key in COMPONENT_KEYS):
            for name, item in value.data.items():
                yield (section, name), (role.name, _text(item.value, "use"))
        elif isinstance(value.data, dict):
            yield (section, role.name), (role.name, _text(value, "use"))


def _below(value: Value, key: str) -> Value:
    items: Any = value.data
    return items[key].value if isinstance(items, dict) and key in items else Value(None, value.place)


def _text(value: Value, key: str) -> str:
    data = _below(value, key).data
    return data if isinstance(data, str) else ""
