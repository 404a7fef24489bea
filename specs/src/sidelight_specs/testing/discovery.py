"""The components that an installed distribution announces, found as the kernel finds them: by entry points."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

import attrs

from sidelight_specs import kinds
from sidelight_specs.commands import Command
from sidelight_specs.errors import UserError
from sidelight_specs.hooks import ANNOUNCEMENTS, COMMAND, EXTENSIONS, GROUP_PREFIX, KIND, OBSERVER, OBSERVER_HOOKS
from sidelight_specs.role_table import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    if role == OBSERVER:
        observer = importlib.import_module(module)
        if not any(hasattr(getattr(observer, hook, None), "sidelight_impl") for hook in OBSERVER_HOOKS):
            raise ValueError(f"{module} has none of {', '.join(OBSERVER_HOOKS)} marked with @hookimpl")
        return observer
    if role not in ANNOUNCEMENTS:
        raise ValueError(f"{role!r} is no role; roles are {', '.join(ROLES)}")
    hook = getattr(importlib.import_module(module), ANNOUNCEMENTS[role], None)
    if hook is None or not hasattr(hook, "sidelight_impl"):
        raise ValueError(f"{module} has no {ANNOUNCEMENTS[role]} marked with @hookimpl")
    same = [item for item in _checked(hook(), role) if getattr(item, "kind" if role == KIND else "name") == name]
    if len(same) != 1:
        raise ValueError(f"{module}.{ANNOUNCEMENTS[role]} gives {len(same)} descriptors named {name!r}, not one")
    if role == KIND:
        kinds.register(same[0])
    return same[0]


def _checked(given: Iterable[Any], role: str) -> list[Any]:
    items = list(given)
    if role == KIND:  # `register` refuses what is no kind
        return items
    wanted = Command if role == COMMAND else ROLES[role].descriptor
    wrong = [item for item in items if not isinstance(item, wanted)]
    if wrong:
        raise ValueError(f"{ANNOUNCEMENTS[role]} gives a {type(wrong[0]).__name__}, not a {wanted.__name__}")
    return items
