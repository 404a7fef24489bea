"""Recipes by name: `sidelight run quickstart` means the file that an installed distribution announces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sidelight_specs import UserError
from sidelight_specs.hooks import RECIPE
from sidelight_specs.recipe import NAME
from sidelight_specs.release import distributions, how_to_install
from sidelight_specs.wording import did_you_mean, quoted

from sidelight.registry.load import Unavailable

if TYPE_CHECKING:
    from sidelight.registry.catalog import Catalog

HOME = "sidelight-recipes"  # the distribution of our own


def find_recipe(source: str | Path, catalog: Catalog) -> Path:
    """The file that is meant: a path, or a name without folder and suffix that is no file here.

    Raises:
        UserError: no such recipe is installed, or it is broken, blocked, or announced twice.
    """
    name, path = str(source), Path(source)
    if not NAME.fullmatch(name) or path.suffix or path.is_file():
        return path
    entries = catalog.entries(RECIPE)
    named = [entry for entry in entries if entry.name == name]
    if named:
        return _file(name, catalog)
    if any((folder / f"{name}.yaml").is_file() for folder in (Path(), Path("recipes"))):
        return path  # whoever reads it says which file is meant
    message = f"no recipe {quoted(name)} is installed, and there is no such file"
    if not entries and HOME in distributions():
        raise UserError(message, how_to_install(HOME))
    hint = did_you_mean(name, [entry.name for entry in entries])
    raise UserError(message, hint or "name a YAML file; `sidelight recipes` lists the installed ones")


def _file(name: str, catalog: Catalog) -> Path:
    """The file of an announced recipe, as the policy leaves it."""
    named = [entry for entry in catalog.entries(RECIPE) if entry.name == name]
    allowed = []
    for entry in named:
        try:
            catalog.check(entry)
            allowed.append(entry)
        except Unavailable as reason:
            refused = UserError(reason.message, reason.fix)
    if not allowed:
        raise refused
    if len(allowed) > 1:
        owners = " and ".join(f"{entry.distribution} {entry.version}" for entry in allowed)
        raise UserError(f"the recipe {quoted(name)} is announced by {owners}", "uninstall one, or give the file's path")
    try:
        path: Path = catalog.load(allowed[0])
    except Unavailable as reason:
        raise UserError(reason.message, reason.fix) from None
    return path
