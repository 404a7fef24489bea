"""The components that an installed distribution announces, found as the kernel finds them: by entry points."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

import attrs

from sidelight_specs import kinds
from sidelight_specs.announcements import AnnouncementError, announced, manager_of, observer, pick
from sidelight_specs.errors import UserError
from sidelight_specs.hooks import ANNOUNCEMENTS, EXTENSIONS, GROUP_PREFIX, KIND, OBSERVER
from sidelight_specs.role_table import ROLES


@attrs.frozen
class Announced:
    """One entry point, and what stands behind it.

    Args:
        distribution: the distribution's name.
        role: taken from the entry point's group; also `kind`, `command` or `observer`.
        name: the entry point's name.
        module: the light module that it names.
        descriptor: the descriptor of that role and name, the kind, the command or the observer; None where the module
            does not import or does not give it.
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
        UserError: the distribution is not installed, or announces no component.
    """
    try:
        points = metadata.distribution(distribution).entry_points
    except metadata.PackageNotFoundError as error:
        raise UserError(f"no distribution {distribution!r} is installed", f"pip install {distribution}") from error
    entries = [entry for entry in points if entry.group.startswith(GROUP_PREFIX)]
    if not entries:
        raise UserError(
            f"{distribution} announces no component",
            f"Add entry points in a group {GROUP_PREFIX}ROLE to its pyproject.toml and install it again.",
        )
    order = {role: index for index, role in enumerate((*ROLES, *EXTENSIONS))}
    entries.sort(key=lambda entry: (order.get(entry.group.removeprefix(GROUP_PREFIX), len(order)), entry.name))
    return [_announced(distribution, entry) for entry in entries]


def _announced(distribution: str, entry: metadata.EntryPoint) -> Announced:
    role = entry.group.removeprefix(GROUP_PREFIX)
    try:
        descriptor, problem = _descriptor(role, entry.name, entry.value), ""
    except (Exception, SystemExit) as error:
        descriptor, problem = None, f"{type(error).__name__}: {error}"
    return Announced(distribution, role, entry.name, entry.value, descriptor, problem)


def _descriptor(role: str, name: str, module: str) -> Any:
    """Descriptor, kind or command; the module itself for an observer."""
    if role not in (*ANNOUNCEMENTS, OBSERVER):
        raise ValueError(f"{role!r} is no role; roles are {', '.join(ROLES)}")
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
