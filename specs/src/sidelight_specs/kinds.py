"""Registry of the kinds of results: those of `sidelight_specs.results` first, then those of plugins.

A kind is a subclass of `Artifact` with a `kind` name, registered by the hook `sidelight_kinds` of a light module that
an entry point of the group `sidelight.v1.kind` names, one entry point a kind. So the names are known without an
import, and the class is loaded when a result of the kind is read.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs

from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "sidelight.v1.kind"
NAME = re.compile(r"[a-z][a-z0-9]*([-.][a-z0-9]+)*")
BUILT_IN = "sidelight_specs.builtin"  # registered before every plugin, by the same hook

_classes: dict[str, type[Any]] = {}


def register(kind: type[Any]) -> None:
    """Make a kind known; a second registration of the same class changes nothing.

    Raises:
        ValueError: it is no attrs subclass of `Artifact` with a valid name, or another class has the name.
    """
    if not (isinstance(kind, type) and all(hasattr(kind, name) for name in ("kind", "load", "validate", "view"))):
        raise ValueError(f"a kind is a subclass of Artifact, got {kind!r}")
    if "__attrs_attrs__" not in kind.__dict__:
        raise ValueError(f"{kind.__name__} must be decorated with @attrs.frozen(eq=False, kw_only=True)")
    if not NAME.fullmatch(kind.kind):
        raise ValueError(f"{kind.__name__}.kind must be lower-case words joined by dots or hyphens, got {kind.kind!r}")
    known = _classes.setdefault(kind.kind, kind)
    if known is not kind and _path(known) != _path(kind):  # a reloaded module makes the same class anew
        raise ValueError(f'the kind "{kind.kind}" is {_path(known)} already; {_path(kind)} needs another name')


def find(name: str) -> type[Any]:
    """The class of a kind; a plugin's is imported on first use.

    Raises:
        SidelightError: no kind of that name is installed, or its plugin does not load.
    """
    if name not in _classes:
        load_built_in()
    if name not in _classes:
        _load(name)
    if name not in _classes:
        raise SidelightError(f'no kind of result "{name}" is registered; known are {", ".join(sorted(names()))}')
    return _classes[name]


def check_registered(artifact: Any) -> None:
    """Raise a `SidelightError` unless the artifact can be read back as the kind that it says it is."""
    registered = find(artifact.kind)
    own, theirs = ([field.name for field in attrs.fields(cls)] for cls in (type(artifact), registered))
    if own != theirs:
        raise SidelightError(f'it is of the kind "{artifact.kind}", which is {_path(registered)} and has other fields')


def names() -> set[str]:
    """Names of all kinds that are registered or announced by an entry point; no plugin is imported."""
    from importlib.metadata import entry_points  # takes as long to import as the rest of this package

    load_built_in()
    return {*_classes, *(entry.name for entry in entry_points(group=GROUP))}


def load_built_in() -> None:
    """Register the kinds of `sidelight_specs.results`."""
    for kind in import_module(BUILT_IN).sidelight_kinds():
        register(kind)


def use_loader(load: Callable[[str], Any]) -> None:
    """Replace the import of a plugin's kind; the kernel puts in its own, which isolates plugins and obeys the policy.

    Args:
        load: registers the kind of the name that it gets, or raises a `SidelightError`.
    """
    global _load
    _load = load


def _load_entry_point(name: str) -> None:
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=name):
        try:
            for kind in import_module(entry.value).sidelight_kinds():
                register(kind)
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            raise SidelightError(f'the kind "{name}" cannot be loaded from {entry.value}: {error}') from error


_load: Callable[[str], Any] = _load_entry_point


def _path(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
