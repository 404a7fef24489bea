"""Announcements of a light module, asked through pluggy: the kernel and the conformance kit ask alike."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pluggy

from sidelight_specs import hooks
from sidelight_specs.artifacts import Artifact
from sidelight_specs.commands import Command
from sidelight_specs.descriptors import ComponentDescriptor
from sidelight_specs.role_table import ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

MOST = 1000  # descriptors of one hook: no plugin comes near, and an endless hook would fill the memory


class AnnouncementError(Exception):
    """The reason why a light module, or something that it announces, cannot be used: the end of a sentence."""


def manager_of(module: ModuleType, name: str) -> pluggy.PluginManager:
    """A plugin manager that knows one light module and nothing else, so that no plugin sees the hooks of another."""
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(module, name)
    manager.check_pending()
    return manager


def announced(manager: pluggy.PluginManager, role: str) -> dict[str, Any]:
    """Name to everything that a light module announces under a role, or to the `AnnouncementError` of that name.

    Args:
        manager: of the light module.
        role: a role, or `kind` or `command`.

    Raises:
        AnnouncementError: of all of them.
    """
    ((module, _),) = manager.list_name_plugin()
    hook = hooks.ANNOUNCEMENTS[role]
    source = f"{hook}() in {module}"
    wanted = {hooks.KIND: type, hooks.COMMAND: Command}.get(role) or ROLES[role].descriptor
    # A hook is usually a generator function: its body runs while it is listed.
    answers = [list(islice(answer, MOST + 1)) for answer in getattr(manager.hook, hook)()]
    if not answers:
        raise AnnouncementError(f"{module} does not implement the hook {hook}()")
    if len(answers[0]) > MOST:
        raise AnnouncementError(f"{source} gives more than {MOST} descriptors")
    result: dict[str, Any] = {}
    for item in answers[0]:
        is_kind = isinstance(item, type) and issubclass(item, Artifact)
        if not (is_kind or isinstance(item, (ComponentDescriptor, Command))):
            raise AnnouncementError(f"{source} must give descriptors, it gave {_type(item)}")
        name = str(getattr(item, "kind" if role == hooks.KIND else "name", ""))
        if name in result:
            result[name] = AnnouncementError(f'{source} gives two descriptors named "{name}"')
        elif not isinstance(item, wanted):
            expected = wanted.__name__ if role in ROLES else f"a {role}"
            result[name] = AnnouncementError(f'{source} must give {expected}, "{name}" is {_type(item)}')
        else:
            result[name] = item
    return result


def pick(items: Mapping[str, Any], manager: pluggy.PluginManager, role: str, name: str) -> Any:
    """The descriptor, command or kind of that name among what is `announced`.

    Raises:
        AnnouncementError: there is none, or it is not in order.
    """
    if name not in items:
        source = f"{hooks.ANNOUNCEMENTS[role]}() in {manager.list_name_plugin()[0][0]}"
        names = ", ".join(items) or "nothing"
        raise AnnouncementError(f'{source} announces no component "{name}"; it announces {names}')
    if isinstance(items[name], AnnouncementError):
        raise items[name]
    return items[name]


def observer(manager: pluggy.PluginManager) -> Any:
    """The light module of an observer, which announces nothing: it is the observer.

    Raises:
        AnnouncementError: it implements no hook of observers.
    """
    ((name, module),) = manager.list_name_plugin()
    implemented = {hook.name for hook in manager.get_hookcallers(module) or ()}
    if implemented.isdisjoint(hooks.OBSERVER_HOOKS):
        raise AnnouncementError(f"{name} implements none of {', '.join(hooks.OBSERVER_HOOKS)}")
    return module


def _type(item: object) -> str:
    name = type(item).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
