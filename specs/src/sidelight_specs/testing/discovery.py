"""The components that an installed distribution announces, found as the kernel finds them: by entry points."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

import attrs

from sidelight_specs.descriptors import ComponentDescriptor
from sidelight_specs.errors import UserError
from sidelight_specs.hooks import EXTENSIONS, GROUP_PREFIX
from sidelight_specs.role_table import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.frozen
class Announced:
    """One entry point, and what stands behind it.

    Args:
        distribution: the distribution's name.
        role: taken from the entry point's group.
        name: the entry point's name.
        module: the light module that it names.
        descriptor: the descriptor of that role and name; None where the module does not import or does not give it.
        problem: why there is no descriptor.
    """

    distribution: str
    role: str
    name: str
    module: str
    descriptor: ComponentDescriptor | None
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.role}/{self.name}"


def components(distribution: str) -> list[Announced]:
    """Every component of a distribution, in the order of role and name.

    Raises:
        UserError: the distribution is not installed, or announces no component.
    """
    try:
        found = metadata.distribution(distribution).entry_points
    except metadata.PackageNotFoundError as error:
        raise UserError(f"no distribution {distribution!r} is installed", f"pip install {distribution}") from error
    entries = [entry for entry in found if entry.group.removeprefix(GROUP_PREFIX) not in EXTENSIONS]
    entries = [entry for entry in entries if entry.group.startswith(GROUP_PREFIX)]
    if not entries:
        raise UserError(
            f"{distribution} announces no component",
            f"Add entry points in a group {GROUP_PREFIX}ROLE to its pyproject.toml and install it again.",
        )
    order = {role: index for index, role in enumerate(ROLES)}
    entries.sort(key=lambda entry: (order.get(entry.group.removeprefix(GROUP_PREFIX), len(order)), entry.name))
    return [_announced(distribution, entry) for entry in entries]


def _announced(distribution: str, entry: metadata.EntryPoint) -> Announced:
    role = entry.group.removeprefix(GROUP_PREFIX)
    try:
        descriptor, problem = _descriptor(role, entry.name, entry.value), ""
    except (Exception, SystemExit) as error:
        descriptor, problem = None, f"{type(error).__name__}: {error}"
    return Announced(distribution, role, entry.name, entry.value, descriptor, problem)


def _descriptor(role: str, name: str, module: str) -> ComponentDescriptor:
    if role not in ROLES:
        raise ValueError(f"{role!r} is no role; roles are {', '.join(ROLES)}")
    hook = getattr(importlib.import_module(module), ROLES[role].hook, None)
    if hook is None or not hasattr(hook, "sidelight_impl"):
        raise ValueError(f"{module} has no {ROLES[role].hook} marked with @hookimpl")
    same = [item for item in _checked(hook(), role) if item.name == name]
    if len(same) != 1:
        raise ValueError(f"{module}.{ROLES[role].hook} gives {len(same)} descriptors named {name!r}, not one")
    return same[0]


def _checked(given: Iterable[Any], role: str) -> list[ComponentDescriptor]:
    items = list(given)
    wrong = [item for item in items if not isinstance(item, ROLES[role].descriptor)]
    if wrong:
        wanted = ROLES[role].descriptor.__name__
        raise ValueError(f"{ROLES[role].hook} gives a {type(wrong[0]).__name__}, not a {wanted}")
    return items
