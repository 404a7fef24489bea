"""The components that an installed distribution announces, found as the kernel finds them: by entry points."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

import attrs

from sidelight_specs import kinds
from sidelight_specs.announcements import AnnouncementError, announced, manager_of, observer, pick
from sidelight_specs.entry_points import ORDER, Fault, read_entry_points
from sidelight_specs.errors import UserError
from sidelight_specs.hooks import GROUP_PREFIX, KIND, OBSERVER, RECIPE
from sidelight_specs.host import Installed
from sidelight_specs.recipe_files import recipe_file
from sidelight_specs.release import how_to_install


@attrs.frozen
class Announced:
    """One entry point, and what stands behind it.

    Args:
        distribution: the distribution's name.
        role: taken from the entry point's group; also `kind`, `command`, `observer` or `recipe`.
        name: the entry point's name.
        module: the light module that it names.
        descriptor: the descriptor of that role and name, the kind, the command, the observer or the recipe's file; None
            where the module does not import or does not give it.
        problem: why there is no descriptor.
    """

    distribution: str
    role: str
    name: str
    module: str
    descriptor: Any
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.role}/{self.name}"


def components(distribution: str) -> list[Announced]:
    """Every component of a distribution, in the order of role and name.

    Raises:
        UserError: the distribution is not installed, announces no component, or its entry points cannot be understood.
    """
    try:
        entries = list(read_entry_points(metadata.distribution(distribution)))
    except metadata.PackageNotFoundError as error:
        raise UserError(f"no distribution {distribution!r} is installed", how_to_install(distribution)) from error
    fix = f"Mend the entry points (groups {GROUP_PREFIX}ROLE) in its pyproject.toml and install it again."
    if not entries:
        raise UserError(f"{distribution} announces no component", fix)
    faults = [str(one) for one in entries if isinstance(one, Fault)]
    if faults:
        raise UserError("\n".join(faults), fix)
    installed = [one for one in entries if isinstance(one, Installed)]
    return [_announced(one) for one in sorted(installed, key=lambda one: (ORDER[one.role], one.name))]


def _announced(entry: Installed) -> Announced:
    try:
        descriptor, problem = None if entry.flaw else _descriptor(entry), entry.flaw
    except (Exception, SystemExit) as error:
        descriptor, problem = None, f"{type(error).__name__}: {error}"
    return Announced(entry.distribution, entry.role, entry.name, entry.module, descriptor, problem)


def _descriptor(entry: Installed) -> Any:
    """Descriptor, kind or command; the module itself for an observer, the file of a recipe."""
    role, name, module = entry.role, entry.name, entry.module
    if role == RECIPE:
        return recipe_file(entry)
    manager = manager_of(importlib.import_module(module), module)
    if role == OBSERVER:
        return observer(manager)
    items = announced(manager, role)
    for item in items.values():
        if isinstance(item, AnnouncementError):  # also of one that has no entry point
            raise item
    item = pick(items, manager, role, name)
    if role == KIND:
        kinds.register(item)
    return item
